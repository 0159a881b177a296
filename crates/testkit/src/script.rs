//! Random sequences of changes over a small universe, where names, hosts, visibility and selectors collide often.

use proptest::prelude::*;
use serde_json::{Value, json};

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// An object is created or changed.
    Apply(Value),
    /// An object goes: kind, namespace, name.
    Remove(&'static str, &'static str, String),
    /// What was applied and removed so far becomes one batch.
    Commit,
    /// A proxy connects (or, if it is connected, breaks its stream and connects again).
    Connect(usize),
    /// A proxy goes.
    Disconnect(usize),
    /// A proxy reads and answers a few messages; between these steps it is slow.
    Pump(usize),
}

/// Namespaces of the universe; the last one is the root namespace.
pub const NAMESPACES: [&str; 3] = ["a", "b", "istio-system"];

/// Proxies of the universe: namespace, pod, and whether it is a gateway.
pub const PROXIES: [(&str, &str, bool); 5] =
    [("a", "p0", false), ("a", "p1", false), ("b", "p0", false), ("b", "stranger", false), ("a", "p2", true)];

const HOSTS: [&str; 6] = [
    "s0.a.svc.cluster.local",
    "s1.a.svc.cluster.local",
    "s0.b.svc.cluster.local",
    "ext.example.com",
    "*.example.com",
    "*.svc.cluster.local",
];

/// Bytes that decide an object's shape, taken one after the other; zeros follow the last one.
struct Dice<'d>(std::slice::Iter<'d, u8>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % sides
    }

    fn pick<'v, T: ?Sized>(&mut self, from: &[&'v T]) -> &'v T {
        from[self.roll(from.len())]
    }

    fn flip(&mut self) -> bool {
        self.roll(2) == 1
    }
}

const KINDS: [&str; 12] = [
    "Namespace",
    "Service",
    "EndpointSlice",
    "Pod",
    "Secret",
    "ConfigMap",
    "VirtualService",
    "DestinationRule",
    "ServiceEntry",
    "WorkloadEntry",
    "Gateway",
    "PeerAuthentication",
];

/// Sequences of up to `steps` steps.
pub fn scripts(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let start = prop_oneof![Just(Vec::new()), Just(regional()), Just(headless())];
    (start, prop::collection::vec(raw(), 1..steps)).prop_map(|(start, raw)| {
        let mut shapes: Vec<Shape> = Vec::new();
        start.into_iter().chain(raw).filter_map(|step| unfold(step, &mut shapes)).collect()
    })
}

/// A start that random steps rarely find: a service with pods of two regions, a rule for it, and a connected proxy that
/// knows where it runs.
fn regional() -> Vec<Raw> {
    vec![
        first("Service", 0, &[1, 1, 0, 0, 0, 2, 0, 1]),
        first("Pod", 0, &[1, 0, 0, 1, 0, 0, 1, 0, 1]),
        first("Pod", 1, &[1, 0, 1, 1, 0, 0, 1, 2, 1, 0, 0, 0, 1]),
        first("DestinationRule", 0, &[1, 0, 3, 5, 1, 2, 2, 1]),
        Raw::Other(Step::Commit),
        Raw::Other(Step::Connect(0)),
    ]
}

