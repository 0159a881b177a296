//! A client that delays, refuses and breaks its stream at random ends up with what the snapshot says, and never
//! sends traffic to a cluster that it does not have.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::mesh::{Mesh, Texts, defaults, options};
use crate::message::{DeltaRequest, Protocol, Request, Response, SotwRequest};
use crate::model::Client;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::Snapshot;
use crate::subscriber::{Subscriber, Unconfirmed};

/// A change of the mesh. Small numbers stand for names, so that changes meet.
#[derive(Clone, Debug)]
enum Edit {
    Cluster(u8, Option<(u8, bool)>),
    Endpoints(u8, Option<u8>),
    Listener(u8, Option<(u8, Vec<u8>, Vec<u8>)>),
    Table(u8, Option<u8>),
    Host(u8, u8, Option<(u8, u8)>),
    Secret(u8),
    Refuse(u8, u8, bool),
}

#[derive(Clone, Debug)]
enum Step {
    /// The mesh changes, all at once.
    Change(Vec<Edit>),
    /// So many requests arrive.
    Requests(u8),
    /// So many responses arrive.
    Responses(u8),
    /// The stream breaks and the client connects again.
    Break,
    /// Listeners that are gone have drained.
    Drain,
    /// A new leaf is issued.
    Rotate,
    /// All that is on its way arrives.
    Settle,
    /// The server does not wait any longer.
    Release,
}

fn edit() -> impl Strategy<Value = Edit> {
    let content = 0u8..4;
    prop_oneof![
        4 => (0u8..5, prop::option::weighted(0.7, (content.clone(), prop::bool::weighted(0.8))))
            .prop_map(|(name, content)| Edit::Cluster(name, content)),
        3 => (0u8..5, prop::option::weighted(0.9, content.clone())).prop_map(|(name, content)| Edit::Endpoints(name, content)),
        3 => (0u8..3, prop::option::weighted(0.7, (content.clone(), prop::collection::vec(0u8..3, 0..3), prop::collection::vec(0u8..5, 0..2))))
            .prop_map(|(name, content)| Edit::Listener(name, content)),
        2 => (0u8..3, prop::option::weighted(0.8, content.clone())).prop_map(|(name, content)| Edit::Table(name, content)),
        6 => (0u8..3, 0u8..6, prop::option::weighted(0.7, (content.clone(), 0u8..5)))
            .prop_map(|(table, host, content)| Edit::Host(table, host, content)),
        1 => content.prop_map(Edit::Secret),
        1 => (0u8..5, 0u8..6, any::<bool>()).prop_map(|(what, name, refuse)| Edit::Refuse(what, name, refuse)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(edit(), 1..8).prop_map(Step::Change),
        6 => (1u8..4).prop_map(Step::Requests),
        6 => (1u8..4).prop_map(Step::Responses),
        1 => Just(Step::Break),
        1 => Just(Step::Drain),
        1 => Just(Step::Rotate),
        1 => Just(Step::Settle),
        1 => Just(Step::Release),
    ]
}

/// A listener and its table, large enough to travel host by host.
fn large_table() -> Step {
    let hosts = (0..3).map(|host| Edit::Host(0, host, Some((0, 0))));
    let rest = [
        Edit::Cluster(0, Some((0, true))),
        Edit::Table(0, Some(0)),
        Edit::Listener(0, Some((0, vec![0], Vec::new()))),
    ];
    Step::Change(rest.into_iter().chain(hosts).collect())
}

/// Steps in which this table leaves and returns while streams break and listeners drain.
fn coming_and_going() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(large_table()),
        Just(Step::Change(vec![Edit::Table(0, None)])),
        Just(Step::Break),
        Just(Step::Drain),
        Just(Step::Settle),
        (1u8..4).prop_map(Step::Requests),
        (1u8..4).prop_map(Step::Responses),
    ]
}

impl Mesh {
    fn edit(&mut self, edit: &Edit) {
        let cluster = |name: &u8| format!("c{name}");
        let set = |names: &[u8], letter: char| names.iter().map(|name| format!("{letter}{name}")).collect();
        match edit {
            Edit::Cluster(name, Some(content)) => {
                self.clusters.insert(cluster(name), *content);
                self.endpoints.entry(cluster(name)).or_insert(0);
            }
            Edit::Cluster(name, None) => {
                self.clusters.remove(&cluster(name));
            }
            Edit::Endpoints(name, Some(content)) => {
                self.endpoints.insert(cluster(name), *content);
            }
            Edit::Endpoints(name, None) => {
                self.endpoints.remove(&cluster(name));
            }
            Edit::Listener(name, Some((content, tables, clusters))) => {
                self.listeners.insert(format!("l{name}"), (*content, set(tables, 't'), set(clusters, 'c')));
            }
            Edit::Listener(name, None) => {
                self.listeners.remove(&format!("l{name}"));
            }
            Edit::Table(name, Some(content)) => {
                self.tables.entry(format!("t{name}")).or_default().0 = *content;
            }
            Edit::Table(name, None) => {
                self.tables.remove(&format!("t{name}"));
            }
            Edit::Host(table, host, content) => {
                if let Some((_, hosts)) = self.tables.get_mut(&format!("t{table}")) {
                    match content {
                        Some((content, name)) => hosts.insert(format!("h{host}"), (*content, cluster(name))),
                        None => hosts.remove(&format!("h{host}")),
                    };
                }
            }
            Edit::Secret(content) => {
                self.secrets.insert("shared".to_owned(), *content);
            }
            Edit::Refuse(what, name, refuse) => {
                let name = match what {
                    0 => format!("c{name}"),
                    1 => format!("l{name}"),
                    2 => format!("t{}", name % 3),
                    3 => format!("t{}/h{name}", name % 3),
                    _ => format!("e:c{name}"),
                };
                if *refuse {
                    self.refused.insert(name);
                } else {
                    self.refused.remove(&name);
                }
            }
        }
    }
}

