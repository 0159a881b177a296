use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, istio};

fn read(spec: &Value) -> Vec<Arc<Service>> {
    match checked(&istio("ServiceEntry", spec)) {
        Some(Object::Services(services)) => services,
        other => panic!("{other:?}"),
    }
}

/// An entry with one host and one port, and more fields.
fn entry(more: &Value) -> Value {
    let mut spec =
        json!({"hosts": ["api.example.com"], "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

#[test]
fn one_service_for_each_host() {
    let services = read(&json!({
        "hosts": ["a.example.com", "B.example.com"], "addresses": ["240.0.0.1", "10.1.0.0/16"], "location": "MESH_INTERNAL", "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}, {"number": 443, "name": "tls", "protocol": "TLS"}],
        "endpoints": [{"address": "10.0.0.1", "ports": {"http": 9090}, "labels": {"version": "v1"}, "weight": 5, "locality": "a/b/c", "network": "n", "serviceAccount": "sa"},
                      {"address": "10.0.0.2"}],
        "subjectAltNames": ["spiffe://x"], "exportTo": ["."]}));
    assert_eq!(
        services.iter().map(|one| one.host.as_str()).collect::<Vec<_>>(),
        ["a.example.com", "b.example.com"]
    );
    let one = &services[0];
    assert!(!one.external && one.resolution == Resolution::Endpoints);
    assert_eq!(
        one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["240.0.0.1", "10.1.0.0/16"]
    );
    assert_eq!(one.ports[0].target, TargetPort::Number(8080));
    assert_eq!((one.endpoints[0].weight, one.endpoints[1].weight), (5, 1));
    assert_eq!(one.endpoints[0].locality.to_string(), "a/b/c");
    let default = read(&entry(&json!({})));
    assert!(default[0].external && default[0].resolution == Resolution::OriginalDestination);
    let resolved = read(&entry(&json!({"resolution": "DNS"})));
    assert!(resolved[0].resolution == Resolution::Dns && resolved[0].endpoints.is_empty());
    let picked =
        read(&entry(&json!({"resolution": "STATIC", "workloadSelector": {"labels": {"app": "vm"}}})));
    assert!(picked[0].selector.is_some());
}

#[test]
fn an_entry_that_cannot_be_understood_defines_nothing() {
    for (more, code, field) in [
        (json!({"hosts": []}), "PH0101", "spec.hosts"),
        (json!({"hosts": ["*"]}), "PH0107", "spec.hosts[0]"),
        (json!({"hosts": ["*.example.com"], "resolution": "DNS"}), "PH0107", "spec.hosts[0]"),
        (json!({"resolution": "DYNAMIC_DNS"}), "PH0006", "spec.resolution"),
        (json!({"resolution": "dns"}), "PH0102", "spec.resolution"),
    ] {
        let value = istio("ServiceEntry", &entry(&more));
        expect_one(&value, code, field, "");
        assert_eq!(checked(&value), None, "{more}");
    }
}

#[test]
fn mistakes_cost_the_smallest_part() {
    let port = json!({"number": 80, "name": "http", "protocol": "HTTP"});
    for (more, code, field, effect) in [
        (json!({"hosts": ["a.com", "a_b.com"]}), "PH0107", "spec.hosts[1]", "other hosts"),
        (json!({"hosts": ["a.com", "A.com"]}), "PH0112", "spec.hosts[1]", "nothing"),
        (json!({"location": "INSIDE"}), "PH0102", "spec.location", "MESH_EXTERNAL"),
        (json!({"addresses": ["x"]}), "PH0102", "spec.addresses[0]", "not taken"),
        (
            json!({"addresses": ["10.0.0.0/8"], "resolution": "DNS"}),
            "PH0102",
            "spec.addresses[0]",
            "not taken",
        ),
        (json!({"ports": [port, {"name": "a"}]}), "PH0101", "spec.ports[1].number", "left out"),
        (
            json!({"ports": [port, {"number": 70000, "name": "a"}]}),
            "PH0103",
            "spec.ports[1].number",
            "left out",
        ),
        (json!({"ports": [port, {"number": 81}]}), "PH0101", "spec.ports[1].name", "left out"),
        (json!({"ports": [port, port]}), "PH0112", "spec.ports[1]", "first port"),
        (
            json!({"ports": [{"number": 81, "name": "a", "protocol": "HTPT"}]}),
            "PH0102",
            "spec.ports[0].protocol",
            "first bytes",
        ),
        (
            json!({"ports": [{"number": 81, "name": "a", "targetPort": 70000}]}),
            "PH0103",
            "spec.ports[0].targetPort",
            "own number",
        ),
        (json!({"endpoints": [{"address": "10.0.0.1"}]}), "PH0106", "spec.endpoints", "no effect"),
        (
            json!({"resolution": "STATIC", "endpoints": [{"address": "a.com"}]}),
            "PH0102",
            "spec.endpoints[0].address",
            "no traffic",
        ),
        (
            json!({"resolution": "DNS", "endpoints": [{"address": "unix:///x"}]}),
            "PH0102",
            "spec.endpoints[0].address",
            "no traffic",
        ),
        (
            json!({"resolution": "STATIC", "endpoints": [{}]}),
            "PH0101",
            "spec.endpoints[0].address",
            "no traffic",
        ),
        (
            json!({"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "ports": {"tsl": 1}}]}),
            "PH0102",
            "spec.endpoints[0].ports.tsl",
            "no effect",
        ),
        (
            json!({"resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a"}, {"address": "b"}]}),
            "PH0106",
            "spec.endpoints",
            "first endpoint",
        ),
        (
            json!({"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}], "workloadSelector": {"labels": {"a": "b"}}}),
            "PH0106",
            "spec.workloadSelector",
            "no effect",
        ),
        (
            json!({"resolution": "STATIC", "workloadSelector": {}}),
            "PH0209",
            "spec.workloadSelector",
            "no endpoints",
        ),
        (json!({"workloadSelector": {"labels": {"a": "b"}}}), "PH0113", "spec.workloadSelector", "no effect"),
        (
            json!({"hosts": ["a.com", "b.com"], "resolution": "DNS", "ports": [{"number": 1, "name": "a", "protocol": "TCP"}]}),
            "PH0113",
            "spec.hosts",
            "one of the hosts",
        ),
        (json!({"exportTo": ["a_b"]}), "PH0102", "spec.exportTo[0]", "nobody"),
    ] {
        let value = istio("ServiceEntry", &entry(&more));
        expect_one(&value, code, field, effect);
        assert!(checked(&value).is_some(), "{more}");
    }
}
