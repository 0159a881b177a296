//! How long to wait after failures.

use std::time::Duration;

use pilothouse_runtime::entropy;

/// The wait after the first failure.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);
/// How often the API server is believed when it says when to come back; then waits grow all the same.
const BELIEVED: u32 = 8;

/// How long to wait after failures.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// How many there were in a row.
    pub(super) failures: u32,
}

impl Pause {
    /// Counts a failure. The wait doubles with each up to the longest; a part of it is drawn, so that many watches of many replicas
    /// do not come back at the same moment.
    pub(super) fn next(&mut self) -> Duration {
        let whole = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(0.5 + 0.5 * drawn())
    }

    /// Counts a failure after which the API server said when to come back: not sooner, and not much later.
    pub(super) fn told(&mut self, after: Duration) -> Duration {
        if self.failures >= BELIEVED {
            return self.next().max(after.min(LONGEST));
        }
        self.failures += 1;
        after.min(LONGEST).mul_f64(1.0 + 0.5 * drawn())
    }
}

/// From 0 to 1.
fn drawn() -> f64 {
    let [drawn] = entropy::bytes::<1>();
    f64::from(drawn) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let mut pause = Pause::default();
        let waits: Vec<_> = (0..40).map(|_| pause.next()).collect();
        assert!(waits[0] >= SHORTEST / 2 && waits[0] <= SHORTEST, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST), "{waits:?}");
        assert!(waits[20..].iter().all(|wait| *wait >= LONGEST / 2), "{waits:?}");
    }

    #[test]
    fn who_says_when_to_come_back_is_believed_for_a_while() {
        let second = Duration::from_secs(1);
        let mut pause = Pause::default();
        for _ in 0..BELIEVED {
            let wait = pause.told(second);
            assert!(wait >= second && wait <= second.mul_f64(1.5), "{wait:?}");
        }
        assert!(pause.told(second) >= LONGEST / 2);
        assert!(Pause::default().told(Duration::from_hours(1)) <= LONGEST.mul_f64(1.5));
    }
}
