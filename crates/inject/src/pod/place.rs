//! Where containers go, and the user's own words about ours.

use serde_json::{Map, Value, json};

use super::merge::merge;
use super::proxy::Parts;
use super::{INIT, PROXY};

/// Containers of our names as the user wrote them, with the list they were in.
#[derive(Debug, Default)]
pub(super) struct Own {
    containers: Vec<(&'static str, Value)>,
}

impl Own {
    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }

    /// Whether the user wrote a field of one of our containers.
    pub(super) fn has(&self, name: &str, field: &str) -> bool {
        self.containers
            .iter()
            .any(|(_, container)| container["name"] == name && container.pointer(field).is_some())
    }

    /// By list, so that a second injection finds them as they were.
    pub(super) fn as_annotation(&self) -> Value {
        let mut lists: Map<String, Value> = Map::new();
        for (list, container) in &self.containers {
            let list = lists.entry(*list).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(container.clone());
            }
        }
        Value::Object(lists)
    }
}

/// Takes containers out of the pod.
pub(super) fn take(pod: &mut Value, wanted: &[&str]) -> Own {
    let mut own = Own::default();
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(entries)) = pod["spec"].get_mut(list) else { continue };
        let (taken, left): (Vec<Value>, Vec<Value>) = std::mem::take(entries)
            .into_iter()
            .partition(|container| container["name"].as_str().is_some_and(|name| wanted.contains(&name)));
        *entries = left;
        own.containers.extend(taken.into_iter().map(|container| (list, container)));
    }
    own
}

/// Puts what was made into the pod.
///
/// Native sidecars start before the init containers of the user, whose traffic they carry. Otherwise the rules are set
/// last, because from then on nothing answers until the proxy runs.
pub(super) fn put(pod: &mut Value, parts: Parts, native: bool, first: bool) {
    let Parts { proxy, init, volumes, annotations } = parts;
    let mut before = Vec::new();
    if native {
        before.extend(init);
        before.push(proxy);
        list(pod, "initContainers").splice(0..0, before);
    } else {
        if let Some(init) = init {
            list(pod, "initContainers").push(init);
        }
        let containers = list(pod, "containers");
        let at = if first { 0 } else { containers.len() };
        containers.insert(at, proxy);
    }
    merge(pod, &json!({"spec": {"volumes": volumes}}));
    let map = super::metadata(pod, "annotations");
    map.extend(annotations.into_iter().map(|(key, text)| (key.to_owned(), json!(text))));
}

/// Lays what the user wrote about our containers over what we made. Where we made none, theirs goes back as it was.
pub(super) fn lay_own(pod: &mut Value, own: &Own) {
    for (was_in, container) in &own.containers {
        let made = ["containers", "initContainers"].into_iter().find_map(|list| {
            let at = names(pod, list).position(|name| container["name"] == name)?;
            Some((list, at))
        });
        match made {
            Some((list, at)) => {
                let mut patch = container.clone();
                if patch["image"] == "auto"
                    && let Some(patch) = patch.as_object_mut()
                {
                    patch.remove("image");
                    // An API server writes this beside an image without a tag, before anybody sees the pod.
                    if patch.get("imagePullPolicy").is_some_and(|policy| policy == "Always") {
                        patch.remove("imagePullPolicy");
                    }
                }
                merge(&mut pod["spec"][list][at], &patch);
            }
            None => list(pod, was_in).push(container.clone()),
        }
    }
    if let Some(spec) = pod["spec"].as_object_mut() {
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        spec.retain(|field, value| field != "initContainers" || !empty(value));
    }
}

/// A proxy that runs as another user is told to the rules, or they would send its traffic back to it.
pub(super) fn follow_user(pod: &mut Value) {
    let proxy = ["initContainers", "containers"]
        .into_iter()
        .find_map(|list| pod["spec"][list].as_array()?.iter().find(|container| container["name"] == PROXY));
    let user = proxy.and_then(|proxy| proxy["securityContext"]["runAsUser"].as_u64());
    let Some(user) = user.filter(|user| *user != 0 && *user != 1337) else { return };
    let Some(Value::Array(list)) = pod["spec"].get_mut("initContainers") else { return };
    let Some(init) = list.iter_mut().find(|container| container["name"] == INIT) else { return };
    let Some(Value::Array(args)) = init.get_mut("args") else { return };
    if let Some(at) = args.iter().position(|arg| arg == "-u")
        && let Some(value) = args.get_mut(at + 1)
    {
        *value = json!(user.to_string());
    }
}

/// Names of the entries of a list of the spec.
pub(super) fn names<'p>(pod: &'p Value, list: &str) -> impl Iterator<Item = &'p str> {
    let entries = pod["spec"].get(list).and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry["name"].as_str())
}

fn list<'p>(pod: &'p mut Value, field: &str) -> &'p mut Vec<Value> {
    let list = &mut pod["spec"][field];
    if !list.is_array() {
        *list = json!([]);
    }
    list.as_array_mut().expect("it was made one above")
}
