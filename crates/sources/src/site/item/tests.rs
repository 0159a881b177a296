use serde_json::{from_str, from_value, json};

use super::*;

#[test]
fn of_a_pod_is_kept_what_is_read() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "b", "resourceVersion": "7", "managedFields": [{"manager": "x"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "c": "d"}},
        "spec": {"nodeName": "n", "volumes": [{"name": "v"}], "containers": [
            {"name": "app", "env": [{"name": "PASSWORD", "value": "1"}], "ports": [{"name": "http", "containerPort": 80, "hostIP": "::"}]}]},
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True", "message": "m"}], "containerStatuses": []}
    });
    let item: Item<OfPod> = from_value(pod).unwrap();
    assert_eq!(item.version(), Some("7"));
    assert_eq!(
        item.value,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": "b", "resourceVersion": "7", "annotations": {"c": "d"}},
            "spec": {"nodeName": "n", "containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 80}]}]},
            "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        })
    );
}

/// An object as an API server gives it, with what nobody here reads.
fn as_served(mut object: Value) -> Value {
    let metadata = json!({
        "name": "cart-5d8f7c9b6d-x2x7k", "namespace": "shop", "uid": "6a1f", "resourceVersion": "7", "creationTimestamp": "2026-11-01T00:00:00Z",
        "selfLink": "/api/v1/none", "generateName": "cart-5d8f7c9b6d-", "finalizers": ["some.example/thing"],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": object.to_string(), "own": "kept"},
        "managedFields": [
            {"manager": "kubectl", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:everything": {}}}},
            {"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:everything": {}}}}
        ]
    });
    object["metadata"] = metadata;
    object["status"]["observedGeneration"] = json!(3);
    object
}

/// The metadata that is kept of it.
fn kept_metadata() -> Value {
    json!({
        "name": "cart-5d8f7c9b6d-x2x7k", "namespace": "shop", "uid": "6a1f", "resourceVersion": "7",
        "creationTimestamp": "2026-11-01T00:00:00Z", "annotations": {"own": "kept"}
    })
}

#[test]
fn what_is_kept_of_each_kind() {
    let service = json!({
        "type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "internalTrafficPolicy": "Local",
        "trafficDistribution": "PreferClose", "selector": {"app": "cart"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "appProtocol": "http"}]
    });
    let mut served = service.clone();
    for (field, value) in [
        ("sessionAffinity", json!("ClientIP")),
        ("ipFamilies", json!(["IPv4"])),
        ("externalIPs", json!(["192.0.2.1"])),
        ("healthCheckNodePort", json!(31000)),
    ] {
        served[field] = value;
    }
    served["ports"][0]["nodePort"] = json!(30000);
    let item: Item<OfService> = from_value(as_served(json!({"spec": served}))).unwrap();
    assert_eq!(item.value, json!({"metadata": kept_metadata(), "spec": service}));

    let endpoints = json!([{
        "addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "n1",
        "zone": "z1", "targetRef": {"kind": "Pod", "name": "cart-1"}
    }]);
    let mut served = endpoints.clone();
    served[0]["targetRef"]["uid"] = json!("6a1f");
    served[0]["hints"] = json!({"forZones": [{"name": "z1"}]});
    let rest = json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]});
    let mut slice = rest.clone();
    slice["endpoints"] = served;
    let item: Item<OfEndpointSlice> = from_value(as_served(slice)).unwrap();
    let mut expected = rest;
    (expected["metadata"], expected["endpoints"]) = (kept_metadata(), endpoints);
    assert_eq!(item.value, expected);

    let spec = json!({"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]});
    let item: Item<Written> = from_value(as_served(json!({"spec": spec}))).unwrap();
    assert_eq!(item.value, json!({"metadata": kept_metadata(), "spec": spec}), "no status either");

    let item: Item<OnlyMetadata> = from_value(as_served(json!({"spec": spec}))).unwrap();
    assert_eq!(item.value, json!({"metadata": kept_metadata()}));
    const { assert!(OnlyMetadata::METADATA_ONLY && !Written::METADATA_ONLY) };
}

#[test]
fn a_pod_is_kept_in_a_fraction_of_its_bytes() {
    let container = |name: &str| {
        json!({
            "name": name, "image": "shop.example/cart:1.4.2", "args": ["--verbose"], "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "DATABASE", "value": "db.shop"}, {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
            "resources": {"limits": {"memory": "1Gi"}}, "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets"}],
            "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}}, "securityContext": {"runAsUser": 1000}
        })
    };
    let pod = as_served(json!({
        "apiVersion": "v1", "kind": "Pod",
        "spec": {
            "nodeName": "n1", "serviceAccountName": "cart", "containers": [container("app"), container("istio-proxy")],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "istio-ca"}}]}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "192.0.2.7",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T00:00:00Z"}],
            "containerStatuses": [{"name": "app", "image": "shop.example/cart:1.4.2", "imageID": "sha256:0123456789abcdef", "restartCount": 0}]
        }
    }));
    let item: Item<OfPod> = from_value(pod.clone()).unwrap();
    let (before, after) = (pod.to_string().len(), item.value.to_string().len());
    assert!(after * 5 < before, "{after} of {before} bytes: {}", item.value);
    let text = item.value.to_string();
    for unread in ["PASSWORD", "managedFields", "last-applied", "volumes", "image", "lastTransitionTime"] {
        assert!(!text.contains(unread), "{unread}: {text}");
    }
}

#[test]
fn other_entries_of_a_secret_are_not_kept_and_none_is_shown() {
    let secret = json!({"metadata": {"name": "a"}, "type": "Opaque", "data": {"tls.key": "a2V5", "password": "c2VjcmV0"}});
    let item: Item<OfSecret> = from_value(secret).unwrap();
    assert_eq!(item.value["data"], json!({"tls.key": "a2V5"}));
    let shown = format!("{item:?}");
    assert!(shown.contains('a') && !shown.contains("a2V5"), "{shown}");
}

#[test]
fn no_content_makes_decoding_fail() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for spec in ["null", "[1.5, -3, 18446744073709551615, \"\\u0000\"]", &deep, "1e300"] {
        let text = format!(
            "{{\"metadata\": {{\"name\": \"a\", \"labels\": 3}}, \"spec\": {spec}, \"status\": {deep}}}"
        );
        let item: Item<Written> = from_str(&text).unwrap();
        assert_eq!(item.meta.name.as_deref(), Some("a"));
        assert!(item.value.get("status").is_none());
    }
    for value in [json!({}), json!({"metadata": null}), json!({"metadata": {"name": 7}})] {
        let item: Item<Written> = from_value(value).unwrap();
        assert_eq!(item.meta.name, None);
    }
}

#[test]
fn what_nests_too_deeply_is_refused_by_the_judge() {
    let deep = format!("{}1{}", "[".repeat(MAXIMUM_DEPTH + 5), "]".repeat(MAXIMUM_DEPTH + 5));
    let text = format!(
        "{{\"apiVersion\": \"networking.istio.io/v1\", \"kind\": \"Gateway\", \"metadata\": {{\"name\": \"a\"}}, \"spec\": {deep}}}"
    );
    let item: Item<Written> = from_str(&text).unwrap();
    assert!(matches!(pilothouse_api::decode(&item.value), Err(pilothouse_api::DecodeError::TooLarge)));
}
