//! What a scalar stands for.
//!
//! `kubectl` reads manifests by the rules of YAML 1.1, so that `yes`, `on` and `y` are booleans, `0755` is octal and `1_000` a
//! number. A text that means one thing on the way to a cluster must not mean another here, so the same rules apply; whoever writes
//! `version: yes` where a text belongs hears that a boolean stands there, as from the API server.

use granit_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// The value of a scalar, or why it has none.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let text_value = || Value::String(text.to_owned());
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain { plain(text) } else { text_value() });
    };
    let Some(core) = tag.core_suffix() else {
        // A tag of somebody else's, or `!`: text.
        return Ok(text_value());
    };
    let value = plain(text);
    match (core, value) {
        ("null", value @ Value::Null) | ("bool", value @ Value::Bool(_)) => Ok(value),
        ("int", value @ Value::Number(_)) if !value.is_f64() => Ok(value),
        ("float", Value::Number(number)) => {
            Ok(number.as_f64().and_then(Number::from_f64).map_or(Value::Number(number), Value::Number))
        }
        ("null" | "bool" | "int" | "float", _) => Err(format!("{text:?} is no !!{core}")),
        // `!!str`, `!!timestamp` and what nobody knows.
        _ => Ok(text_value()),
    }
}

/// The value of a scalar without quotes and without a tag.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
    } else {
        Value::String(text.to_owned())
    }
}

/// Whole numbers in four bases, then decimal fractions. Infinity and "not a number" have no JSON and stay text.
fn number(text: &str) -> Option<Number> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, magnitude) = match digits.strip_prefix(['+', '-']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits.as_str()),
    };
    if let Some(magnitude) = whole(magnitude) {
        if !negative {
            return Some(magnitude.into());
        }
        if let Some(value) = 0_i64.checked_sub_unsigned(magnitude) {
            return Some(value.into());
        }
    }
    is_decimal(magnitude).then(|| digits.parse().ok().and_then(Number::from_f64)).flatten()
}

fn whole(magnitude: &str) -> Option<u64> {
    let (digits, base) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&magnitude[2..], 16),
        [b'0', b'o' | b'O', ..] => (&magnitude[2..], 8),
        [b'0', b'b' | b'B', ..] => (&magnitude[2..], 2),
        [b'0', _, ..] => (&magnitude[1..], 8),
        _ => (magnitude, 10),
    };
    // `from_str_radix` would take a second sign.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, base).ok() }
}

/// Whether a text reads `12`, `12.`, `.5` or `1.5`, each possibly with an exponent.
fn is_decimal(magnitude: &str) -> bool {
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (magnitude, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(before)
        && digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubectl_takes_them_for() {
        for (written, expected) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("nULL", json!("nULL")),
            ("true", json!(true)),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("n", json!(false)),
            ("yEs", json!("yEs")),
            ("80", json!(80)),
            ("-80", json!(-80)),
            ("+80", json!(80)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0755", json!(493)),
            ("0b101", json!(5)),
            ("-0b101", json!(-5)),
            ("0", json!(0)),
            ("08", json!(8.0)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            ("1e999", json!("1e999")),
            (".inf", json!(".inf")),
            (".nan", json!(".nan")),
            (".", json!(".")),
            ("-", json!("-")),
            ("--5", json!("--5")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("12:30:45", json!("12:30:45")),
            ("2024-01-02", json!("2024-01-02")),
            ("1.30.2", json!("1.30.2")),
            ("5s", json!("5s")),
        ] {
            assert_eq!(plain(written), expected, "{written:?}");
        }
    }

    #[test]
    fn quotes_and_tags_decide() {
        let core = |name: &str| Tag::new("tag:yaml.org,2002:", name);
        let double = ScalarStyle::DoubleQuoted;
        assert_eq!(resolve("80", double, None), Ok(json!("80")));
        assert_eq!(resolve("80", ScalarStyle::Plain, Some(&core("str"))), Ok(json!("80")));
        assert_eq!(resolve("80", double, Some(&core("int"))), Ok(json!(80)));
        assert_eq!(resolve("3", ScalarStyle::Plain, Some(&core("float"))), Ok(json!(3.0)));
        assert_eq!(resolve("x", ScalarStyle::Plain, Some(&Tag::new("!", "Ref"))), Ok(json!("x")));
        assert!(resolve("x", ScalarStyle::Plain, Some(&core("int"))).is_err());
    }
}
