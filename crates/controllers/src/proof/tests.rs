use super::*;

#[test]
fn only_a_refusal_by_a_webhook_of_ours_is_a_proof() {
    let refused = |name: &str| Proof::Refused(name.to_owned());
    let ours = "admission webhook \"validation.istio.io\" denied the request: \
        metadata.annotations[\"internal.istio.io/webhook-always-reject\"]: the object asks to be refused";
    assert_eq!(judge(ours), refused("validation.istio.io"));
    for message in [
        "admission webhook \"policy.example\" denied the request: gateways are forbidden",
        "Internal error occurred: failed calling webhook \"validation.istio.io\": failed to call webhook: Post …: connection refused",
        "gateways.networking.istio.io is forbidden: User \"x\" cannot create resource \"gateways\"",
        "",
    ] {
        assert_eq!(judge(message), Proof::None(message.to_owned()));
    }
}

#[test]
fn who_is_trusted_and_ignored_is_to_be_proved() {
    let configuration = |policy: &str, bundle: Option<&str>| -> ValidatingWebhookConfiguration {
        let value = json!({ "metadata": { "name": "validator" }, "webhooks": [{
            "name": "validation.istio.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": policy,
            "clientConfig": { "caBundle": bundle, "service": { "name": "istiod", "namespace": "istio-system" } },
        }]});
        serde_json::from_value(value).unwrap()
    };
    assert_eq!(unproved(&configuration("Ignore", Some("cm9vdHM="))), ["validation.istio.io"]);
    assert!(unproved(&configuration("Ignore", None)).is_empty());
    assert!(unproved(&configuration("Fail", Some("cm9vdHM="))).is_empty());
}

#[test]
fn the_broken_object_names_the_revision_it_is_for() {
    let object = broken("canary");
    assert_eq!(object["metadata"]["labels"]["istio.io/rev"], "canary");
    assert_eq!(object["metadata"]["annotations"][ALWAYS], "true");
}