/// Another such start: a headless service with one endpoint, on a port whose protocol is found out, ruled by a virtual service
/// that asks who the client is. There is a route table for it while there is an endpoint.
fn headless() -> Vec<Raw> {
    vec![
        first("Service", 0, &[1, 1, 3, 3, 0, 0, 1]),
        first("Pod", 0, &[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
        first("Pod", 1, &[1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]),
        first("VirtualService", 0, &[1, 0, 0, 0, 2, 3, 0, 0, 50, 0, 1, 1, 0, 1, 1, 1, 0, 1]),
        Raw::Other(Step::Commit),
        Raw::Other(Step::Connect(0)),
    ]
}

/// The first object of a kind and name in the first namespace.
fn first(kind: &'static str, name: usize, dice: &[u8]) -> Raw {
    let mut dice = dice.to_vec();
    dice.resize(24, 0);
    Raw::Apply(Shape { kind, namespace: 0, name, dice })
}

/// What decides an object.
#[derive(Clone, Debug)]
struct Shape {
    kind: &'static str,
    namespace: usize,
    name: usize,
    dice: Vec<u8>,
}

/// A step before it is known which objects there are.
#[derive(Clone, Debug)]
enum Raw {
    Apply(Shape),
    /// One of the objects applied so far comes again with one decision changed: most real changes are small, and only those
    /// show whether a small read was taken down.
    Tweak(usize, usize, u8),
    Other(Step),
}

fn raw() -> impl Strategy<Value = Raw> {
    let kind = prop::sample::select(KINDS.to_vec());
    let apply = (kind, 0..3usize, 0..3usize, prop::collection::vec(any::<u8>(), 24))
        .prop_map(|(kind, namespace, name, dice)| Raw::Apply(Shape { kind, namespace, name, dice }));
    let tweak = (any::<usize>(), 0..10usize, any::<u8>()).prop_map(|(of, at, to)| Raw::Tweak(of, at, to));
    let kind = prop::sample::select(KINDS.to_vec());
    let remove = (kind, 0..3usize, 0..3usize).prop_map(|(kind, namespace, name)| {
        let (namespace, name) = name_of(kind, namespace, name);
        Step::Remove(kind, namespace, name)
    });
    let other = prop_oneof![
        3 => remove,
        5 => Just(Step::Commit),
        3 => (0..PROXIES.len()).prop_map(Step::Connect),
        1 => (0..PROXIES.len()).prop_map(Step::Disconnect),
        3 => (0..PROXIES.len()).prop_map(Step::Pump),
    ];
    prop_oneof![10 => apply, 6 => tweak, 15 => other.prop_map(Raw::Other)]
}

fn unfold(raw: Raw, shapes: &mut Vec<Shape>) -> Option<Step> {
    let shape = match raw {
        Raw::Other(step) => return Some(step),
        Raw::Apply(shape) => shape,
        Raw::Tweak(of, at, to) => {
            let count = shapes.len();
            let mut shape = shapes.get(of.checked_rem(count)?)?.clone();
            shape.dice[at] = to;
            shape
        }
    };
    let step = Step::Apply(object(shape.kind, shape.namespace, shape.name, &shape.dice));
    shapes.push(shape);
    Some(step)
}

fn name_of(kind: &str, namespace: usize, name: usize) -> (&'static str, String) {
    match kind {
        "Namespace" => ("", NAMESPACES[namespace].to_owned()),
        "ConfigMap" => ("istio-system", "istio".to_owned()),
        "Pod" => (NAMESPACES[namespace], format!("p{name}")),
        "Secret" => (NAMESPACES[namespace], format!("cert{name}")),
        "Service" => (NAMESPACES[namespace], format!("s{name}")),
        _ => (NAMESPACES[namespace], format!("o{name}")),
    }
}

fn object(kind: &str, namespace: usize, name: usize, dice: &[u8]) -> Value {
    let (namespace, name) = name_of(kind, namespace, name);
    let mut dice = Dice(dice.iter());
    let mut metadata = json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    if dice.roll(4) == 0 {
        metadata["creationTimestamp"] = json!(format!("2026-01-0{}T00:00:00Z", dice.roll(3) + 1));
    }
    let istio = |kind: &str, metadata: Value, spec: Value| {
        let group = if kind == "PeerAuthentication" { "security" } else { "networking" };
        json!({"apiVersion": format!("{group}.istio.io/v1"), "kind": kind, "metadata": metadata, "spec": spec})
    };
    match kind {
        "Namespace" => {
            if dice.flip() {
                metadata["labels"] = json!({"istio-injection": "enabled"});
            }
            if dice.flip() {
                let wish = dice.pick(&["PreferClose", "PreferSameNode", "Any"]);
                metadata["annotations"] = json!({ "networking.istio.io/traffic-distribution": wish });
            }
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        }
        "Service" => service(metadata, &mut dice),
        "EndpointSlice" => slice(metadata, &mut dice),
        "Pod" => pod(metadata, &mut dice),
        "Secret" => json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
            "stringData": {"tls.crt": format!("-----BEGIN CERTIFICATE-----\nAAA{}\n-----END CERTIFICATE-----\n", dice.roll(3)),
                "tls.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}}),
        "ConfigMap" => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": {"mesh": json!({
                "outboundTrafficPolicy": {"mode": dice.pick(&["ALLOW_ANY", "REGISTRY_ONLY"])},
                "enableAutoMtls": dice.flip(),
                "connectTimeout": dice.pick(&["10s", "3s"]),
                "trustDomainAliases": if dice.flip() { json!(["old"]) } else { json!([]) },
                "defaultServiceExportTo": [dice.pick(&["*", "*", "."])],
                "defaultVirtualServiceExportTo": [dice.pick(&["*", "*", "."])],
                "defaultDestinationRuleExportTo": [dice.pick(&["*", "*", "."])],
            }).to_string()}}),
        "VirtualService" => istio(kind, metadata, virtual_service(&mut dice)),
        "DestinationRule" => istio(kind, metadata, destination_rule(&mut dice)),
        "ServiceEntry" => istio(kind, metadata, service_entry(&mut dice)),
        "WorkloadEntry" => {
            let mut spec = json!({"address": format!("10.9.0.{}", dice.roll(4) + 1),
                "labels": {"app": dice.pick(&["s0", "s1"]), "version": dice.pick(&["v1", "v2"])}});
            if dice.flip() {
                spec["serviceAccount"] = json!(dice.pick(&["s0", "vm"]));
            }
            istio(kind, metadata, spec)
        }
        "Gateway" => istio(kind, metadata, gateway(&mut dice)),
        _ => istio("PeerAuthentication", metadata, peer_authentication(&mut dice)),
    }
}

