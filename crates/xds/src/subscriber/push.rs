//! What to send next.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Protocol, Response};
use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Layers, Snapshot};
use crate::subscriber::Subscriber;
use crate::subscriber::track::Flight;

/// The types whose changes wait for each other.
pub(super) const ORDERED: [ResourceType; 4] =
    [ResourceType::Cluster, ResourceType::Listener, ResourceType::Route, ResourceType::VirtualHost];

impl Subscriber {
    /// Sends all that can be sent now.
    pub(super) fn push(&mut self) -> Vec<Response> {
        let mut out = Vec::new();
        loop {
            self.push_secret(&mut out);
            self.push_type(ResourceType::Cluster, &mut out);
            self.push_type(ResourceType::Endpoint, &mut out);
            if self.is_settled(ResourceType::Cluster) {
                if !self.tables.go_before_listeners() {
                    self.push_type(ResourceType::Listener, &mut out);
                }
                self.push_type(ResourceType::Route, &mut out);
                self.push_hosts(&mut out);
                if self.is_settled(ResourceType::Route) && self.is_settled(ResourceType::VirtualHost) {
                    self.tables.settled();
                    self.push_type(ResourceType::Listener, &mut out);
                }
            }
            if !self.at_rest() || !self.go_on(&mut out) {
                break;
            }
        }
        self.note_progress();
        out
    }

    /// Whether nothing of a type is on its way or waits for its turn, removals of clusters apart.
    fn is_settled(&self, kind: ResourceType) -> bool {
        let track = &self.tracks[kind];
        if track.flight.is_some() {
            return self.released;
        }
        let more = match kind {
            ResourceType::Cluster if !track.subscribed => return !self.awaits_clusters,
            ResourceType::Listener => !track.gone.is_empty(),
            ResourceType::VirtualHost => self.tables.has_work(),
            _ => false,
        };
        !track.subscribed || !track.has_due() && !more
    }

    /// Whether all that makes has been made and answered, so that the push may break what is left over.
    pub(super) fn at_rest(&self) -> bool {
        ORDERED.into_iter().all(|kind| self.is_settled(kind))
    }

    /// The end of a push, and the begin of the next. Returns whether there is more to do now.
    fn go_on(&mut self, out: &mut Vec<Response>) -> bool {
        let clusters = &mut self.tracks[ResourceType::Cluster];
        if !clusters.gone.is_empty() && clusters.free() {
            if !clusters.answered {
                // The client sends all its requests when a stream begins. Until it answered something, we do not
                // know what its listeners and routes still need, so it is given something to answer.
                clusters.greet = true;
                return true;
            }
            self.remove_clusters(out);
            return true;
        }
        let left = !clusters.gone.is_empty() || clusters.flight.is_some();
        if !Arc::ptr_eq(&self.applied, &self.latest) {
            self.advance();
            return true;
        }
        let endpoints = &mut self.tracks[ResourceType::Endpoint];
        if left || endpoints.gone.is_empty() {
            return false;
        }
        // Clients unsubscribe what belonged to a removed cluster. Whoever still asks is told that nobody is there.
        let still_asked = std::mem::take(&mut endpoints.gone).into_keys().map(|name| (name, None));
        endpoints.due.extend(still_asked);
        true
    }

    /// Starts to push the newest snapshot.
    fn advance(&mut self) {
        let old = std::mem::replace(&mut self.applied, Arc::clone(&self.latest));
        let Snapshot { revision: _, clusters, endpoints: _, listeners, routes, secrets: _ } = &*self.latest;
        for change in Layers::diff(&old.clusters, clusters) {
            let track = &mut self.tracks[ResourceType::Cluster];
            track.changed(&change.name, change.old.as_ref(), change.new.as_ref());
        }
        for change in Layers::diff(&old.listeners, listeners) {
            let track = &mut self.tracks[ResourceType::Listener];
            track.changed(&change.name, change.old.as_ref(), change.new.as_ref());
        }
        for change in Layers::diff(&old.routes, routes) {
            match &change.new {
                Some(table) => {
                    let routes = &mut self.tracks[ResourceType::Route];
                    self.tables.changed(&change.name, table, routes);
                }
                None => self.tables.left(&change.name),
            }
        }
        // Whatever the client left unanswered, it must have the new clusters before their routes.
        self.released &= !self.tracks[ResourceType::Cluster].has_due();
    }

