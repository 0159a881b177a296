use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::Outcome;
use crate::check::tests::{checked, expect_one, findings, settings};

fn config_map(mesh: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": mesh.to_string()}})
}

fn read(mesh: &Value) -> Mesh {
    match checked(&config_map(mesh)) {
        Some(Object::Mesh(mesh)) => (*mesh).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_and_settings() {
    assert_eq!(read(&json!({})), Mesh::default());
    let mesh = read(&json!({
        "trustDomain": "example.org", "trustDomainAliases": ["old.org", "cluster.local", "old.org"], "rootNamespace": "infra", "connectTimeout": "3s",
        "protocolDetectionTimeout": "0s", "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}, "enableAutoMtls": false, "accessLogFile": "/dev/stdout",
        "accessLogEncoding": "JSON", "defaultHttpRetryPolicy": {"attempts": 5}, "defaultServiceExportTo": ["a", "b"], "pathNormalization": {"normalization": "MERGE_SLASHES"}}));
    assert_eq!((mesh.trust_domain.as_str(), mesh.root_namespace.as_str()), ("example.org", "infra"));
    assert_eq!(mesh.trust_domain_aliases, [Name::from("cluster.local"), Name::from("old.org")]);
    assert_eq!(
        (mesh.connect_timeout, mesh.protocol_detection_timeout),
        (Duration::from_secs(3), Duration::from_secs(1))
    );
    assert_eq!((mesh.outbound, mesh.auto_mtls), (OutboundPolicy::RegistryOnly, false));
    assert_eq!(mesh.access_log, Some(AccessLog { path: "/dev/stdout".into(), format: None, json: true }));
    assert_eq!(mesh.default_retry.map(|retry| retry.attempts), Some(5));
    assert_eq!(mesh.service_export, ExportTo::Namespaces(vec!["a".into(), "b".into()]));
    assert_eq!(mesh.path_normalization, PathNormalization::MergeSlashes);
    assert_eq!(
        read(&json!({"outboundTrafficPolicy": {}})).outbound,
        OutboundPolicy::RegistryOnly,
        "the zero value"
    );
}

#[test]
fn a_dot_in_a_default_is_the_namespace_of_each_object() {
    assert_eq!(read(&json!({"defaultServiceExportTo": ["."]})).service_export, ExportTo::Own);
    let mixed = json!({"defaultServiceExportTo": [".", "a"]});
    expect_one(&config_map(&mixed), "PH0006", "data.mesh.defaultServiceExportTo", "");
    assert_eq!(read(&mixed).service_export, ExportTo::Own, "rather too narrow than too wide");
    let (owner, other) = ("a".into(), "b".into());
    for (export, seen_by_other) in [(ExportTo::MeshDefault, false), (ExportTo::All, true)] {
        assert!(export.allows(&owner, &owner, &ExportTo::Own));
        assert_eq!(export.allows(&owner, &other, &ExportTo::Own), seen_by_other);
    }
}

#[test]
fn mistakes_keep_the_default() {
    for (mesh, code, field) in [
        (json!({"trustDomain": "a..b"}), "PH0102", "trustDomain"),
        (json!({"trustDomainAliases": [""]}), "PH0102", "trustDomainAliases[0]"),
        (json!({"rootNamespace": "a.b"}), "PH0102", "rootNamespace"),
        (json!({"connectTimeout": "2h"}), "PH0103", "connectTimeout"),
        (json!({"connectTimeout": "5"}), "PH0104", "connectTimeout"),
        (json!({"accessLogEncoding": "XML"}), "PH0102", "accessLogEncoding"),
        (json!({"pathNormalization": {"normalization": "ALL"}}), "PH0102", "pathNormalization.normalization"),
        (json!({"enableTracing": true}), "PH0006", "enableTracing"),
        (json!({"verifyCertificateAtClient": true}), "PH0008", "verifyCertificateAtClient"),
        (json!({"trustDomian": "a"}), "PH0005", "trustDomian"),
    ] {
        expect_one(&config_map(&mesh), code, &format!("data.mesh.{field}"), "");
        assert_eq!(read(&mesh), Mesh::default(), "{mesh}");
    }
    let closed = json!({"outboundTrafficPolicy": {"mode": "allow"}});
    expect_one(&config_map(&closed), "PH0102", "data.mesh.outboundTrafficPolicy.mode", "refused");
    assert_eq!(read(&closed).outbound, OutboundPolicy::RegistryOnly);
}

#[test]
fn text_that_cannot_be_read_keeps_the_former_settings() {
    let mut value = config_map(&json!({}));
    value["data"]["mesh"] = json!("{");
    expect_one(&value, "PH0001", "data.mesh", "former");
    assert!(matches!(crate::judge(&value, &settings()).outcome, Outcome::Undecodable(_)));
    expect_one(&config_map(&json!({"connectTimeout": 5})), "PH0004", "data.mesh.connectTimeout", "former");
    value["data"] = json!({"mesh": "{}", "meshNetworks": "networks: {a: {}}"});
    assert_eq!(findings(&value)[0].1, "data.meshNetworks");
    value["data"] = json!({"other": "x"});
    assert!(matches!(crate::judge(&value, &settings()).outcome, Outcome::Nothing(_)), "it only has the name");
}
