//! Secrets of one proxy.
//!
//! A leaf certificate comes with a private key, which belongs to one stream: it is handed out and not kept. A
//! secret that is not there yet is not answered; an Envoy that is told "removed" stops waiting and goes on
//! without a certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::resource::{Resource, Version};

/// A secret that the client subscribed and the snapshot does not hold: to be issued for this proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSecret {
    /// Its name.
    pub name: Arc<str>,
    /// The version that the client reports to hold since an earlier stream.
    pub reported: Option<Version>,
}

/// The state of the secrets that are issued for this proxy.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    wanted: BTreeMap<Arc<str>, Option<Version>>,
    /// Issued and not handed out yet: one response at a time.
    issued: BTreeMap<Arc<str>, Arc<Resource>>,
    /// What the client holds of the issued ones.
    held: BTreeMap<Arc<str>, Version>,
}

impl Secrets {
    /// The client waits for a secret that the snapshot does not hold.
    pub(super) fn want(&mut self, name: &Arc<str>, reported: Option<Version>) {
        self.held.remove(name);
        self.wanted.insert(Arc::clone(name), reported);
    }

    /// The snapshot holds it now.
    pub(super) fn found(&mut self, name: &str) {
        self.forget(name);
    }

    /// The client does not want it any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.wanted.remove(name);
        self.issued.remove(name);
        self.held.remove(name);
    }

    /// The secret was made.
    pub(super) fn issue(&mut self, resource: Arc<Resource>) {
        let held = self.wanted.remove(&resource.name).flatten();
        let held = held.or_else(|| self.held.get(&resource.name).copied());
        if held == Some(resource.version) {
            self.issued.remove(&resource.name);
            self.held.insert(Arc::clone(&resource.name), resource.version);
        } else {
            self.issued.insert(Arc::clone(&resource.name), resource);
        }
    }

    /// The next one to hand out.
    pub(super) fn next(&mut self) -> Option<Arc<Resource>> {
        let (name, resource) = self.issued.pop_first()?;
        self.held.insert(name, resource.version);
        Some(resource)
    }

    /// Those to be made.
    pub(super) fn wanted(&self) -> Vec<WantedSecret> {
        self.wanted
            .iter()
            .map(|(name, reported)| WantedSecret { name: Arc::clone(name), reported: *reported })
            .collect()
    }

    /// Whether the client waits for one.
    pub(super) fn is_outstanding(&self) -> bool {
        !self.wanted.is_empty() || !self.issued.is_empty()
    }
}
