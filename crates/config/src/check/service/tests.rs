use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one};

fn service(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}, "spec": spec})
}

fn read(value: &Value) -> Service {
    match checked(value) {
        Some(Object::Services(services)) => (*services[0]).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plain_service() {
    let one = read(&service(
        &json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "selector": {"app": "cart"},
        "ports": [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "grpc-api", "port": 90, "targetPort": 9000},
                  {"name": "db", "port": 91, "appProtocol": "mysql", "targetPort": "8080"}]}),
    ));
    assert_eq!(one.host.as_str(), "cart.shop.svc.cluster.local");
    assert_eq!(one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1", "fd00::1"]);
    let ports: Vec<_> =
        one.ports.iter().map(|port| (port.number, port.protocol, port.target.clone())).collect();
    assert_eq!(
        ports,
        [
            (80, Protocol::Http, TargetPort::Named("web".into())),
            (90, Protocol::Grpc, TargetPort::Number(9000)),
            (91, Protocol::Mysql, TargetPort::Number(8080)),
        ]
    );
    assert_eq!(
        (one.resolution, one.external, one.export_to),
        (Resolution::Endpoints, false, ExportTo::MeshDefault)
    );
    assert_eq!(
        read(&service(&json!({"clusterIP": "10.0.0.1"}))).addresses.len(),
        1,
        "a manifest has no list"
    );
}

#[test]
fn headless_and_external_names() {
    let headless = read(&service(&json!({"clusterIP": "None", "publishNotReadyAddresses": true})));
    assert!(
        headless.resolution == Resolution::Headless
            && headless.addresses.is_empty()
            && headless.publish_not_ready
    );
    let alias = read(&service(
        &json!({"type": "ExternalName", "externalName": "Example.com", "selector": {"a": "b"}}),
    ));
    assert!(alias.resolution == Resolution::Alias("example.com".into()) && alias.selector.is_none());
}

#[test]
fn clients_of_other_nodes() {
    let local = |policy: &str| read(&service(&json!({ "internalTrafficPolicy": policy }))).node_local;
    assert!(local("Local") && !local("Cluster"));
    assert!(!read(&service(&json!({}))).node_local);
}

#[test]
fn one_port_for_each_number() {
    let ports = json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]);
    let one = read(&service(&json!({"ports": ports})));
    assert_eq!(
        one.ports.iter().map(|port| (port.name.as_str(), port.protocol)).collect::<Vec<_>>(),
        [("dns-tcp", Protocol::Tcp)]
    );
}

#[test]
fn mistakes() {
    expect_one(&service(&json!({"type": "ExternalName"})), "PH0101", "spec.externalName", "not defined");
    expect_one(&service(&json!({"ports": [{"port": 0}]})), "PH0103", "spec.ports[0].port", "left out");
    expect_one(
        &service(&json!({"ports": [{"port": 1}, {"port": 1, "name": "b"}]})),
        "PH0112",
        "spec.ports[1].port",
        "first port",
    );
    let mut value = service(&json!({}));
    value["metadata"]["annotations"] = json!({EXPORT_TO: "., other"});
    assert_eq!(read(&value).export_to, ExportTo::Namespaces(vec!["shop".into(), "other".into()]));
    value["metadata"]["annotations"] = json!({EXPORT_TO: "~"});
    assert_eq!(read(&value).export_to, ExportTo::Namespaces(vec![]));
    value["metadata"]["annotations"] = json!({EXPORT_TO: "a_b"});
    expect_one(&value, "PH0102", "metadata.annotations[\"networking.istio.io/exportTo\"]", "nobody");
}
