//! The CA of a mesh in Kubernetes: given by an operator in the secret `cacerts`, or else made by us once and kept in the
//! secret `istio-ca-secret`, where all replicas find it.
//!
//! Names and layout are Istio's, so a mesh can move from one control plane to the other under one root.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, Error};
use pilothouse_ca::{Authority, CaFiles, LoadError, NewRoot, RootError, create_root};
use pilothouse_runtime::{Clock, Stop, entropy};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::pause::Pause;
use crate::with_causes;

/// What an operator gives.
const GIVEN: &str = "cacerts";
/// What we make.
const MADE: &str = "istio-ca-secret";
/// The type of what we make.
const MADE_TYPE: &str = "istio.io/ca-root";
/// How often it is looked for another CA.
const ROUND: Duration = Duration::from_secs(5);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The CA cannot be used. Waiting does not help; somebody must change the secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// What a secret holds is unusable.
    #[error("the CA in the secret {namespace}/{name} cannot be used")]
    Unusable {
        /// Where the secret is.
        namespace: String,
        /// The secret.
        name: &'static str,
        /// What is wrong.
        source: LoadError,
    },
    /// No root could be made.
    #[error("cannot make a CA")]
    Root(#[from] RootError),
}

/// The secrets of a CA in the namespace of the control plane.
#[derive(Clone, Debug)]
pub struct CaSecrets {
    api: Api<Secret>,
    namespace: String,
    trust_domain: String,
    clock: Clock,
}

