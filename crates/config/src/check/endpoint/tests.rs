use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, istio};

fn entry(spec: &Value) -> Value {
    let mut value = istio("WorkloadEntry", spec);
    value["metadata"]["labels"] = json!({"app": "vm", "version": "v2"});
    value
}

#[test]
fn labels_of_the_object_win() {
    let value = entry(
        &json!({"address": "10.0.0.1", "labels": {"app": "other", "zone": "a"}, "ports": {"http": 8080}, "serviceAccount": "vm"}),
    );
    let Some(Object::WorkloadEntry(entry)) = checked(&value) else { panic!() };
    let Endpoint { address, ports, labels, service_account, weight, .. } = &entry.endpoint;
    assert_eq!(*address, EndpointAddress::Ip("10.0.0.1".parse().unwrap()));
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("app", "vm"), ("version", "v2"), ("zone", "a")]);
    assert_eq!((ports[&Name::from("http")], *weight), (8080, 1));
    assert_eq!(*service_account, Some(Name::from("vm")));
}

#[test]
fn kinds_of_addresses() {
    for (text, expected) in [
        ("::1", EndpointAddress::Ip("::1".parse().unwrap())),
        ("vm.example.com", EndpointAddress::Name("vm.example.com".into())),
        ("unix:///run/x.sock", EndpointAddress::Unix("/run/x.sock".into())),
        ("unix://@abstract", EndpointAddress::Unix("@abstract".into())),
    ] {
        let Some(Object::WorkloadEntry(entry)) = checked(&entry(&json!({"address": text}))) else {
            panic!("{text}")
        };
        assert_eq!(entry.endpoint.address, expected);
    }
}

#[test]
fn mistakes() {
    for (spec, code, field, effect, left) in [
        (json!({}), "PH0101", "spec.address", "no traffic", false),
        (json!({"network": "n"}), "PH0006", "spec.address", "no traffic", false),
        (json!({"address": "a_b"}), "PH0102", "spec.address", "no traffic", false),
        (json!({"address": "unix://x"}), "PH0102", "spec.address", "no traffic", false),
        (json!({"address": "unix:///x/"}), "PH0102", "spec.address", "no traffic", false),
        (json!({"address": "unix:///x", "ports": {"a": 1}}), "PH0106", "spec.ports", "no effect", true),
        (json!({"address": "10.0.0.1", "ports": {"a": 0}}), "PH0103", "spec.ports.a", "target port", true),
        (json!({"address": "10.0.0.1", "weight": -1}), "PH0103", "spec.weight", "once", true),
        (
            json!({"address": "10.0.0.1", "labels": {"a": "*"}}),
            "PH0102",
            "spec.labels.a",
            "no selector",
            true,
        ),
    ] {
        let value = entry(&spec);
        expect_one(&value, code, field, effect);
        assert_eq!(checked(&value).is_some(), left, "{spec}");
    }
}
