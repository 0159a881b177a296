//! Shares without floating point.

use std::fmt;

use serde::Serialize;

/// A share in millionths of the whole, 0 to 1,000,000, as Envoy's `FractionalPercent` with `MILLION` counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Percent(u32);

impl Percent {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(1_000_000);

    /// From per cent, 0 to 100; `None` outside that range or for a value that is not a number.
    pub fn from_percent(value: f64) -> Option<Self> {
        if !(0.0..=100.0).contains(&value) {
            return None;
        }
        #[expect(clippy::cast_sign_loss, reason = "the range was just checked")]
        Some(Self((value * 10_000.0).round() as u32))
    }

    /// In millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}%", f64::from(self.0) / 10_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_the_range_is_nothing() {
        assert_eq!(Percent::from_percent(0.1).map(Percent::millionths), Some(1_000));
        assert_eq!(Percent::from_percent(100.0), Some(Percent::ALL));
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Percent::from_percent(bad), None);
        }
    }
}
