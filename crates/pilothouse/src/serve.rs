//! `serve`: the daemon.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pilothouse_ca::LeafLifetimes;
use pilothouse_diag::{Diagnostic, Severity, render};
use pilothouse_runtime::logging::{self, Form};
use pilothouse_runtime::{
    Clock, Metrics, Readiness, RunError, Stop, Tasks, keep_memory_private, stop_on_signals,
};
use pilothouse_serve::identity::AUDIENCE;
use pilothouse_serve::{
    ADMIN_PORT, DISCOVERY_PORT, Daemon, Inputs, Pacing, PeerAddress, Process, Settings, StartError,
};
use pilothouse_sources::{Directory, Outlet, WatchError, follow, watch};
use pilothouse_xds::RouteDelivery;
use tokio::sync::{mpsc, watch as slot};
use tracing::{error, info, warn};

use crate::cluster::Cluster;
use crate::exit::{Exit, Failure, with_causes};
use crate::output::Output;
use crate::source::{Source, SourceArguments, unread};
use crate::token::STATE_DIR;
use crate::units::duration;
use crate::webhooks::WebhookArguments;

/// Serves the mesh that a folder of manifests or a Kubernetes cluster describes, and follows every change of it.
///
/// Envoys connect to the discovery port with a token (pilothouse token, pilothouse bootstrap). A file that cannot be read keeps its
/// objects as they were; a bad object is reported and the rest is served. Every flag can be given in the environment as well:
/// --xds-listen as PILOTHOUSE_XDS_LISTEN and so on. SIGTERM and SIGINT end it in order.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse serve --config manifests/ --state-dir state/\n  \
    pilothouse serve --config manifests/ --state-dir state/ --xds-plaintext-listen 127.0.0.1:15010\n  \
    pilothouse serve --kubeconfig ~/.kube/config --state-dir state/")]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "What is served")]
    source: SourceArguments,
    #[command(flatten)]
    listen: ListenArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    push: PushArguments,
    #[command(flatten)]
    webhooks: WebhookArguments,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Where it listens")]
struct ListenArguments {
    /// Discovery over TLS
    #[arg(long, default_value_t = SocketAddr::from(([0, 0, 0, 0], DISCOVERY_PORT)), value_name = "ADDRESS:PORT")]
    xds_listen: SocketAddr,
    /// Discovery in plain text, on loopback only: whoever connects is believed [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    xds_plaintext_listen: Option<SocketAddr>,
    /// Health, metrics, and what proxy-status asks; on loopback only
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT)), value_name = "ADDRESS:PORT")]
    admin_listen: SocketAddr,
    /// Further names for the certificate of the discovery port; can be repeated
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    xds_server_name: Vec<String>,
    /// Further addresses for the certificate of the discovery port; can be repeated
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS")]
    xds_server_address: Vec<IpAddr>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Keys and identities")]
struct IdentityArguments {
    /// Where the CA is, and who mints tokens [default: cluster where a cluster is served, else state]
    #[arg(long, value_enum, value_name = "WHERE")]
    keys: Option<KeysFrom>,
    /// In a cluster: the name of this replica among several [default: the name of the machine]
    #[arg(long, value_name = "NAME")]
    replica: Option<String>,
    /// The folder that keeps the CA and the token key; made at first start
    #[arg(long, default_value = STATE_DIR, value_name = "DIR")]
    state_dir: PathBuf,
    /// A folder with a CA to sign with, in Istio's layout: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem; changes are followed
    #[arg(long, value_name = "DIR")]
    cacerts_dir: Option<PathBuf>,
    /// Written into the root that is made at first start; identities follow the mesh settings
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    trust_domain: String,
    /// Audiences that tokens may be meant for; can be repeated
    #[arg(long, value_delimiter = ',', default_value = AUDIENCE, value_name = "AUDIENCE")]
    token_audience: Vec<String>,
    /// How long certificates of workloads live; they are renewed at half of it
    #[arg(long, value_parser = duration, default_value = "24h", value_name = "DURATION")]
    leaf_ttl: Duration,
    /// How long a new root is at least trusted before anything is signed with it
    ///
    /// Long enough for other replicas to hear of it, and for pods to see it in the files they mount [default: 10s, in a cluster 2m]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    root_hold: Option<Duration>,
    /// What happens when a stream comes from an address that its pod does not have
    #[arg(long, value_enum, default_value = "warn", value_name = "WHAT")]
    peer_address: WhenElsewhere,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "How changes travel")]
