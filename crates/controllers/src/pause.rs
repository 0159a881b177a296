//! How long to wait before something that failed is tried again.

use std::time::Duration;

use pilothouse_runtime::entropy;

/// The wait after the first failure.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    /// It failed (again): how long to wait. Chance keeps replicas from asking together.
    pub(crate) fn next(&mut self) -> Duration {
        let most = SHORTEST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let [chance] = entropy::bytes::<1>();
        most.mul_f64(0.5 + f64::from(chance) / 512.0)
    }

    /// Whether this is the first failure in a row: that one is worth a line in the log.
    pub(crate) fn is_first(self) -> bool {
        self.failures == 0
    }

    /// It worked.
    pub(crate) fn well(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_again() {
        let mut pause = Pause::default();
        assert!(pause.is_first());
        for most in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let wait = pause.next();
            let most = Duration::from_millis(most);
            assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
        }
        for _ in 0..100 {
            assert!(pause.next() <= LONGEST);
        }
        assert!(!pause.is_first());
        pause.well();
        assert!(pause.next() <= SHORTEST);
    }
}
