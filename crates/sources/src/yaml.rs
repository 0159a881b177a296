//! Reading YAML and JSON into values that know where they were written.
//!
//! Every JSON text is YAML, so there is one reader. It keeps for each value the line and column that a finding about it points at:
//! of a scalar its own, of a map or a list those of its key, which is where a reader looks for it.
//!
//! Nothing a file says may cost more than the file is long: nesting is bounded, and what aliases and merge keys repeat is counted.

mod place;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use place::{Budget, Read};
pub(crate) use tree::{Content, Node, documents};

/// A line and a column, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl From<&granit_parser::Marker> for Position {
    fn from(mark: &granit_parser::Marker) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(mark.line()), column: number(mark.col()).saturating_add(1) }
    }
}

/// Why a text cannot be read; waiting does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", at.line, at.column)]
pub(crate) struct YamlError {
    /// Where.
    pub(crate) at: Position,
    /// What is wrong there.
    pub(crate) message: String,
}

impl YamlError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
