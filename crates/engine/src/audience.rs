//! Audiences: who shares a snapshot, and which collections it is put together from.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pilothouse_view::Audience;
use pilothouse_xds::Snapshot;

use crate::bug::Bug;
use crate::collection::{Building, CollectionKey, Collections};
use crate::engine::ProxyId;
use crate::graph::Graph;

/// Numbers an audience while it has proxies.
pub(crate) type AudienceId = u32;

/// An audience that has proxies.
pub(crate) struct Served {
    audience: Arc<Audience>,
    keys: Vec<CollectionKey>,
    /// The last good one; none if a bug stood in the way from the start.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) proxies: BTreeSet<ProxyId>,
}

/// All audiences that have proxies.
#[derive(Default)]
pub(crate) struct Audiences {
    ids: HashMap<Arc<Audience>, AudienceId>,
    served: Vec<Option<Served>>,
    free: Vec<AudienceId>,
    /// Which audiences use a collection.
    users: HashMap<CollectionKey, BTreeSet<AudienceId>>,
}

impl Audiences {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn get(&self, id: AudienceId) -> &Served {
        self.served[id as usize]
            .as_ref()
            .expect("an audience is kept while it has proxies, and only they keep its id")
    }

    /// Lets a proxy join; the first one brings the audience to life.
    pub(crate) fn join(
        &mut self,
        audience: &Arc<Audience>,
        proxy: ProxyId,
        revision: u64,
        collections: &mut Collections,
        at: &mut Building<'_>,
    ) -> AudienceId {
        if let Some(&id) = self.ids.get(audience) {
            if let Some(served) = &mut self.served[id as usize] {
                served.proxies.insert(proxy);
            }
            return id;
        }
        let keys = self::collections(audience);
        for key in &keys {
            collections.hold(key, at);
        }
        let snapshot = snapshot(revision, &keys, collections);
        at.counts.snapshots += usize::from(snapshot.is_some());
        let id = self.free.pop().unwrap_or_else(|| {
            self.served.push(None);
            AudienceId::try_from(self.served.len() - 1).expect("a mesh has fewer than four billion audiences")
        });
        for key in &keys {
            self.users.entry(key.clone()).or_default().insert(id);
        }
        self.ids.insert(audience.clone(), id);
        self.served[id as usize] =
            Some(Served { audience: audience.clone(), keys, snapshot, proxies: BTreeSet::from([proxy]) });
        id
    }

    /// Lets a proxy leave; with the last one the audience goes.
    pub(crate) fn leave(
        &mut self,
        id: AudienceId,
        proxy: ProxyId,
        collections: &mut Collections,
        graph: &mut Graph,
    ) {
        let Some(served) = &mut self.served[id as usize] else { return };
        served.proxies.remove(&proxy);
        if !served.proxies.is_empty() {
            return;
        }
        let Some(served) = self.served[id as usize].take() else { return };
        self.ids.remove(&served.audience);
        self.free.push(id);
        for key in &served.keys {
            if let Some(users) = self.users.get_mut(key) {
                users.remove(&id);
                if users.is_empty() {
                    self.users.remove(key);
                }
            }
            collections.release(key, graph);
        }
    }

    /// Whether an audience keeps its last good snapshot because of a bug.
    pub(crate) fn is_frozen(&self, id: AudienceId, collections: &Collections) -> bool {
        self.get(id).keys.iter().any(|key| collections.is_broken(key))
    }

    /// The bugs that an audience suffers from.
    pub(crate) fn bugs(&self, id: AudienceId, collections: &Collections) -> BTreeSet<Arc<Bug>> {
        self.get(id).keys.iter().flat_map(|key| collections.bugs(key)).collect()
    }

    /// Makes new snapshots for the audiences of changed collections; returns those that got one.
    pub(crate) fn refresh(
        &mut self,
        changed: &[Arc<CollectionKey>],
        revision: u64,
        collections: &Collections,
    ) -> BTreeSet<AudienceId> {
        let touched: BTreeSet<AudienceId> =
            changed.iter().filter_map(|key| self.users.get(&**key)).flatten().copied().collect();
        let mut fresh = touched;
        fresh.retain(|id| {
            let Some(served) = &mut self.served[*id as usize] else { return false };
            let made = snapshot(revision, &served.keys, collections);
            let is_made = made.is_some();
            if is_made {
                served.snapshot = made;
            }
            is_made
        });
        fresh
    }
}

/// The collections of an audience: clusters, assignments, then everything else. What many share comes first.
fn collections(audience: &Audience) -> Vec<CollectionKey> {
    let Audience { client, place, inbound, gateway } = audience;
    let (namespace, role) = (client.namespace.clone(), client.role);
    let mut keys = vec![
        CollectionKey::Fixed(role),
        CollectionKey::Clusters(namespace.clone(), role),
        CollectionKey::Assignments(namespace.clone(), role),
    ];
    if let Some(inbound) = inbound {
        keys.push(CollectionKey::Outbound(client.clone()));
        keys.push(CollectionKey::Inbound(inbound.clone()));
    }
    if let Some(gateway) = gateway {
        keys.push(CollectionKey::Gateway(gateway.clone()));
    }
    if let Some(place) = place {
        keys.push(CollectionKey::Near(namespace, role, place.clone()));
    }
    keys
}

/// Puts the snapshot of an audience together; costs a few references per collection. None while one of these is broken.
fn snapshot(revision: u64, keys: &[CollectionKey], collections: &Collections) -> Option<Arc<Snapshot>> {
    if keys.iter().any(|key| collections.is_broken(key)) {
        return None;
    }
    let contents: Vec<_> = keys.iter().map(|key| collections.content(key)).collect();
    Some(Arc::new(Snapshot {
        revision,
        clusters: contents.iter().map(|content| content.clusters.clone()).collect::<Vec<_>>().into(),
        endpoints: contents.iter().map(|content| content.endpoints.clone()).collect::<Vec<_>>().into(),
        listeners: contents.iter().map(|content| content.listeners.clone()).collect::<Vec<_>>().into(),
        routes: contents.iter().map(|content| content.routes.clone()).collect::<Vec<_>>().into(),
        secrets: contents.iter().map(|content| content.secrets.clone()).collect::<Vec<_>>().into(),
    }))
}
