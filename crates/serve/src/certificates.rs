//! Leaves for workloads and the roots they trust, as secrets that Envoy understands.
//!
//! A leaf is issued for one admitted stream and sent on that stream alone. Its key lives in memory that is overwritten
//! when the last holder lets go; the HTTP/2 and TLS layers below keep copies of what they send for a moment, which
//! nobody can overwrite from here. Nothing of it is logged, shown or kept for the next stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pilothouse_base::Identity;
use pilothouse_ca::rotation::SecretVersion;
use pilothouse_ca::{
    Certified, Decision, IssueError, IssueLimiter, LeafLifetimes, LeafRequest, LimitSettings, Purpose,
    RequestError, Trust,
};
use pilothouse_engine::secrets;
pub(crate) use pilothouse_engine::secrets::{ROOTS, WORKLOAD as LEAF};
use pilothouse_envoy_api::core::{DataSource, data_source::Specifier};
use pilothouse_envoy_api::encode;
use pilothouse_envoy_api::tls::{CertificateValidationContext, Secret, secret};
use pilothouse_runtime::{Clock, entropy};
use pilothouse_xds::{Resource, Version};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::DiscoveryMetrics;

/// Issues leaves within the limits.
#[derive(Debug)]
pub(crate) struct Certificates {
    trust: watch::Receiver<Arc<Trust>>,
    limiter: Mutex<IssueLimiter>,
    lifetimes: LeafLifetimes,
    clock: Clock,
    /// What the limiter counts from.
    start: Instant,
    metrics: DiscoveryMetrics,
}

/// A leaf ready to be sent.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) secret: Arc<Resource>,
    /// What the proxy shall report when it returns.
    pub(crate) version: SecretVersion,
    pub(crate) serial: String,
    pub(crate) fingerprint: String,
}

/// Why there is no leaf now.
#[derive(Debug)]
pub(crate) enum NoLeaf {
    /// Too many at once; ask again after this long.
    Wait(Duration),
    /// It cannot be made.
    Failed(IssueError),
}

/// Why a request is not certified now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCertificate {
    /// Too many at once; ask again after this long.
    #[error("too many certificates; try again in {}s", .0.as_secs())]
    Wait(Duration),
    /// It is not good enough.
    #[error(transparent)]
    Failed(RequestError),
}

impl Certificates {
    pub(crate) fn new(
        trust: watch::Receiver<Arc<Trust>>,
        limits: LimitSettings,
        lifetimes: LeafLifetimes,
        clock: Clock,
        metrics: DiscoveryMetrics,
    ) -> Self {
        // A pod must always get its next leaf in time, however short they live.
        let mut limits = limits;
        limits.per_pod.every = limits.per_pod.every.min(lifetimes.default / 8);
        let start = clock.monotonic();
        Self { trust, limiter: Mutex::new(IssueLimiter::new(limits)), lifetimes, clock, start, metrics }
    }

    /// What signs and what is trusted, and word of a change.
    pub(crate) fn trust(&self) -> watch::Receiver<Arc<Trust>> {
        self.trust.clone()
    }

    /// Makes a key and a leaf for a workload whose identity has been proved.
    pub(crate) fn issue(&self, identity: &Identity, pod_uid: &str, purpose: Purpose) -> Result<Leaf, NoLeaf> {
        let asked = self.start.elapsed();
        let decision = self.limiter.lock().expect("the limiter does not panic").ask(pod_uid, purpose, asked);
        if let Decision::Wait(wait) = decision {
            self.metrics.certificate("delayed");
            return Err(NoLeaf::Wait(wait));
        }
        let request = LeafRequest { identity, ttl: None, serial: entropy::bytes() };
        let trust = self.trust.borrow().clone();
        let issued = trust.signer().issue(&request, self.lifetimes, self.clock.now()).map_err(|error| {
            self.metrics.certificate("failed");
            NoLeaf::Failed(error)
        })?;
        self.metrics.certificate(match purpose {
            Purpose::First => "first",
            Purpose::Renewal => "renewed",
        });
        let version = SecretVersion::of(&issued, trust.signer(), identity);
        let secret = leaf_secret(&issued.chain_pem, issued.key.expose(), &version);
        Ok(Leaf { secret, version, serial: issued.serial, fingerprint: issued.fingerprint })
    }

    /// Certifies a key that a workload made itself; with the roots to trust, as PEM.
    pub(crate) fn certify(
        &self,
        csr_pem: &str,
        identity: &Identity,
        pod_uid: &str,
        ttl: Option<Duration>,
    ) -> Result<(Certified, String), NoCertificate> {
        let asked = self.start.elapsed();
        let mut limiter = self.limiter.lock().expect("the limiter does not panic");
        if let Decision::Wait(wait) = limiter.ask(pod_uid, Purpose::First, asked) {
            self.metrics.certificate("delayed");
            return Err(NoCertificate::Wait(wait));
        }
        drop(limiter);
        let request = LeafRequest { identity, ttl, serial: entropy::bytes() };
        let trust = self.trust.borrow().clone();
        let certified =
            trust.signer().certify(csr_pem, &request, self.lifetimes, self.clock.now()).map_err(|error| {
                self.metrics.certificate("failed");
                NoCertificate::Failed(error)
            })?;
        self.metrics.certificate("requested");
        Ok((certified, trust.roots().pem().to_owned()))
    }

    /// The roots that proxies trust now.
    pub(crate) fn roots(&self) -> Arc<Resource> {
        roots_secret(&self.trust.borrow())
    }

    /// Counts a leaf that did not need to be issued.
    pub(crate) fn recognised(&self) {
        self.metrics.certificate("recognised");
    }
}

fn leaf_secret(chain_pem: &str, key_pem: &str, version: &SecretVersion) -> Arc<Resource> {
    let body = secrets::workload(chain_pem.as_bytes(), key_pem.as_bytes());
    Arc::new(Resource {
        name: Arc::from(LEAF),
        version: leaf_version(&version.to_string()),
        body: Bytes::from_owner(body),
        origins: Arc::from([]),
    })
}

/// What the state machine knows a leaf by: the hash of the version it goes by on the wire.
pub(crate) fn leaf_version(wire: &str) -> Version {
    Version::of(wire.as_bytes())
}

pub(crate) fn roots_secret(trust: &Trust) -> Arc<Resource> {
    let roots = trust.roots().pem();
    let body = match trust.crl_pem() {
        None => secrets::roots(roots.as_bytes()),
        Some(revoked) => encode(&Secret {
            name: ROOTS.to_owned(),
            r#type: Some(secret::Type::ValidationContext(CertificateValidationContext {
                trusted_ca: Some(inline(roots)),
                crl: Some(inline(revoked)),
                ..CertificateValidationContext::default()
            })),
        }),
    };
    Arc::new(Resource::new(ROOTS, body, []))
}

fn inline(text: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(text.as_bytes().to_vec())), ..DataSource::default() }
}

#[cfg(test)]
mod tests;
