//! The engine: changes in, snapshots out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
use pilothouse_config::Mesh;
use pilothouse_diag::Diagnostic;
use pilothouse_view::{Answer, Query};
use pilothouse_world::{Change, World};
use pilothouse_xds::Snapshot;

use crate::audience::{AudienceId, Audiences};
use crate::bug::{Bug, Harm};
use crate::collection::{Building, Collections};
use crate::counts::Counts;
use crate::graph::{Forget, Graph, NodeId};
use crate::proxy::Proxy;

/// Numbers a connected proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyId(u64);

/// What a batch did.
#[derive(Debug, Default)]
pub struct Commit {
    /// The revision of the world after it.
    pub revision: u64,
    /// Proxies with something new to hear.
    pub changed: Vec<(ProxyId, Arc<Snapshot>)>,
    /// What it cost.
    pub counts: Counts,
}

/// What is known of the workload a stream wants to be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// `metadata.uid`, empty if its manifest has none.
    pub uid: Name,
    /// Its service account.
    pub service_account: Name,
    /// Whether all its containers have ended for good.
    pub ended: bool,
    /// When the grace of its deletion is over, in seconds since 1970.
    pub deleted_at: Option<u64>,
    /// The node it runs on, empty if that is not known.
    pub node: Name,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

struct Connected {
    /// The question that decides the audience.
    question: NodeId,
    /// The one it was in last; none if a bug stood in the way of the question from the start.
    audience: Option<AudienceId>,
}

/// The compiler with its memory.
#[derive(Default)]
pub struct Engine {
    revision: u64,
    world: World,
    graph: Graph,
    collections: Collections,
    audiences: Audiences,
    proxies: BTreeMap<ProxyId, Connected>,
    /// What proxies keep that cannot have what they are to have now: a bug stands in the way of their question, or they came to
    /// an audience that suffers from one.
    kept: BTreeMap<ProxyId, Option<Arc<Snapshot>>>,
    /// Proxies by the question that decides their audience.
    asked_by: BTreeMap<NodeId, BTreeSet<ProxyId>>,
    next: u64,
    /// The question about the references of each object.
    findings: BTreeMap<ObjectKey, NodeId>,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a batch and brings everything that depends on it up to date.
    pub fn apply(&mut self, batch: Vec<Change>) -> Commit {
        let mut counts = Counts::default();
        let looked_at: Vec<(ObjectKey, bool)> = batch
            .iter()
            .filter(|change| {
                matches!(
                    change.key().kind,
                    Kind::VirtualService
                        | Kind::DestinationRule
                        | Kind::ServiceEntry
                        | Kind::Gateway
                        | Kind::PeerAuthentication
                )
            })
            .map(|change| (change.key().clone(), matches!(change, Change::Apply { .. })))
            .collect();
        self.graph.suspect(batch.iter().map(|change| change.key().clone()));
        let delta = self.world.apply(batch);
        for (key, there) in looked_at {
            self.watch(key, there, &mut counts);
        }
        if delta.is_empty() {
            return Commit { revision: self.revision, changed: Vec::new(), counts };
        }
        self.revision += 1;
        let changed = self.graph.update(&delta, &self.world, &mut counts);
        let moved: Vec<(ProxyId, Option<Arc<Snapshot>>)> = changed
            .iter()
            .filter_map(|id| self.asked_by.get(id))
            .flatten()
            .map(|id| (*id, self.snapshot(*id)))
            .collect();
        let mut building = Building { graph: &mut self.graph, world: &self.world, counts: &mut counts };
        let different = self.collections.update(&changed, &mut building);

        let mut told: BTreeMap<ProxyId, Arc<Snapshot>> = BTreeMap::new();
        for (id, before) in &moved {
            if self.is_lost(*id) {
                self.kept.entry(*id).or_insert_with(|| before.clone());
            }
        }
        for id in self.audiences.refresh(&different, self.revision, &self.collections) {
            counts.snapshots += 1;
            let served = self.audiences.get(id);
            for proxy in &served.proxies {
                if self.kept.contains_key(proxy) {
                    if self.is_lost(*proxy) {
                        continue;
                    }
                    self.kept.remove(proxy);
                }
                told.extend(served.snapshot.clone().map(|snapshot| (*proxy, snapshot)));
            }
        }
        for (id, before) in moved {
            let Some(question) = self.proxies.get(&id).map(|proxy| proxy.question) else { continue };
            let Some(new) = self.serve(id, question, &mut counts) else { continue };
            let old = self.proxies.get_mut(&id).and_then(|proxy| proxy.audience.replace(new));
            if let Some(old) = old.filter(|old| *old != new) {
                self.audiences.leave(old, id, &mut self.collections, &mut self.graph);
            }
            if before.is_some() && self.audiences.is_frozen(new, &self.collections) {
                told.remove(&id);
                self.kept.entry(id).or_insert(before);
            } else {
                self.kept.remove(&id);
                match self.audiences.get(new).snapshot.clone() {
                    Some(snapshot) => told.insert(id, snapshot),
                    // The audience it was of may have become well just now; it is of another one that waits.
                    None => told.remove(&id),
                };
            }
        }
        Commit { revision: self.revision, changed: told.into_iter().collect(), counts }
    }

