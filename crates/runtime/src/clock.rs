//! Where instants enter. Everything below the line takes `now` as an argument; the shell gets it here.

use std::time::{Duration, SystemTime};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Tells the time of day and a time that only goes forward.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Follows tokio's time from a given instant, so that a test with paused time moves both.
    Tokio {
        start: SystemTime,
        at: Instant,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `start` now and goes forward with tokio's time; for tests with paused time.
    pub fn starting_at(start: SystemTime) -> Self {
        Self(Source::Tokio { start, at: Instant::now() })
    }

    /// The time of day. It may jump, also backwards, when the machine's clock is set.
    #[expect(clippy::disallowed_methods, reason = "the clock lives here")]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Tokio { start, at } => *start + at.elapsed(),
        }
    }

    /// The time of day as seconds since 1970, as tokens and certificates count it. A clock before 1970 counts as 1970.
    pub fn unix_seconds(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }

    /// A time for measuring: it never goes back and means nothing outside this process.
    pub fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
