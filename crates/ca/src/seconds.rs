//! Whole seconds since 1970, the resolution of X.509 and JWT times.
//!
//! Arithmetic happens on these numbers and saturates, because `SystemTime` panics on overflow and some of the
//! durations come from users.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z, the last moment a certificate can name.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970; zero for earlier times.
pub(crate) fn since_epoch(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |life| life.as_secs()).min(LAST)
}

/// The moment so many seconds after 1970.
pub(crate) fn to_time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(LAST))
}

/// From the signed seconds of `x509-parser`; zero for times before 1970.
pub(crate) fn from_signed(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).min(LAST)
}
