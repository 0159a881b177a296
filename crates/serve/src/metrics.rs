//! What the serving part counts.

use pilothouse_runtime::prometheus_client::metrics::counter::Counter;
use pilothouse_runtime::prometheus_client::metrics::family::Family;
use pilothouse_runtime::prometheus_client::metrics::gauge::Gauge;
use pilothouse_runtime::prometheus_client::metrics::histogram::Histogram;
use pilothouse_runtime::{DurationTimer, Metrics, seconds};

/// Of the loop that feeds the engine.
#[derive(Clone, Debug)]
pub(crate) struct CompileMetrics {
    commits: Counter,
    changes: Counter,
    snapshots: Counter,
    panics: Counter,
    bugs: Gauge,
    duration: Histogram,
}

impl CompileMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let this = Self {
            commits: Counter::default(),
            changes: Counter::default(),
            snapshots: Counter::default(),
            panics: Counter::default(),
            bugs: Gauge::default(),
            duration: seconds(),
        };
        metrics.part("compile", |registry| {
            registry.register("commits", "Batches applied", this.commits.clone());
            registry.register("changes", "Changes applied", this.changes.clone());
            registry.register(
                "snapshots",
                "Snapshots that differed from the one before",
                this.snapshots.clone(),
            );
            registry.register("panics", "Bugs caught while compiling", this.panics.clone());
            registry.register(
                "bugs",
                "Bugs that stand in the way of a part of the configuration now",
                this.bugs.clone(),
            );
            registry.register("duration_seconds", "Time to compile a batch", this.duration.clone());
        });
        this
    }

    pub(crate) fn timer(&self) -> DurationTimer {
        DurationTimer::start(&self.duration)
    }

    pub(crate) fn committed(&self, changes: usize, snapshots: usize) {
        self.commits.inc();
        self.changes.inc_by(changes as u64);
        self.snapshots.inc_by(snapshots as u64);
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    pub(crate) fn bugs(&self, number: usize) {
        self.bugs.set(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

/// A label with one of few values.
type Label = [(&'static str, &'static str); 1];

/// Of discovery and certificates.
#[derive(Clone, Debug)]
pub(crate) struct DiscoveryMetrics {
    /// Open streams of admitted proxies.
    pub(crate) streams: Gauge,
    connections: Gauge,
    elsewhere: Counter,
    refusals: Family<Label, Counter>,
    responses: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    rejections: Family<Label, Counter>,
    certificates: Family<Label, Counter>,
}

impl DiscoveryMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let this = Self {
            streams: Gauge::default(),
            connections: Gauge::default(),
            elsewhere: Counter::default(),
            refusals: Family::default(),
            responses: Family::default(),
            bytes: Family::default(),
            rejections: Family::default(),
            certificates: Family::default(),
        };
        metrics.part("discovery", |registry| {
            registry.register("streams", "Open streams of proxies", this.streams.clone());
            registry.register("connections", "Open connections", this.connections.clone());
            registry.register(
                "duplicate_uses",
                "Streams of a workload that already had one from another address",
                this.elsewhere.clone(),
            );
            registry.register("refusals", "Streams refused, by reason", this.refusals.clone());
            registry.register("responses", "Responses sent, by type", this.responses.clone());
            registry.register("response_bytes", "Bytes of resources sent, by type", this.bytes.clone());
            registry.register(
                "rejections",
                "Responses that proxies rejected, by type",
                this.rejections.clone(),
            );
            registry.register("certificates", "Leaves, by outcome", this.certificates.clone());
        });
        this
    }

    pub(crate) fn used_elsewhere(&self) {
        self.elsewhere.inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn sent(&self, kind: &'static str, bytes: usize) {
        self.responses.get_or_create(&[("type", kind)]).inc();
        self.bytes.get_or_create(&[("type", kind)]).inc_by(bytes as u64);
    }

    pub(crate) fn rejected(&self, kind: &'static str) {
        self.rejections.get_or_create(&[("type", kind)]).inc();
    }

    pub(crate) fn certificate(&self, outcome: &'static str) {
        self.certificates.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub(crate) fn connection(&self) -> Open {
        Open::new(&self.connections)
    }

    pub(crate) fn stream(&self) -> Open {
        Open::new(&self.streams)
    }
}

/// Counts something as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