fn ports(dice: &mut Dice<'_>) -> Value {
    let all = [
        json!({"name": "http", "port": 80, "targetPort": 8080}),
        json!({"name": "tcp-db", "port": 5432}),
        json!({"name": "grpc", "port": 9000, "targetPort": "named"}),
        json!({"name": "auto", "port": 8080}),
        json!({"name": "https", "port": 443}),
    ];
    let first = dice.roll(all.len());
    let second = dice.roll(all.len());
    if first == second { json!([all[first]]) } else { json!([all[first], all[second]]) }
}

fn service(mut metadata: Value, dice: &mut Dice<'_>) -> Value {
    if dice.roll(3) == 0 {
        metadata["annotations"] =
            json!({"networking.istio.io/exportTo": dice.pick(&[".", "*", "b", "a,b", "~"])});
    }
    let mut spec = json!({"ports": ports(dice), "selector": {"app": dice.pick(&["s0", "s1"])}});
    match dice.roll(6) {
        0 => spec["clusterIP"] = json!("None"),
        1 => {
            spec["type"] = json!("ExternalName");
            spec["externalName"] = json!(dice.pick(&["ext.example.com", "s0.a.svc.cluster.local"]));
        }
        _ => spec["clusterIP"] = json!(format!("10.96.0.{}", dice.roll(4) + 1)),
    }
    if dice.roll(4) == 0 {
        spec["publishNotReadyAddresses"] = json!(true);
    }
    match dice.roll(6) {
        1 => spec["trafficDistribution"] = json!(dice.pick(&["PreferClose", "PreferSameNode"])),
        2 => spec["internalTrafficPolicy"] = json!("Local"),
        _ => {}
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

fn slice(mut metadata: Value, dice: &mut Dice<'_>) -> Value {
    metadata["labels"] = json!({"kubernetes.io/service-name": dice.pick(&["s0", "s1"])});
    let endpoints: Vec<Value> = (0..dice.roll(3))
        .map(|_| {
            json!({"addresses": [format!("10.1.0.{}", dice.roll(5) + 1)],
                "conditions": {"ready": dice.flip(), "terminating": dice.roll(4) == 0, "serving": dice.roll(3) > 0},
                "targetRef": {"kind": "Pod", "name": format!("p{}", dice.roll(3))}, "nodeName": dice.pick(&["", "n1"])})
        })
        .collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": dice.pick(&["http", "tcp-db", "auto"]), "port": 8080 + dice.roll(2), "protocol": "TCP"}]})
}

fn pod(mut metadata: Value, dice: &mut Dice<'_>) -> Value {
    metadata["labels"] = json!({"app": dice.pick(&["s0", "s1"]), "version": dice.pick(&["v1", "v2"]),
        "istio": dice.pick(&["ingressgateway", "other"]), "color": dice.pick(&["red", "blue"]),
        "nobody-asks": dice.pick(&["x", "y"])});
    if dice.flip() {
        metadata["labels"]["istio-locality"] = json!(dice.pick(&["r1.z1", "r1.z2", "r2.z1"]));
    }
    if dice.roll(4) == 0 {
        metadata["labels"]["sidecar.istio.io/inject"] = json!("false");
    }
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"serviceAccountName": dice.pick(&["default", "s0"]),
            "containers": [{"name": "app", "image": "app",
                "ports": [{"name": "named", "containerPort": 7000 + dice.roll(2)}]}]},
        "status": {"phase": dice.pick(&["Running", "Running", "Running", "Succeeded"]),
            "podIP": format!("10.1.0.{}", dice.roll(5) + 1),
            "conditions": [{"type": "Ready", "status": dice.pick(&["True", "True", "False"])}]}});
    pod["spec"]["nodeName"] = json!(dice.pick(&["", "n1", "n2"]));
    pod
}

