//! Where an object, and each of its fields, was written.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::FieldPath;

/// A position in a file; lines and columns count from one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Positions of the fields of one object: 16 bytes per field, looked up by a hash of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Box<[(u64, u32, u32)]>);

impl Places {
    /// From paths with line and column.
    pub fn new(fields: impl IntoIterator<Item = (String, u32, u32)>) -> Self {
        let mut all: Vec<_> =
            fields.into_iter().map(|(path, line, column)| (fnv1a(&path), line, column)).collect();
        all.sort_unstable();
        all.dedup_by_key(|entry| entry.0);
        Self(all.into())
    }

    fn get(&self, path: &str) -> Option<(u32, u32)> {
        let at = self.0.binary_search_by_key(&fnv1a(path), |entry| entry.0).ok()?;
        Some((self.0[at].1, self.0[at].2))
    }
}

/// Where one object was written. Objects that came from an API server have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Positions by path.
    pub places: Places,
}

impl Origin {
    /// The place of a field, or of its closest enclosing field that was written.
    pub fn place(&self, path: &FieldPath) -> Option<Place> {
        let mut path = Some(path.clone());
        while let Some(here) = path {
            if let Some((line, column)) = self.places.get(here.as_str()) {
                return Some(Place { file: self.file.clone(), line, column });
            }
            path = here.parent();
        }
        None
    }
}

/// FNV-1a, 64 bit: stable, and short paths need no more.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_field_points_at_what_encloses_it() {
        let origin = Origin {
            file: "a.yaml".into(),
            places: Places::new([
                (String::new(), 1, 1),
                ("spec".into(), 4, 3),
                ("spec.http[0]".into(), 6, 5),
            ]),
        };
        let at = |path: FieldPath| origin.place(&path).unwrap().to_string();
        assert_eq!(at(FieldPath::spec().field("http").index(0).field("timeout")), "a.yaml:6:5");
        assert_eq!(at(FieldPath::spec().field("hosts")), "a.yaml:4:3");
        assert_eq!(at(FieldPath::root().field("metadata")), "a.yaml:1:1");
    }
}
