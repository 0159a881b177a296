//! What a stream keeps per type: what is subscribed, what is due, what is in flight, what was refused.
//!
//! Nothing here lists what was sent. What the client holds is the snapshot that was pushed last, less what is
//! still due and plus what is not removed yet; so the state of a stream grows with what is outstanding and with
//! how far its subscriptions differ from that, not with the mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resource::{Resource, ResourceType, Version};
use crate::status::Rejection;
use crate::subscriber::names::Names;
use crate::subscriber::trial::Trial;

/// The state of one type.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Whether the client asked for the type at all.
    pub(super) subscribed: bool,
    /// Whether it gets all there is.
    pub(super) wildcard: bool,
    /// What it asked for by name.
    pub(super) names: Names,
    /// What to send, with the version that the client holds where that is known: if the content returns to it
    /// before it was sent, there is nothing to send.
    pub(super) due: BTreeMap<Arc<str>, Option<Version>>,
    /// What the client holds and shall no longer, with the content where it is known.
    pub(super) gone: BTreeMap<Arc<str>, Option<Arc<Resource>>>,
    /// Whether a response must go out even if there is nothing to say.
    pub(super) greet: bool,
    /// Whether the client answered a response on this stream.
    pub(super) answered: bool,
    /// The response that was not answered yet: at most one.
    pub(super) flight: Option<Flight>,
    /// The nonce of the last response, 0 before the first.
    pub(super) nonce: u64,
    /// What was refused, by resource, until it is sent anew and accepted, or removed.
    pub(super) rejected: BTreeMap<Arc<str>, Arc<Rejection>>,
    /// Rejections so far.
    pub(super) rejections: u64,
    /// The search for the resource that spoils the others of its response.
    pub(super) trial: Trial,
    /// Names that the client may hold without reporting them after a break, because a response with them was
    /// refused: an Envoy applies what is good in it but remembers no version.
    pub(super) unconfirmed: BTreeSet<Arc<str>>,
    /// The revision at which something became outstanding.
    pub(super) since: Option<u64>,
}

/// A response that was not answered yet.
#[derive(Debug)]
pub(super) struct Flight {
    /// The revision it was made from.
    pub(super) revision: u64,
    /// What it holds; bodies of secrets are taken out.
    pub(super) resources: Vec<Arc<Resource>>,
    /// What it removes.
    pub(super) removed: Vec<Arc<str>>,
}

impl Track {
    /// Whether the client shall hear of a name.
    pub(super) fn interested(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Whether a response can be started.
    pub(super) fn free(&self) -> bool {
        self.subscribed && self.flight.is_none()
    }

    /// Whether something waits to be sent, removals apart.
    pub(super) fn has_due(&self) -> bool {
        self.subscribed && (self.greet || !self.due.is_empty() || self.trial.is_running())
    }

    /// Notes that a name the client hears of changed from `old` (as far as the client is concerned) to something
    /// else.
    pub(super) fn changed(
        &mut self,
        name: &Arc<str>,
        old: Option<&Arc<Resource>>,
        new: Option<&Arc<Resource>>,
    ) {
        if !self.interested(name) {
            return;
        }
        if new.is_some() {
            let held = match self.gone.remove(name) {
                Some(held) => held.map(|resource| resource.version),
                None => old.map(|resource| resource.version),
            };
            self.due.entry(Arc::clone(name)).or_insert(held);
        } else {
            // If a change of it was not sent yet, what the client holds is older than `old`.
            let unsent = self.due.remove(name).is_some();
            self.gone.insert(Arc::clone(name), old.filter(|_| !unsent).cloned());
        }
    }

    /// Forgets a name that the client does not want any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.names.remove(name);
        self.due.remove(name);
        self.gone.remove(name);
        self.rejected.remove(name);
        self.trial.forget(name);
    }

    /// Picks what goes into the next response: a group under trial, else all that is due and was not refused
    /// before, else one that was, alone. Empty if there is nothing.
    pub(super) fn pick(&mut self) -> BTreeMap<Arc<str>, Option<Version>> {
        if let Some(group) = self.trial.next() {
            for name in &group {
                self.due.remove(name);
            }
            return group.into_iter().map(|name| (name, None)).collect();
        }
        pick(&mut self.due, &self.rejected)
    }
}

/// Takes all names out of `due` that were not refused before, else one that was.
pub(super) fn pick(
    due: &mut BTreeMap<Arc<str>, Option<Version>>,
    rejected: &BTreeMap<Arc<str>, Arc<Rejection>>,
) -> BTreeMap<Arc<str>, Option<Version>> {
    if rejected.is_empty() {
        return std::mem::take(due);
    }
    let good = due.extract_if(.., |name, _| !rejected.contains_key(name)).collect::<BTreeMap<_, _>>();
    if good.is_empty() { due.pop_first().into_iter().collect() } else { good }
}

/// The state of all types.
#[derive(Debug, Default)]
pub(super) struct Tracks([Track; ResourceType::ALL.len()]);

impl Tracks {
    /// Each type with its state, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ResourceType, &Track)> {
        ResourceType::ALL.into_iter().zip(&self.0)
    }

    /// Two different types at once.
    pub(super) fn pair(&mut self, a: ResourceType, b: ResourceType) -> (&mut Track, &mut Track) {
        let [a, b] = self.0.get_disjoint_mut([a as usize, b as usize]).expect("two different types");
        (a, b)
    }

    /// Each type with its state, in order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ResourceType, &mut Track)> {
        ResourceType::ALL.into_iter().zip(&mut self.0)
    }
}

impl std::ops::Index<ResourceType> for Tracks {
    type Output = Track;

    fn index(&self, kind: ResourceType) -> &Track {
        &self.0[kind as usize]
    }
}

impl std::ops::IndexMut<ResourceType> for Tracks {
    fn index_mut(&mut self, kind: ResourceType) -> &mut Track {
        &mut self.0[kind as usize]
    }
}