struct PushArguments {
    /// How route tables travel: in one piece, or host by host when they are large
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    route_delivery: Delivery,
    /// How long nothing must change before changes other than endpoints and secrets go out
    #[arg(long, value_parser = duration, default_value = "8ms", value_name = "DURATION")]
    debounce: Duration,
    /// The longest that such a change waits
    #[arg(long, value_parser = duration, default_value = "50ms", value_name = "DURATION")]
    debounce_max: Duration,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Logs")]
struct LogArguments {
    /// How a line looks
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: LogFormat,
    /// What is logged, such as info,pilothouse_serve=debug
    #[arg(long, default_value = "info", value_name = "FILTER")]
    log_filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeysFrom {
    /// The state folder: a CA of our own, or the one of --cacerts-dir, and tokens of `pilothouse token`.
    State,
    /// The cluster: the secret cacerts, or one that all replicas share, and tokens of the API server.
    Cluster,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhenElsewhere {
    /// Nothing.
    Ignore,
    /// It is logged.
    Warn,
    /// The stream is refused.
    Enforce,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Delivery {
    /// Large tables host by host, to proxies that can.
    #[default]
    Auto,
    /// Always in one piece.
    Rds,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Batches of changes that may wait for the engine.
const BATCHES: usize = 64;
/// A kubelet may take more than a minute to bring a new root into the files of its pods.
const ROOT_HOLD_IN_CLUSTER: Duration = Duration::from_mins(2);

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let form = match arguments.log.log_format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
    };
    logging::start(form, &arguments.log.log_filter).map_err(|error| Failure::usage(with_causes(&error)))?;
    let settings = settings(arguments)?;
    let source = arguments.source.source()?;
    if let Source::Folder(Directory { folder, .. }) = &source
        && !folder.is_dir()
    {
        return Err(Failure::not_found(format_args!("{}: no such folder", folder.display())));
    }
    say_settings(arguments);
    // Before the first key is read, and before there is a second thread.
    keep_memory_private().map_err(|error| Failure::unavailable(with_causes(&error)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("cannot start threads: {error}")))?;
    runtime.block_on(daemon(settings, source, arguments))?;
    output.remark("stopped\n");
    Ok(Exit::Fine)
}

impl Arguments {
    fn keys(&self) -> KeysFrom {
        let usual = if self.source.is_site() { KeysFrom::Cluster } else { KeysFrom::State };
        self.identity.keys.unwrap_or(usual)
    }

    /// What tells this replica from others.
    fn replica(&self) -> Result<String, Failure> {
        if let Some(name) = &self.identity.replica {
            return Ok(name.clone());
        }
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        name.filter(|name| !name.is_empty())
            .ok_or_else(|| Failure::usage("this machine has no name; give one with --replica"))
    }
}

/// What the flags mean.
fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let Arguments { source, listen, identity, push, webhooks, log: _ } = arguments;
    let of_cluster = arguments.keys() == KeysFrom::Cluster;
    let ListenArguments {
        xds_listen,
        xds_plaintext_listen,
        admin_listen,
        xds_server_name,
        xds_server_address,
    } = listen;
    let IdentityArguments {
        keys,
        replica: _,
        state_dir,
        cacerts_dir,
        trust_domain,
        token_audience,
        leaf_ttl,
        root_hold,
        peer_address,
    } = identity;
    let PushArguments { route_delivery, debounce, debounce_max } = push;
    let mut wrong = Vec::new();
    for (flag, address) in
        [("--xds-plaintext-listen", *xds_plaintext_listen), ("--admin-listen", Some(*admin_listen))]
    {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            wrong.push(format!("{flag} {address} is not on loopback, where alone it is safe"));
        }
    }
    if *keys == Some(KeysFrom::Cluster) && !source.is_site() {
        wrong.push("--keys cluster needs a cluster: --kubernetes or --kubeconfig".to_owned());
    }
    if *leaf_ttl < Duration::from_secs(1) || *leaf_ttl > LeafLifetimes::ISTIO.max {
        wrong.push("--leaf-ttl must be from 1s to 2160h".to_owned());
    }
    if debounce > debounce_max {
        wrong.push("--debounce is longer than --debounce-max".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Failure::usage(wrong.join("\npilothouse: ")));
    }
    let usual = Settings::new(*xds_listen, *admin_listen, state_dir.clone());
    Ok(Settings {
        webhooks: webhooks.settings(source)?,
        plaintext: *xds_plaintext_listen,
        server_names: usual.server_names.iter().chain(xds_server_name).cloned().collect(),
        server_addresses: usual.server_addresses.iter().chain(xds_server_address).copied().collect(),
        cacerts: cacerts_dir.clone(),
        trust_domain: trust_domain.clone(),
        audiences: token_audience.clone(),
        root_hold: root_hold.unwrap_or(if of_cluster { ROOT_HOLD_IN_CLUSTER } else { usual.root_hold }),
        leaves: LeafLifetimes { default: *leaf_ttl, max: LeafLifetimes::ISTIO.max },
        peer_address: match peer_address {
            WhenElsewhere::Ignore => PeerAddress::Ignore,
            WhenElsewhere::Warn => PeerAddress::Warn,
            WhenElsewhere::Enforce => PeerAddress::Enforce,
        },
        pacing: Pacing { quiet: *debounce, most: *debounce_max },
        routes: match route_delivery {
            Delivery::Auto => RouteDelivery::default(),
            Delivery::Rds => RouteDelivery::Rds,
        },
        ..usual
    })
}

/// Nothing in the settings is a secret: keys are named by the folder they lie in.
fn say_settings(arguments: &Arguments) {
    let Arguments { source, listen, identity, push, webhooks, log } = arguments;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        ?source,
        ?listen,
        ?identity,
        ?push,
        ?webhooks,
        ?log,
        "starting with these settings"
    );
}

