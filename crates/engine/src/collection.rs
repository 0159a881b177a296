//! Collections: the resources of one type that audiences share, kept up to date member by member.
//!
//! A collection has one source, the question whose answer lists its members, and the members themselves. A changed member
//! is replaced in place, at a cost that does not grow with the collection; only a changed list is compared as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pilothouse_base::{Locality, Name, Namespace};
use pilothouse_view::plan::RouteTablePlan;
use pilothouse_view::query::{Client, GatewayKey, InboundKey, Role, TableKey};
use pilothouse_view::{Answer, Query};
use pilothouse_world::World;
use pilothouse_xds::{Composite, Headers, NameMap, Resource, ResourceMap};

use crate::counts::Counts;
use crate::graph::{Graph, NodeId};
use crate::{encode, origins};

/// Names a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CollectionKey {
    /// Outbound clusters of a namespace.
    Clusters(Namespace, Role),
    /// Assignments of a namespace for a locality.
    Assignments(Namespace, Role, Locality),
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
            Self::Assignments(namespace, role, locality) => Query::Assignments(namespace, role, locality),
            Self::Outbound(client) => Query::Outbound(client),
            Self::Gateway(key) => Query::Gateway(key),
            Self::Inbound(key) => Query::Inbound(key),
            Self::Fixed(role) => Query::Fixed(role),
        }
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

/// A collection that some audience uses.
pub(crate) struct Collection {
    source: NodeId,
    /// What each member is, and under which name it is held now.
    members: BTreeMap<(NodeId, Slot), Option<Arc<str>>>,
    tables: BTreeMap<Name, Table>,
    /// Tables whose composite is out of date.
    stale: BTreeSet<Name>,
    pub(crate) content: Content,
    users: usize,
}

/// A route table on its way to a composite.
struct Table {
    plan: RouteTablePlan,
    headers: Headers,
    hosts: ResourceMap,
}

