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
                let proxy = Proxy::of_pod(Role::Sidecar, size.namespace_of(service), size.pod_of(service, 0));
                let (id, snapshot) = engine.connect(proxy);
                (id, snapshot.expect("there is no bug in the way"))
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
    // Once for the namespace whose clients may use the bare name, and once for all others, however many.
    assert_eq!(commit.counts.encoded, BTreeMap::from([(ResourceType::VirtualHost, 2)]));
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

/// A mesh of so many namespaces, with a proxy in each of them.
fn spread(namespaces: usize) -> (Size, Running) {
    let size = Size { namespaces, services: 40, endpoints: 2 };
    (size, Running::start(size, namespaces))
}

#[test]
fn a_new_service_is_listed_once_however_many_namespaces_there_are() {
    let cost = |namespaces: usize| {
        let (size, mut mesh) = spread(namespaces);
        let (commit, sent) = mesh.apply(change(&size.service(size.services)));
        let name = format!("outbound|80||{}", size.host(size.services));
        assert_eq!(
            sent,
            BTreeMap::from([
                ((ResourceType::Cluster, name.clone()), namespaces),
                ((ResourceType::Endpoint, name), namespaces),
                ((ResourceType::VirtualHost, format!("80/{}:80", size.host(size.services))), namespaces),
            ])
        );
        let lists = [QueryKind::Public, QueryKind::Clusters, QueryKind::Assignments, QueryKind::Cluster]
            .map(|kind| commit.counts.answered.get(&kind).copied().unwrap_or(0));
        (lists, commit.counts.encoded)
    };
    let (lists, encoded) = cost(2);
    assert_eq!(lists, [1, 1, 1, 1]);
    // The virtual host has another form for clients of its own namespace.
    assert_eq!(encoded.get(&ResourceType::VirtualHost), Some(&2));
    assert_eq!((lists, encoded), cost(20));
}

#[test]
fn a_mesh_setting_looks_at_shared_resources_once() {
    let cost = |namespaces: usize| {
        let (_, mut mesh) = spread(namespaces);
        let (commit, sent) = mesh.apply(change(&objects::mesh(&json!({"rootNamespace": "other"}))));
        assert_eq!(sent, BTreeMap::new());
        [QueryKind::Cluster, QueryKind::Assignment, QueryKind::Host, QueryKind::Assignments]
            .map(|kind| commit.counts.answered.get(&kind).copied().unwrap_or(0))
    };
    assert_eq!(cost(2), cost(20));
}

#[test]
fn namespaces_share_what_does_not_differ() {
    let (_, mesh) = spread(4);
    let mut snapshots = mesh.snapshots.values();
    let first = snapshots.next().expect("a proxy is connected");
    let outbound = |snapshot: &Arc<Snapshot>| snapshot.clusters.maps()[1].clone();
    assert!(outbound(first).len() > 40);
    for other in snapshots {
        assert!(outbound(first).ptr_eq(&outbound(other)), "clusters are kept once");
        assert!(first.endpoints.maps()[2].ptr_eq(&other.endpoints.maps()[2]), "assignments are kept once");
        assert!(first.listeners.maps()[3].ptr_eq(&other.listeners.maps()[3]), "listeners are kept once");
    }
}

#[test]
fn what_one_namespace_alone_sees_in_place_of_a_public_host_is_its_own_matter() {
    let (size, mut mesh) = spread(4);
    let private = json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "instead", "namespace": "ns1"},
        "spec": {"hosts": [size.host(4)], "exportTo": ["."], "resolution": "STATIC", "location": "MESH_INTERNAL",
            "ports": [{"number": 81, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "10.200.0.1"}]}});
    let of = |kind, port: u16| match kind {
        ResourceType::VirtualHost => (kind, format!("{port}/{}:{port}", size.host(4))),
        _ => (kind, format!("outbound|{port}||{}", size.host(4))),
    };
    let kinds = [ResourceType::Cluster, ResourceType::Endpoint, ResourceType::VirtualHost];
    let mut expected: BTreeMap<_, _> =
        kinds.into_iter().flat_map(|kind| [(of(kind, 80), 1), (of(kind, 81), 1)]).collect();
    expected.insert((ResourceType::Listener, "0.0.0.0_81".to_owned()), 1);
    let there = change(&private);
    let key = there.key().clone();
    let (commit, sent) = mesh.apply(there);
    assert_eq!(sent, expected);
    assert_eq!(commit.changed.len(), 1, "nobody else hears of it");
    // What is hidden goes on changing, and is back with its newest state.
    mesh.apply(change(&size.slice(4, 1)));
    let (_, sent) = mesh.apply(Change::Remove { key });
    assert_eq!(sent, expected);
    let mut endpoints = mesh.snapshots.values().map(|snapshot| snapshot.endpoints.maps()[2].digest());
    let first = endpoints.next();
    assert!(endpoints.all(|other| Some(other) == first), "all see the same again");
}

