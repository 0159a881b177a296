//! A compiler for tests, whose world the test sets directly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
use pilothouse_diag::Diagnostic;
use pilothouse_xds::{Resource, Snapshot};
use tokio::sync::mpsc;

use crate::compile::Compiler;
use pilothouse_config::Mesh;
use pilothouse_engine::{Change, Commit, Counts, Engine, Proxy, ProxyId, Role, WorkloadFacts};

/// The fake and the test share it.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Gives out numbers, nothing else.
    numbers: Engine,
    revision: u64,
    clusters: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    pods: BTreeMap<String, WorkloadFacts>,
    proxies: BTreeSet<ProxyId>,
    panics: bool,
    bugs: BTreeSet<String>,
    mesh: Arc<Mesh>,
    findings: Vec<Diagnostic>,
    batches: Vec<usize>,
}

impl World {
    pub(crate) fn pod(&self, name: &str, uid: &str, service_account: &str) {
        let facts = WorkloadFacts {
            uid: Name::from(uid),
            service_account: Name::from(service_account),
            ended: false,
            deleted_at: None,
            node: Name::default(),
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
        };
        self.state().pods.insert(name.to_owned(), facts);
    }

    pub(crate) fn end_pod(&self, name: &str) {
        self.state().pods.get_mut(name).expect("the test added it").ended = true;
    }

    pub(crate) fn pod_at(&self, name: &str, address: IpAddr) {
        self.state().pods.get_mut(name).expect("the test added it").addresses = vec![address];
    }

    pub(crate) fn secret(&self, name: &str, content: &str) {
        self.state().secrets.insert(name.to_owned(), content.to_owned());
    }

    pub(crate) fn cluster(&self, name: &str, content: &str) {
        self.state().clusters.insert(name.to_owned(), content.to_owned());
    }

    pub(crate) fn remove_cluster(&self, name: &str) {
        self.state().clusters.remove(name);
    }

    pub(crate) fn panics(&self, panics: bool) {
        self.state().panics = panics;
    }

    /// A bug that stands in everybody's way, or none.
    pub(crate) fn bug(&self, bug: Option<&str>) {
        self.state().bugs = bug.map(str::to_owned).into_iter().collect();
    }

    pub(crate) fn remove_pod(&self, name: &str) {
        self.state().pods.remove(name);
    }

    pub(crate) fn trust_domain(&self, name: &str) {
        Arc::make_mut(&mut self.state().mesh).trust_domain = Name::from(name);
    }

    pub(crate) fn finding(&self, finding: Diagnostic) {
        self.state().findings.push(finding);
    }

    /// Sizes of the batches applied so far.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.state().batches.clone()
    }

    pub(crate) fn proxies(&self) -> usize {
        self.state().proxies.len()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A change that waits for quiet.
pub(crate) fn calm(name: &str) -> Change {
    Change::Remove { key: ObjectKey::new(Kind::VirtualService, "shop", name) }
}

/// A change that leaves at once.
pub(crate) fn urgent(name: &str) -> Change {
    Change::Remove { key: ObjectKey::new(Kind::EndpointSlice, "shop", name) }
}

/// A proxy that says no more than it must.
pub(crate) fn proxy(name: &str, namespace: &str, role: Role) -> Proxy {
    Proxy::of_pod(role, namespace, name)
}

/// Has the fake look at its world again.
pub(crate) async fn touch(changes: &mpsc::Sender<Vec<Change>>) {
    changes.send(vec![urgent("any")]).await.expect("the loop runs");
}

impl State {
    fn snapshot(&self) -> Arc<Snapshot> {
        let resources = |all: &BTreeMap<String, String>| {
            all.iter()
                .map(|(name, content)| {
                    let origin = ObjectKey::new(Kind::Service, "shop", name.as_str());
                    Arc::new(Resource::new(name.as_str(), content.as_bytes().to_vec(), [origin]))
                })
                .collect()
        };
        Arc::new(Snapshot {
            revision: self.revision,
            clusters: resources(&self.clusters),
            secrets: resources(&self.secrets),
            ..Snapshot::default()
        })
    }
}

impl Compiler for World {
    fn apply(&mut self, batch: Vec<Change>) -> Commit {
        let mut state = self.state();
        state.revision += 1;
        state.batches.push(batch.len());
        assert!(!state.panics, "as the test wished");
        let snapshot = state.snapshot();
        let sound = state.bugs.is_empty();
        let changed = state.proxies.iter().filter(|_| sound).map(|id| (*id, snapshot.clone())).collect();
        Commit { revision: state.revision, changed, counts: Counts::default() }
    }

    fn connect(&mut self, proxy: Proxy) -> (ProxyId, Option<Arc<Snapshot>>) {
        let mut state = self.state();
        let (id, _) = state.numbers.connect(proxy);
        state.proxies.insert(id);
        assert!(!state.panics, "as the test wished");
        (id, state.bugs.is_empty().then(|| state.snapshot()))
    }

    fn bugs(&self) -> BTreeSet<String> {
        self.state().bugs.clone()
    }

    fn disconnect(&mut self, id: ProxyId) {
        self.state().proxies.remove(&id);
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        self.state().findings.clone()
    }

    fn workload(&self, namespace: &Namespace, pod: &Name) -> Option<WorkloadFacts> {
        self.state().pods.get(&format!("{pod}.{namespace}")).cloned()
    }

    fn mesh(&self) -> Arc<Mesh> {
        self.state().mesh.clone()
    }
}
