//! Figures for people and programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::counts::Counts;
use crate::fleet::Effect;
use crate::kind::Kind;

/// What a set of times has in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them are not longer; in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 are not longer; in milliseconds.
    pub p99_ms: f64,
    /// The longest; in milliseconds.
    pub max_ms: f64,
}

impl Spread {
    /// Of times in rising order; all zero where there are none.
    pub fn of(sorted: &[Duration]) -> Self {
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50_ms: rank(50), p99_ms: rank(99), max_ms: rank(100) }
    }
}

/// All that was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Proxies that were simulated.
    pub proxies: usize,
    /// From the start until each proxy had everything.
    pub configured: Spread,
    /// What all of them received until then.
    pub first: Counts,
    /// The changes, in the order in which they were made.
    pub changes: Vec<ChangeReport>,
    /// How often streams broke.
    pub breaks: u64,
}

/// What became of one change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeReport {
    /// What was done.
    pub change: String,
    /// Proxies that heard something.
    pub touched: usize,
    /// From the start of the change to the last acknowledgement of each of these.
    pub acknowledged: Spread,
    /// What all proxies received.
    pub received: Counts,
}

impl ChangeReport {
    /// Of a change and its effect.
    pub fn new(change: &str, effect: &Effect) -> Self {
        let Effect { delays, counts } = effect;
        Self {
            change: change.to_owned(),
            touched: delays.len(),
            acknowledged: Spread::of(delays),
            received: *counts,
        }
    }
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let Self { proxies, configured, first, changes, breaks } = self;
        let mut out =
            format!("{proxies} proxies configured: {}\n{}", spread(*configured), table(first, *proxies));
        for ChangeReport { change, touched, acknowledged, received } in changes {
            let heading =
                format!("\n{change}: {touched} proxies told, acknowledged: {}\n", spread(*acknowledged));
            out += &heading;
            out += &table(received, *touched);
        }
        if *breaks > 0 {
            // Writing to a text cannot fail.
            let _ = writeln!(out, "\nstreams broke {breaks} times");
        }
        out
    }
}

fn spread(Spread { p50_ms, p99_ms, max_ms }: Spread) -> String {
    format!("p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, max {max_ms:.1} ms")
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn table(counts: &Counts, proxies: usize) -> String {
    let mut out = format!(
        "  {:6}{:>10}{:>12}{:>10}{:>14}{:>16}\n",
        "", "messages", "resources", "removed", "bytes", "bytes per proxy"
    );
    let kinds = Kind::ALL.map(|kind| (kind.short(), counts.of(kind)));
    for (name, received) in kinds.into_iter().chain([("in all", counts.total())]) {
        if received.messages == 0 {
            continue;
        }
        let each = received.bytes as f64 / proxies.max(1) as f64;
        let crate::counts::Received { messages, resources, removed, bytes } = received;
        // Writing to a text cannot fail.
        let _ = writeln!(out, "  {name:6}{messages:>10}{resources:>12}{removed:>10}{bytes:>14}{each:>16.0}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Received;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(Spread::of(&times), Spread { p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        assert_eq!(Spread::of(&times[..1]), Spread { p50_ms: 1.0, p99_ms: 1.0, max_ms: 1.0 });
        assert_eq!(Spread::of(&[]), Spread::default());
    }

    #[test]
    fn a_report_is_for_people_and_for_programs() {
        let mut counts = Counts::default();
        counts.add(Kind::Cluster, Received { messages: 2, resources: 6, removed: 0, bytes: 1_000 });
        let effect = Effect { delays: vec![Duration::from_millis(3); 2], counts };
        let changes = vec![ChangeReport::new("weight", &effect)];
        let report = Report { proxies: 2, first: counts, changes, ..Report::default() };
        let text = report.text();
        assert!(text.contains("weight: 2 proxies told, acknowledged: p50 3.0 ms"), "{text}");
        assert!(
            text.lines().any(|line| line.split_whitespace().eq(["CDS", "2", "6", "0", "1000", "500"])),
            "{text}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["changes"][0]["acknowledged"]["max_ms"], 3.0);
        assert_eq!(json["first"]["CDS"]["messages"], 2);
    }
}