/// The parts of the daemon and how they are joined.
async fn daemon(mut settings: Settings, source: Source, arguments: &Arguments) -> Result<(), Failure> {
    let process = Process { clock: Clock::system(), metrics: Metrics::new(), readiness: Readiness::new() };
    let loaded = process.readiness.condition(match source {
        Source::Folder(_) => "the folder is read",
        Source::Site(_) => "the site is read",
    });
    let (stopper, stop) = Stop::pair();
    let mut tasks = Tasks::new(&stop).with_grace(settings.limits.drain * 3);
    tasks.spawn("signals", stop_on_signals(stopper, tasks.stop()));
    let (selectors, selected) = slot::channel(None);
    let (findings, mut latest) = slot::channel::<Arc<[Diagnostic]>>(Arc::from([]));
    let daemon = match &source {
        Source::Site(site) if arguments.keys() == KeysFrom::Cluster => {
            let cluster = Cluster::connect(site).await?;
            settings.server_names.extend(cluster.server_names());
            if let Some(webhooks) = &mut settings.webhooks {
                let begin = webhooks.injection.borrow().clone();
                let (sender, injection) = slot::channel(begin);
                webhooks.injection = injection;
                let heard = cluster.injection(arguments.source.mesh_maps(), &mut tasks);
                let following = arguments.webhooks.follow(&arguments.source, heard, sender, tasks.stop());
                tasks.spawn("settings of pods", following);
            }
            latest = cluster.missing(latest, process.metrics.clone(), &mut tasks);
            let clock = process.clock.clone();
            let Some(keys) = cluster.keys(&settings, &clock, &mut tasks).await? else { return Ok(()) };
            let daemon = Daemon::bind_with(settings, process, keys).await;
            let daemon = daemon.map_err(|error| not_started(&error))?;
            cluster.write(arguments.replica()?, clock, daemon.trust(), selected, &mut tasks);
            daemon
        }
        _ => Daemon::bind(settings, process).await.map_err(|error| not_started(&error))?,
    };

    let (changes, inbox) = mpsc::channel(BATCHES);
    let outlet = Outlet { changes, findings, selectors, loaded };
    match source {
        Source::Folder(directory) => tasks.spawn("directory", watch(directory, outlet, tasks.stop())),
        Source::Site(site) => tasks.spawn("site", follow(site, outlet, tasks.stop())),
    }
    tasks.spawn("findings", say_findings(latest.clone(), tasks.stop()));
    tasks.spawn("serve", daemon.run(Inputs { changes: inbox, findings: latest }, tasks.stop()));
    tasks.run().await.map_err(|error| broke_off(&error))
}

/// Logs each finding about the files once, when it appears.
async fn say_findings(mut latest: slot::Receiver<Arc<[Diagnostic]>>, stop: Stop) -> Result<(), Infallible> {
    let mut said = BTreeSet::new();
    loop {
        let findings = latest.borrow_and_update().clone();
        let now: BTreeSet<String> = findings
            .iter()
            .map(|finding| {
                let text = render::text(finding);
                if !said.contains(&text) {
                    match finding.severity() {
                        Severity::Error => error!("{text}"),
                        Severity::Warning => warn!("{text}"),
                        Severity::Note => info!("{text}"),
                    }
                }
                text
            })
            .collect();
        said = now;
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            changed = latest.changed() => if changed.is_err() {
                stop.stopped().await;
                return Ok(());
            },
        }
    }
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::NotLoopback(_) => Exit::Usage,
        StartError::Listen { .. } | StartError::Admin(_) => Exit::Unavailable,
        StartError::Identity(_) | StartError::Serving(_) => Exit::BadInput,
    };
    Failure::new(exit, with_causes(error))
}

fn broke_off(error: &RunError) -> Failure {
    if let RunError::Failed { source, .. } = error
        && let Some(error) = source.downcast_ref()
    {
        return unread(error);
    }
    let exit = match error {
        RunError::Failed { source, .. }
            if matches!(source.downcast_ref(), Some(WatchError::Folder { .. })) =>
        {
            Exit::NotFound
        }
        _ => Exit::Bug,
    };
    Failure::new(exit, with_causes(error))
}
