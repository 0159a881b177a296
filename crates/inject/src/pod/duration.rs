//! Durations as the API writes them: `45s`, `1m30s`, `1.5h`.

/// Milliseconds; none if it is no duration, negative, or longer than can be meant.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    /// A hundred years.
    const LONGEST: f64 = 1000.0 * 86400.0 * 36500.0;
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (value, tail) = rest.split_at(number);
        let value: f64 = value.parse().ok()?;
        let unit = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        total += value
            * match unit {
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                _ => return None,
            };
        rest = tail;
    }
    #[expect(clippy::cast_sign_loss, reason = "digits have no sign")]
    (!text.is_empty() && total <= LONGEST).then_some(total.round() as u64)
}

/// As protobuf's JSON writes it.
pub(super) fn protobuf(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    if rest == 0 { format!("{seconds}s") } else { format!("{seconds}.{rest:03}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        let table = [
            ("45s", Some(45_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("s", None),
            ("5 s", None),
            ("1.2.3s", None),
            ("99999999999h", None),
        ];
        for (text, expected) in table {
            assert_eq!(milliseconds(text), expected, "{text:?}");
        }
        assert_eq!(protobuf(1500), "1.500s");
        assert_eq!(protobuf(60_000), "60s");
    }
}
