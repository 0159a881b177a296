//! The leaf and the roots of one stream: issued when the proxy asks, renewed before they get old.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pilothouse_base::Identity;
use pilothouse_ca::Purpose;
use pilothouse_ca::rotation::SecretVersion;
use pilothouse_runtime::entropy;
use pilothouse_xds::{Request, Resource, ResourceType, Response, TypeState};
use tokio::time::Instant;
use tracing::{debug, error, info};

use super::Stream;
use crate::certificates::{LEAF, Leaf, NoLeaf, ROOTS, leaf_version};
use crate::discovery::admit::Refusal;
use crate::status::seconds;

/// The longest sleep until a renewal. The clock may be set while we sleep.
const LOOK: Duration = Duration::from_secs(30);
/// After how long a leaf that could not be made is tried again.
const FAILED: Duration = Duration::from_secs(10);

/// What is known of the leaf of a stream. Never its key.
#[derive(Debug, Default)]
pub(super) struct LeafState {
    pub(super) held: Option<Held>,
    /// What the proxy reported to hold from an earlier stream.
    reported: Option<String>,
    /// Whether the leaf that is held must be replaced, whatever its age.
    outdated: bool,
    /// Whether the proxy was given roots and has not answered.
    roots_on_the_way: bool,
    /// Not before this moment is a leaf asked for again.
    retry: Option<Instant>,
}

/// The leaf that the proxy holds.
#[derive(Debug)]
pub(super) struct Held {
    /// What it is called on the wire.
    pub(super) version: SecretVersion,
    pub(super) serial: Option<String>,
    pub(super) renew_at: SystemTime,
}