fn export_to(spec: &mut Value, dice: &mut Dice<'_>) {
    match dice.roll(6) {
        0 => spec["exportTo"] = json!(["."]),
        1 => spec["exportTo"] = json!(["b"]),
        2 => spec["exportTo"] = json!(["*"]),
        _ => {}
    }
}

fn destination(dice: &mut Dice<'_>) -> Value {
    let mut destination =
        json!({"host": dice.pick(&["s0", "s1", "s0.b.svc.cluster.local", "ext.example.com", "nowhere"])});
    if dice.roll(3) == 0 {
        destination["subset"] = json!(dice.pick(&["v1", "v2"]));
    }
    if dice.roll(3) == 0 {
        destination["port"] = json!({"number": dice.pick(&[&80u16, &8080, &5432])});
    }
    destination
}

fn virtual_service(dice: &mut Dice<'_>) -> Value {
    let mut hosts = vec![dice.pick(&HOSTS)];
    let second = dice.pick(&HOSTS);
    if dice.flip() && second != hosts[0] {
        hosts.push(second);
    }
    let mut spec = json!({"hosts": hosts});
    match dice.roll(4) {
        0 => spec["gateways"] = json!(["o0"]),
        1 => spec["gateways"] = json!(["mesh", "a/o0", "b/o1"]),
        _ => {}
    }
    export_to(&mut spec, dice);
    let kind = dice.roll(4);
    if kind != 1 {
        let mut rules = Vec::new();
        for _ in 0..=dice.roll(2) {
            let weight = dice.roll(101);
            let mut rule = json!({"route": [{"destination": destination(dice), "weight": weight},
                {"destination": destination(dice), "weight": 100 - weight}]});
            match dice.roll(4) {
                0 => rule["match"] = json!([{"uri": {"prefix": dice.pick(&["/x", "/y"])}}]),
                1 => rule["match"] = json!([{"sourceLabels": {"color": dice.pick(&["red", "blue"])}}]),
                2 => rule["match"] = json!([{"port": 80, "sourceNamespace": dice.pick(&["a", "b"])}]),
                _ => {}
            }
            if dice.roll(3) == 0 {
                rule["timeout"] = json!("3s");
                rule["mirror"] = destination(dice);
            }
            rules.push(rule);
        }
        spec["http"] = json!(rules);
    }
    if kind == 1 || kind == 2 {
        spec["tcp"] = json!([{"match": [{"port": dice.pick(&[&5432u16, &8080])}], "route": [{"destination": destination(dice)}]}]);
        spec["tls"] = json!([{"match": [{"port": 443, "sniHosts": [hosts[0]]}], "route": [{"destination": destination(dice)}]}]);
    }
    spec
}

fn destination_rule(dice: &mut Dice<'_>) -> Value {
    let mut spec = json!({"host": dice.pick(&HOSTS)});
    export_to(&mut spec, dice);
    let mut policy = json!({});
    match dice.roll(7) {
        0 => policy["tls"] = json!({"mode": dice.pick(&["DISABLE", "ISTIO_MUTUAL", "SIMPLE"])}),
        1 | 6 => policy["outlierDetection"] = json!({"consecutive5xxErrors": dice.roll(5) + 1}),
        2 => {
            policy["loadBalancer"] =
                json!({"consistentHash": {"httpHeaderName": dice.pick(&["x-user", "x-session"])}});
        }
        3 => policy["connectionPool"] = json!({"tcp": {"maxConnections": dice.roll(9) + 1}}),
        4 => policy["loadBalancer"] = json!({"simple": dice.pick(&["ROUND_ROBIN", "PASSTHROUGH"])}),
        _ => {}
    }
    if dice.roll(4) == 0 {
        policy["portLevelSettings"] = json!([{"port": {"number": 80}, "connectionPool": {"tcp": {"maxConnections": dice.roll(9) + 1}}}]);
    }
    spec["trafficPolicy"] = policy;
    if dice.flip() {
        spec["subsets"] = json!([{"name": "v1", "labels": {"version": dice.pick(&["v1", "v2"])}}]);
    }
    if dice.roll(3) == 0 {
        spec["subsets"] = json!([{"name": "v1", "labels": {"version": "v1"}},
            {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"outlierDetection": {"consecutive5xxErrors": dice.roll(3) + 1}}}]);
    }
    spec
}

