//! Collections: the resources of one type that audiences share, kept up to date member by member.
//!
//! A collection has one source, the question whose answer lists its members, and the members themselves. A changed member
//! is replaced in place, at a cost that does not grow with the collection; only a changed list is compared as a whole.
//!
//! What nearly everybody has alike is a collection of its own, the base of others: these list only what they have instead,
//! share the rest with it, and follow it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pilothouse_base::{Name, Namespace};
use pilothouse_view::query::{Client, GatewayKey, InboundKey, Place, Role, TableKey, stranger};
use pilothouse_view::{Answer, Query};
use pilothouse_world::World;
use pilothouse_xds::{Composite, NameMap, Resource, ResourceMap};

use crate::bug::Bug;
use crate::counts::Counts;
use crate::graph::{Graph, NodeId};
use crate::overlay::Overlay;
use crate::tables::Tables;
use crate::{encode, origins};

/// Names a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CollectionKey {
    /// Outbound clusters of a namespace.
    Clusters(Namespace, Role),
    /// Assignments of a namespace that are the same for clients everywhere.
    Assignments(Namespace, Role),
    /// Its other assignments, for clients of a place.
    Near(Namespace, Role, Place),
    /// Outbound listeners and route tables of sidecars.
    Outbound(Client),
    /// Listeners, route tables and secrets of gateways.
    Gateway(GatewayKey),
    /// What stands in front of a workload.
    Inbound(InboundKey),
    /// The clusters every proxy of a role has.
    Fixed(Role),
}

impl CollectionKey {
    fn source(&self) -> Query {
        match self.clone() {
            Self::Clusters(namespace, role) => Query::Clusters(namespace, role),
            Self::Assignments(namespace, role) => Query::Assignments(namespace, role),
            Self::Near(namespace, role, place) => Query::Near(namespace, role, place),
            Self::Outbound(client) => Query::Outbound(client),
            Self::Gateway(key) => Query::Gateway(key),
            Self::Inbound(key) => Query::Inbound(key),
            Self::Fixed(role) => Query::Fixed(role),
        }
    }

    /// The collection it shares what it does not list with: that of a stranger.
    fn base(&self) -> Option<Self> {
        let base = match self {
            Self::Clusters(_, role) => Self::Clusters(stranger(), *role),
            Self::Assignments(_, role) => Self::Assignments(stranger(), *role),
            Self::Near(_, role, place) => Self::Near(stranger(), *role, place.clone()),
            Self::Outbound(client) => Self::Outbound(Client::stranger(client.v6)),
            Self::Gateway(_) | Self::Inbound(_) | Self::Fixed(_) => return None,
        };
        (base != *self).then_some(base)
    }
}

/// Resources by type.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pub(crate) clusters: ResourceMap,
    pub(crate) endpoints: ResourceMap,
    pub(crate) listeners: ResourceMap,
    pub(crate) routes: NameMap<Composite>,
    pub(crate) secrets: ResourceMap,
}

/// What a member is: a resource of a type, or a host of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Cluster,
    Endpoint,
    Listener,
    Secret,
    Host(Name),
}

/// A collection that some audience, or a collection over it, uses.
pub(crate) struct Collection {
    source: NodeId,
    /// What each member is, and under which name it is held now.
    members: BTreeMap<(NodeId, Slot), Option<Arc<str>>>,
    clusters: Overlay<Resource>,
    endpoints: Overlay<Resource>,
    listeners: Overlay<Resource>,
    secrets: Overlay<Resource>,
    tables: Tables,
    users: usize,
    /// What stands in the way of the list of members.
    unlisted: Option<Arc<Bug>>,
    /// Members that are not what they should be.
    broken: BTreeMap<(NodeId, Slot), Arc<Bug>>,
    /// Whether the base is broken.
    base_broken: bool,
}

/// All collections.
#[derive(Default)]
pub(crate) struct Collections {
    by_key: HashMap<Arc<CollectionKey>, Collection>,
    /// Which collections a question feeds.
    fed_by: HashMap<NodeId, Vec<Arc<CollectionKey>>>,
    /// Which collections lie over one.
    over: HashMap<CollectionKey, BTreeSet<Arc<CollectionKey>>>,
}

/// What building needs from outside.
pub(crate) struct Building<'b> {
    pub(crate) graph: &'b mut Graph,
    pub(crate) world: &'b World,
    pub(crate) counts: &'b mut Counts,
}

impl Collections {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn content(&self, key: &CollectionKey) -> Content {
        self.by_key.get(key).map(Collection::content).unwrap_or_default()
    }

