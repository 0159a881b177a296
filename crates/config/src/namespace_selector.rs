//! Selectors that pick namespaces by their labels.

use std::collections::BTreeSet;

use pilothouse_base::{Labels, Name, Selector};
use serde::Serialize;

/// Everything it asks for must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct NamespaceSelector {
    /// Labels with their values.
    pub labels: Selector,
    /// What else is asked of labels.
    pub expressions: Vec<LabelExpression>,
}

/// What is asked of one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum LabelExpression {
    /// It is there with one of these values.
    In(Name, BTreeSet<String>),
    /// It is not there, or with another value than these.
    NotIn(Name, BTreeSet<String>),
    /// It is there.
    Exists(Name),
    /// It is not there.
    Absent(Name),
}

impl NamespaceSelector {
    /// Whether a namespace of these labels is picked.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.labels.matches(labels) && self.expressions.iter().all(|one| one.holds(labels))
    }
}

impl LabelExpression {
    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::In(key, values) => labels.get(key.as_str()).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => !labels.get(key.as_str()).is_some_and(|value| values.contains(value)),
            Self::Exists(key) => labels.get(key.as_str()).is_some(),
            Self::Absent(key) => labels.get(key.as_str()).is_none(),
        }
    }
}
