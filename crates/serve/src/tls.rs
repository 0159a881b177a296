//! The certificate with which the discovery port serves, made by our own CA and renewed while we run.

use std::net::IpAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use pilothouse_ca::{Authority, IssueError, ServingRequest, Trust};
use pilothouse_runtime::{Clock, Stop, entropy};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

/// How long a serving certificate lives. It is never stored, so a short life costs nothing.
const LIFETIME: Duration = Duration::from_hours(24);
/// When it is looked at again. Sleeps are short so that a clock that was set does not matter.
const LOOK: Duration = Duration::from_mins(1);

/// No serving certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// The CA refused.
    #[error("cannot make a serving certificate")]
    Issue(#[from] IssueError),
    /// The TLS library refused what the CA made.
    #[error("the serving certificate is not usable")]
    Tls(#[from] rustls::Error),
}

/// Names of the server, and the certificate for them.
#[derive(Debug)]
pub(crate) struct Serving {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    trust: watch::Receiver<Arc<Trust>>,
    clock: Clock,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Serving {
    pub(crate) fn new(
        names: Vec<String>,
        addresses: Vec<IpAddr>,
        trust: watch::Receiver<Arc<Trust>>,
        clock: Clock,
    ) -> Result<Self, ServingError> {
        let current = make(trust.borrow().signer(), &names, &addresses, &clock)?;
        Ok(Self { names, addresses, trust, clock, current: RwLock::new(current) })
    }

    /// TLS 1.2 and 1.3 with forward secrecy only, HTTP/2 only. Clients show no certificate; they bring a token.
    pub(crate) fn config(self: &Arc<Self>) -> Result<ServerConfig, ServingError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// The same certificate for HTTP/1.1, which is what webhooks speak.
    pub(crate) fn http1(self: &Arc<Self>) -> Result<ServerConfig, ServingError> {
        let mut config = self.config()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Renews the certificate at half of its life and when another CA signs.
    pub(crate) async fn renew(self: Arc<Self>, stop: Stop) -> Result<(), ServingError> {
        let mut trust = self.trust.clone();
        let mut signer = trust.borrow_and_update().signer().clone();
        let mut due = self.clock.now() + LIFETIME / 2;
        loop {
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                Ok(()) = trust.changed() => {}
                () = sleep(LOOK) => {}
            }
            let now = trust.borrow_and_update().signer().clone();
            if now.fingerprint() == signer.fingerprint() && self.clock.now() < due {
                continue;
            }
            signer = now;
            let made = make(&signer, &self.names, &self.addresses, &self.clock);
            match made {
                Ok(made) => {
                    *self.current.write().expect("nothing panics while it holds the lock") = made;
                    due = self.clock.now() + LIFETIME / 2;
                    info!("renewed the serving certificate");
                }
                // The old one is good for as long again; the next look tries anew.
                Err(error) => warn!(%error, "the serving certificate was not renewed"),
            }
        }
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().expect("nothing panics while it holds the lock").clone())
    }
}

fn make(
    authority: &Authority,
    names: &[String],
    addresses: &[IpAddr],
    clock: &Clock,
) -> Result<Arc<CertifiedKey>, ServingError> {
    let request = ServingRequest { dns_names: names, addresses, ttl: LIFETIME, serial: entropy::bytes() };
    let issued = authority.serving(&request, clock.now())?;
    let unreadable = |_| rustls::Error::General("what the CA made is not PEM".to_owned());
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(issued.key.expose().as_bytes()).map_err(unreadable)?;
    let key = ring::sign::any_supported_type(&key)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}