impl Stream<'_> {
    /// What a leaf in a response goes by on the wire.
    pub(super) fn wire_versions(&self, response: &Response) -> Vec<(Arc<str>, String)> {
        let Some(leaf) = self.leaf.held.as_ref().filter(|_| response.kind == ResourceType::Secret) else {
            return Vec::new();
        };
        let text = leaf.version.to_string();
        let holds = response.resources.iter().any(|resource| resource.version == leaf_version(&text));
        if holds { vec![(Arc::from(LEAF), text)] } else { Vec::new() }
    }

    /// A leaf goes by a version that tells its age. The state machine compares versions as hashes, so it is given the
    /// hash of that text, here and where leaves are made.
    pub(super) fn note_reported(&mut self, request: &mut Request) {
        let Request::Delta(delta) = request else { return };
        if delta.kind != ResourceType::Secret {
            return;
        }
        for (name, version) in &mut delta.initial_versions {
            if name == LEAF {
                let hash = leaf_version(version).to_string();
                self.leaf.reported = Some(std::mem::replace(version, hash));
            }
        }
    }

    /// When secrets need attention again.
    pub(super) fn secrets_due(&self) -> Option<Duration> {
        if let Some(retry) = self.leaf.retry {
            return Some(retry.saturating_duration_since(Instant::now()));
        }
        let renew_at = self.leaf.held.as_ref()?.renew_at;
        Some(renew_at.duration_since(self.shared.clock.now()).unwrap_or_default().min(LOOK))
    }

    /// Issues what the proxy waits for and renews what gets old.
    pub(super) async fn secrets(&mut self) -> Result<(), Refusal> {
        let wanted = self.subscriber.wanted_secrets();
        for secret in &wanted {
            if &*secret.name == ROOTS {
                self.give_roots();
            }
        }
        let first = wanted.iter().any(|secret| &*secret.name == LEAF);
        if self.leaf.retry.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        self.leaf.retry = None;
        let now = self.shared.clock.now();
        let old = self.leaf.held.as_ref().is_some_and(|leaf| self.leaf.outdated || leaf.renew_at <= now);
        if !first && !old {
            return Ok(());
        }
        if first && self.recognise() {
            return Ok(());
        }
        self.issue(if first { Purpose::First } else { Purpose::Renewal }).await
    }

    /// Whether the leaf of an earlier stream is still good. Then nothing is sent, and the proxy keeps it.
    fn recognise(&mut self) -> bool {
        let Some(text) = self.leaf.reported.take() else { return false };
        let now = self.shared.clock.now();
        let trust = self.trust.borrow().clone();
        let identity = self.identity();
        let Some(version) =
            SecretVersion::parse(&text).filter(|version| version.is_fresh(now, trust.signer(), &identity))
        else {
            return false;
        };
        let unchanged = Resource {
            name: Arc::from(LEAF),
            version: leaf_version(&text),
            body: Bytes::new(),
            origins: Arc::from([]),
        };
        let responses = self.subscriber.secret(Arc::new(unchanged));
        self.enqueue(responses);
        self.shared.certificates.recognised();
        self.hold(version, None);
        true
    }

    async fn issue(&mut self, purpose: Purpose) -> Result<(), Refusal> {
        self.session.still_valid(self.shared).await?;
        let identity = self.identity();
        match self.shared.certificates.issue(&identity, &self.session.uid, purpose) {
            Ok(leaf) => {
                let Leaf { secret, version, serial, fingerprint } = leaf;
                info!(
                    target: "pilothouse::audit",
                    %identity,
                    proxy = self.session.proxy(),
                    pod_uid = &*self.session.uid,
                    serial,
                    fingerprint,
                    not_after = seconds(version.lifetime.not_after),
                    peer = %self.peer.address,
                    stream = self.id,
                    "issued a leaf"
                );
                self.hold(version, Some(serial));
                self.give(secret);
            }
            Err(NoLeaf::Wait(wait)) => {
                debug!(proxy = self.session.proxy(), ?wait, "a leaf waits for its turn");
                self.leaf.retry = Some(Instant::now() + wait);
            }
            Err(NoLeaf::Failed(error)) => {
                if self.shared.said.first(&format!("issue {error}"), self.shared.clock.now()) {
                    error!(proxy = self.session.proxy(), %error, "cannot issue a leaf");
                }
                self.leaf.retry = Some(Instant::now() + FAILED);
            }
        }
        Ok(())
    }

    fn hold(&mut self, version: SecretVersion, serial: Option<String>) {
        let renew_at = version.lifetime.renew_at(u32::from_le_bytes(entropy::bytes()));
        self.leaf.held = Some(Held { version, serial, renew_at });
        self.leaf.outdated = false;
    }

    fn give(&mut self, secret: Arc<Resource>) {
        let responses = self.subscriber.secret(secret);
        self.enqueue(responses);
    }

    fn give_roots(&mut self) {
        let roots = self.shared.certificates.roots();
        self.shared.streams.gave_roots(self.id, roots.version);
        self.leaf.roots_on_the_way = true;
        self.give(roots);
    }

    /// Tells when the proxy has taken the roots it was given: what waits to sign waits for that.
    pub(super) fn note_taken(&mut self) {
        if !self.leaf.roots_on_the_way {
            return;
        }
        let status = self.subscriber.status();
        let secrets = status.types.get(&ResourceType::Secret);
        if secrets.is_none_or(|secrets| secrets.state == TypeState::Synced) {
            self.leaf.roots_on_the_way = false;
            self.shared.streams.took_roots(self.id);
        }
    }

    /// Roots, or what signs, have changed: roots at once, and then a leaf of the CA that signs now.
    pub(super) async fn new_trust(&mut self) -> Result<(), Refusal> {
        self.give_roots();
        let signer = self.trust.borrow().signer().clone();
        if self.leaf.held.as_ref().is_some_and(|leaf| !leaf.version.is_of(&signer)) {
            self.new_leaf().await?;
        }
        Ok(())
    }

    /// What leaves say has changed: the one that is held is replaced as soon as the limits allow.
    pub(super) async fn new_leaf(&mut self) -> Result<(), Refusal> {
        self.leaf.outdated = self.leaf.held.is_some();
        self.secrets().await
    }

    /// Whom leaves of this stream name now.
    pub(super) fn identity(&self) -> Identity {
        self.session.identity(&self.trust_domain.borrow())
    }
}