fn service_entry(dice: &mut Dice<'_>) -> Value {
    let resolution = dice.pick(&["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"]);
    let host = match resolution {
        "DNS" | "DNS_ROUND_ROBIN" => dice.pick(&["ext.example.com", "s1.a.svc.cluster.local"]),
        _ => dice.pick(&["ext.example.com", "s0.a.svc.cluster.local", "*.example.com"]),
    };
    let ports = [
        json!({"name": "http", "number": 80, "protocol": "HTTP"}),
        json!({"name": "tls", "number": 443, "protocol": "TLS"}),
        json!({"name": "tcp", "number": 5432, "protocol": "TCP"}),
    ];
    let mut spec = json!({"hosts": [host], "resolution": resolution, "ports": [ports[dice.roll(3)]],
        "location": dice.pick(&["MESH_EXTERNAL", "MESH_INTERNAL"])});
    export_to(&mut spec, dice);
    if dice.flip() {
        let several: [&[&str]; 5] = [
            &["10.96.0.1"],
            &["10.97.0.0/16"],
            &["10.98.0.1"],
            &["10.98.0.2", "10.98.0.1"],
            &["10.98.0.1", "10.96.0.1", "10.98.0.2"],
        ];
        spec["addresses"] = json!(dice.pick(&several));
    }
    if resolution == "STATIC" {
        if dice.flip() {
            spec["workloadSelector"] = json!({"labels": {"app": dice.pick(&["s0", "s1"])}});
        } else {
            spec["endpoints"] = json!([{"address": format!("10.1.0.{}", dice.roll(5) + 1), "labels": {"version": "v1"},
                "serviceAccount": dice.pick(&["s0", "vm"])}]);
        }
    }
    if resolution == "DNS" && dice.flip() {
        spec["endpoints"] = json!([{"address": dice.pick(&["one.example.com", "two.example.com"]), "labels": {"version": "v1"}}]);
    }
    spec
}

fn gateway(dice: &mut Dice<'_>) -> Value {
    let mut servers = Vec::new();
    for index in 0..=dice.roll(2) {
        let hosts = json!([dice.pick(&["*", "ext.example.com", "a/*", "*.example.com"])]);
        servers.push(match dice.roll(5) {
            0 => json!({"port": {"number": 443, "name": format!("https{index}"), "protocol": "HTTPS"}, "hosts": hosts,
                "tls": {"mode": "SIMPLE", "credentialName": format!("cert{}", dice.roll(3))}}),
            1 => json!({"port": {"number": 443, "name": format!("tls{index}"), "protocol": "TLS"}, "hosts": hosts,
                "tls": {"mode": "PASSTHROUGH"}}),
            2 => json!({"port": {"number": 5432, "name": format!("tcp{index}"), "protocol": "TCP"}, "hosts": hosts}),
            3 => json!({"port": {"number": 80, "name": format!("http{index}"), "protocol": "HTTP"}, "hosts": hosts,
                "tls": {"httpsRedirect": true}}),
            _ => json!({"port": {"number": 80, "name": format!("http{index}"), "protocol": "HTTP"}, "hosts": hosts}),
        });
    }
    json!({"selector": {"istio": dice.pick(&["ingressgateway", "other"])}, "servers": servers})
}

fn peer_authentication(dice: &mut Dice<'_>) -> Value {
    let modes = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
    let mut spec = json!({"mtls": {"mode": dice.pick(&modes)}});
    if dice.flip() {
        spec["selector"] = json!({"matchLabels": {"app": dice.pick(&["s0", "s1"])}});
        if dice.flip() {
            spec["portLevelMtls"] = json!({dice.pick(&["8080", "5432"]): {"mode": dice.pick(&modes)}});
        }
    }
    spec
}
