//! What single changes cost once everybody is connected.

use std::time::Duration;

use pilothouse_engine::Change;
use pilothouse_xds::{ResourceMap, Snapshot};

use crate::inputs::Mesh;
use crate::measure::{cost, median};
use crate::scratch::Running;
use crate::table::{bytes, counts, row, time};

/// Rounds of a question, and how long they may take before there are no more.
const ROUNDS: usize = 21;
const MOST: Duration = Duration::from_secs(4);

/// Asks all questions.
pub(crate) fn measure(mesh: &Mesh, mut running: Running) {
    println!();
    let columns = ["time", "allocations", "answered", "encoded", "bytes", "snapshots", "told", "to send"];
    row("one change", &columns.map(str::to_owned));
    for (name, rounds) in &mesh.questions {
        // The first round may bring an object that was not there before; it warms up.
        running.apply(rounds(0));
        let mut times = Vec::new();
        let mut last = Vec::new();
        let mut spent = Duration::ZERO;
        for round in 1..=ROUNDS {
            let (took, cells) = running.apply(rounds(round));
            times.push(took);
            spent += took;
            last = cells;
            if spent > MOST && round % 2 == 0 {
                break;
            }
        }
        let cells: Vec<String> = std::iter::once(time(median(times))).chain(last).collect();
        row(name, &cells);
    }
}

impl Running {
    /// Applies a batch; says what it took and what it led to.
    fn apply(&mut self, batch: Vec<Change>) -> (Duration, Vec<String>) {
        let (commit, cost) = cost(|| self.engine.apply(batch));
        let mut to_send = 0;
        // Most proxies share their snapshots with others: each pair is compared once.
        let mut known: Option<(usize, usize, usize)> = None;
        for (id, new) in &commit.changed {
            let Some(old) = self.snapshots.insert(*id, new.clone()) else { continue };
            let pair = (std::sync::Arc::as_ptr(&old) as usize, std::sync::Arc::as_ptr(new) as usize);
            let size = match known {
                Some((a, b, size)) if (a, b) == pair => size,
                _ => size(&old, new),
            };
            known = Some((pair.0, pair.1, size));
            to_send += size;
        }
        let [answered, encoded, size, snapshots] = counts(&commit.counts);
        let cells = vec![
            cost.allocations.to_string(),
            answered,
            encoded,
            size,
            snapshots,
            commit.changed.len().to_string(),
            bytes(to_send),
        ];
        (cost.time, cells)
    }
}

/// Bytes of the resources that one proxy has to hear of, tables host by host.
fn size(old: &Snapshot, new: &Snapshot) -> usize {
    let changes = Snapshot::diff(old, new);
    let plain = [changes.clusters, changes.endpoints, changes.listeners, changes.secrets];
    let mut all: usize =
        plain.iter().flatten().filter_map(|one| one.new.as_ref()).map(|one| one.body.len()).sum();
    let none = ResourceMap::default();
    for table in changes.routes {
        let old = table.old.as_ref().map_or(&none, |old| old.parts());
        let new = table.new.as_ref().map_or(&none, |new| new.parts());
        ResourceMap::diff(old, new, &mut |_, new| all += new.map_or(0, |new| new.body.len()));
    }
    all
}
