use super::*;

fn configuration(bundles: &[(&str, Option<&str>)]) -> MutatingWebhookConfiguration {
    let webhooks: Vec<Value> = bundles
        .iter()
        .map(|(name, bundle)| {
            let bundle = bundle.map(|bundle| ByteString(bundle.as_bytes().to_vec()));
            json!({
                "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": { "caBundle": bundle, "service": { "name": "istiod", "namespace": "istio-system" } },
            })
        })
        .collect();
    serde_json::from_value(json!({ "metadata": { "name": "injector" }, "webhooks": webhooks })).unwrap()
}

#[test]
fn only_what_differs_is_written_and_only_the_bundle() {
    assert_eq!(lacking(&configuration(&[("a", Some("roots")), ("b", Some("roots"))]), "roots"), None);
    assert_eq!(lacking(&configuration(&[]), "roots"), None);
    let patch = lacking(&configuration(&[("a", None), ("b", Some("roots"))]), "roots").unwrap();
    let bundle = ByteString(b"roots".to_vec());
    assert_eq!(
        patch,
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": "injector" },
            "webhooks": [
                { "name": "a", "clientConfig": { "caBundle": bundle } },
                { "name": "b", "clientConfig": { "caBundle": bundle } },
            ],
        })
    );
}
