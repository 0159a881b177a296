//! Labels and annotations of a pod, and the selectors that look at labels.

use std::collections::BTreeMap;

use serde_json::Value;

/// A map of texts as a pod has it.
pub(crate) type Labels<'p> = BTreeMap<&'p str, &'p str>;

/// Reads `metadata.labels` or `metadata.annotations`.
pub(super) fn texts<'p>(pod: &'p Value, map: &str) -> Labels<'p> {
    let fields = pod.pointer(&format!("/metadata/{map}")).and_then(Value::as_object);
    fields.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

/// Whether a label selector of Kubernetes fits. An empty one fits everything; one that cannot be understood fits nothing.
pub(crate) fn fits(selector: &Value, labels: &Labels<'_>) -> bool {
    let Some(selector) = selector.as_object() else { return selector.is_null() };
    selector.iter().all(|(field, value)| match field.as_str() {
        "matchLabels" => value.as_object().is_some_and(|wanted| {
            wanted.iter().all(|(key, value)| labels.get(key.as_str()).copied() == value.as_str())
        }),
        "matchExpressions" => value
            .as_array()
            .is_some_and(|all| all.iter().all(|expression| expression_fits(expression, labels))),
        _ => false,
    })
}

fn expression_fits(expression: &Value, labels: &Labels<'_>) -> bool {
    let key = expression["key"].as_str().unwrap_or_default();
    let written = labels.get(key).copied();
    let listed =
        || expression["values"].as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == written));
    match expression["operator"].as_str() {
        Some("In") => written.is_some() && listed(),
        Some("NotIn") => written.is_none() || !listed(),
        Some("Exists") => written.is_some(),
        Some("DoesNotExist") => written.is_none(),
        _ => false,
    }
}

/// Whether a selector says anything. Empty ones are ignored where a list of them decides about injection.
pub(super) fn is_empty(selector: &Value) -> bool {
    let part = |field: &str| match &selector[field] {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    part("matchLabels") && part("matchExpressions")
}
