use pilothouse_base::ObjectKey;
use serde_json::json;

use super::*;

#[test]
fn outcomes_tell_the_caller_what_to_do() {
    let key = |kind| ObjectKey::new(kind, "shop", "cart");
    let outcome = |value: &Value| judge(value, &settings()).outcome;

    let good = istio("PeerAuthentication", &json!({"mtls": {"mode": "STRICT"}}));
    assert!(matches!(outcome(&good), Outcome::Object(found, _) if found == key(Kind::PeerAuthentication)));
    assert_eq!(
        outcome(&istio("VirtualService", &json!({"hosts": ["cart"]}))),
        Outcome::Nothing(key(Kind::VirtualService))
    );
    let wrong = istio("VirtualService", &json!({"hosts": "cart"}));
    assert_eq!(outcome(&wrong), Outcome::Undecodable(key(Kind::VirtualService)));
    expect_one(&wrong, "PH0004", "spec.hosts", "last good version");
    assert_eq!(outcome(&json!([])), Outcome::Foreign);
    expect_one(&json!({"kind": "Service"}), "PH0002", "apiVersion", "no effect");
}

#[test]
fn kinds_that_are_not_read_are_named_if_somebody_expects_an_effect() {
    for (version, kind, expected) in [
        ("security.istio.io/v1", "AuthorizationPolicy", Some(("PH0405", "nobody is refused"))),
        ("security.istio.io/v1beta1", "RequestAuthentication", Some(("PH0405", "not looked at"))),
        ("networking.istio.io/v1", "Sidecar", Some(("PH0003", "every service"))),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", Some(("PH0003", "no patches"))),
        ("networking.istio.io/v1", "WorkloadGroup", Some(("PH0003", "WorkloadEntry"))),
        ("networking.istio.io/v1beta1", "ProxyConfig", Some(("PH0003", "without it"))),
        ("extensions.istio.io/v1alpha1", "WasmPlugin", Some(("PH0003", "not checked"))),
        ("extensions.istio.io/v1alpha1", "TrafficExtension", Some(("PH0003", "not checked"))),
        ("telemetry.istio.io/v1", "Telemetry", Some(("PH0003", "traffic is the same"))),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", Some(("PH0003", "routes traffic"))),
        ("networking.k8s.io/v1", "Ingress", Some(("PH0003", "no gateway"))),
        ("install.istio.io/v1alpha1", "IstioOperator", Some(("PH0003", "no effect"))),
        ("networking.k8s.io/v1", "NetworkPolicy", None),
        ("rbac.authorization.k8s.io/v1", "Role", None),
        ("evil-security.istio.io.example/v1", "AuthorizationPolicy", None),
    ] {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        match expected {
            Some((code, effect)) => expect_one(&object, code, "kind", effect),
            None => assert_eq!(findings(&object), [], "{kind}"),
        }
    }
}

#[test]
fn a_misspelled_field_gets_a_suggestion() {
    let value = istio(
        "VirtualService",
        &json!({"hosts": ["cart"], "http": [
        {"route": [{"destination": {"host": "cart", "subst": "v1"}}], "timout": "5s"}]}),
    );
    let list = judge(&value, &settings()).diagnostics.finish(None);
    let found: Vec<_> =
        list.iter().map(|one| (one.code.id, one.field.as_str(), one.help.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("PH0005", "spec.http[0].route[0].destination.subst", Some("did you mean \"subset\"?")),
            ("PH0005", "spec.http[0].timout", Some("did you mean \"timeout\"?")),
        ]
    );
}

#[test]
fn metadata_becomes_meta() {
    let mut value = istio("PeerAuthentication", &json!({}));
    value["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
    let Some(Object::PeerAuthentication(policy)) = checked(&value) else { panic!() };
    assert_eq!(policy.meta.created, 1_767_323_045);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}}});
    let Some(Object::Namespace(namespace)) = checked(&namespace) else { panic!() };
    assert!(namespace.injects());
    assert_eq!(namespace.meta.key, ObjectKey::new(Kind::Namespace, "", "shop"));
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "cart"}});
    assert_eq!(checked(&account), Some(Object::ServiceAccount));
}
