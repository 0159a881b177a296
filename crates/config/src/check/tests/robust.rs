//! Whatever a user writes, the judge neither panics nor hangs, and what it returns fits its kind.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// Paths of Kubernetes kinds that are looked at, in the notation of the catalogue.
const KUBERNETES: &[(&str, &str, &str, &str)] = &[
    ("v1", "Service", "spec.type", "string"),
    ("v1", "Service", "spec.clusterIP", "string"),
    ("v1", "Service", "spec.clusterIPs", "list<string>"),
    ("v1", "Service", "spec.externalName", "string"),
    ("v1", "Service", "spec.selector", "map<string,string>"),
    ("v1", "Service", "spec.ports[].name", "string"),
    ("v1", "Service", "spec.ports[].port", "int32"),
    ("v1", "Service", "spec.ports[].targetPort", "int32"),
    ("v1", "Service", "spec.ports[].protocol", "string"),
    ("v1", "Service", "spec.ports[].appProtocol", "string"),
    ("v1", "Service", "metadata.annotations{}", "string"),
    ("v1", "Pod", "status.phase", "string"),
    ("v1", "Pod", "status.podIP", "string"),
    ("v1", "Pod", "status.podIPs[].ip", "string"),
    ("v1", "Pod", "metadata.labels", "map<string,string>"),
    ("v1", "Pod", "metadata.ownerReferences[].name", "string"),
    ("v1", "Pod", "spec.containers[].ports[].containerPort", "int32"),
    ("v1", "Pod", "spec.serviceAccountName", "string"),
    ("v1", "Secret", "stringData", "map<string,string>"),
    ("v1", "Secret", "data", "map<string,string>"),
    ("v1", "ConfigMap", "data", "map<string,string>"),
    ("discovery.k8s.io/v1", "EndpointSlice", "addressType", "string"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpoints[].addresses", "list<string>"),
    ("discovery.k8s.io/v1", "EndpointSlice", "ports[].port", "int32"),
    ("discovery.k8s.io/v1", "EndpointSlice", "metadata.labels", "map<string,string>"),
];

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        "*",
        "~",
        ".",
        "/",
        "a",
        "a_b",
        "mesh",
        "*.a.com",
        "a/b",
        "./b",
        "a.b.c.d",
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "0.0.0.0/99",
        "5s",
        "0s",
        "-1s",
        "1.5ms",
        "99999999999h",
        ".s",
        "5",
        "%",
        "%%",
        "%REQ(a)%",
        "%REQ(",
        "unix:///x",
        "unix://@",
        "STRICT",
        "SIMPLE",
        "MUTUAL",
        "ISTIO_MUTUAL",
        "DISABLE",
        "DNS",
        "STATIC",
        "NONE",
        "HTTP",
        "HTTPS",
        "TLS",
        "TCP",
        "GET",
        "(",
        "a{1000}{1000}",
        "[a-z]+",
        "\\1",
        ":authority",
        "host",
        "@request.auth.claims.x",
        "tls.crt",
        "tls.key",
        "mesh",
        "-----BEGIN CERTIFICATE-----",
        "{\"trustDomain\": \"a..b\"}",
        "{",
        "None",
        "ExternalName",
        "FQDN",
        "kubernetes.io/service-name",
        "networking.istio.io/exportTo",
        "istio-locality",
        "5xx,503,x",
        "\u{1F6A2}",
        "\u{0}",
    ])
    .prop_map(str::to_owned);
    prop_oneof![8 => known, 1 => any::<String>()]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            0,
            1,
            -1,
            80,
            200,
            599,
            600,
            65_535,
            65_536,
            i64::MAX,
            i64::MIN,
            4_294_967_296
        ])
        .prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
    ]
}

