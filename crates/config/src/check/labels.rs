//! Label maps and selectors as written.

use std::collections::BTreeMap;

use pilothouse_base::{Labels, Selector};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::host;

/// Labels; a pair that no workload can carry is reported and makes the whole map unusable.
pub(super) fn labels(
    written: &BTreeMap<String, String>,
    at: &FieldPath,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<Labels> {
    let mut good = true;
    for (key, value) in written {
        let flaw = if !is_key(key) {
            "the key is no label key"
        } else if !value.is_empty() && !is_word(value) {
            "the value is no label value"
        } else {
            continue;
        };
        good = false;
        out.report(catalogue::INVALID_VALUE, &at.key(key)).value(value).detail(flaw).effect(effect);
    }
    good.then(|| written.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
}

/// A selector; none if a pair is one that no workload can carry.
pub(super) fn selector(
    written: &BTreeMap<String, String>,
    at: &FieldPath,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<Selector> {
    labels(written, at, effect, out).map(Selector::new)
}

/// Letters, digits and inner `-_.`, 1 to 63 of them.
fn is_word(text: &str) -> bool {
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => prefix.len() <= 253 && prefix.split('.').all(host::is_label) && is_word(name),
        None => is_word(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_nobody_can_carry_are_named() {
        for (key, value, good) in [
            ("app", "cart", true),
            ("app.kubernetes.io/name", "", true),
            ("", "a", false),
            ("app", "ca*", false),
            ("a/b/c", "a", false),
            ("app", &"a".repeat(64), false),
        ] {
            let mut out = Diagnostics::default();
            let map = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let found = labels(&map, &FieldPath::spec().field("labels"), "none", &mut out);
            assert_eq!(found.is_some(), good, "{key}={value}");
            assert_eq!(out.list().len(), usize::from(!good));
        }
    }
}
