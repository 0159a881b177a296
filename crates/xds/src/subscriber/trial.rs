//! Finding the resource that spoils the others of its response.
//!
//! A refused cluster or listener does not keep its neighbours in the response from being applied. Virtual hosts
//! are taken or refused together per table, and what happens to the neighbours of a refused assignment or route
//! table depends on chance. So a refused response of these types is sent again in halves until the culprit
//! stands alone. When others were accepted since, each culprit gets one more chance: it may only have collided
//! with what one of them held before.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::resource::Resource;

/// Refusals after which a search ends and the rest is blamed together: when a whole table cannot be applied,
/// every half is refused.
const PATIENCE: u32 = 64;

/// A search in progress, or none.
#[derive(Debug, Default)]
pub(super) struct Trial {
    groups: VecDeque<Vec<Arc<str>>>,
    /// Whether a group is in flight.
    trying: bool,
    refused: Vec<Refusal>,
    accepted: bool,
    last_round: bool,
    refusals: u32,
}

/// Resources that a client refused, and its words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) resources: Vec<Arc<Resource>>,
    pub(super) message: Arc<str>,
    /// The revision the response was made from.
    pub(super) revision: u64,
}

impl Trial {
    /// Whether groups wait to be sent.
    pub(super) fn is_running(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The next group to send. What becomes of it must be told by one of the next three.
    pub(super) fn next(&mut self) -> Option<Vec<Arc<str>>> {
        let group = self.groups.pop_front()?;
        self.trying = true;
        Some(group)
    }

    /// The group was not sent, as nobody wants it any more. Returns who is to blame, if the search ends here.
    pub(super) fn skipped(&mut self) -> Vec<Refusal> {
        if std::mem::take(&mut self.trying) { self.next_round() } else { Vec::new() }
    }

    /// A response was accepted. Returns who is to blame, if the search ends here.
    pub(super) fn accepted(&mut self) -> Vec<Refusal> {
        self.accepted |= self.trying;
        self.skipped()
    }

    /// A response was refused; `named` are those of its resources that the client's words name. Returns who is to
    /// blame, if the search ends here.
    pub(super) fn refused(&mut self, refusal: Refusal, named: &BTreeSet<Arc<str>>) -> Vec<Refusal> {
        self.trying = false;
        self.refusals += 1;
        let names = || refusal.resources.iter().map(|resource| &resource.name);
        let count = refusal.resources.len();
        if count <= 1 || self.refusals > PATIENCE {
            self.refused.push(refusal);
            return self.next_round();
        }
        if named.is_empty() || named.len() == count {
            let right = names().skip(count / 2).cloned().collect();
            let left = names().take(count / 2).cloned().collect();
            self.groups.push_front(right);
            self.groups.push_front(left);
        } else {
            for name in named.iter().rev() {
                self.groups.push_front(vec![Arc::clone(name)]);
            }
            self.groups.push_front(names().filter(|name| !named.contains(*name)).cloned().collect());
        }
        Vec::new()
    }

    /// The client does not want a name any more. A group may be left empty and is skipped in its turn.
    pub(super) fn forget(&mut self, name: &str) {
        self.refused.retain(|refusal| refusal.resources.iter().any(|resource| *resource.name != *name));
        for group in &mut self.groups {
            group.retain(|other| **other != *name);
        }
    }

    fn next_round(&mut self) -> Vec<Refusal> {
        if !self.groups.is_empty() {
            return Vec::new();
        }
        if self.accepted && !self.last_round && self.refusals <= PATIENCE && !self.refused.is_empty() {
            self.last_round = true;
            let again = std::mem::take(&mut self.refused).into_iter();
            self.groups = again
                .flat_map(|refusal| refusal.resources)
                .map(|resource| vec![Arc::clone(&resource.name)])
                .collect();
            return Vec::new();
        }
        std::mem::take(self).refused
    }
}

#[cfg(test)]
mod tests;