    /// Whether something in a collection is not what it should be, because of a bug. Until it is, nobody may be given it.
    pub(crate) fn is_broken(&self, key: &CollectionKey) -> bool {
        self.by_key.get(key).is_some_and(Collection::is_broken)
    }

    /// The bugs that a collection suffers from.
    pub(crate) fn bugs(&self, key: &CollectionKey) -> BTreeSet<Arc<Bug>> {
        let Some(known) = self.by_key.get(key).filter(|known| known.is_broken()) else {
            return BTreeSet::new();
        };
        let mut all: BTreeSet<Arc<Bug>> =
            known.unlisted.iter().chain(known.broken.values()).cloned().collect();
        if let Some(base) = key.base().filter(|_| known.base_broken) {
            all.extend(self.bugs(&base));
        }
        all
    }

    /// Wants a collection until [`Collections::release`].
    pub(crate) fn hold(&mut self, key: &CollectionKey, at: &mut Building<'_>) {
        if let Some(known) = self.by_key.get_mut(key) {
            known.users += 1;
            return;
        }
        let key = Arc::new(key.clone());
        let source = at.graph.hold(key.source(), at.world, at.counts);
        let mut collection = Collection::new(source);
        if let Some(base) = key.base() {
            self.hold(&base, at);
            collection.follow(&self.content(&base), self.is_broken(&base));
            self.over.entry(base).or_default().insert(key.clone());
        }
        self.feed(source, &key);
        collection.relist(&key, &mut self.fed_by, at);
        self.by_key.insert(key, collection);
    }

    pub(crate) fn release(&mut self, key: &CollectionKey, graph: &mut Graph) {
        let Some(known) = self.by_key.get_mut(key) else { return };
        known.users -= 1;
        if known.users > 0 {
            return;
        }
        let Some((key, collection)) = self.by_key.remove_entry(key) else { return };
        for (id, _) in collection.members.keys() {
            starve(&mut self.fed_by, *id, &key);
            graph.release(*id);
        }
        starve(&mut self.fed_by, collection.source, &key);
        graph.release(collection.source);
        if let Some(base) = key.base() {
            if let Some(over) = self.over.get_mut(&base) {
                over.remove(&key);
                if over.is_empty() {
                    self.over.remove(&base);
                }
            }
            self.release(&base, graph);
        }
    }

    fn feed(&mut self, id: NodeId, key: &Arc<CollectionKey>) {
        feed(&mut self.fed_by, id, key);
    }

    /// Brings collections up to date with changed answers; returns those that came out different.
    pub(crate) fn update(&mut self, changed: &[NodeId], at: &mut Building<'_>) -> Vec<Arc<CollectionKey>> {
        let mut touched: BTreeMap<Arc<CollectionKey>, Vec<NodeId>> = BTreeMap::new();
        for id in changed {
            for key in self.fed_by.get(id).into_iter().flatten() {
                let ids = touched.entry(key.clone()).or_default();
                // A question may feed a collection in several slots.
                if ids.last() != Some(id) {
                    ids.push(*id);
                }
            }
        }
        let mut different = Vec::new();
        // Those that others lie over go first, and these follow what became of them.
        let (over, alone): (Vec<_>, Vec<_>) = touched.into_iter().partition(|(key, _)| key.base().is_some());
        let mut over: BTreeMap<_, _> = over.into_iter().collect();
        for (key, ids) in alone {
            if self.bring_up(&key, &ids, at) {
                for follower in self.over.get(&*key).into_iter().flatten() {
                    over.entry(follower.clone()).or_default();
                }
                different.push(key);
            }
        }
        for (key, ids) in over {
            if self.bring_up(&key, &ids, at) {
                different.push(key);
            }
        }
        different
    }

    /// Brings a collection up to date with changed answers and with its base; says whether it came out different, or broke, or
    /// is broken no more.
    fn bring_up(&mut self, key: &Arc<CollectionKey>, ids: &[NodeId], at: &mut Building<'_>) -> bool {
        let base = key.base().map(|base| (self.content(&base), self.is_broken(&base)));
        let Some(mut collection) = self.by_key.remove(key) else { return false };
        let before = (collection.content(), collection.is_broken());
        if let Some((base, broken)) = base {
            collection.follow(&base, broken);
        }
        if ids.contains(&collection.source) {
            collection.relist(key, &mut self.fed_by, at);
        }
        collection.refresh(ids, at);
        let different = before.1 != collection.is_broken() || !before.0.same(&collection.content());
        self.by_key.insert(key.clone(), collection);
        different
    }
}

