//! `token`: credentials of a workload in a mesh without Kubernetes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pilothouse_ca::token::Token;
use pilothouse_config::Pod;
use pilothouse_runtime::{Clock, private_file};
use pilothouse_serve::identity::{self, AUDIENCE, IdentityError, TokenRequest};

use crate::exit::{Exit, Failure, with_causes};
use crate::output::Output;
use crate::pods;
use crate::units::{Workload, duration, workload};

/// Mints a token for a workload.
///
/// Whoever holds it is that workload until it expires. It is accepted by the daemon that has the same state folder; the key that
/// signs it is made there if there is none yet.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse token --workload web-1.shop --config manifests/ --out web-1/istio-token\n  \
    pilothouse token --workload web-1.shop --service-account web --ttl 10m"
)]
pub(crate) struct Arguments {
    /// The pod and its namespace
    #[arg(long, value_parser = workload, value_name = "POD.NAMESPACE")]
    workload: Workload,
    /// The folder of manifests to take service account and uid of the pod from
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// The service account of the pod [default: what the pod says, else default]
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// The uid of the pod [default: what the pod says, else one made of its name]
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// How long it is good, at most 24h
    #[arg(long, value_parser = duration, default_value = "12h", value_name = "DURATION")]
    ttl: Duration,
    /// Who may accept it
    #[arg(long, default_value = AUDIENCE, value_name = "AUDIENCE")]
    audience: String,
    /// The folder of the daemon's keys
    #[arg(long, default_value = STATE_DIR, value_name = "DIR")]
    state_dir: PathBuf,
    /// The file to write it to, readable by its owner only [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Where the daemon keeps its keys.
pub(crate) const STATE_DIR: &str = "/var/lib/pilothouse";

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { workload, config, service_account, uid, ttl, audience, state_dir, out } = arguments;
    let pod = match config {
        Some(folder) => Some(pods::find(&pods::read(folder, "cluster.local")?, workload)?),
        None => None,
    };
    let bearer = Bearer::new(workload, pod.as_deref(), service_account.as_deref(), uid.as_deref());
    let token = mint(&bearer, audience, *ttl, state_dir)?;
    if let Some(path) = out {
        // Without a line break: Envoy takes the file as it is.
        private_file::write(path, token.expose().as_bytes())
            .map_err(|error| Failure::bad_input(with_causes(&error)))?;
    } else {
        output.answer(token.expose());
        if Output::is_terminal() {
            output.answer("\n");
        }
    }
    Ok(Exit::Fine)
}

/// Whom a token speaks for.
#[derive(Debug)]
pub(crate) struct Bearer<'w> {
    workload: &'w Workload,
    service_account: String,
    uid: String,
}

impl<'w> Bearer<'w> {
    /// What is said on the command line comes before what the pod says.
    pub(crate) fn new(
        workload: &'w Workload,
        pod: Option<&Pod>,
        service_account: Option<&str>,
        uid: Option<&str>,
    ) -> Self {
        let of_pod = pod.map(|pod| (pod.service_account.as_str(), pod.uid.as_str()));
        let (account, own_uid) = of_pod.unwrap_or(("default", ""));
        let own_uid = match own_uid {
            "" => identity::assumed_uid(&workload.namespace, &workload.pod),
            uid => uid.to_owned(),
        };
        Self {
            workload,
            service_account: service_account.unwrap_or(account).to_owned(),
            uid: uid.map_or(own_uid, str::to_owned),
        }
    }
}

/// Mints a token with the key of a state folder.
pub(crate) fn mint(
    bearer: &Bearer<'_>,
    audience: &str,
    ttl: Duration,
    state: &Path,
) -> Result<Token, Failure> {
    let key = identity::load_or_create_token_key(state).map_err(|error| keys_failed(&error))?;
    let Bearer { workload, service_account, uid } = bearer;
    let request = TokenRequest {
        audience,
        namespace: &workload.namespace,
        service_account,
        pod: &workload.pod,
        pod_uid: uid,
        ttl,
    };
    identity::mint_token(&key, request, Clock::system().now()).map_err(Failure::usage)
}

/// The failure of whoever needs the keys.
pub(crate) fn keys_failed(error: &IdentityError) -> Failure {
    Failure::bad_input(format_args!("{} (--state-dir names the folder of the keys)", with_causes(error)))
}