/// A client, a stream and a server.
struct World {
    protocol: Protocol,
    mesh: Mesh,
    revision: u64,
    client: Client<Texts>,
    server: Subscriber,
    /// Responses on their way.
    wire: VecDeque<Response>,
    unconfirmed: Unconfirmed,
    leaf: u8,
    /// Nonces of responses that were not answered.
    flying: BTreeMap<ResourceType, String>,
    /// Whether to look for traffic to clusters that are not there.
    strict: bool,
}

impl World {
    fn new(protocol: Protocol, strict: bool) -> Self {
        let mut world = Self {
            protocol,
            mesh: Mesh::default(),
            revision: 1,
            client: Client::new(protocol, Texts),
            server: Subscriber::new(protocol, options(), Arc::new(Snapshot::default())),
            wire: VecDeque::new(),
            unconfirmed: Unconfirmed::default(),
            leaf: 0,
            flying: BTreeMap::new(),
            strict,
        };
        world.mesh.secrets.insert("shared".to_owned(), 0);
        world.connect();
        world
    }

    fn connect(&mut self) {
        self.unconfirmed = self.server.unconfirmed();
        self.server = Subscriber::new(self.protocol, options(), self.mesh.snapshot(self.revision));
        self.server.remember(std::mem::take(&mut self.unconfirmed));
        self.wire.clear();
        self.flying.clear();
        self.client.connect();
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Change(edits) => {
                for edit in edits.iter().filter(|edit| !(self.strict && matches!(edit, Edit::Refuse(..)))) {
                    self.mesh.edit(edit);
                }
                self.revision += 1;
                let responses = self.server.on_snapshot(self.mesh.snapshot(self.revision));
                self.sent(responses);
            }
            Step::Requests(count) => {
                for _ in 0..*count {
                    self.request();
                }
            }
            Step::Responses(count) => {
                for _ in 0..*count {
                    self.respond();
                }
            }
            Step::Break if self.strict && self.protocol == Protocol::Sotw => {
                // Without knowing what the client held, nothing can be kept for it.
            }
            Step::Break => self.connect(),
            Step::Drain => self.client.drain(),
            Step::Rotate => {
                self.leaf += 1;
                let responses = self.server.secret(self.leaf());
                self.sent(responses);
            }
            Step::Settle => self.settle(),
            Step::Release if self.strict => {}
            Step::Release => {
                let responses = self.server.release();
                self.sent(responses);
            }
        }
    }

    fn leaf(&self) -> Arc<Resource> {
        Arc::new(Resource::new("default", format!("leaf {}", self.leaf).into_bytes(), []))
    }

    fn sent(&mut self, responses: Vec<Response>) {
        for response in responses {
            let before = self.flying.insert(response.kind, response.nonce.clone());
            assert_eq!(before, None, "one response per type in flight: {response:?}");
            if response.kind == ResourceType::Secret {
                assert_eq!(response.resources.len(), 1, "each secret alone");
                assert!(response.removed.is_empty(), "a secret is never taken away");
            }
            if response.kind == ResourceType::VirtualHost {
                let names =
                    response.resources.iter().map(|r| &*r.name).chain(response.removed.iter().map(|r| &**r));
                let mut tables: Vec<_> = names.map(|name| name.rsplit_once('/').unwrap().0).collect();
                tables.dedup();
                assert_eq!(tables.len(), 1, "one table per response");
            }
            assert!(response.resources.is_sorted_by(|a, b| a.name < b.name), "in order");
            assert!(response.removed.is_sorted(), "in order");
            self.wire.push_back(response);
        }
    }

    fn request(&mut self) -> bool {
        let Some(request) = self.client.next_request() else { return false };
        let (kind, nonce) = match &request {
            Request::Delta(request) => (request.kind, &request.response_nonce),
            Request::Sotw(request) => (request.kind, &request.response_nonce),
        };
        if self.flying.get(&kind) == Some(nonce) {
            self.flying.remove(&kind);
        }
        let responses = self.server.on_request(request).unwrap();
        self.sent(responses);
        for wanted in self.server.wanted_secrets() {
            assert_eq!(&*wanted.name, "default", "the other is in the snapshot");
            let responses = self.server.secret(self.leaf());
            self.sent(responses);
        }
        true
    }

    fn respond(&mut self) -> bool {
        let Some(response) = self.wire.pop_front() else { return false };
        self.client.receive(&response);
        if self.strict {
            let missing = self.client.missing_clusters();
            assert!(
                missing.is_empty(),
                "traffic goes to {missing:?}, which are not there, after {response:?}"
            );
        }
        true
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.request() && !self.respond() {
                return;
            }
        }
        panic!("the protocol does not come to rest");
    }

    fn check(&mut self) {
        self.settle();
        self.client.drain();
        self.settle();
        let snapshot = self.mesh.snapshot(self.revision);
        if let Err(difference) = self.client.check(&snapshot, defaults()) {
            panic!("{difference}\n{:#?}\n{snapshot:#?}", self.client);
        }
        let default = self.client.body(ResourceType::Secret, "default");
        if self.client.names(ResourceType::Secret).contains("default") {
            assert_eq!(default, Some(&self.leaf().body), "the newest leaf");
        }
        let status = self.server.status();
        assert_eq!(status.acknowledged, self.revision, "{status:#?}");
        assert!(!self.server.is_waiting());
        // Everything was said: the same again says nothing.
        let again = self.server.on_snapshot(self.mesh.snapshot(self.revision));
        assert!(again.is_empty(), "{again:?}");
    }
}

