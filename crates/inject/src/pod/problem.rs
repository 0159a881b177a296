//! What is wrong with a pod, and what is merely worth saying.

use std::fmt;

/// One thing that keeps a pod from being injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field of the pod.
    pub at: String,
    /// What is written there.
    pub value: String,
    /// What is expected instead.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, value, reason } = self;
        write!(out, "{at}: {value:?} {reason}")
    }
}

/// A pod is not injected, because something in it cannot be understood. Everything that is wrong is named. Waiting does
/// not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Refused {
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Collects both while a pod is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Findings {
    pub(super) fn problem(
        &mut self,
        at: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<String>,
    ) {
        /// What is quoted of a value at most.
        const QUOTED: usize = 200;
        let value = value.to_string();
        let value = match value.char_indices().nth(QUOTED) {
            Some((cut, _)) => format!("{}…", &value[..cut]),
            None => value,
        };
        self.problems.push(Problem { at: at.into(), value, reason: reason.into() });
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// How an annotation is named to users.
pub(super) fn annotation(key: &str) -> String {
    format!("metadata.annotations[{key:?}]")
}
