use serde_json::json;

use super::*;

fn unread(value: &Value) -> Vec<(String, UnreadReason)> {
    decode(value).unwrap().unread.into_iter().map(|one| (one.path, one.reason)).collect()
}

fn virtual_service(spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
           "metadata": {"name": "cart", "namespace": "shop"}, "spec": spec})
}

#[test]
fn every_version_of_an_istio_kind_is_the_same() {
    for version in ["v1alpha3", "v1beta1", "v1", "v2"] {
        let value = json!({"apiVersion": format!("networking.istio.io/{version}"), "kind": "Gateway",
            "metadata": {"name": "web", "creationTimestamp": null}, "spec": {"selector": {"a": "b"}}, "status": {"x": 1}});
        let decoded = decode(&value).unwrap();
        assert_eq!(decoded.unread, []);
        assert_eq!(decoded.object.key(), ObjectKey::new(Kind::Gateway, "default", "web"));
    }
}

#[test]
fn an_unread_field_is_named_with_its_reason() {
    let spec = json!({"hosts": ["a"], "http": [
        {"match": [{"headers": {"x-user": {"exakt": "a"}}}], "timeot": "1s", "route": []},
        {"fault": {"abort": {"http2Error": "x"}}},
    ]});
    let found = unread(&virtual_service(&spec));
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0].0, "spec.http[0].match[0].headers[\"x-user\"].exakt");
    assert_eq!(found[0].1, UnreadReason::Unknown(vec!["exact", "prefix", "regex"]));
    assert_eq!(found[1].0, "spec.http[0].timeot");
    assert!(matches!(&found[1].1, UnreadReason::Unknown(instead) if instead.contains(&"timeout")));
    assert_eq!(found[2], ("spec.http[1].fault.abort.http2Error".to_owned(), UnreadReason::Ineffective));

    let mut value = virtual_service(&json!({"hosts": []}));
    value["sepc"] = json!({});
    assert_eq!(unread(&value)[0].0, "sepc");
}

#[test]
fn fields_of_kubernetes_kinds_are_known_too() {
    let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"},
        "spec": {"ports": [{"port": 80, "protocl": "TCP"}]}});
    let found = unread(&value);
    assert_eq!(found[0].0, "spec.ports[0].protocl");
    assert!(matches!(&found[0].1, UnreadReason::Unknown(instead) if instead.contains(&"protocol")));
    let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "label": {}},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "a", "prots": []}]}}}});
    let found = unread(&value);
    let suggested = |index: usize, word| matches!(&found[index].1, UnreadReason::Unknown(instead) if instead.contains(&word));
    assert_eq!(found[0].0, "metadata.label");
    assert!(suggested(0, "labels"));
    assert_eq!(found[1].0, "spec.template.spec.containers[0].prots");
    assert!(suggested(1, "ports"));
}

#[test]
fn annotations_without_effect_are_named() {
    let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart", "annotations": {
        "sidecar.istio.io/inject": "true", "sidecar.istio.io/agentLogLevel": "debug", "prometheus.io/scrape": "true", "mine": "x"}}});
    let path = "metadata.annotations[\"sidecar.istio.io/agentLogLevel\"]".to_owned();
    assert_eq!(unread(&value), [(path, UnreadReason::Unsupported)]);
}

#[test]
fn a_wrong_type_names_its_path() {
    let error = decode(&virtual_service(&json!({"http": [{"route": [{"weight": "many"}]}]}))).unwrap_err();
    let DecodeError::WrongShape { key, path, message } = error else { panic!("{error:?}") };
    assert_eq!(key, ObjectKey::new(Kind::VirtualService, "shop", "cart"));
    assert_eq!(path, "spec.http[0].route[0].weight");
    assert!(message.contains("whole number"), "{message}");
}

#[test]
fn what_is_no_object_or_not_ours_says_so() {
    for (value, field) in [
        (json!(1), "apiVersion"),
        (json!({"apiVersion": "v1"}), "kind"),
        (json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}}), "metadata.name"),
    ] {
        assert_eq!(decode(&value), Err(DecodeError::NotAnObject { field }));
    }
    for (api_version, kind, name) in [
        ("security.istio.io/v1", "AuthorizationPolicy", "x"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", "x"),
        ("v1", "ConfigMap", "other"),
        ("example.com/v1", "VirtualService", "x"),
    ] {
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        match decode(&value) {
            Err(DecodeError::OtherKind { kind: found, .. }) => assert_eq!(found, kind),
            other => panic!("{kind}: {other:?}"),
        }
    }
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(decode(&virtual_service(&deep)), Err(DecodeError::TooLarge));
}

#[test]
fn workload_kinds_give_their_template() {
    let template = json!({"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "a"}]}});
    let selector = json!({"matchLabels": {"app": "cart"}});
    for (api_version, kind, spec) in [
        ("apps/v1", "Deployment", json!({"selector": selector, "template": template})),
        ("apps/v1", "StatefulSet", json!({"selector": selector, "serviceName": "a", "template": template})),
        ("apps/v1", "DaemonSet", json!({"selector": selector, "template": template})),
        ("apps/v1", "ReplicaSet", json!({"selector": selector, "template": template})),
        ("batch/v1", "Job", json!({"template": template})),
        (
            "batch/v1",
            "CronJob",
            json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}),
        ),
    ] {
        let value =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "cart"}, "spec": spec});
        let decoded = decode(&value).unwrap();
        assert_eq!(decoded.unread, [], "{kind}");
        let ApiObject::Workload(workload) = decoded.object else { panic!("{kind}") };
        assert_eq!(workload.template.metadata.unwrap().labels.unwrap()["app"], "cart");
    }
}

#[test]
fn mesh_settings_are_read_and_the_rest_is_named() {
    let (mesh, unread) =
        decode_mesh(&json!({"trustDomain": "td", "defaultConfig": {"concurrency": 2}, "trustDomian": "x"}))
            .unwrap();
    assert_eq!(mesh.trust_domain.as_deref(), Some("td"));
    assert_eq!(unread.len(), 2);
    assert_eq!(unread[0], Unread { path: "defaultConfig".into(), reason: UnreadReason::Unsupported });
    assert!(matches!(&unread[1].reason, UnreadReason::Unknown(instead) if instead.contains(&"trustDomain")));
    assert_eq!(decode_mesh(&json!({"connectTimeout": 5})).unwrap_err().0, "connectTimeout");
}
