//! Whether a pod has the shape of one. The API server has seen to it; a file may hold anything.

use serde_json::Value;

use super::problem::Findings;
use super::proxy_config::shown;

/// Names what is not where it must be.
pub(super) fn check(pod: &Value, out: &mut Findings) {
    let Some(spec) = pod["spec"].as_object() else {
        return out.problem("spec", shown(&pod["spec"]), "must be a map with the containers of the pod");
    };
    let metadata = &pod["metadata"];
    if !(metadata.is_object() || metadata.is_null()) {
        out.problem("metadata", shown(metadata), "must be a map");
    }
    for field in ["labels", "annotations"] {
        let at = format!("metadata.{field}");
        match &metadata[field] {
            Value::Null => {}
            Value::Object(map) => {
                for (key, value) in map.iter().filter(|(_, value)| !value.is_string()) {
                    out.problem(format!("{at}[{key:?}]"), shown(value), "must be a text; put it into quotes");
                }
            }
            other => out.problem(at, shown(other), "must be a map of texts"),
        }
    }
    for list in ["containers", "initContainers", "volumes", "imagePullSecrets"] {
        match spec.get(list) {
            None | Some(Value::Null) => {}
            Some(Value::Array(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    if !entry["name"].is_string() {
                        out.problem(
                            format!("spec.{list}[{index}].name"),
                            shown(&entry["name"]),
                            "must be a name",
                        );
                    }
                }
            }
            Some(other) => out.problem(format!("spec.{list}"), shown(other), "must be a list"),
        }
    }
    let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    if spec.get("containers").is_none_or(none) {
        out.problem("spec.containers", "", "must name at least one container");
    }
}

/// Removes what stands for nothing, so that it need not be told apart from what is not there.
pub(super) fn normalize(pod: &mut Value) {
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata
            .retain(|field, value| !(value.is_null() && ["labels", "annotations"].contains(&field.as_str())));
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|_, value| !value.is_null());
    }
    if pod["metadata"].is_null() {
        pod["metadata"] = serde_json::json!({});
    }
}
