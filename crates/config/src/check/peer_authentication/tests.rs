use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, findings, istio};

fn read(spec: &Value) -> PeerAuthentication {
    match checked(&istio("PeerAuthentication", spec)) {
        Some(Object::PeerAuthentication(object)) => (*object).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn modes_of_each_scope() {
    let policy = read(&json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"8080": {"mode": "DISABLE"}, "9090": {"mode": "UNSET"}, "9091": {"mode": "PERMISSIVE"}}}));
    assert_eq!(policy.mode, Some(MtlsMode::Strict));
    assert_eq!(
        policy.ports,
        BTreeMap::from([(8080, Some(MtlsMode::Disable)), (9090, None), (9091, Some(MtlsMode::Permissive))])
    );
    assert!(policy.selector.is_some());
    for empty in [json!({}), json!({"mtls": {}}), json!({"mtls": {"mode": "UNSET"}}), json!({"selector": {}})]
    {
        let policy = read(&empty);
        assert_eq!((policy.mode, policy.selector), (None, None), "{empty}");
    }
}

#[test]
fn what_cannot_be_understood_refuses_plain_text() {
    let mode = istio("PeerAuthentication", &json!({"mtls": {"mode": "strict"}}));
    expect_one(&mode, "PH0401", "spec.mtls.mode", "STRICT");
    assert_eq!(read(&json!({"mtls": {"mode": "OFF"}})).mode, Some(MtlsMode::Strict));

    let selector = json!({"matchLabels": {"app": "cart"}});
    let spec = json!({"selector": selector, "portLevelMtls": {"8080": {"mode": "NONE"}}});
    expect_one(&istio("PeerAuthentication", &spec), "PH0401", "spec.portLevelMtls.8080.mode", "STRICT");
    assert_eq!(read(&spec).ports, BTreeMap::from([(8080, Some(MtlsMode::Strict))]));

    let spec = json!({"selector": selector, "portLevelMtls": {"http": {"mode": "DISABLE"}}});
    expect_one(&istio("PeerAuthentication", &spec), "PH0103", "spec.portLevelMtls.http", "every port");
    assert!(read(&spec).ports.is_empty());

    let spec = json!({"portLevelMtls": {"80": {"mode": "DISABLE"}, "81": {"mode": "STRICT"}}});
    expect_one(
        &istio("PeerAuthentication", &spec),
        "PH0401",
        "spec.portLevelMtls",
        "only the ports that are STRICT",
    );
    assert_eq!(read(&spec).ports, BTreeMap::from([(81, Some(MtlsMode::Strict))]));

    assert_eq!(
        findings(&istio("PeerAuthentication", &json!({"selector": selector, "portLevelMtls": {}})))[0].0,
        "PH0101"
    );
    let wild = json!({"selector": {"matchLabels": {"app": "*"}}});
    expect_one(&istio("PeerAuthentication", &wild), "PH0102", "spec.selector.matchLabels.app", "no workload");
    assert!(read(&wild).selector.is_some(), "without a selector it would govern the namespace");
}
