use pilothouse_config::Mesh;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::site::Access;

fn site() -> Site {
    Site {
        access: Access::InCluster,
        domain: "cluster.local".into(),
        namespace: "istio-system".into(),
        revision: "default".into(),
        shared_mesh_config: None,
    }
}

/// One that was told everything of every kind, which was nothing.
fn empty() -> Inventory {
    let mut inventory = Inventory::new(&site());
    let crds = Watched::CUSTOM.map(|kind| json!({"metadata": {"name": kind.definition()}}));
    tell(&mut inventory, &definitions(), crds.into());
    for watch in inventory.wanted().unwrap() {
        if watch != definitions() {
            tell(&mut inventory, &watch, Vec::new());
        }
    }
    inventory
}

/// A watch tells everything there is.
fn tell(inventory: &mut Inventory, watch: &Watch, all: Vec<Value>) {
    inventory.take(watch, Report::Begin);
    for value in all {
        inventory.take(watch, Report::Listed(value));
    }
    inventory.take(watch, Report::Done);
}

fn apply(inventory: &mut Inventory, kind: Watched, value: Value) {
    inventory.take(&Watch::all(kind), Report::Applied(value));
}

fn delete(inventory: &mut Inventory, kind: Watched, namespace: &str, name: &str) {
    let value = json!({"metadata": {"namespace": namespace, "name": name}});
    inventory.take(&Watch::all(kind), Report::Deleted(value));
}

/// What changed, one word per object: `+` applied, `-` removed.
fn words(inventory: &mut Inventory) -> Vec<String> {
    let word = |change: &Change| match change {
        Change::Apply { key, .. } => format!("+{key}"),
        Change::Remove { key } => format!("-{key}"),
    };
    inventory.changes().iter().map(word).collect()
}

fn get(inventory: &Inventory, kind: Kind, namespace: &str, name: &str) -> Object {
    inventory.in_force.get(&ObjectKey::new(kind, namespace, name)).unwrap().clone()
}

fn pod(name: &str, node: &str, app: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [{"name": "app"}, {"name": "istio-proxy"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    })
}

fn slice(pods: &[&str]) -> Value {
    let endpoint = |(index, pod): (usize, &&str)| {
        json!({
            "addresses": [format!("10.0.0.{index}")], "targetRef": {"kind": "Pod", "name": pod, "namespace": "shop"}
        })
    };
    let endpoints: Vec<_> = pods.iter().enumerate().map(endpoint).collect();
    json!({
        "metadata": {"name": "cart-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "cart"}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 80}]
    })
}

fn node(name: &str, zone: &str) -> Value {
    let labels = json!({"topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": zone});
    json!({"metadata": {"name": name, "labels": labels}})
}

fn virtual_service(name: &str, revision: Option<&str>, weight: i32) -> Value {
    let labels = revision.map(|revision| json!({ "istio.io/rev": revision }));
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}, "weight": weight}]}]}
    })
}

#[test]
fn nothing_is_told_before_every_kind_was() {
    let mut inventory = Inventory::new(&site());
    let wanted = inventory.wanted().unwrap();
    assert!(wanted.iter().all(|watch| !watch.kind.is_custom()), "no definition is known yet: {wanted:?}");
    assert!(inventory.wanted().is_none(), "nothing else is wanted");
    let definition = json!({"metadata": {"name": "virtualservices.networking.istio.io"}});
    for watch in wanted {
        assert!(!inventory.is_complete(), "{watch}");
        tell(
            &mut inventory,
            &watch,
            if watch == definitions() { vec![definition.clone()] } else { Vec::new() },
        );
    }
    assert!(!inventory.is_complete(), "a kind was found that nobody watches yet");
    let routes = Watch::all(Watched::VirtualService);
    assert!(inventory.wanted().unwrap().contains(&routes));
    assert_eq!(inventory.missing(), ["virtualservices"]);
    tell(&mut inventory, &routes, vec![virtual_service("cart", None, 1)]);
    assert!(inventory.is_complete());
    assert_eq!(words(&mut inventory), ["+VirtualService shop/cart"]);
}

