//! Durations that Envoy can count.

use std::time::Duration;

use pilothouse_envoy_api as envoy;

/// A century. Envoy counts nanoseconds in 63 bits and adds durations to its clock; it refuses a resource with a longer one
/// than that holds (292 years), and a sum that overflows would be a time in the past.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// A duration; longer ones than anybody waits become the longest that is safe.
pub(crate) fn duration(value: Duration) -> envoy::Duration {
    envoy::duration(value.min(LONGEST))
}

/// A duration where Envoy takes no zero and counts whole milliseconds; without one its default holds.
pub(crate) fn positive(value: Duration) -> Option<envoy::Duration> {
    (value.as_millis() > 0).then(|| duration(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stay_countable() {
        assert_eq!(duration(Duration::from_millis(1500)), envoy::Duration { seconds: 1, nanos: 500_000_000 });
        assert_eq!(duration(Duration::MAX), envoy::Duration { seconds: 3_153_600_000, nanos: 0 });
        assert_eq!(positive(Duration::from_nanos(1)), None);
        assert_eq!(
            positive(Duration::from_millis(1)),
            Some(envoy::Duration { seconds: 0, nanos: 1_000_000 })
        );
    }
}
