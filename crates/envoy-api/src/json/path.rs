//! Where in a message we are; a list on the stack, written out only for an error.

use std::fmt;

use super::{DEEPEST, JsonError};

pub(super) struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: Step<'a>,
    /// Messages passed from the root.
    depth: usize,
}

enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    pub(super) fn root() -> Self {
        Self { above: None, step: Step::Root, depth: 0 }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self { above: Some(self), step: Step::Field(name), depth: self.depth + 1 }
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { above: Some(self), step: Step::Index(index), depth: self.depth }
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self { above: Some(self), step: Step::Key(key), depth: self.depth }
    }

    /// An error at this place.
    pub(super) fn wrong(&self, problem: impl fmt::Display) -> JsonError {
        JsonError::Field { at: self.to_string(), problem: problem.to_string() }
    }

    /// Fails where messages lie deeper in each other than the stack is meant for.
    pub(super) fn check_depth(&self) -> Result<(), JsonError> {
        if self.depth > DEEPEST {
            return Err(JsonError::Field {
                at: String::new(),
                problem: format!("messages lie more than {DEEPEST} deep in each other"),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        let first = self.above.is_none_or(|above| matches!(above.step, Step::Root));
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if first => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key:?}]"),
        }
    }
}
