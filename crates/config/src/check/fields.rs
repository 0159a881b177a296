//! Numbers and words of a field, with their findings.

use std::ops::RangeInclusive;

use pilothouse_api::Int;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

/// A number within a range; a finding and none outside of it.
pub(super) fn number(
    value: Int,
    range: RangeInclusive<u32>,
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<u32> {
    let found = u32::try_from(value.0).ok().filter(|value| range.contains(value));
    if found.is_none() {
        out.report(catalogue::OUT_OF_RANGE, &at.field(field))
            .value(value)
            .detail(format_args!("it must be from {} to {}", range.start(), range.end()))
            .effect(effect);
    }
    found
}

/// A port number, 1 to 65535.
pub(super) fn port(
    value: Int,
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<u16> {
    number(value, 1..=65_535, at, field, effect, out).and_then(|port| u16::try_from(port).ok())
}

/// A limit: zero or nothing means unset.
pub(super) fn limit(value: Option<Int>, at: &FieldPath, field: &str, out: &mut Diagnostics) -> Option<u32> {
    let value = value.filter(|value| value.0 != 0)?;
    number(value, 1..=i32::MAX.unsigned_abs(), at, field, "the limit is not set", out)
}

/// One of the allowed words; a finding and none for any other.
pub(super) fn word<T: Copy>(
    written: &str,
    words: &[(&str, T)],
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == written).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let report = out.report(catalogue::INVALID_VALUE, &at.field(field));
        let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        report.value(written).detail(format_args!("it must be one of {list}")).effect(effect);
        match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(written)) {
            Some((word, _)) => report.help(format_args!("did you mean \"{word}\"?")),
            None => report.help_closest(written, words.iter().map(|(word, _)| *word)),
        };
    }
    found
}

/// A text that says something: empty counts as absent.
pub(super) fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

/// A name, empty if absent.
pub(super) fn name(value: Option<&String>) -> Name {
    value.map_or_else(Name::default, |text| Name::from(text.as_str()))
}

/// A text that must be there.
pub(super) fn required<'t>(
    value: Option<&'t String>,
    at: &FieldPath,
    field: &str,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<&'t str> {
    let found = text(value);
    if found.is_none() {
        out.report(catalogue::REQUIRED, &at.field(field)).effect(effect);
    }
    found
}
