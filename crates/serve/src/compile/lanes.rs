//! When waiting changes are compiled.
//!
//! A change of endpoints, pods or secrets is felt at once by whoever talks to the pod that went away, so it leaves at
//! once. Other changes come in bursts (a folder saved, a release applied), and a burst compiled as one batch costs a
//! fraction of its parts and never shows proxies a state between two edits; they wait for a short quiet.
//!
//! What a source hands over as one batch stays one batch.

use std::collections::BTreeSet;
use std::time::Duration;

use pilothouse_base::ObjectKey;
use tokio::time::Instant;

/// How long changes that are not urgent wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How long nothing must arrive before they are compiled.
    pub quiet: Duration,
    /// The longest that the first of them waits.
    pub most: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { quiet: Duration::from_millis(8), most: Duration::from_millis(50) }
    }
}

/// What the lanes need to know of a change.
pub(crate) trait Paced {
    /// Whether it leaves at once.
    fn urgent(&self) -> bool;
    /// The object it is about.
    fn key(&self) -> &ObjectKey;
}

/// Changes that wait, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Lanes<C> {
    pacing: Pacing,
    urgent: Vec<C>,
    calm: Vec<C>,
    /// The objects of urgent kinds among `calm`: a later change of the same object must not overtake.
    held: BTreeSet<ObjectKey>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl<C: Paced> Lanes<C> {
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self { pacing, urgent: Vec::new(), calm: Vec::new(), held: BTreeSet::new(), first: None, last: None }
    }

    /// Takes a batch of a source.
    pub(crate) fn add(&mut self, batch: Vec<C>, now: Instant) {
        if batch.is_empty() {
            return;
        }
        let urgent = batch.iter().all(Paced::urgent);
        if urgent && !batch.iter().any(|change| self.held.contains(change.key())) {
            self.urgent.extend(batch);
            return;
        }
        self.held.extend(batch.iter().filter(|change| change.urgent()).map(|change| change.key().clone()));
        self.calm.extend(batch);
        self.first.get_or_insert(now);
        self.last = Some(now);
        if urgent {
            // It waits for nothing, and neither does what it must not overtake.
            self.urgent.append(&mut self.calm);
            self.calm_taken();
        }
    }

    /// When the next batch is due; `None` if nothing waits.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if !self.urgent.is_empty() {
            return Some(now);
        }
        let (first, last) = (self.first?, self.last?);
        Some((last + self.pacing.quiet).min(first + self.pacing.most))
    }

    /// What is due by now, oldest first; may be empty.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<C> {
        let mut batch = std::mem::take(&mut self.urgent);
        let calm_due = self
            .first
            .zip(self.last)
            .is_some_and(|(first, last)| now >= last + self.pacing.quiet || now >= first + self.pacing.most);
        if calm_due {
            // Urgent changes in the other lane are of other objects, so the order between the lanes says nothing.
            batch.append(&mut self.calm);
            self.calm_taken();
        }
        batch
    }

    fn calm_taken(&mut self) {
        self.held.clear();
        self.first = None;
        self.last = None;
    }
}

#[cfg(test)]
mod tests;