#[test]
fn telling_everything_again_tells_only_what_differs() {
    let mut inventory = empty();
    let watch = Watch::all(Watched::VirtualService);
    let [a, b] = ["a", "b"].map(|name| virtual_service(name, None, 1));
    tell(&mut inventory, &watch, vec![a.clone(), b.clone()]);
    assert_eq!(words(&mut inventory), ["+VirtualService shop/a", "+VirtualService shop/b"]);
    tell(&mut inventory, &watch, vec![b.clone(), a.clone()]);
    assert_eq!(words(&mut inventory), [""; 0]);

    inventory.take(&watch, Report::Begin);
    inventory.take(&watch, Report::Listed(a.clone()));
    assert_eq!(words(&mut inventory), [""; 0], "what was not told again yet is not gone");
    inventory.take(&watch, Report::Begin);
    inventory.take(&watch, Report::Listed(b));
    inventory.take(&watch, Report::Listed(virtual_service("c", None, 1)));
    inventory.take(&watch, Report::Done);
    assert_eq!(words(&mut inventory), ["-VirtualService shop/a", "+VirtualService shop/c"]);
}

#[test]
fn a_pod_is_where_its_node_is() {
    let mut inventory = empty();
    apply(&mut inventory, Watched::Pod, pod("cart-1", "n1", "cart"));
    apply(&mut inventory, Watched::Node, node("n1", "z1"));
    let zone = |inventory: &Inventory| match get(inventory, Kind::Pod, "shop", "cart-1") {
        Object::Pod(pod) => pod.locality.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(words(&mut inventory), ["+Pod shop/cart-1"]);
    assert_eq!(zone(&inventory), "r/z1/");
    apply(&mut inventory, Watched::Node, node("n1", "z1"));
    assert_eq!(words(&mut inventory), [""; 0], "nodes report all the time");
    apply(&mut inventory, Watched::Node, node("n1", "z2"));
    assert_eq!(words(&mut inventory), ["+Pod shop/cart-1"]);
    assert_eq!(zone(&inventory), "r/z2/");
    delete(&mut inventory, Watched::Node, "", "n1");
    assert_eq!(words(&mut inventory), ["+Pod shop/cart-1"]);
    assert_eq!(zone(&inventory), "//");
    let mut own = pod("cart-1", "n1", "cart");
    own["metadata"]["labels"]["istio-locality"] = json!("a.b.c");
    apply(&mut inventory, Watched::Node, node("n1", "z1"));
    apply(&mut inventory, Watched::Pod, own);
    words(&mut inventory);
    assert_eq!(zone(&inventory), "a/b/c", "its own word counts more");
}

#[test]
fn an_endpoint_without_a_pod_is_where_its_node_is() {
    let mut inventory = empty();
    let endpoints = json!([{"addresses": ["10.0.0.1"], "nodeName": "n1", "zone": "z1"}]);
    let mut object = slice(&[]);
    object["endpoints"] = endpoints;
    apply(&mut inventory, Watched::EndpointSlice, object);
    words(&mut inventory);
    let locality = |inventory: &Inventory| match get(inventory, Kind::EndpointSlice, "shop", "cart-x") {
        Object::EndpointSlice(slice) => slice.endpoints[0].locality.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(locality(&inventory), "/z1/");
    apply(&mut inventory, Watched::Node, node("n1", "z1"));
    assert_eq!(words(&mut inventory), ["+EndpointSlice shop/cart-x"]);
    assert_eq!(locality(&inventory), "r/z1/");
    inventory.take(&Watch::all(Watched::Node), Report::Deleted(node("n1", "z1")));
    assert_eq!(words(&mut inventory), ["+EndpointSlice shop/cart-x"]);
    assert_eq!(locality(&inventory), "/z1/");
    delete(&mut inventory, Watched::EndpointSlice, "shop", "cart-x");
    words(&mut inventory);
    apply(&mut inventory, Watched::Node, node("n1", "z1"));
    assert_eq!(words(&mut inventory), [""; 0], "nobody is there any more");
}

#[test]
fn an_endpoint_waits_for_its_pod() {
    let mut inventory = empty();
    let known = |inventory: &Inventory| match get(inventory, Kind::EndpointSlice, "shop", "cart-x") {
        Object::EndpointSlice(slice) => {
            slice.endpoints.iter().map(|one| one.pod.clone().unwrap().to_string()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    apply(&mut inventory, Watched::EndpointSlice, slice(&["cart-1", "cart-2"]));
    assert_eq!(words(&mut inventory), ["+EndpointSlice shop/cart-x"]);
    assert_eq!(known(&inventory), [""; 0]);
    apply(&mut inventory, Watched::Pod, pod("cart-2", "n", "cart"));
    assert_eq!(words(&mut inventory), ["+EndpointSlice shop/cart-x", "+Pod shop/cart-2"], "in one batch");
    assert_eq!(known(&inventory), ["cart-2"]);
    apply(&mut inventory, Watched::Pod, pod("cart-2", "n", "other"));
    assert_eq!(words(&mut inventory), ["+Pod shop/cart-2"], "the slice is as it was");
    apply(&mut inventory, Watched::EndpointSlice, slice(&["cart-2", "cart-3"]));
    apply(&mut inventory, Watched::Pod, pod("cart-1", "n", "cart"));
    words(&mut inventory);
    assert_eq!(known(&inventory), ["cart-2"], "nobody names the first any more");
    delete(&mut inventory, Watched::Pod, "shop", "cart-2");
    assert_eq!(words(&mut inventory), ["+EndpointSlice shop/cart-x", "-Pod shop/cart-2"]);
    assert_eq!(known(&inventory), [""; 0]);
}

#[test]
fn a_pod_without_the_container_has_no_sidecar() {
    let mut inventory = empty();
    let mut plain = pod("cart-1", "n", "cart");
    plain["spec"]["containers"] = json!([{"name": "app"}]);
    plain["metadata"]["labels"]["sidecar.istio.io/inject"] = json!("true");
    for (value, expected) in [(pod("cart-1", "n", "cart"), Sidecar::Present), (plain, Sidecar::Absent)] {
        apply(&mut inventory, Watched::Pod, value);
        words(&mut inventory);
        let Object::Pod(pod) = get(&inventory, Kind::Pod, "shop", "cart-1") else { panic!() };
        assert_eq!(pod.sidecar, expected);
    }
}

#[test]
fn objects_of_other_revisions_do_not_count() {
    let mut inventory = empty();
    apply(&mut inventory, Watched::VirtualService, virtual_service("a", Some("default"), 1));
    apply(&mut inventory, Watched::VirtualService, virtual_service("b", Some("canary"), 1));
    apply(&mut inventory, Watched::VirtualService, virtual_service("c", None, 1));
    assert_eq!(words(&mut inventory), ["+VirtualService shop/a", "+VirtualService shop/c"]);
    apply(&mut inventory, Watched::VirtualService, virtual_service("a", Some("canary"), 1));
    apply(&mut inventory, Watched::VirtualService, virtual_service("b", Some("default"), 1));
    assert_eq!(words(&mut inventory), ["-VirtualService shop/a", "+VirtualService shop/b"]);
    let mut all = Inventory::new(&Site { revision: String::new(), ..site() });
    apply(&mut all, Watched::VirtualService, virtual_service("b", Some("canary"), 1));
    assert_eq!(words(&mut all), ["+VirtualService shop/b"]);
}

#[test]
fn an_object_that_cannot_be_decoded_keeps_its_last_good_version() {
    let mut inventory = empty();
    apply(&mut inventory, Watched::VirtualService, virtual_service("a", None, 1));
    words(&mut inventory);
    inventory.news();
    let mut broken = virtual_service("a", None, 1);
    broken["spec"]["hosts"] = json!({"a": "b"});
    apply(&mut inventory, Watched::VirtualService, broken.clone());
    assert_eq!(words(&mut inventory), [""; 0]);
    let findings = inventory.news().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].object, Some(ObjectKey::new(Kind::VirtualService, "shop", "a")));
    apply(&mut inventory, Watched::VirtualService, broken);
    assert!(inventory.news().is_none(), "nothing new");
    delete(&mut inventory, Watched::VirtualService, "shop", "a");
    assert_eq!(words(&mut inventory), ["-VirtualService shop/a"]);
    assert_eq!(inventory.news(), Some(Vec::new()));
}

#[test]
fn a_kind_comes_and_goes_with_its_definition() {
    let mut inventory = empty();
    let watch = Watch::all(Watched::VirtualService);
    apply(&mut inventory, Watched::VirtualService, virtual_service("a", None, 1));
    words(&mut inventory);
    inventory.take(&watch, Report::NotThere);
    assert_eq!(words(&mut inventory), [""; 0], "an answer alone takes nothing away");
    delete(&mut inventory, Watched::CustomResourceDefinition, "", "virtualservices.networking.istio.io");
    assert!(!inventory.wanted().unwrap().contains(&watch));
    inventory.forget(&watch);
    assert_eq!(words(&mut inventory), ["-VirtualService shop/a"]);
    let back = json!({"metadata": {"name": "virtualservices.networking.istio.io"}});
    apply(&mut inventory, Watched::CustomResourceDefinition, back);
    assert!(inventory.wanted().unwrap().contains(&watch));
    tell(&mut inventory, &watch, vec![virtual_service("a", None, 1)]);
    assert_eq!(words(&mut inventory), ["+VirtualService shop/a"]);
}

#[test]
fn who_may_not_see_definitions_watches_all_kinds() {
    let mut inventory = Inventory::new(&site());
    inventory.wanted();
    inventory.take(&definitions(), Report::Denied);
    let wanted = inventory.wanted().unwrap();
    assert!(Watched::CUSTOM.map(Watch::all).iter().all(|watch| wanted.contains(watch)), "{wanted:?}");
    for watch in &wanted {
        match watch.kind {
            kind if kind.is_custom() => inventory.take(watch, Report::NotThere),
            Watched::CustomResourceDefinition => {}
            _ => tell(&mut inventory, watch, Vec::new()),
        }
    }
    assert!(inventory.is_complete());
    inventory.take(&Watch::all(Watched::Pod), Report::Denied);
    assert!(inventory.is_complete(), "what was told once holds");
    let mut fresh = Inventory::new(&site());
    fresh.wanted();
    fresh.take(&Watch::all(Watched::Pod), Report::NotThere);
    fresh.take(&Watch::all(Watched::Pod), Report::Denied);
    assert!(fresh.missing().contains(&"pods".to_owned()), "there is no mesh without pods");
}

#[test]
fn objects_of_kinds_without_effect_are_named() {
    let mut inventory = empty();
    inventory.news();
    let filter = |revision: Option<&str>| {
        let labels = revision.map(|revision| json!({ "istio.io/rev": revision }));
        json!({"metadata": {"name": "limits", "namespace": "shop", "labels": labels}})
    };
    let said = |inventory: &mut Inventory| -> Option<Vec<String>> {
        let news = inventory.news()?;
        Some(
            news.iter()
                .map(|one| format!("{} {}", one.code.id, one.value.as_deref().unwrap_or("")))
                .collect(),
        )
    };
    apply(&mut inventory, Watched::EnvoyFilter, filter(None));
    assert_eq!(said(&mut inventory).unwrap(), ["PH0003 EnvoyFilter shop/limits"]);
    apply(&mut inventory, Watched::EnvoyFilter, filter(Some("default")));
    assert_eq!(said(&mut inventory), None, "it is the same");
    apply(&mut inventory, Watched::EnvoyFilter, filter(Some("canary")));
    assert_eq!(said(&mut inventory).unwrap(), [""; 0], "it is another's");
    apply(&mut inventory, Watched::EnvoyFilter, filter(None));
    tell(&mut inventory, &Watch::all(Watched::EnvoyFilter), Vec::new());
    assert_eq!(said(&mut inventory).unwrap(), [""; 0]);
    assert_eq!(words(&mut inventory), [""; 0]);

    let mut fresh = Inventory::new(&site());
    fresh.wanted();
    for kind in [Watched::WasmPlugin, Watched::Service] {
        fresh.take(&Watch::all(kind), Report::Denied);
    }
    assert_eq!(fresh.refused(), BTreeSet::from([Watched::Service]));
    tell(&mut fresh, &Watch::all(Watched::Service), Vec::new());
    assert!(fresh.refused().is_empty());
}

#[test]
fn secrets_are_read_where_gateways_run() {
    let mut inventory = empty();
    let secrets = |inventory: &mut Inventory| -> Option<Vec<String>> {
        let wanted = inventory.wanted()?;
        Some(wanted.iter().filter(|watch| watch.kind == Watched::Secret).map(ToString::to_string).collect())
    };
    let both = ["secrets of shop with type=Opaque", "secrets of shop with type=kubernetes.io/tls"];
    let gateway = |app: &str| {
        json!({
            "metadata": {"name": "edge", "namespace": "other"},
            "spec": {"selector": {"app": app}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}
        })
    };
    apply(&mut inventory, Watched::Pod, pod("edge-1", "n", "edge"));
    assert_eq!(secrets(&mut inventory), None);
    apply(&mut inventory, Watched::Gateway, gateway("edge"));
    assert_eq!(secrets(&mut inventory).unwrap(), both);
    assert!(!inventory.is_complete(), "certificates belong to the first batch");
    apply(&mut inventory, Watched::Pod, pod("edge-2", "n", "edge"));
    assert_eq!(secrets(&mut inventory).unwrap(), both);
    apply(&mut inventory, Watched::Pod, pod("edge-1", "n", "none"));
    delete(&mut inventory, Watched::Pod, "shop", "edge-2");
    assert_eq!(secrets(&mut inventory).unwrap(), [""; 0]);
    apply(&mut inventory, Watched::Gateway, gateway("none"));
    assert_eq!(secrets(&mut inventory).unwrap(), both);
    delete(&mut inventory, Watched::Gateway, "other", "edge");
    assert_eq!(secrets(&mut inventory).unwrap(), [""; 0]);
}

#[test]
fn the_mesh_settings_have_the_name_of_the_revision() {
    let site = Site { revision: "canary".into(), shared_mesh_config: Some("shared".into()), ..site() };
    let mut inventory = Inventory::new(&site);
    let maps: Vec<_> =
        inventory.wanted().unwrap().into_iter().filter(|one| one.kind == Watched::ConfigMap).collect();
    let [own, shared] = &maps[..] else { panic!("{maps:?}") };
    assert_eq!(own.to_string(), "configmaps of istio-system with metadata.name=istio-canary");
    let map = |name: &str, mesh: &str| json!({"metadata": {"name": name, "namespace": "istio-system"}, "data": {"mesh": mesh}});
    inventory.take(shared, Report::Applied(map("shared", "trustDomain: a.example\nconnectTimeout: 1s\n")));
    inventory.take(own, Report::Applied(map("istio-canary", "connectTimeout: 2s\n")));
    assert_eq!(words(&mut inventory), ["+MeshConfig istio-system/istio"]);
    let mesh = |inventory: &Inventory| match get(inventory, Kind::MeshConfig, "istio-system", "istio") {
        Object::Mesh(mesh) => Mesh::clone(&mesh),
        other => panic!("{other:?}"),
    };
    let found = mesh(&inventory);
    assert_eq!((found.trust_domain.as_str(), found.connect_timeout.as_secs()), ("a.example", 2));
    inventory.take(own, Report::Applied(map("istio-canary", "connectTimeout: [\n")));
    assert_eq!(words(&mut inventory), [""; 0], "the former settings hold");
    let finding = inventory.news().unwrap().remove(0);
    assert_eq!(finding.object.unwrap().name.as_str(), "istio-canary");
    inventory.take(own, Report::Deleted(map("istio-canary", "")));
    words(&mut inventory);
    assert_eq!(mesh(&inventory).connect_timeout.as_secs(), 1);
    inventory.take(shared, Report::Deleted(map("shared", "")));
    assert_eq!(words(&mut inventory), ["-MeshConfig istio-system/istio"]);
}

/// What an API server may hold in the property below.
type Store = BTreeMap<(Watched, &'static str), u8>;

const NAMES: [(Watched, &str); 8] = [
    (Watched::Node, "n1"),
    (Watched::Namespace, "shop"),
    (Watched::Pod, "cart-1"),
    (Watched::Pod, "cart-2"),
    (Watched::EndpointSlice, "cart-x"),
    (Watched::VirtualService, "a"),
    (Watched::VirtualService, "b"),
    (Watched::ConfigMap, "istio"),
];

fn object(kind: Watched, name: &str, variant: u8) -> Value {
    match kind {
        Watched::Node => node(name, ["z1", "z2", "z3"][usize::from(variant)]),
        Watched::Namespace => json!({"metadata": {"name": name, "labels": {"mesh": variant.to_string()}}}),
        Watched::Pod => pod(name, ["n1", "n2", "n1"][usize::from(variant)], "cart"),
        Watched::EndpointSlice => slice([&["cart-1"][..], &["cart-1", "cart-2"], &[]][usize::from(variant)]),
        Watched::VirtualService => {
            virtual_service(name, [None, Some("canary"), None][usize::from(variant)], 1 + i32::from(variant))
        }
        _ => {
            let mesh = ["{}", "discoverySelectors: [ { matchLabels: { mesh: '1' } } ]", "connectTimeout: 2s"]
                [usize::from(variant)];
            json!({"metadata": {"name": name, "namespace": "istio-system"}, "data": {"mesh": mesh}})
        }
    }
}

fn watch_of(inventory: &Inventory, kind: Watched) -> Watch {
    if kind == Watched::ConfigMap { inventory.own.clone() } else { Watch::all(kind) }
}

fn tell_all(inventory: &mut Inventory, store: &Store, kind: Watched) {
    let all = store.iter().filter(|((own, _), _)| *own == kind);
    let all = all.map(|((kind, name), variant)| object(*kind, name, *variant)).collect();
    let watch = watch_of(inventory, kind);
    tell(inventory, &watch, all);
}

#[derive(Clone, Debug)]
enum Step {
    /// An object becomes this, or goes.
    Change(usize, Option<u8>),
    /// An object changes unseen, as while a watch is away.
    Unseen(usize, Option<u8>),
    /// A kind is told again.
    Again(usize),
    /// Changes are asked for.
    Ask,
}

fn step() -> impl Strategy<Value = Step> {
    let variant = || prop::option::of(0..3_u8);
    prop_oneof![
        4 => (0..NAMES.len(), variant()).prop_map(|(which, variant)| Step::Change(which, variant)),
        1 => (0..NAMES.len(), variant()).prop_map(|(which, variant)| Step::Unseen(which, variant)),
        1 => (0..NAMES.len()).prop_map(Step::Again),
        2 => Just(Step::Ask),
    ]
}

proptest! {
    #[test]
    fn the_way_to_a_state_does_not_matter(steps in prop::collection::vec(step(), 0..40)) {
        let mut store = Store::new();
        let mut inventory = empty();
        let mut world: BTreeMap<ObjectKey, Object> = BTreeMap::new();
        let ask = |inventory: &mut Inventory, world: &mut BTreeMap<ObjectKey, Object>| -> Result<(), TestCaseError> {
            for change in inventory.changes() {
                match change {
                    Change::Apply { key, object, .. } => {
                        prop_assert_ne!(world.insert(key, object.clone()), Some(object), "nothing changed");
                    }
                    Change::Remove { key } => prop_assert!(world.remove(&key).is_some(), "nobody knew {}", key),
                }
            }
            Ok(())
        };
        for step in steps {
            match step {
                Step::Change(which, variant) | Step::Unseen(which, variant) => {
                    let seen = matches!(step, Step::Change(..));
                    let (kind, name) = NAMES[which];
                    let watch = watch_of(&inventory, kind);
                    if let Some(variant) = variant {
                        store.insert(NAMES[which], variant);
                        if seen {
                            inventory.take(&watch, Report::Applied(object(kind, name, variant)));
                        }
                    } else {
                        store.remove(&NAMES[which]);
                        if seen {
                            inventory.take(&watch, Report::Deleted(object(kind, name, 0)));
                        }
                    }
                }
                Step::Again(which) => tell_all(&mut inventory, &store, NAMES[which].0),
                Step::Ask => ask(&mut inventory, &mut world)?,
            }
        }
        for (kind, _) in NAMES {
            tell_all(&mut inventory, &store, kind);
        }
        ask(&mut inventory, &mut world)?;

        let mut fresh = empty();
        for (kind, _) in NAMES.into_iter().rev() {
            tell_all(&mut fresh, &store, kind);
        }
        let mut expected = BTreeMap::new();
        ask(&mut fresh, &mut expected)?;
        prop_assert_eq!(world, expected);
    }
}