    /// Sends what is due of a type, if nothing of it is in flight.
    fn push_type(&mut self, kind: ResourceType, out: &mut Vec<Response>) {
        if self.protocol == Protocol::Sotw && kind.wildcard() {
            self.push_world(kind, out);
            return;
        }
        while self.tracks[kind].free() && !self.is_settled(kind) {
            let track = &mut self.tracks[kind];
            let picked = track.pick();
            let greet = std::mem::take(&mut track.greet);
            let removed: Vec<Arc<str>> = match kind {
                ResourceType::Listener => std::mem::take(&mut track.gone).into_keys().collect(),
                _ => Vec::new(),
            };
            let resources: Vec<Arc<Resource>> = picked
                .iter()
                .filter_map(|(name, held)| {
                    self.content(kind, name).filter(|found| *held != Some(found.version))
                })
                .collect();
            if resources.is_empty() && removed.is_empty() && !greet {
                let blamed = self.tracks[kind].trial.skipped();
                self.blame(kind, blamed);
                continue;
            }
            match kind {
                ResourceType::Cluster => {
                    self.repeat_assignments(resources.iter().map(|cluster| &cluster.name));
                }
                ResourceType::Endpoint => self.note_leaving(&resources),
                _ => {}
            }
            self.send(kind, resources, removed, out);
        }
    }

    /// Sends all clusters or all listeners, if one of them is due.
    fn push_world(&mut self, kind: ResourceType, out: &mut Vec<Response>) {
        if !self.tracks[kind].free() || self.is_settled(kind) {
            return;
        }
        let track = &mut self.tracks[kind];
        let mut due = std::mem::take(&mut track.due);
        let first = std::mem::take(&mut track.greet);
        let less = kind == ResourceType::Listener && !std::mem::take(&mut track.gone).is_empty();
        due.retain(|name, held| self.content(kind, name).is_some_and(|found| *held != Some(found.version)));
        if !first && !less && due.is_empty() {
            return;
        }
        let resources = self.world(kind);
        if kind == ResourceType::Cluster {
            // What the client held before its first response is not known; any cluster may be new to it.
            let new = resources.iter().map(|cluster| &cluster.name);
            self.repeat_assignments(new.filter(|name| first || due.contains_key(*name)));
        }
        self.send(kind, resources, Vec::new(), out);
    }

    /// All clusters or all listeners that the client shall hold now, those included that it shall not lose yet.
    fn world(&self, kind: ResourceType) -> Vec<Arc<Resource>> {
        let layers =
            if kind == ResourceType::Cluster { &self.applied.clusters } else { &self.applied.listeners };
        let track = &self.tracks[kind];
        let kept = track.gone.values().flatten();
        let mut all: Vec<_> =
            layers.iter().filter(|resource| track.interested(&resource.name)).chain(kept).cloned().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Takes away the clusters that are no more.
    fn remove_clusters(&mut self, out: &mut Vec<Response>) {
        let kind = ResourceType::Cluster;
        let gone = std::mem::take(&mut self.tracks[kind].gone);
        match self.protocol {
            Protocol::Delta => self.send(kind, Vec::new(), gone.into_keys().collect(), out),
            Protocol::Sotw => {
                let resources = self.world(kind);
                self.send(kind, resources, Vec::new(), out);
            }
        }
    }

    /// An Envoy that gets a cluster builds it anew and waits for its assignment. Over delta it does not even ask.
    fn repeat_assignments<'a>(&mut self, clusters: impl Iterator<Item = &'a Arc<str>>) {
        let endpoints = &mut self.tracks[ResourceType::Endpoint];
        for name in clusters {
            if endpoints.interested(name) {
                endpoints.due.insert(Arc::clone(name), None);
            }
        }
    }

    /// Assignments that only the snapshot under way still holds, for a cluster about to be removed, are emptied in
    /// their turn; those that no snapshot holds have just been.
    fn note_leaving(&mut self, assignments: &[Arc<Resource>]) {
        let gone = &mut self.tracks[ResourceType::Endpoint].gone;
        for assignment in assignments {
            let name = &assignment.name;
            if self.latest.endpoints.get(name).is_some() {
                continue;
            }
            if self.applied.endpoints.get(name).is_some() {
                gone.insert(Arc::clone(name), Some(Arc::clone(assignment)));
            } else {
                gone.remove(name);
            }
        }
    }

