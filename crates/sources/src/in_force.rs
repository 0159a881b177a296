//! Which of the known objects are in force, and what to tell when that changes.
//!
//! Both sources end here: what they know goes in, the difference comes out. An object whose namespace the mesh settings do not
//! select (`discoverySelectors`) is known and not in force, so that it comes to life as soon as its namespace is selected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Kind, Labels, Namespace, ObjectKey};
use pilothouse_config::{NamespaceSelector, Object};
use pilothouse_diag::Origin;
use pilothouse_world::Change;

#[cfg(test)]
mod tests;

/// What objects should be now, and where they were written; none for one that should not be.
pub(crate) type Wanted = BTreeMap<ObjectKey, Option<(Object, Option<Arc<Origin>>)>>;

/// The known objects.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    known: BTreeMap<ObjectKey, Known>,
    /// Of the mesh settings that count.
    selectors: Vec<NamespaceSelector>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    object: Object,
    origin: Option<Arc<Origin>>,
    /// Whether it was told, so that its end must be told too.
    told: bool,
}

impl InForce {
    /// Takes in what objects should be now, and says what changed, in the order of names. Costs what is given, and everything
    /// there is when selectors change.
    pub(crate) fn update(&mut self, wanted: Wanted) -> Vec<Change> {
        let mut changes = BTreeMap::new();
        let mut changed = BTreeSet::new();
        let (mut mesh, mut namespaces) = (false, BTreeSet::new());
        for (key, now) in wanted {
            let before = self.known.get(&key);
            let told = before.is_some_and(|before| before.told);
            match now {
                Some((object, origin)) => {
                    if before.is_some_and(|before| before.object == object && before.origin == origin) {
                        continue;
                    }
                    self.known.insert(key.clone(), Known { object, origin, told });
                    changed.insert(key.clone());
                }
                None if self.known.remove(&key).is_none() => continue,
                None if told => {
                    changes.insert(key.clone(), Change::Remove { key: key.clone() });
                }
                None => {}
            }
            match key.kind {
                Kind::MeshConfig => mesh = true,
                Kind::Namespace => {
                    namespaces.insert(Namespace::from(key.name.as_str()));
                }
                _ => {}
            }
        }
        let looked_at = self.reselect(mesh, &namespaces);
        for key in changed.iter().chain(looked_at.iter().filter(|key| !changed.contains(*key))) {
            let selected = self.selects(key);
            let Some(known) = self.known.get_mut(key) else { continue };
            if selected && (!known.told || changed.contains(key)) {
                known.told = true;
                let (object, origin) = (known.object.clone(), known.origin.clone());
                changes.insert(key.clone(), Change::Apply { key: key.clone(), object, origin });
            } else if !selected && known.told {
                known.told = false;
                changes.insert(key.clone(), Change::Remove { key: key.clone() });
            }
        }
        changes.into_values().collect()
    }

    /// An object, whether or not it is in force.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.known.get(key).map(|known| &known.object)
    }

    /// All objects of a kind, whether or not they are in force.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.known
            .range(ObjectKey::new(kind, "", "")..)
            .take_while(move |(key, _)| key.kind == kind)
            .map(|(key, known)| (key, &known.object))
    }

    /// Which namespaces count; without any all do.
    pub(crate) fn selectors(&self) -> &[NamespaceSelector] {
        &self.selectors
    }

    /// How many objects are in force.
    pub(crate) fn len(&self) -> usize {
        self.known.values().filter(|known| known.told).count()
    }

    /// The objects whose namespace may be selected now and was not before, or the reverse.
    fn reselect(&mut self, mesh: bool, namespaces: &BTreeSet<Namespace>) -> Vec<ObjectKey> {
        if mesh {
            // The first by name counts, as in the world.
            let selectors = self.of_kind(Kind::MeshConfig).find_map(|(_, object)| match object {
                Object::Mesh(mesh) => Some(mesh.discovery.clone()),
                _ => None,
            });
            let selectors = selectors.unwrap_or_default();
            if selectors != self.selectors {
                self.selectors = selectors;
                return self.known.keys().cloned().collect();
            }
        }
        if self.selectors.is_empty() {
            return Vec::new();
        }
        let inside = |kind: Kind, namespace: &Namespace| {
            let first = ObjectKey::new(kind, namespace.clone(), "");
            let namespace = namespace.clone();
            let keys = self.known.range(first..).map(|(key, _)| key);
            keys.take_while(move |key| key.kind == kind && key.namespace == namespace).cloned()
        };
        namespaces
            .iter()
            .flat_map(|namespace| Kind::ALL.map(|kind| inside(kind, namespace)))
            .flatten()
            .collect()
    }

    /// Whether the mesh settings let an object count. Settings and what has no namespace always do.
    fn selects(&self, key: &ObjectKey) -> bool {
        if self.selectors.is_empty() || key.kind == Kind::MeshConfig || key.namespace.as_str().is_empty() {
            return true;
        }
        let namespace = self.known.get(&ObjectKey::new(Kind::Namespace, "", key.namespace.as_str()));
        let none = Labels::default();
        let labels = match namespace.map(|known| &known.object) {
            Some(Object::Namespace(namespace)) => &namespace.labels,
            _ => &none,
        };
        self.selectors.iter().any(|selector| selector.matches(labels))
    }

    #[cfg(test)]
    pub(crate) fn origin(&self, key: &ObjectKey) -> Option<&Arc<Origin>> {
        self.known.get(key)?.origin.as_ref()
    }

    /// Everything in force.
    #[cfg(test)]
    pub(crate) fn all(&self) -> BTreeMap<ObjectKey, (Object, Option<Arc<Origin>>)> {
        let told = self.known.iter().filter(|(_, known)| known.told);
        told.map(|(key, known)| (key.clone(), (known.object.clone(), known.origin.clone()))).collect()
    }
}
