//! How large an object may be before it is looked at.

use serde_json::Value;

/// How deep values may nest.
pub const MAXIMUM_DEPTH: usize = 64;

/// How many values (numbers, texts, lists, maps) one object may hold. An object in etcd is at most 1.5 MiB, which
/// even at two bytes for each value stays below.
pub const MAXIMUM_VALUES: usize = 1_000_000;

/// Whether a value keeps to both bounds. Looks no deeper than the bound itself, so its own stack is bounded too.
pub(crate) fn within(value: &Value) -> bool {
    fn walk(value: &Value, depth: usize, left: &mut usize) -> bool {
        if depth > MAXIMUM_DEPTH || *left == 0 {
            return false;
        }
        *left -= 1;
        match value {
            Value::Array(list) => list.iter().all(|inner| walk(inner, depth + 1, left)),
            Value::Object(map) => map.values().all(|inner| walk(inner, depth + 1, left)),
            _ => true,
        }
    }
    walk(value, 0, &mut MAXIMUM_VALUES.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn deep_and_wide_values_are_refused() {
        assert!(within(&nested(MAXIMUM_DEPTH)));
        assert!(!within(&nested(MAXIMUM_DEPTH + 1)));
        assert!(!within(&Value::Array(vec![Value::Null; MAXIMUM_VALUES])));
    }
}