fn feed(fed_by: &mut HashMap<NodeId, Vec<Arc<CollectionKey>>>, id: NodeId, key: &Arc<CollectionKey>) {
    fed_by.entry(id).or_default().push(key.clone());
}

fn starve(fed_by: &mut HashMap<NodeId, Vec<Arc<CollectionKey>>>, id: NodeId, key: &Arc<CollectionKey>) {
    if let Some(keys) = fed_by.get_mut(&id) {
        if let Some(at) = keys.iter().position(|one| one == key) {
            keys.swap_remove(at);
        }
        if keys.is_empty() {
            fed_by.remove(&id);
        }
    }
}

impl Content {
    /// Whether nothing differs, by digests.
    fn same(&self, other: &Self) -> bool {
        let Self { clusters, endpoints, listeners, routes, secrets } = self;
        clusters.digest() == other.clusters.digest()
            && endpoints.digest() == other.endpoints.digest()
            && listeners.digest() == other.listeners.digest()
            && routes.digest() == other.routes.digest()
            && secrets.digest() == other.secrets.digest()
    }
}

/// The tables that an answer lists.
fn tables(answer: &Answer) -> &[TableKey] {
    match answer {
        Answer::Outbound(outbound) => &outbound.tables,
        Answer::Gateway(layout) => &layout.tables,
        _ => &[],
    }
}

/// Resources that are no questions of their own but part of the answer that lists members.
#[derive(Default)]
struct Made {
    clusters: Vec<Arc<Resource>>,
    listeners: Vec<Arc<Resource>>,
}

impl Made {
    fn of(query: &Query, answer: &Answer, world: &World) -> Self {
        let mut made = Self::default();
        match answer {
            Answer::Gateway(layout) => {
                let listeners = layout.listeners.iter();
                made.listeners.extend(listeners.map(|one| encode::listener(&one.plan, one.origins.clone())));
            }
            Answer::Inbound(inbound) => {
                made.listeners.push(encode::listener(&inbound.listener, origins::of(query, world)));
                let clusters = inbound.clusters.iter();
                made.clusters
                    .extend(clusters.map(|one| encode::cluster(&one.plan, origins::of_inbound(one, world))));
            }
            Answer::Fixed(clusters) => {
                made.clusters.extend(clusters.iter().map(|plan| encode::cluster(plan, Arc::from([]))));
            }
            _ => {}
        }
        made
    }
}

impl Collection {
    fn new(source: NodeId) -> Self {
        Self {
            source,
            members: BTreeMap::new(),
            clusters: Overlay::default(),
            endpoints: Overlay::default(),
            listeners: Overlay::default(),
            secrets: Overlay::default(),
            tables: Tables::default(),
            users: 1,
            unlisted: None,
            broken: BTreeMap::new(),
            base_broken: false,
        }
    }

    fn is_broken(&self) -> bool {
        self.unlisted.is_some() || !self.broken.is_empty() || self.base_broken
    }

    fn content(&self) -> Content {
        Content {
            clusters: self.clusters.map().clone(),
            endpoints: self.endpoints.map().clone(),
            listeners: self.listeners.map().clone(),
            routes: self.tables.map().clone(),
            secrets: self.secrets.map().clone(),
        }
    }

    /// Takes over what became of the collection it lies over.
    fn follow(&mut self, base: &Content, broken: bool) {
        self.base_broken = broken;
        self.clusters.follow(&base.clusters);
        self.endpoints.follow(&base.endpoints);
        self.listeners.follow(&base.listeners);
        self.secrets.follow(&base.secrets);
        self.tables.follow(&base.routes);
    }

