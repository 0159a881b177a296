//! What single changes cost, in counts: they do not depend on the machine, and they are the promise that cost follows what
//! changed and who sees it.

use std::collections::BTreeMap;

use pilothouse_engine::{Commit, Engine, Proxy, ProxyId, Role};
use pilothouse_testkit::meshes::{SHOP, Size};
use pilothouse_testkit::{change, changes, objects};
use pilothouse_view::QueryKind;
use pilothouse_world::Change;
use pilothouse_xds::{ResourceType, Snapshot};
use serde_json::json;
use std::sync::Arc;

/// A mesh with one connected proxy for each of its first services.
struct Running {
    engine: Engine,
    snapshots: BTreeMap<ProxyId, Arc<Snapshot>>,
}

impl Running {
    fn start(size: Size, proxies: usize) -> Self {
        let mut engine = Engine::new();
        engine.apply(changes(&size.objects()));
        let snapshots = (0..proxies)
            .map(|service| {
                engine.connect(Proxy::of_pod(
                    Role::Sidecar,
                    size.namespace_of(service),
                    size.pod_of(service, 0),
                ))
            })
            .collect();
        Self { engine, snapshots }
    }

    /// Applies a change; returns what each kind of resource was sent to how many proxies, by name.
    fn apply(&mut self, change: Change) -> (Commit, BTreeMap<(ResourceType, String), usize>) {
        let commit = self.engine.apply(vec![change]);
        let mut sent = BTreeMap::new();
        for (id, snapshot) in &commit.changed {
            let old = self.snapshots.insert(*id, snapshot.clone()).expect("a known proxy");
            let changes = Snapshot::diff(&old, snapshot);
            let plain = [
                (ResourceType::Cluster, changes.clusters),
                (ResourceType::Endpoint, changes.endpoints),
                (ResourceType::Listener, changes.listeners),
                (ResourceType::Secret, changes.secrets),
            ];
            for (kind, list) in plain {
                for one in list {
                    *sent.entry((kind, one.name.to_string())).or_default() += 1;
                }
            }
            for table in changes.routes {
                let none = Default::default();
                let old = table.old.as_ref().map_or(&none, |old| old.parts());
                let new = table.new.as_ref().map_or(&none, |new| new.parts());
                pilothouse_xds::ResourceMap::diff(old, new, &mut |old, new| {
                    let name = old.or(new).expect("a difference has a side").name.to_string();
                    *sent.entry((ResourceType::VirtualHost, name)).or_default() += 1;
                });
            }
        }
        (commit, sent)
    }
}

fn host(service: usize) -> String {
    format!("svc{service}.{}.svc.cluster.local", SHOP.namespace_of(service))
}

#[test]
fn a_moved_endpoint_is_one_assignment_for_each_audience() {
    let mut mesh = Running::start(SHOP, 3);
    let (commit, sent) = mesh.apply(change(&SHOP.slice(5, 1)));
    let assignment = (ResourceType::Endpoint, format!("outbound|80||{}", host(5)));
    assert_eq!(sent, BTreeMap::from([(assignment, 3)]));
    assert_eq!(commit.counts.encoded, BTreeMap::from([(ResourceType::Endpoint, 1)]), "encoded once for all");
}

#[test]
fn a_moved_endpoint_costs_the_same_however_many_services_there_are() {
    let cost = |size: Size| {
        let mut mesh = Running::start(size, 3);
        mesh.apply(change(&size.slice(5, 1))).0.counts
    };
    let (few, many) = (cost(SHOP), cost(Size { services: 400, ..SHOP }));
    assert_eq!(few.answered, many.answered);
    assert_eq!(few.encoded, many.encoded);
}

#[test]
fn a_route_weight_is_the_virtual_host_that_holds_it() {
    let mut mesh = Running::start(SHOP, 3);
    let (commit, sent) = mesh.apply(change(&objects::split("ns0", "svc0", &host(0), 50)));
    assert_eq!(sent, BTreeMap::from([((ResourceType::VirtualHost, format!("80/{}:80", host(0))), 3)]));
    assert_eq!(commit.counts.encoded, BTreeMap::from([(ResourceType::VirtualHost, 1)]));
    assert!(!commit.counts.answered.contains_key(&QueryKind::Cluster), "{:?}", commit.counts);
    assert!(!commit.counts.answered.contains_key(&QueryKind::Listener), "{:?}", commit.counts);
}

#[test]
fn a_rule_is_its_clusters() {
    let mut mesh = Running::start(SHOP, 2);
    let (_, sent) = mesh.apply(change(&objects::subsets("ns0", "svc0", &host(0), 7)));
    let cluster = |subset: &str| (ResourceType::Cluster, format!("outbound|80|{subset}|{}", host(0)));
    // Its limits hold in front of the service's own workload too, and one of the proxies is such a one.
    let inbound = (ResourceType::Cluster, "inbound|8080||".to_owned());
    assert_eq!(
        sent,
        BTreeMap::from([(cluster(""), 2), (cluster("v1"), 2), (cluster("v2"), 2), (inbound, 1)])
    );
}

#[test]
fn a_new_subset_is_its_cluster_and_its_assignment() {
    let mut mesh = Running::start(SHOP, 2);
    let mut rule = objects::subsets("ns0", "svc0", &host(0), 100);
    rule["spec"]["subsets"].as_array_mut().unwrap().push(json!({"name": "v3", "labels": {"version": "v1"}}));
    let (_, sent) = mesh.apply(change(&rule));
    let name = format!("outbound|80|v3|{}", host(0));
    assert_eq!(
        sent,
        BTreeMap::from([((ResourceType::Cluster, name.clone()), 2), ((ResourceType::Endpoint, name), 2)])
    );
}

#[test]
fn what_nobody_asks_about_sends_nothing() {
    let mut mesh = Running::start(SHOP, 3);
    let mut labelled = SHOP.pod(4, 0, 0);
    labelled["metadata"]["labels"]["nobody-selects"] = json!("this");
    let mut annotated = objects::split("ns0", "svc0", &host(0), 90);
    annotated["metadata"]["annotations"] = json!({"comment": "touched"});
    let mut version = objects::subsets("ns0", "svc0", &host(0), 100);
    version["metadata"]["resourceVersion"] = json!("77");
    for object in [labelled, annotated, version, SHOP.slice(3, 0), objects::namespace("unused")] {
        let (commit, sent) = mesh.apply(change(&object));
        assert_eq!(sent, BTreeMap::new(), "{object:#}");
        assert_eq!(commit.changed.len(), 0, "{object:#}");
        assert_eq!(commit.counts.encoded, BTreeMap::new(), "{object:#}");
    }
}

#[test]
fn strict_is_the_listener_of_its_workloads_and_nothing_else() {
    let mut mesh = Running::start(SHOP, 3);
    let policy = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "strict", "namespace": "ns0"},
        "spec": {"selector": {"matchLabels": {"app": "svc1"}}, "mtls": {"mode": "STRICT"}}});
    let (_, sent) = mesh.apply(change(&policy));
    assert_eq!(sent, BTreeMap::from([((ResourceType::Listener, "virtualInbound".to_owned()), 1)]));
}

#[test]
fn replicas_of_a_workload_share_one_audience() {
    let mut engine = Engine::new();
    engine.apply(changes(&SHOP.objects()));
    let (_, first) = engine.connect(Proxy::of_pod(Role::Sidecar, "ns0", "svc1-0"));
    let (_, second) = engine.connect(Proxy::of_pod(Role::Sidecar, "ns0", "svc1-1"));
    assert!(Arc::ptr_eq(&first, &second));
}
