//! Counting what happens, in the text form that Prometheus reads.
//!
//! There is one registry per process and no global: each part is handed a registry with its own prefix when it is made, registers
//! what it counts there, with help text and unit, and keeps the counters. Labels come from closed sets, never from users or proxies.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, RwLock};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Before every name.
const PREFIX: &str = "pilothouse";

/// The registry of the process. Clones are the same registry.
#[derive(Clone)]
pub struct Metrics(Arc<RwLock<Registry>>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(Registry::with_prefix(PREFIX))))
    }

    /// Lets one part register what it counts; its names become `pilothouse_PART_…`.
    pub fn part<T>(&self, part: &'static str, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut all = self.0.write().expect("registering does not panic");
        register(all.sub_registry_with_prefix(part))
    }

    /// All values now, as OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let all = self.0.read().expect("registering does not panic");
        prometheus_client::encoding::text::encode(&mut text, &all)
            .expect("writing to a string does not fail");
        text
    }
}

/// A histogram of durations in seconds, from half a millisecond to half a minute.
pub fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 17))
}

/// Measures from its making to its drop, so that no way out of a function is forgotten.
#[derive(Debug)]
pub struct DurationTimer {
    into: Histogram,
    since: Instant,
}

impl DurationTimer {
    /// Starts measuring.
    pub fn start(into: &Histogram) -> Self {
        Self { into: into.clone(), since: Instant::now() }
    }
}

impl Drop for DurationTimer {
    fn drop(&mut self) {
        self.into.observe(self.since.elapsed().as_secs_f64());
    }
}