fn of_shape(shape: &str) -> BoxedStrategy<Value> {
    let shape = shape.trim_end_matches('?');
    if let Some(inner) = shape.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        return prop::collection::vec(of_shape(inner), 0..4).prop_map(Value::Array).boxed();
    }
    if let Some(inner) = shape.strip_prefix("map<string,").and_then(|rest| rest.strip_suffix('>')) {
        return prop::collection::vec((text(), of_shape(inner)), 0..4)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
            .boxed();
    }
    if let Some(words) = shape.strip_prefix("enum(") {
        let words: Vec<String> = words.trim_end_matches(')').split('|').map(str::to_owned).collect();
        return prop_oneof![4 => prop::sample::select(words), 1 => text()].prop_map(Value::String).boxed();
    }
    match shape {
        "bool" => any::<bool>().prop_map(Value::Bool).boxed(),
        "double" => prop_oneof![Just(0.0), Just(100.0), Just(-1.0), any::<f64>()]
            .prop_map(|value| json!(value))
            .boxed(),
        "message" | "message{}" | "struct" => Just(json!({})).boxed(),
        other if other.contains("int") => number().boxed(),
        _ => text().prop_map(Value::String).boxed(),
    }
}

/// Any JSON at all, as a rarer case.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        text().prop_map(Value::String)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Puts a value at a path of the catalogue's notation; a map gets `key`, a list the element that is there or a new one.
fn put(at: &mut Value, path: &str, key: &str, value: Value) {
    let mut here = at;
    for part in path.split('.') {
        let name = part.trim_end_matches(['[', ']', '{', '}']);
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        here = &mut here[name];
        for mark in part[name.len()..].split_inclusive([']', '}']) {
            if mark == "[]" {
                if !here.is_array() {
                    *here = json!([null]);
                }
                here = &mut here[0];
            } else {
                if !here.is_object() {
                    *here = json!({});
                }
                here = &mut here[key];
            }
        }
    }
    *here = value;
}

fn filled(fields: Vec<(String, String)>, base: Value) -> impl Strategy<Value = Value> {
    let one = prop::sample::select(fields).prop_flat_map(|(path, shape)| {
        (Just(path), text(), prop_oneof![20 => of_shape(&shape), 1 => anything().boxed()])
    });
    prop::collection::vec(one, 1..12).prop_map(move |parts| {
        let mut object = base.clone();
        for (path, key, value) in parts {
            put(&mut object, &path, &key, value);
        }
        object
    })
}

fn object() -> impl Strategy<Value = Value> {
    let mut kinds: Vec<BoxedStrategy<Value>> = Vec::new();
    for kind in [
        "VirtualService",
        "DestinationRule",
        "ServiceEntry",
        "WorkloadEntry",
        "Gateway",
        "PeerAuthentication",
    ] {
        let fields = pilothouse_api::catalogue::fields()
            .filter(|field| field.kind == kind)
            .map(|field| (field.path.to_owned(), field.shape.to_owned()))
            .collect();
        kinds.push(filled(fields, istio(kind, &json!({}))).boxed());
    }
    for (version, kind) in [
        ("v1", "Service"),
        ("v1", "Pod"),
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("discovery.k8s.io/v1", "EndpointSlice"),
    ] {
        let fields = KUBERNETES
            .iter()
            .filter(|(_, other, ..)| *other == kind)
            .map(|(_, _, path, shape)| ((*path).to_owned(), (*shape).to_owned()))
            .collect();
        let base =
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "istio", "namespace": "shop"}});
        kinds.push(filled(fields, base).boxed());
    }
    let mesh = pilothouse_api::catalogue::fields()
        .filter(|field| field.kind == "MeshConfig")
        .map(|field| (field.path.to_owned(), field.shape.to_owned()))
        .collect();
    let config_map = filled(mesh, json!({})).prop_map(|mesh| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio"}, "data": {"mesh": mesh.to_string()}})
    });
    kinds.push(config_map.boxed());
    prop::strategy::Union::new(kinds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_object_panics(value in object()) {
        let judgement = judge(&value, &settings());
        if let Outcome::Object(key, object) = &judgement.outcome {
            prop_assert!(object.fits(key.kind));
        }
        if judgement.outcome == Outcome::Foreign {
            prop_assert!(false, "every object here is of a kind that is read: {value}");
        }
        // The same object is judged the same.
        let again = judge(&value, &settings());
        prop_assert_eq!(judgement.diagnostics.finish(None), again.diagnostics.finish(None));
    }

    #[test]
    fn no_json_panics(value in anything()) {
        judge(&value, &settings());
    }
}
