//! Paths to a field of an object, as users write them.

use std::fmt;

use serde::Serialize;

/// A path such as `spec.http[0].match[1].headers["x-user"].exact`. Keys that are no plain words are quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FieldPath(String);

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path that is written out already.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// `spec`, where most paths start.
    pub fn spec() -> Self {
        Self("spec".to_owned())
    }

    /// A named field below this one.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    /// An entry of a map below this one; quoted unless it is a plain word.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plain { self.field(key) } else { Self(format!("{}[{key:?}]", self.0)) }
    }

    /// An element of a list, counted from zero.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The text; empty for the object itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its last part; the root has none.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let cut = if self.0.ends_with("\"]") {
            self.0.rfind("[\"")
        } else if self.0.ends_with(']') {
            self.0.rfind('[')
        } else {
            self.0.rfind('.')
        };
        Some(Self(self.0[..cut.unwrap_or(0)].to_owned()))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_is_no_word_and_finds_the_way_back() {
        let http = FieldPath::spec().field("http").index(2);
        let header = http.field("headers").key("x-user");
        assert_eq!(header.as_str(), "spec.http[2].headers[\"x-user\"]");
        assert_eq!(header.parent().unwrap().as_str(), "spec.http[2].headers");
        assert_eq!(http.parent().unwrap().as_str(), "spec.http");
        assert_eq!(FieldPath::spec().parent(), Some(FieldPath::root()));
        assert_eq!(FieldPath::root().parent(), None);
    }
}
