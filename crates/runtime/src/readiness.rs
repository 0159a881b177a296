//! Readiness as a set of named conditions, so that "not ready" says what it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// All conditions of the process. Clones are the same set.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    met: BTreeMap<&'static str, bool>,
    closed: Option<&'static str>,
}

/// One condition; not met until it says so.
#[derive(Clone, Debug)]
pub struct Condition {
    name: &'static str,
    all: Readiness,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// A set without conditions: ready.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Adds a condition that is not met yet. The name reads as a fact: `"the CA has a key"`.
    pub fn condition(&self, name: &'static str) -> Condition {
        self.0.send_modify(|state| {
            state.met.insert(name, false);
        });
        Condition { name, all: self.clone() }
    }

    /// From now on not ready, whatever the conditions say: the first step of stopping.
    pub fn close(&self, why: &'static str) {
        self.0.send_modify(|state| state.closed = Some(why));
    }

    /// The names of the conditions that are not met, sorted; and why readiness was closed, if it was.
    pub fn missing(&self) -> Vec<&'static str> {
        self.0.borrow().missing()
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_ready()
    }

    /// Returns once nothing is missing.
    pub async fn ready(&self) {
        let mut changes = self.0.subscribe();
        changes.wait_for(State::is_ready).await.expect("the sender is held by self");
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.closed.is_none() && self.met.values().all(|met| *met)
    }

    fn missing(&self) -> Vec<&'static str> {
        let unmet = self.met.iter().filter(|(_, met)| !**met).map(|(name, _)| *name);
        unmet.chain(self.closed).collect()
    }
}

impl Condition {
    /// The condition is met.
    pub fn ready(&self) {
        self.set(true);
    }

    /// A further condition of the same set, not met yet.
    #[must_use]
    pub fn beside(&self, name: &'static str) -> Self {
        self.all.condition(name)
    }

    /// The condition is not met any more.
    pub fn lost(&self) {
        self.set(false);
    }

    fn set(&self, met: bool) {
        self.all.0.send_if_modified(|state| state.met.insert(self.name, met) != Some(met));
    }
}