/// Which secret an authority came from, and in which state: enough to see that nothing changed.
type Version = (&'static str, Option<String>);

impl CaSecrets {
    /// Those of a namespace. `trust_domain` is written into a root that is made.
    pub fn new(client: Client, namespace: &str, trust_domain: &str, clock: Clock) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            trust_domain: trust_domain.to_owned(),
            clock,
        }
    }

    /// Finds the CA, or makes it. An API server that does not answer is waited for; `None` if stop is said meanwhile.
    pub async fn load_or_create(&self, stop: &Stop) -> Result<Option<Authority>, AuthorityError> {
        let mut pause = Pause::default();
        loop {
            match timeout(PATIENCE, self.try_once()).await.unwrap_or_else(|_| Err(Trouble::Late)) {
                Ok((_, authority)) => return Ok(Some(authority)),
                Err(Trouble::Unusable(error)) => return Err(error),
                // Another replica was faster: the next look finds what it made.
                Err(Trouble::Taken) => {}
                Err(trouble) => {
                    if pause.is_first() {
                        warn!(why = with_causes(&trouble), "the secret of the CA cannot be read yet");
                    }
                    tokio::select! {
                        () = stop.stopped() => return Ok(None),
                        () = sleep(pause.next()) => {}
                    }
                }
            }
        }
    }

    /// Offers the CA whenever its secret changes, until stop is said. What cannot be used is reported and changes nothing.
    pub async fn follow(self, offers: mpsc::Sender<Authority>, stop: Stop) -> Result<(), Infallible> {
        let mut offered: Option<Version> = None;
        let mut said: Option<String> = None;
        loop {
            let found = timeout(PATIENCE, self.find()).await.unwrap_or_else(|_| Err(Trouble::Late));
            match found {
                Ok(Some((version, authority))) if offered.as_ref() != Some(&version) => {
                    offered = Some(version);
                    said = None;
                    tokio::select! {
                        () = stop.stopped() => return Ok(()),
                        _ = offers.send(authority) => {}
                    }
                }
                Ok(Some(_)) => said = None,
                // Somebody deleted it. What we have goes on, and a restart would make another one: say so.
                Ok(None) => say(&mut said, "the secret of the CA is gone".to_owned()),
                Err(trouble) => say(&mut said, with_causes(&trouble)),
            }
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                () = sleep(ROUND) => {}
            }
        }
    }

    async fn try_once(&self) -> Result<(Version, Authority), Trouble> {
        if let Some(found) = self.find().await? {
            return Ok(found);
        }
        let root = create_root(&self.trust_domain, entropy::bytes(), self.clock.now())
            .map_err(AuthorityError::from)?;
        let authority = load(&self.namespace, MADE, &made_files(&root))?;
        let created = self.api.create(&PostParams::default(), &made(&root)).await;
        match created {
            Ok(secret) => {
                info!(
                    secret = MADE,
                    namespace = self.namespace,
                    root = authority.roots().fingerprint(),
                    "made a CA"
                );
                Ok(((MADE, secret.metadata.resource_version), authority))
            }
            Err(Error::Api(status)) if status.code == 409 => Err(Trouble::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// The CA there is; the operator's counts more.
    async fn find(&self) -> Result<Option<(Version, Authority)>, Trouble> {
        for name in [GIVEN, MADE] {
            let Some(secret) = self.api.get_opt(name).await? else { continue };
            let version = (name, secret.metadata.resource_version.clone());
            let files = files(secret.data.unwrap_or_default(), name == MADE);
            if !files.is_absent() {
                return Ok(Some((version, load(&self.namespace, name, &files)?)));
            }
        }
        Ok(None)
    }
}

/// Why there is no CA now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the API server takes too long")]
    Late,
    #[error("the API server does not answer")]
    Api(#[source] Box<Error>),
    #[error("another replica has just made one")]
    Taken,
    #[error(transparent)]
    Unusable(#[from] AuthorityError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Api(Box::new(error))
    }
}

fn say(said: &mut Option<String>, why: String) {
    if said.as_ref() != Some(&why) {
        warn!(why, "the CA in force stays");
        *said = Some(why);
    }
}

fn load(namespace: &str, name: &'static str, files: &CaFiles) -> Result<Authority, AuthorityError> {
    Authority::load(files).map_err(|source| AuthorityError::Unusable {
        namespace: namespace.to_owned(),
        name,
        source,
    })
}

/// The files of a secret, in Istio's layout or in that of a TLS secret. What Istio or we made by ourselves has no chain,
/// and its own certificate is the root.
fn files(mut data: BTreeMap<String, ByteString>, made: bool) -> CaFiles {
    let of_tls = data.contains_key("tls.crt");
    let mut take = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| data.remove(name));
        // In what we made an empty file stands for none; in what was given it is the operator's word.
        found.map(|ByteString(bytes)| bytes).filter(|bytes| !made || !bytes.is_empty())
    };
    let ca_cert = take(["ca-cert.pem", "tls.crt"]);
    let ca_key = take(["ca-key.pem", "tls.key"]);
    let mut root_cert = take(["root-cert.pem", "ca.crt"]);
    let mut cert_chain = take(["cert-chain.pem", "cert-chain.pem"]);
    let ca_crl = take(["ca-crl.pem", "ca-crl.pem"]);
    if made && ca_cert.is_some() {
        root_cert = root_cert.or_else(|| ca_cert.clone());
        cert_chain = cert_chain.or_else(|| Some(Vec::new()));
    }
    if of_tls {
        // A TLS secret keeps the intermediates behind the certificate.
        cert_chain = cert_chain.or_else(|| ca_cert.clone());
    }
    CaFiles { ca_cert, ca_key, root_cert, cert_chain, ca_crl }
}

fn made_files(root: &NewRoot) -> CaFiles {
    let certificate = root.certificate_pem.as_bytes().to_vec();
    CaFiles {
        ca_cert: Some(certificate.clone()),
        ca_key: Some(root.key.expose().as_bytes().to_vec()),
        root_cert: Some(certificate),
        cert_chain: Some(Vec::new()),
        ca_crl: None,
    }
}

/// The secret of a root that we made, as Istio writes it.
fn made(root: &NewRoot) -> Secret {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let data = [
        ("ca-cert.pem", text(&root.certificate_pem)),
        ("ca-key.pem", text(root.key.expose())),
        ("cert-chain.pem", text("")),
        ("key.pem", text("")),
        ("root-cert.pem", text("")),
    ];
    Secret {
        metadata: ObjectMeta { name: Some(MADE.to_owned()), ..ObjectMeta::default() },
        type_: Some(MADE_TYPE.to_owned()),
        data: Some(data.into_iter().map(|(name, content)| (name.to_owned(), content)).collect()),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests;