fn run(protocol: Protocol, strict: bool, steps: &[Step]) {
    let mut world = World::new(protocol, strict);
    for step in steps {
        world.step(step);
    }
    world.check();
}

fn request() -> impl Strategy<Value = Request> {
    let name = prop_oneof![
        "[clt][0-3]",
        "t[0-3]/h[0-5]",
        "t[0-2]/-",
        Just("*".to_owned()),
        Just(String::new()),
        "/{0,3}"
    ];
    let names = prop::collection::vec(name.clone(), 0..4);
    let nonce = prop_oneof![Just(String::new()), (0u64..12).prop_map(|number| format!("{number:016x}"))];
    let error = prop::option::weighted(0.3, "(c1: )?no");
    let kind = prop::sample::select(ResourceType::ALL.to_vec());
    let version = prop_oneof![Just("x".to_owned()), Just("0".repeat(32))];
    let reported = prop::collection::vec((name, version), 0..4);
    (any::<bool>(), kind, names.clone(), names, reported, nonce, error).prop_map(
        |(delta, kind, subscribe, unsubscribe, initial_versions, response_nonce, error)| {
            if delta {
                Request::Delta(DeltaRequest {
                    kind,
                    subscribe,
                    unsubscribe,
                    initial_versions,
                    response_nonce,
                    error,
                })
            } else {
                Request::Sotw(SotwRequest { kind, names: subscribe, response_nonce, error })
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn delta_makes_before_it_breaks(steps in prop::collection::vec(step(), 0..60)) {
        run(Protocol::Delta, true, &steps);
    }

    #[test]
    fn delta_comes_to_rest_with_refusals(steps in prop::collection::vec(step(), 0..60)) {
        run(Protocol::Delta, false, &steps);
    }

    #[test]
    fn sotw_makes_before_it_breaks(steps in prop::collection::vec(step(), 0..60)) {
        run(Protocol::Sotw, true, &steps);
    }

    #[test]
    fn sotw_comes_to_rest_with_refusals(steps in prop::collection::vec(step(), 0..60)) {
        run(Protocol::Sotw, false, &steps);
    }

    #[test]
    fn a_large_table_comes_and_goes(steps in prop::collection::vec(coming_and_going(), 0..30)) {
        run(Protocol::Delta, true, &[vec![large_table(), Step::Settle], steps].concat());
    }

    /// Whatever a client says, nothing breaks, and one response per type is in flight at most.
    #[test]
    fn no_request_does_harm(
        sotw in any::<bool>(),
        steps in prop::collection::vec((prop::collection::vec(edit(), 0..6), prop::collection::vec(request(), 0..6)), 0..20),
    ) {
        let protocol = if sotw { Protocol::Sotw } else { Protocol::Delta };
        let mut mesh = Mesh::default();
        let mut server = Subscriber::new(protocol, options(), mesh.snapshot(0));
        for (revision, (edits, requests)) in steps.into_iter().enumerate() {
            for edit in &edits {
                mesh.edit(edit);
            }
            server.on_snapshot(mesh.snapshot(revision as u64));
            for request in requests {
                let right = matches!(request, Request::Sotw(_)) == sotw;
                let answer = server.on_request(request);
                prop_assert_eq!(answer.is_ok(), right);
                let status = server.status();
                prop_assert!(status.acknowledged <= status.revision);
            }
            server.secret(Arc::new(Resource::new("c1", vec![revision as u8], [])));
        }
        server.release();
    }
}
