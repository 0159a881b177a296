//! Durations as written: `5s`, `1.5s`, `200ms`, `1h30m`.

use std::time::Duration;

use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

/// The longest duration, that of a signed count of nanoseconds: about 292 years.
const LONGEST: u128 = i64::MAX as u128;

/// Why a text is no usable duration.
#[derive(Debug, PartialEq, Eq)]
enum Flaw {
    /// Not of the form.
    Malformed,
    /// A sign.
    Negative,
    /// Longer than can be counted.
    TooLong,
}

/// Reads numbers with units: any of `h`, `m`, `s`, `ms`, `us`, `ns`, each with an optional fraction.
fn parse(text: &str) -> Result<Duration, Flaw> {
    if text.starts_with('-') {
        return Err(Flaw::Negative);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(Flaw::Malformed);
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(Flaw::Malformed)?;
        let (number, after) = rest.split_at(digits);
        let units = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(units);
        let nanoseconds: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return Err(Flaw::Malformed),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(Flaw::Malformed);
        }
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Flaw::TooLong)? };
        total += whole.checked_mul(nanoseconds).filter(|part| *part <= LONGEST).ok_or(Flaw::TooLong)?;
        let mut scale = nanoseconds;
        for digit in fraction.bytes() {
            scale /= 10;
            total += scale * u128::from(digit - b'0');
        }
        if total > LONGEST {
            return Err(Flaw::TooLong);
        }
        rest = after;
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| Flaw::TooLong)
}

/// A duration of at least a millisecond in whole milliseconds; a finding and none for anything else.
pub(super) fn positive(
    written: Option<&String>,
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<Duration> {
    let value = any(written, at, field, effect, out)?;
    if value.is_zero() {
        out.report(catalogue::OUT_OF_RANGE, &at.field(field))
            .value(written.map_or("", String::as_str))
            .detail("it must be at least 1ms")
            .effect(effect);
        return None;
    }
    Some(value)
}

/// A duration in whole milliseconds, zero included; a finding and none for anything else.
pub(super) fn any(
    written: Option<&String>,
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<Duration> {
    let written = written?;
    let flaw = match parse(written) {
        Ok(value) if value.subsec_nanos() % 1_000_000 == 0 => return Some(value),
        Ok(_) => "it must be a whole number of milliseconds",
        Err(Flaw::Negative) => "it must not be negative",
        Err(Flaw::TooLong) => "it is longer than can be counted",
        Err(Flaw::Malformed) => "a number and a unit are expected, such as 5s, 200ms or 1h30m",
    };
    let report = out.report(catalogue::INVALID_DURATION, &at.field(field));
    report.value(written).detail(flaw).effect(effect);
    if !written.is_empty() && written.bytes().all(|b| b.is_ascii_digit()) {
        report.help(format_args!("write \"{written}s\" for seconds"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_and_protobuf_forms() {
        for (text, expected) in [
            ("5s", Ok(5_000)),
            ("1.5s", Ok(1_500)),
            ("0.100s", Ok(100)),
            (".5s", Ok(500)),
            ("200ms", Ok(200)),
            ("1h2m3.5s200ms", Ok(3_723_700)),
            ("0", Ok(0)),
            ("0s", Ok(0)),
            ("+5s", Ok(5_000)),
            ("", Err(Flaw::Malformed)),
            ("5", Err(Flaw::Malformed)),
            ("s", Err(Flaw::Malformed)),
            (".s", Err(Flaw::Malformed)),
            ("1.2.3s", Err(Flaw::Malformed)),
            ("5 s", Err(Flaw::Malformed)),
            ("5d", Err(Flaw::Malformed)),
            ("-5s", Err(Flaw::Negative)),
            ("9999999999999h", Err(Flaw::TooLong)),
            ("99999999999999999999999999999999999999999999s", Err(Flaw::TooLong)),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn fractions_of_a_millisecond_are_refused() {
        let mut out = Diagnostics::default();
        assert_eq!(any(Some(&"1.5ms".to_owned()), &FieldPath::spec(), "timeout", "none", &mut out), None);
        assert_eq!(out.list()[0].field.as_str(), "spec.timeout");
        assert_eq!(out.list()[0].code.id, "PH0104");
    }
}
