use serde_json::{Value, json};

use crate::check::tests::checked;
use crate::workload::PodHealth;
use crate::{Object, Pod, Sidecar};

fn pod(metadata: &Value, spec: &Value, status: &Value) -> Pod {
    let mut value =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart-1", "namespace": "shop"}});
    for (key, one) in metadata.as_object().unwrap() {
        value["metadata"][key] = one.clone();
    }
    value["spec"] = json!({"containers": []});
    for (key, one) in spec.as_object().unwrap() {
        value["spec"][key] = one.clone();
    }
    if !status.is_null() {
        value["status"] = status.clone();
    }
    match checked(&value) {
        Some(Object::Pod(pod)) => (*pod).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn facts_of_a_running_pod() {
    let one = pod(
        &json!({"uid": "u-1", "labels": {"app": "cart", "topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "z"}}),
        &json!({"serviceAccountName": "robot", "containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]}]}),
        &json!({"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}),
    );
    assert_eq!((one.uid.as_str(), one.service_account.as_str()), ("u-1", "robot"));
    assert_eq!(one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1", "fd00::1"]);
    assert_eq!(one.named_ports, [("http".into(), 8080)]);
    assert_eq!(one.locality.to_string(), "r/z/");
    assert_eq!(one.health, PodHealth::Ready);
    let dotted = pod(&json!({"labels": {"istio-locality": "r.z.s"}}), &json!({}), &json!(null));
    assert_eq!((dotted.locality.to_string().as_str(), dotted.service_account.as_str()), ("r/z/s", "default"));
}

#[test]
fn who_has_a_sidecar() {
    let proxy = json!({"containers": [{"name": "istio-proxy"}]});
    let native = json!({"initContainers": [{"name": "istio-proxy"}]});
    let running = json!({"containerStatuses": [{"name": "a", "image": "i", "imageID": "i", "ready": true, "restartCount": 0}]});
    for (metadata, spec, status, expected) in [
        (json!({}), json!({}), json!(null), Sidecar::IfInjected),
        (json!({}), json!({}), json!({"podIP": "10.0.0.1"}), Sidecar::IfInjected),
        (json!({}), json!({}), running.clone(), Sidecar::Absent),
        (json!({}), proxy, running, Sidecar::Present),
        (json!({}), native, json!(null), Sidecar::Present),
        (json!({}), json!({"hostNetwork": true}), json!(null), Sidecar::Absent),
        (json!({"labels": {"security.istio.io/tlsMode": "istio"}}), json!({}), json!(null), Sidecar::Present),
        (json!({"labels": {"sidecar.istio.io/inject": "true"}}), json!({}), json!(null), Sidecar::Present),
        (
            json!({"annotations": {"sidecar.istio.io/inject": "false"}}),
            json!({}),
            json!(null),
            Sidecar::Absent,
        ),
        (
            json!({"labels": {"sidecar.istio.io/inject": "false"}, "annotations": {"sidecar.istio.io/inject": "true"}}),
            json!({}),
            json!(null),
            Sidecar::Absent,
        ),
    ] {
        assert_eq!(pod(&metadata, &spec, &status).sidecar, expected, "{metadata} {spec} {status}");
    }
}

#[test]
fn who_serves_traffic() {
    let condition =
        |status: &str| json!({"phase": "Running", "conditions": [{"type": "Ready", "status": status}]});
    for (metadata, status, expected) in [
        (json!({}), json!(null), PodHealth::Ready),
        (json!({}), condition("True"), PodHealth::Ready),
        (json!({}), condition("False"), PodHealth::NotReady),
        (json!({}), json!({"phase": "Pending"}), PodHealth::NotReady),
        (json!({}), json!({"phase": "Failed"}), PodHealth::Ended),
        (json!({}), json!({"phase": "Succeeded"}), PodHealth::Ended),
        (json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), condition("True"), PodHealth::Ended),
    ] {
        assert_eq!(pod(&metadata, &json!({}), &status).health, expected, "{metadata} {status}");
    }
}

#[test]
fn workloads_without_what_their_controller_generated() {
    let owner = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true}]);
    for (owners, hash, expected) in [
        (json!([]), "", "cart-1"),
        (owner("ReplicaSet", "cart-5d8f7"), "5d8f7", "cart"),
        (owner("ReplicaSet", "cart-own"), "", "cart-own"),
        (owner("StatefulSet", "cart"), "", "cart"),
        (owner("Job", "report-28391230"), "", "report"),
        (owner("Job", "report-1"), "", "report-1"),
    ] {
        let metadata = json!({"ownerReferences": owners, "labels": {"pod-template-hash": hash}});
        assert_eq!(pod(&metadata, &json!({}), &json!(null)).workload.as_str(), expected);
    }
}
