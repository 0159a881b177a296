//! What tests of all kinds share.

mod judgement;
mod robust;

use serde_json::{Value, json};

use super::*;

/// Settings whose mesh text is JSON.
pub(crate) fn settings() -> CheckSettings {
    CheckSettings {
        domain: Name::from("cluster.local"),
        parse_yaml: |text| serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

/// An object of an Istio kind, called `cart` in namespace `shop`.
pub(crate) fn istio(kind: &str, spec: &Value) -> Value {
    let group = if kind == "PeerAuthentication" { "security" } else { "networking" };
    json!({"apiVersion": format!("{group}.istio.io/v1"), "kind": kind,
        "metadata": {"name": "cart", "namespace": "shop"}, "spec": spec})
}

/// The checked object.
pub(crate) fn checked(value: &Value) -> Option<Object> {
    match judge(value, &settings()).outcome {
        Outcome::Object(key, object) => {
            assert!(object.fits(key.kind), "{key}");
            Some(object)
        }
        _ => None,
    }
}

/// Code, field and effect of each finding, in their order.
pub(crate) fn findings(value: &Value) -> Vec<(&'static str, String, String)> {
    let list = judge(value, &settings()).diagnostics.finish(None);
    list.into_iter()
        .map(|one| (one.code.id, one.field.as_str().to_owned(), one.effect.unwrap_or_default()))
        .collect()
}

/// Expects exactly one finding: its code, its field, and a part of its effect.
#[track_caller]
pub(crate) fn expect_one(value: &Value, code: &str, field: &str, effect: &str) {
    let found = findings(value);
    assert_eq!(found.len(), 1, "{value}\n{found:#?}");
    assert_eq!((found[0].0, found[0].1.as_str()), (code, field), "{value}");
    assert!(found[0].2.contains(effect), "{value}\neffect: {}", found[0].2);
}