    /// A proxy connects: what it is to have. None while a bug stands in the way; a commit brings it when that is over.
    pub fn connect(&mut self, proxy: Proxy) -> (ProxyId, Option<Arc<Snapshot>>) {
        let mut counts = Counts::default();
        let question = self.graph.hold(Query::Audience(proxy.workload()), &self.world, &mut counts);
        let id = ProxyId(self.next);
        self.next += 1;
        let audience = self.serve(id, question, &mut counts);
        self.asked_by.entry(question).or_default().insert(id);
        self.proxies.insert(id, Connected { question, audience });
        (id, self.snapshot(id))
    }

    /// A proxy is gone.
    pub fn disconnect(&mut self, id: ProxyId) {
        let Some(Connected { question, audience }) = self.proxies.remove(&id) else { return };
        if let Some(asking) = self.asked_by.get_mut(&question) {
            asking.remove(&id);
            if asking.is_empty() {
                self.asked_by.remove(&question);
            }
        }
        self.kept.remove(&id);
        if let Some(audience) = audience {
            self.audiences.leave(audience, id, &mut self.collections, &mut self.graph);
        }
        self.graph.release(question);
    }

    /// What a connected proxy is to have, or the last good state of it.
    pub fn snapshot(&self, id: ProxyId) -> Option<Arc<Snapshot>> {
        match self.kept.get(&id) {
            Some(kept) => kept.clone(),
            None => self.audiences.get(self.proxies.get(&id)?.audience?).snapshot.clone(),
        }
    }

    /// The bugs that stand in the way of something, in a stable order, and whom each of them harms. Costs next to nothing while
    /// there are none.
    pub fn bugs(&self) -> BTreeMap<Arc<Bug>, Harm> {
        let mut all: BTreeMap<Arc<Bug>, Harm> =
            self.graph.bugs().map(|bug| (bug.clone(), Harm::default())).collect();
        if all.is_empty() {
            return all;
        }
        let mut of_audience: BTreeMap<AudienceId, BTreeSet<Arc<Bug>>> = BTreeMap::new();
        for (id, Connected { question, audience }) in &self.proxies {
            let has = self.snapshot(*id).is_some();
            let mut harm = |bug: &Arc<Bug>| {
                let harm = all.entry(bug.clone()).or_default();
                *(if has { &mut harm.keeping } else { &mut harm.waiting }) += 1;
            };
            match (&self.graph.node(*question).answer, audience) {
                (Err(bug), _) => harm(bug),
                (Ok(_), Some(audience)) => {
                    let bugs = of_audience
                        .entry(*audience)
                        .or_insert_with(|| self.audiences.bugs(*audience, &self.collections));
                    bugs.iter().for_each(harm);
                }
                (Ok(_), None) => {}
            }
        }
        all
    }

    /// What is to be said about references between objects, and about bugs, with places, in a stable order.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = Vec::new();
        for (key, id) in &self.findings {
            if let Ok(Answer::Findings(found)) = &self.graph.node(*id).answer {
                for one in found.iter() {
                    let mut one = one.clone();
                    if one.place.is_none() {
                        one.place = self.world.origin(key).and_then(|origin| origin.place(&one.field));
                    }
                    all.push(one);
                }
            }
        }
        all.extend(self.bugs().into_iter().map(|(bug, harm)| bug.diagnostic(harm, &self.world)));
        all
    }

    /// What is known of a pod.
    pub fn workload(&self, namespace: &Namespace, pod: &Name) -> Option<WorkloadFacts> {
        let pod = self.world.pod(namespace, pod)?;
        Some(WorkloadFacts {
            uid: pod.uid.clone(),
            service_account: pod.service_account.clone(),
            ended: pod.finished,
            deleted_at: pod.deleted_at,
            node: pod.node.clone(),
            addresses: pod.addresses.clone(),
        })
    }

    /// The mesh settings.
    pub fn mesh(&self) -> Arc<Mesh> {
        self.world.mesh().clone()
    }

    /// The revision of the world.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How much is kept: questions, keys with readers, collections, audiences. For tests and metrics.
    pub fn size(&self) -> [usize; 4] {
        [self.graph.len(), self.graph.keys(), self.collections.len(), self.audiences.len()]
    }

    /// Does not take down reads of a kind any more. Only for the test that shows that the property test notices.
    #[doc(hidden)]
    pub fn forget(&mut self, forget: Forget) {
        self.graph.forget(forget);
    }

    /// Whether a bug stands in the way of telling the audience of a proxy.
    fn is_lost(&self, id: ProxyId) -> bool {
        self.proxies.get(&id).is_some_and(|proxy| self.graph.node(proxy.question).answer.is_err())
    }

    /// Lets a proxy join the audience that the answer to its question names; none if there is no answer.
    fn serve(&mut self, proxy: ProxyId, question: NodeId, counts: &mut Counts) -> Option<AudienceId> {
        let audience = match &self.graph.node(question).answer {
            Ok(Answer::Audience(audience)) => audience.clone(),
            Ok(_) => unreachable!("a question about an audience is answered with one"),
            Err(_) => return None,
        };
        let mut building = Building { graph: &mut self.graph, world: &self.world, counts };
        Some(self.audiences.join(&audience, proxy, self.revision, &mut self.collections, &mut building))
    }

    /// Starts or ends looking at the references of an object.
    fn watch(&mut self, key: ObjectKey, there: bool, counts: &mut Counts) {
        if !there {
            if let Some(id) = self.findings.remove(&key) {
                self.graph.release(id);
            }
        } else if !self.findings.contains_key(&key) {
            let id = self.graph.hold(Query::Findings(key.clone()), &self.world, counts);
            self.findings.insert(key, id);
        }
    }
}

#[cfg(test)]
mod tests;
