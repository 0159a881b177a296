//! The objects that a script leads to.

use std::collections::BTreeMap;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_world::Change;

use crate::script::Step;
use crate::settings;

/// The objects there are.
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeMap<ObjectKey, Change>);

impl Inputs {
    /// Follows a step; returns what changed.
    pub fn note(&mut self, step: &Step) -> Option<Change> {
        let change = match step {
            Step::Apply(value) => match pilothouse_config::judge(value, &settings()).outcome {
                pilothouse_config::Outcome::Object(key, object) => {
                    Change::Apply { key, object, origin: None }
                }
                pilothouse_config::Outcome::Nothing(key) => Change::Remove { key },
                _ => return None,
            },
            Step::Remove(kind, namespace, name) => {
                let kind =
                    Kind::ALL.into_iter().find(|one| one.as_str() == *kind).unwrap_or(Kind::MeshConfig);
                Change::Remove { key: ObjectKey::new(kind, *namespace, name.as_str()) }
            }
            _ => return None,
        };
        match &change {
            Change::Apply { key, .. } => self.0.insert(key.clone(), change.clone()),
            Change::Remove { key } => self.0.remove(key),
        };
        Some(change)
    }

    /// What makes these objects out of none.
    pub fn changes(&self) -> Vec<Change> {
        self.0.values().cloned().collect()
    }

    /// What leads from these objects to others.
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        let gone = self.0.keys().filter(|key| !other.0.contains_key(key));
        let gone = gone.map(|key| Change::Remove { key: key.clone() });
        gone.chain(other.changes()).collect()
    }
}