    /// Takes the list of members from the source; keeps the former one if there is none because of a bug.
    fn relist(
        &mut self,
        key: &Arc<CollectionKey>,
        fed_by: &mut HashMap<NodeId, Vec<Arc<CollectionKey>>>,
        at: &mut Building<'_>,
    ) {
        let world = at.world;
        let made = at.graph.encode(self.source, world, |_, query, answer| {
            let tables = self.tables.heads(tables(answer));
            (answer.clone(), Made::of(query, answer, world), tables)
        });
        let (answer, made, heads) = match made {
            Ok(made) => made,
            Err(bug) => {
                self.unlisted = Some(bug);
                return;
            }
        };
        self.unlisted = None;
        let mut wanted: Vec<(Query, Slot)> = Vec::new();
        match &answer {
            Answer::Clusters(list) => {
                let keys = list.entries.iter().map(|entry| &entry.key);
                wanted.extend(keys.map(|key| (Query::Cluster(key.clone()), Slot::Cluster)));
                self.clusters.hide(&list.hidden);
            }
            Answer::Assignments(list) | Answer::Near(list) => {
                let keys = list.keys.iter();
                wanted.extend(keys.map(|key| (Query::Assignment(key.clone()), Slot::Endpoint)));
                self.endpoints.hide(&list.hidden);
            }
            Answer::Outbound(outbound) => {
                let listeners = outbound.listeners.iter();
                wanted.extend(listeners.map(|key| (Query::Listener(key.clone()), Slot::Listener)));
                self.listeners.hide(&outbound.hidden.listeners);
                self.tables.hide(&outbound.hidden.tables, &outbound.hidden.hosts);
            }
            Answer::Gateway(layout) => {
                self.listeners.set(made.listeners);
                wanted.extend(layout.secrets.iter().map(|key| (Query::Secret(key.clone()), Slot::Secret)));
            }
            Answer::Inbound(_) => {
                self.listeners.set(made.listeners);
                self.clusters.set(made.clusters);
            }
            Answer::Fixed(_) => self.clusters.set(made.clusters),
            _ => {}
        }
        for table in tables(&answer) {
            wanted.extend(
                table.hosts.iter().map(|host| (Query::Host(host.clone()), Slot::Host(table.name.clone()))),
            );
        }
        self.tables.set(heads);

        let mut new = BTreeSet::new();
        for (query, slot) in wanted {
            let id = at.graph.hold(query, at.world, at.counts);
            if !new.insert((id, slot)) {
                at.graph.release(id);
            }
        }
        let gone: Vec<(NodeId, Slot)> =
            self.members.keys().filter(|member| !new.contains(*member)).cloned().collect();
        for member in gone {
            self.broken.remove(&member);
            if let Some(Some(name)) = self.members.remove(&member) {
                self.take_out(&member.1, &name);
            }
            starve(fed_by, member.0, key);
            at.graph.release(member.0);
        }
        for member in new {
            let id = member.0;
            if self.members.contains_key(&member) {
                // Held already by the previous list.
                at.graph.release(id);
                continue;
            }
            feed(fed_by, id, key);
            self.members.insert(member.clone(), None);
            self.put_in(&member, at);
        }
        self.tables.rebuild();
    }

    /// Takes changed members anew.
    fn refresh(&mut self, ids: &[NodeId], at: &mut Building<'_>) {
        for &id in ids {
            let members: Vec<(NodeId, Slot)> = self
                .members
                .range((id, Slot::Cluster)..)
                .take_while(|((member, _), _)| *member == id)
                .map(|(member, _)| member.clone())
                .collect();
            for member in members {
                self.put_in(&member, at);
            }
        }
        self.tables.rebuild();
    }

    /// Puts the resource of a member where it belongs, in place of what it was before. If a bug stands in the way, that stays.
    fn put_in(&mut self, member: &(NodeId, Slot), at: &mut Building<'_>) {
        let (id, slot) = member;
        let (world, counts) = (at.world, &mut *at.counts);
        let made = at.graph.encode(*id, world, |encoded, query, answer| {
            let origins = || origins::of(query, world);
            match slot {
                Slot::Host(table) => encoded.part(answer, table, origins, counts),
                _ => encoded.resource(answer, origins, counts),
            }
        });
        let made = match made {
            Ok(made) => made,
            Err(bug) => {
                self.broken.insert(member.clone(), bug);
                return;
            }
        };
        self.broken.remove(member);
        let before = self.members.get(member).cloned().flatten();
        if let Some(before) = before
            && made.as_ref().is_none_or(|made| made.name != before)
        {
            self.take_out(slot, &before);
        }
        self.members.insert(member.clone(), made.as_ref().map(|made| made.name.clone()));
        if let Some(made) = made {
            match slot {
                Slot::Cluster => self.clusters.put(made),
                Slot::Endpoint => self.endpoints.put(made),
                Slot::Listener => self.listeners.put(made),
                Slot::Secret => self.secrets.put(made),
                Slot::Host(table) => self.tables.put(table, made),
            }
        }
    }

    fn take_out(&mut self, slot: &Slot, name: &str) {
        match slot {
            Slot::Cluster => self.clusters.take(name),
            Slot::Endpoint => self.endpoints.take(name),
            Slot::Listener => self.listeners.take(name),
            Slot::Secret => self.secrets.take(name),
            Slot::Host(table) => self.tables.take(table, name),
        }
    }
}
