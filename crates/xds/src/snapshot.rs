//! The resources of one audience at one revision.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::composite::Composite;
use crate::map::{NameMap, Named};
use crate::resource::Resource;

/// A few maps with disjoint names, looked up in order: what many audiences share, what few share, what is one's
/// own. If a name is in several all the same, the first counts.
pub struct Layers<V>(Vec<NameMap<V>>);

impl<V: Named + fmt::Debug> fmt::Debug for Layers<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.0).finish()
    }
}

impl<V> Clone for Layers<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Default for Layers<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> From<Vec<NameMap<V>>> for Layers<V> {
    fn from(maps: Vec<NameMap<V>>) -> Self {
        Self(maps)
    }
}

impl<V> From<NameMap<V>> for Layers<V> {
    fn from(map: NameMap<V>) -> Self {
        Self(vec![map])
    }
}

impl<V: Named> FromIterator<Arc<V>> for Layers<V> {
    fn from_iter<I: IntoIterator<Item = Arc<V>>>(values: I) -> Self {
        NameMap::from_iter(values).into()
    }
}

impl<V: Named> Layers<V> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<V>> {
        self.0.iter().find_map(|map| map.get(name))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(NameMap::len).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(NameMap::is_empty)
    }

    /// Every value, layer by layer.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        self.0.iter().flat_map(NameMap::iter)
    }

    /// Every value in order of names. Costs a sort.
    pub fn sorted_iter(&self) -> impl Iterator<Item = &Arc<V>> {
        let mut values: Vec<_> = self.iter().collect();
        values.sort_by(|a, b| a.name().cmp(b.name()));
        values.into_iter()
    }

    /// The maps.
    pub fn maps(&self) -> &[NameMap<V>] {
        &self.0
    }

    /// What differs, in order of names. Costs what differs; a name that only moved to another layer does not.
    pub fn diff(old: &Self, new: &Self) -> Vec<Change<V>> {
        let mut touched = BTreeSet::new();
        let empty = NameMap::default();
        for at in 0..old.0.len().max(new.0.len()) {
            let (before, after) = (old.0.get(at).unwrap_or(&empty), new.0.get(at).unwrap_or(&empty));
            NameMap::diff(before, after, &mut |before, after| {
                let value = before.or(after).expect("a difference has a side");
                touched.insert(Arc::clone(value.name()));
            });
        }
        touched
            .into_iter()
            .filter_map(|name| {
                let (before, after) = (old.get(&name), new.get(&name));
                (before.map(|value| value.version()) != after.map(|value| value.version())).then(|| Change {
                    old: before.cloned(),
                    new: after.cloned(),
                    name: Arc::clone(&name),
                })
            })
            .collect()
    }
}

/// A name that stands for something else now.
#[derive(Debug)]
pub struct Change<V> {
    /// The name.
    pub name: Arc<str>,
    /// What it stood for, if anything.
    pub old: Option<Arc<V>>,
    /// What it stands for, if anything.
    pub new: Option<Arc<V>>,
}

/// The resources of one audience at one revision. Cheap to clone; consecutive ones share what did not change.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The revision of the world it was made from. Grows.
    pub revision: u64,
    /// Clusters.
    pub clusters: Layers<Resource>,
    /// Endpoint assignments, each bearing the name of its cluster.
    pub endpoints: Layers<Resource>,
    /// Listeners.
    pub listeners: Layers<Resource>,
    /// Route tables.
    pub routes: Layers<Composite>,
    /// Secrets that many proxies may hold, such as a gateway's certificate. The leaf of a proxy and its roots
    /// are not here; see [`crate::Subscriber::secret`].
    pub secrets: Layers<Resource>,
}

/// What differs between two snapshots, per type in order of names.
#[derive(Debug, Default)]
pub struct Changes {
    /// Of the clusters.
    pub clusters: Vec<Change<Resource>>,
    /// Of the endpoint assignments.
    pub endpoints: Vec<Change<Resource>>,
    /// Of the listeners.
    pub listeners: Vec<Change<Resource>>,
    /// Of the route tables; compare the parts of old and new for the hosts.
    pub routes: Vec<Change<Composite>>,
    /// Of the shared secrets.
    pub secrets: Vec<Change<Resource>>,
}

impl Changes {
    /// Whether nothing differs, so that nobody needs to hear of the newer one.
    pub fn is_empty(&self) -> bool {
        let Self { clusters, endpoints, listeners, routes, secrets } = self;
        clusters.is_empty()
            && endpoints.is_empty()
            && listeners.is_empty()
            && routes.is_empty()
            && secrets.is_empty()
    }
}

impl Snapshot {
    /// What differs. Costs what differs, not what is there.
    pub fn diff(old: &Self, new: &Self) -> Changes {
        Changes {
            clusters: Layers::diff(&old.clusters, &new.clusters),
            endpoints: Layers::diff(&old.endpoints, &new.endpoints),
            listeners: Layers::diff(&old.listeners, &new.listeners),
            routes: Layers::diff(&old.routes, &new.routes),
            secrets: Layers::diff(&old.secrets, &new.secrets),
        }
    }
}

#[cfg(test)]
mod tests;