/// A pod of a service, on a node and in a zone.
fn placed(size: Size, endpoint: usize, node: &str, zone: &str) -> Change {
    let mut pod = size.pod(1, endpoint, 0);
    pod["spec"]["nodeName"] = json!(node);
    pod["metadata"]["labels"]["istio-locality"] = json!(format!("r.{zone}"));
    change(&pod)
}

#[test]
fn where_proxies_run_tells_them_apart_only_where_a_service_asks() {
    let size = Size { endpoints: 4, ..SHOP };
    let mut engine = Engine::new();
    engine.apply(changes(&size.objects()));
    engine.apply(vec![
        placed(size, 0, "n0", "z0"),
        placed(size, 1, "n1", "z0"),
        placed(size, 2, "n2", "z1"),
        placed(size, 3, "n3", "z1"),
    ]);
    let proxies: Vec<ProxyId> = (0..4)
        .map(|endpoint| engine.connect(Proxy::of_pod(Role::Sidecar, "ns0", size.pod_of(1, endpoint))).0)
        .collect();
    let audiences = |engine: &Engine| {
        let of = |id: &ProxyId| Arc::as_ptr(&engine.snapshot(*id).expect("it is connected"));
        proxies.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(audiences(&engine), 1);
    let before = engine.snapshot(proxies[0]).expect("it is connected");

    let mut near = size.service(1);
    near["spec"]["trafficDistribution"] = json!("PreferSameZone");
    engine.apply(vec![change(&near)]);
    assert_eq!(audiences(&engine), 2, "one for each zone");
    let after = engine.snapshot(proxies[0]).expect("it is connected");
    let changes = Snapshot::diff(&before, &after);
    let names: Vec<&str> = changes.endpoints.iter().map(|one| &*one.name).collect();
    assert_eq!(names, [format!("outbound|80||{}", host(1))], "the service is the only one that changed");
    assert!(changes.clusters.is_empty() && changes.listeners.is_empty() && changes.routes.is_empty());
    assert!(before.clusters.maps()[1].ptr_eq(&after.clusters.maps()[1]), "the rest is still shared");

    // Endpoints of other services are encoded once for all, those of this one once for each zone.
    let encoded = |engine: &mut Engine, service: usize| {
        engine.apply(vec![change(&size.slice(service, 1))]).counts.encoded
    };
    assert_eq!(encoded(&mut engine, 6), BTreeMap::from([(ResourceType::Endpoint, 1)]));
    assert_eq!(encoded(&mut engine, 1), BTreeMap::from([(ResourceType::Endpoint, 2)]));

    let mut local = size.service(7);
    local["spec"]["internalTrafficPolicy"] = json!("Local");
    engine.apply(vec![change(&local)]);
    assert_eq!(audiences(&engine), 4, "one for each node");
    engine.apply(vec![change(&size.service(1)), change(&size.service(7))]);
    assert_eq!(audiences(&engine), 1, "nobody asks any more");
}

#[test]
fn replicas_of_a_workload_share_one_audience() {
    let mut engine = Engine::new();
    engine.apply(changes(&SHOP.objects()));
    let (_, first) = engine.connect(Proxy::of_pod(Role::Sidecar, "ns0", "svc1-0"));
    let (_, second) = engine.connect(Proxy::of_pod(Role::Sidecar, "ns0", "svc1-1"));
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
}
