//! Whose door a refused resource is laid at: the objects that made that very resource, and no neighbour of theirs.

use std::collections::BTreeMap;

use pilothouse_engine::{Engine, Proxy, Role};
use pilothouse_testkit::{changes, objects};
use pilothouse_xds::{Layers, Resource, Snapshot};
use serde_json::{Value, json};

fn snapshot(objects: &[Value], proxy: Proxy) -> std::sync::Arc<Snapshot> {
    let mut engine = Engine::new();
    engine.apply(changes(objects));
    engine.connect(proxy).1.expect("there is no bug in the way")
}

/// `Kind namespace/name` of the objects behind each resource.
fn origins(resources: &Layers<Resource>) -> BTreeMap<String, Vec<String>> {
    let named = |one: &Resource| one.origins.iter().map(ToString::to_string).collect();
    resources.sorted_iter().map(|one| (one.name.to_string(), named(one))).collect()
}

fn expected(list: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    list.iter().map(|(name, objects)| ((*name).to_owned(), texts(objects))).collect()
}

fn gateway(name: &str, servers: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": "edge"},
        "spec": {"selector": {"app": "edge"}, "servers": servers}})
}

fn server(port: u16, protocol: &str, host: &str, tls: &Value) -> Value {
    json!({"port": {"number": port, "name": format!("p{port}"), "protocol": protocol}, "hosts": [host], "tls": tls})
}

fn virtual_service(name: &str, gateway: &str, rules: &Value) -> Value {
    let mut spec = json!({"hosts": ["a.example.com"], "gateways": [gateway]});
    spec.as_object_mut().expect("it is one").extend(rules.as_object().expect("it is one").clone());
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "edge"}, "spec": spec})
}

#[test]
fn a_listener_of_a_gateway_names_the_servers_in_it_and_what_decides_where_bytes_go() {
    let to = json!([{"destination": {"host": "cart", "port": {"number": 80}}}]);
    let objects = [
        objects::namespace("edge"),
        objects::pod("edge", "edge-0", "10.1.0.1", "edge", "v1"),
        objects::service("edge", "cart", "10.96.0.1", &[("http", 80)]),
        gateway("web", &json!([server(8080, "HTTP", "a.example.com", &Value::Null)])),
        gateway("web-too", &json!([server(8080, "HTTP", "b.example.com", &Value::Null)])),
        gateway(
            "secure",
            &json!([
                server(8443, "HTTPS", "a.example.com", &json!({"mode": "SIMPLE", "credentialName": "cert"})),
                server(9443, "TLS", "a.example.com", &json!({"mode": "PASSTHROUGH"})),
            ]),
        ),
        gateway("bytes", &json!([server(9000, "TCP", "*", &Value::Null)])),
        virtual_service("pages", "web", &json!({"http": [{"route": to}]})),
        virtual_service(
            "through",
            "secure",
            &json!({"tls": [{"match": [{"sniHosts": ["a.example.com"]}], "route": to}]}),
        ),
        virtual_service("lines", "bytes", &json!({"tcp": [{"route": to}]})),
    ];
    let snapshot = snapshot(&objects, Proxy::of_pod(Role::Gateway, "edge", "edge-0"));
    let listeners: BTreeMap<_, _> =
        origins(&snapshot.listeners).into_iter().filter(|(name, _)| name.starts_with("0.0.0.0_")).collect();
    assert_eq!(
        listeners,
        expected(&[
            ("0.0.0.0_8080", &["Gateway edge/web", "Gateway edge/web-too"]),
            ("0.0.0.0_8443", &["Gateway edge/secure"]),
            ("0.0.0.0_9000", &["VirtualService edge/lines", "Gateway edge/bytes"]),
            ("0.0.0.0_9443", &["VirtualService edge/through", "Gateway edge/secure"]),
        ])
    );
}

#[test]
fn a_cluster_in_front_of_the_workload_names_the_service_of_its_port_and_the_rule_with_its_limits() {
    let rule = |name: &str, host: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"host": host, "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 3}}}}})
    };
    let service = |name: &str, address: &str, port: u16, target: u16| {
        let mut service = objects::service("shop", name, address, &[("http", port)]);
        service["spec"]["selector"] = json!({"app": "cart"});
        service["spec"]["ports"][0]["targetPort"] = json!(target);
        service
    };
    let objects = [
        objects::namespace("shop"),
        objects::pod("shop", "cart-0", "10.1.0.1", "cart", "v1"),
        service("cart", "10.96.0.1", 80, 8080),
        service("stock", "10.96.0.2", 81, 8081),
        rule("limits", "stock.shop.svc.cluster.local"),
    ];
    let snapshot = snapshot(&objects, Proxy::of_pod(Role::Sidecar, "shop", "cart-0"));
    let inbound: BTreeMap<_, _> =
        origins(&snapshot.clusters).into_iter().filter(|(name, _)| name.starts_with("inbound|")).collect();
    assert_eq!(
        inbound,
        expected(&[
            ("inbound|8080||", &["Service shop/cart"]),
            ("inbound|8081||", &["Service shop/stock", "DestinationRule shop/limits"]),
        ])
    );
    assert_eq!(
        origins(&snapshot.listeners)["virtualInbound"],
        ["Service shop/cart", "Service shop/stock"],
        "the listener serves both"
    );
}
