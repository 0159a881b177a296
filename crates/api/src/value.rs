//! Building blocks of the wire: what JSON of Kubernetes and of protobuf may hold where a number or a list is meant.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A whole number. The range is judged later, so that a number out of range costs its field and not the object.
/// Protobuf writes 64-bit numbers as text; both forms are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int(pub i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor)
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = Int;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Int, E> {
        Ok(Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int, E> {
        // Nothing we read has a limit near 2^63; saturating keeps "too large" a matter of range.
        Ok(Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Int, E> {
        if value.fract() == 0.0 && value.abs() < 9.0e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits, just checked")]
            Ok(Int(value as i64))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Int, E> {
        value.parse().map(Int).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

impl fmt::Display for Int {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A list; `null` is an empty one, which templating tools like to write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A map with text keys; `null` is an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Map<T>(pub BTreeMap<String, T>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Deref for Map<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &BTreeMap<String, T> {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (written, expected) in [
            (json!(5), Some(5)),
            (json!(-5), Some(-5)),
            (json!(5.0), Some(5)),
            (json!("1024"), Some(1024)),
            (json!(u64::MAX), Some(i64::MAX)),
            (json!(5.5), None),
            (json!("many"), None),
            (json!(true), None),
        ] {
            assert_eq!(from_value::<Int>(written.clone()).ok().map(|int| int.0), expected, "{written}");
        }
    }

    #[test]
    fn null_is_empty() {
        assert_eq!(from_value::<List<String>>(json!(null)).unwrap(), List::default());
        assert_eq!(from_value::<Map<String>>(json!(null)).unwrap(), Map::default());
        assert!(from_value::<List<String>>(json!([null])).is_err());
    }
}