    /// Sends the hosts of the next table.
    fn push_hosts(&mut self, out: &mut Vec<Response>) {
        let kind = ResourceType::VirtualHost;
        while self.tracks[kind].free() && !self.is_settled(kind) {
            let (routes, hosts) = self.tracks.pair(ResourceType::Route, kind);
            let on_its_way = |table: &str| {
                routes.due.contains_key(table)
                    || routes.flight.iter().flat_map(|flight| &flight.resources).any(|r| *r.name == *table)
            };
            let Some(work) = self.tables.next_work(hosts, on_its_way) else { return };
            if work.resources.is_empty() && work.removed.is_empty() {
                let blamed = hosts.trial.skipped();
                self.blame(kind, blamed);
                continue;
            }
            self.send(kind, work.resources, work.removed, out);
        }
    }

    /// Sends the next secret, alone: a rejection does not tell which of several it means.
    fn push_secret(&mut self, out: &mut Vec<Response>) {
        let kind = ResourceType::Secret;
        while self.tracks[kind].free() {
            if let Some(issued) = self.secrets.next() {
                self.send(kind, vec![issued], Vec::new(), out);
                return;
            }
            let Some((name, held)) = self.tracks[kind].due.pop_first() else { return };
            match self.latest.secrets.get(&name).cloned() {
                Some(secret) if held == Some(secret.version) => {}
                Some(secret) => self.send(kind, vec![secret], Vec::new(), out),
                None => self.secrets.want(&name, held),
            }
        }
    }

    /// What a name stands for as far as the client shall know now.
    fn content(&self, kind: ResourceType, name: &str) -> Option<Arc<Resource>> {
        match kind {
            ResourceType::Cluster => self.applied.clusters.get(name).cloned(),
            ResourceType::Listener => self.applied.listeners.get(name).cloned(),
            ResourceType::Endpoint => {
                let found = self.latest.endpoints.get(name).or_else(|| self.applied.endpoints.get(name));
                Some(found.cloned().unwrap_or_else(|| self.empty(kind, name)))
            }
            ResourceType::Route => {
                let found = self.tables.get(name)?.resource();
                Some(found.cloned().unwrap_or_else(|| self.empty(kind, name)))
            }
            ResourceType::VirtualHost => self.tables.host(name).cloned(),
            ResourceType::Secret => self.latest.secrets.get(name).cloned(),
        }
    }

    /// The answer to a name that stands for nothing: silence would make the client wait for ever.
    fn empty(&self, kind: ResourceType, name: &str) -> Arc<Resource> {
        let encode = match kind {
            ResourceType::Endpoint => self.options.defaults.empty_assignment,
            _ => self.options.defaults.empty_route,
        };
        let resource = Resource::new(self.intern(kind, name), encode(name), []);
        Arc::new(Resource { version: resource.version.marked(false), ..resource })
    }

    fn send(
        &mut self,
        kind: ResourceType,
        resources: Vec<Arc<Resource>>,
        removed: Vec<Arc<str>>,
        out: &mut Vec<Response>,
    ) {
        self.nonce += 1;
        let revision = match kind {
            ResourceType::Endpoint | ResourceType::Secret => self.latest.revision,
            _ => self.applied.revision,
        };
        let kept = match kind {
            ResourceType::Secret => resources.iter().map(|secret| Arc::new(without_body(secret))).collect(),
            _ => resources.clone(),
        };
        let track = &mut self.tracks[kind];
        track.nonce = self.nonce;
        track.flight = Some(Flight { revision, resources: kept, removed: removed.clone() });
        let nonce = nonce(self.nonce);
        out.push(Response { kind, nonce, resources, removed, version_info: revision.to_string() });
    }

    /// Notes since when types are outstanding and up to where nothing is.
    fn note_progress(&mut self) {
        let outstanding = ResourceType::ALL.map(|kind| self.is_outstanding(kind));
        for ((_, track), outstanding) in self.tracks.iter_mut().zip(outstanding) {
            track.since = outstanding.then(|| track.since.unwrap_or(self.latest.revision));
        }
        let through =
            Arc::ptr_eq(&self.applied, &self.latest) && outstanding == [false; ResourceType::ALL.len()];
        if through && self.tracks.iter().any(|(_, track)| track.subscribed) {
            self.acknowledged = self.latest.revision;
        }
    }
}

/// The text of a nonce; of equal length for all, so that equal responses have equal sizes.
pub(super) fn nonce(number: u64) -> String {
    format!("{number:016x}")
}

fn without_body(secret: &Resource) -> Resource {
    let Resource { name, version, body: _, origins } = secret;
    Resource { name: Arc::clone(name), version: *version, body: Bytes::new(), origins: Arc::clone(origins) }
}
