//! The names that a client subscribed.
//!
//! An Envoy asks for the assignment of every cluster by name, and that is nearly all there is. So a stream keeps a reference
//! to what it has been told of last, and lists only where its subscription differs from that.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::resource::Resource;
use crate::snapshot::{Change, Layers};

/// Fewer names are listed one by one.
const FEW: usize = 32;

/// A set of names.
#[derive(Debug)]
pub(super) enum Names {
    /// These.
    Listed(BTreeSet<Arc<str>>),
    /// Nearly all of a snapshot.
    Most(Most),
}

/// The names of resources, with exceptions.
#[derive(Debug)]
pub(super) struct Most {
    of: Layers<Resource>,
    /// Names of `of` that are not meant.
    less: BTreeSet<Arc<str>>,
    /// Names that are meant and not in `of`.
    more: BTreeSet<Arc<str>>,
}

impl Default for Names {
    fn default() -> Self {
        Self::Listed(BTreeSet::new())
    }
}

impl From<BTreeSet<Arc<str>>> for Names {
    fn from(names: BTreeSet<Arc<str>>) -> Self {
        Self::Listed(names)
    }
}

impl Names {
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Listed(names) => names.contains(name),
            Self::Most(Most { of, less, more }) => {
                more.contains(name) || of.get(name).is_some() && !less.contains(name)
            }
        }
    }

    pub(super) fn insert(&mut self, name: Arc<str>) {
        match self {
            Self::Listed(names) => {
                names.insert(name);
            }
            Self::Most(Most { of, less, more }) => {
                if of.get(&name).is_some() {
                    less.remove(&name);
                } else {
                    more.insert(name);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        match self {
            Self::Listed(names) => {
                names.remove(name);
            }
            Self::Most(Most { of, less, more }) => {
                if let Some(known) = of.get(name) {
                    less.insert(Arc::clone(&known.name));
                } else {
                    more.remove(name);
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Listed(names) => names.len(),
            Self::Most(Most { of, less, more }) => of.len() - less.len() + more.len(),
        }
    }

    /// Whether it is this set.
    pub(super) fn are(&self, other: &BTreeSet<Arc<str>>) -> bool {
        self.len() == other.len() && other.iter().all(|name| self.contains(name))
    }

    /// Every name, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        let (listed, most) = match self {
            Self::Listed(names) => (names, None),
            Self::Most(Most { of, less, more }) => (more, Some((of, less))),
        };
        let of = most.into_iter().flat_map(|(of, less)| {
            of.iter().map(|resource| &resource.name).filter(|name| !less.contains(*name))
        });
        listed.iter().chain(of)
    }

    /// The names stay the same while what they are told from changes.
    pub(super) fn follow(&mut self, new: &Layers<Resource>, changes: &[Change<Resource>]) {
        let Self::Most(Most { of, less, more }) = self else { return };
        for Change { name, old, new } in changes {
            match (old, new) {
                (None, Some(_)) if !more.remove(name) => {
                    less.insert(Arc::clone(name));
                }
                (Some(_), None) if !less.remove(name) => {
                    more.insert(Arc::clone(name));
                }
                _ => {}
            }
        }
        *of = new.clone();
    }

    /// Picks the form that takes less, given what there is.
    pub(super) fn settle(&mut self, all: &Layers<Resource>) {
        match self {
            Self::Listed(names) if names.len() > FEW && names.len() > all.len() / 2 => {
                let more: BTreeSet<_> =
                    names.iter().filter(|name| all.get(name).is_none()).cloned().collect();
                let missing = |name: &&Arc<str>| !names.contains(*name);
                let less: BTreeSet<_> =
                    all.iter().map(|resource| &resource.name).filter(missing).cloned().collect();
                if 2 * (more.len() + less.len()) < names.len() {
                    *self = Self::Most(Most { of: all.clone(), less, more });
                }
            }
            Self::Most(Most { less, more, .. }) if less.len() + more.len() > FEW => {
                let exceptions = less.len() + more.len();
                if exceptions > self.len() {
                    *self = Self::Listed(self.iter().cloned().collect());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
