//! Taking back an earlier injection, so that injecting twice gives the same pod.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{OVERRIDES, PROXY, ROOT_SDS, SCRAPE, STATUS, TOKEN_SDS, probes};
use crate::bootstrap::DRAIN_HEADER;

/// What a former injection left that the next one goes on with.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The value that starts draining: drawn once and kept.
    pub(super) drain: Option<String>,
}

/// Removes what an earlier injection added, if there was one.
pub(super) fn undo(pod: &mut Value) -> Memory {
    let mut memory = Memory::default();
    let Some(annotations) = pod["metadata"]["annotations"].as_object() else { return memory };
    let read = |key: &str| -> Value {
        let text = annotations.get(key).and_then(Value::as_str).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    };
    let (status, overrides) = (read(STATUS), read(OVERRIDES));
    let remembered = match read(probes::REMEMBERED) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        for key in [STATUS, OVERRIDES, TOKEN_SDS, ROOT_SDS, probes::REMEMBERED] {
            annotations.remove(key);
        }
    }
    if !status.is_object() {
        return memory;
    }
    memory.drain = ["containers", "initContainers"].iter().find_map(|list| {
        let proxy = entries(&pod["spec"][*list]).find(|container| container["name"] == PROXY)?;
        let headers = proxy.pointer("/lifecycle/preStop/httpGet/httpHeaders")?;
        let guard = entries(headers).find(|header| header["name"] == DRAIN_HEADER)?;
        guard["value"].as_str().map(str::to_owned)
    });
    probes::restore(pod, &remembered);
    for list in ["containers", "initContainers", "volumes", "imagePullSecrets"] {
        remove(pod, list, &status[list]);
    }
    for list in ["containers", "initContainers"] {
        for own in entries(&overrides[list]) {
            if let Value::Array(list) = &mut pod["spec"][list] {
                list.push(own.clone());
            } else {
                pod["spec"][list] = Value::Array(vec![own.clone()]);
            }
        }
    }
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        annotations.remove("istio.io/rev");
        if SCRAPE.iter().all(|(key, value)| annotations.get(*key).is_some_and(|written| written == value)) {
            for (key, _) in SCRAPE {
                annotations.remove(key);
            }
        }
    }
    memory
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn remove(pod: &mut Value, list: &str, names: &Value) {
    let names: BTreeSet<&str> = entries(names).filter_map(Value::as_str).collect();
    let Some(spec) = pod["spec"].as_object_mut() else { return };
    let Some(Value::Array(entries)) = spec.get_mut(list) else { return };
    let before = entries.len();
    entries.retain(|entry| entry["name"].as_str().is_none_or(|name| !names.contains(name)));
    if entries.is_empty() && before > 0 {
        spec.remove(list);
    }
}
