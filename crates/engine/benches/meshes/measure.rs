//! Time, allocations and memory.

use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region};

/// The size of a page on every machine this runs on.
const PAGE: usize = 4096;

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Allocations and reallocations.
    pub(crate) allocations: usize,
    /// Bytes on the heap afterwards minus before.
    pub(crate) kept: isize,
}

/// Does something and says what it took.
#[expect(clippy::disallowed_methods, reason = "measuring time is what it is for")]
pub(crate) fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let region = Region::new(&INSTRUMENTED_SYSTEM);
    let start = Instant::now();
    let made = work();
    let time = start.elapsed();
    let change = region.change();
    let cost = Cost {
        time,
        allocations: change.allocations + change.reallocations,
        // What reallocations added or gave back is part of both.
        kept: change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed(),
    };
    (made, cost)
}

/// Resident memory of this process in bytes.
#[expect(clippy::disallowed_methods, reason = "the kernel tells in a file")]
pub(crate) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).expect("its second field is resident pages");
    pages.parse::<usize>().expect("a number") * PAGE
}

/// The middle one of several.
pub(crate) fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
