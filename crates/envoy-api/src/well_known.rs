//! Well-known wrappers from plain values, ready for the optional fields that hold them.

use crate::{BoolValue, DoubleValue, Duration, StringValue, UInt32Value, UInt64Value};

/// A duration; seconds beyond what protobuf can say become the largest it can.
#[must_use]
pub fn duration(value: std::time::Duration) -> Duration {
    // The range of google.protobuf.Duration: 10,000 years.
    const LARGEST: u64 = 315_576_000_000;
    if value.as_secs() >= LARGEST {
        return Duration { seconds: LARGEST.cast_signed(), nanos: 0 };
    }
    Duration { seconds: value.as_secs().cast_signed(), nanos: value.subsec_nanos().cast_signed() }
}

/// `UInt32Value`.
#[must_use]
pub fn uint32(value: u32) -> UInt32Value {
    UInt32Value { value }
}

/// `UInt64Value`.
#[must_use]
pub fn uint64(value: u64) -> UInt64Value {
    UInt64Value { value }
}

/// `DoubleValue`.
#[must_use]
pub fn double(value: f64) -> DoubleValue {
    DoubleValue { value }
}

/// `BoolValue`.
#[must_use]
pub fn boolean(value: bool) -> BoolValue {
    BoolValue { value }
}

/// `StringValue`.
#[must_use]
pub fn string(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stay_in_range() {
        assert_eq!(
            duration(std::time::Duration::from_millis(1250)),
            Duration { seconds: 1, nanos: 250_000_000 }
        );
        assert_eq!(duration(std::time::Duration::MAX), Duration { seconds: 315_576_000_000, nanos: 0 });
    }
}