/// All collections.
#[derive(Default)]
pub(crate) struct Collections {
    by_key: HashMap<Arc<CollectionKey>, Collection>,
    /// Which collections a question feeds.
    fed_by: HashMap<NodeId, Vec<Arc<CollectionKey>>>,
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
        self.by_key.get(key).map(|collection| collection.content.clone()).unwrap_or_default()
    }

    /// Wants a collection until [`Collections::release`].
    pub(crate) fn hold(&mut self, key: &CollectionKey, at: &mut Building<'_>) {
        if let Some(known) = self.by_key.get_mut(key) {
            known.users += 1;
            return;
        }
        let key = Arc::new(key.clone());
        let source = at.graph.hold(key.source(), at.world, at.counts);
        let mut collection = Collection {
            source,
            members: BTreeMap::new(),
            tables: BTreeMap::new(),
            stale: BTreeSet::new(),
            content: Content::default(),
            users: 1,
        };
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
        for (key, ids) in touched {
            let Some(mut collection) = self.by_key.remove(&key) else { continue };
            let before = collection.content.clone();
            if ids.contains(&collection.source) {
                collection.relist(&key, &mut self.fed_by, at);
            }
            collection.refresh(&ids, at);
            if !before.same(&collection.content) {
                different.push(key.clone());
            }
            self.by_key.insert(key, collection);
        }
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

impl Collection {
    /// Takes the list of members from the source.
    fn relist(
        &mut self,
        key: &Arc<CollectionKey>,
        fed_by: &mut HashMap<NodeId, Vec<Arc<CollectionKey>>>,
        at: &mut Building<'_>,
    ) {
        let answer = at.graph.node(self.source).answer.clone();
        let mut wanted: Vec<(Query, Slot)> = Vec::new();
        let mut tables: Vec<TableKey> = Vec::new();
        match &answer {
            Answer::Clusters(keys) => {
                wanted.extend(keys.iter().map(|entry| (Query::Cluster(entry.key.clone()), Slot::Cluster)));
            }
            Answer::Assignments(keys) => {
                wanted.extend(keys.iter().map(|key| (Query::Assignment(key.clone()), Slot::Endpoint)));
            }
            Answer::Outbound(outbound) => {
                let listeners = outbound.listeners.iter();
                wanted.extend(listeners.map(|key| (Query::Listener(key.clone()), Slot::Listener)));
                tables.clone_from(&outbound.tables);
            }
            Answer::Gateway(layout) => {
                let listeners = layout.listeners.iter();
                self.content.listeners =
                    listeners.map(|one| encode::listener(&one.plan, one.origins.clone())).collect();
                wanted.extend(layout.secrets.iter().map(|key| (Query::Secret(key.clone()), Slot::Secret)));
                tables.clone_from(&layout.tables);
            }
            Answer::Inbound(inbound) => {
                let origins = origins::of(&at.graph.node(self.source).query, at.world);
                self.content.listeners =
                    std::iter::once(encode::listener(&inbound.listener, origins)).collect();
                self.content.clusters = inbound
                    .clusters
                    .iter()
                    .map(|one| encode::cluster(&one.plan, origins::of_inbound(one, at.world)))
                    .collect();
            }
            Answer::Fixed(clusters) => {
                self.content.clusters =
                    clusters.iter().map(|plan| encode::cluster(plan, Arc::from([]))).collect();
            }
            _ => {}
        }
        for table in &tables {
            wanted.extend(
                table.hosts.iter().map(|host| (Query::Host(host.clone()), Slot::Host(table.name.clone()))),
            );
        }
        self.set_tables(&tables);

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
        self.rebuild_tables();
    }

    /// Puts tables in place without touching the hosts of those that stay.
    fn set_tables(&mut self, tables: &[TableKey]) {
        let mut old = std::mem::take(&mut self.tables);
        for plan in tables.iter().map(TableKey::plan) {
            let name = plan.name.clone();
            let table = match old.remove(&name) {
                Some(known) if known.plan == plan => known,
                known => {
                    self.stale.insert(name.clone());
                    let hosts = known.map(|known| known.hosts).unwrap_or_default();
                    Table { headers: encode::headers(&plan), plan, hosts }
                }
            };
            self.tables.insert(name, table);
        }
        for name in old.keys() {
            self.content.routes.remove(name.as_str());
        }
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
        self.rebuild_tables();
    }

    /// Makes the composites of tables whose head or hosts changed.
    fn rebuild_tables(&mut self) {
        for name in std::mem::take(&mut self.stale) {
            if let Some(Table { headers, hosts, .. }) = self.tables.get(&name) {
                let made = Composite::new(name.as_str(), headers.clone(), hosts.clone(), []);
                self.content.routes.insert(Arc::new(made));
            }
        }
    }

    /// Puts the resource of a member where it belongs, in place of what it was before.
    fn put_in(&mut self, member: &(NodeId, Slot), at: &mut Building<'_>) {
        let (id, slot) = member;
        let node = at.graph.node_mut(*id);
        let (query, answer) = (node.query.clone(), node.answer.clone());
        let origins = || origins::of(&query, at.world);
        let made = match slot {
            Slot::Host(table) => node.encoded.part(&answer, table, origins, at.counts),
            _ => node.encoded.resource(&answer, origins, at.counts),
        };
        let before = self.members.get(member).cloned().flatten();
        if let Some(before) = before
            && made.as_ref().is_none_or(|made| made.name != before)
        {
            self.take_out(slot, &before);
        }
        self.members.insert(member.clone(), made.as_ref().map(|made| made.name.clone()));
        if let Some(made) = made {
            self.map(slot, |map| {
                map.insert(made);
            });
        }
    }

    fn take_out(&mut self, slot: &Slot, name: &str) {
        self.map(slot, |map| {
            map.remove(name);
        });
    }

    fn map(&mut self, slot: &Slot, change: impl FnOnce(&mut NameMap<Resource>)) {
        match slot {
            Slot::Cluster => change(&mut self.content.clusters),
            Slot::Endpoint => change(&mut self.content.endpoints),
            Slot::Listener => change(&mut self.content.listeners),
            Slot::Secret => change(&mut self.content.secrets),
            Slot::Host(name) => {
                if let Some(table) = self.tables.get_mut(name) {
                    change(&mut table.hosts);
                    self.stale.insert(name.clone());
                }
            }
        }
    }
}
