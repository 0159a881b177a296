//! Laying one part of a pod over another, as Kubernetes does it (its strategic merge).
//!
//! Maps are joined field by field; `null` removes a field. Lists whose entries have a name are joined by it, all others are
//! replaced. What can be one of several kinds (a probe, a volume, the source of a variable) is replaced as a whole, for two
//! kinds at once would be no valid pod.

use serde_json::{Map, Value};

/// The fields that are lists joined by the name of their entries, with the field that holds the name.
const LISTS: [(&str, &str); 9] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("hostAliases", "ip"),
];

/// Lists whose entries are replaced and not joined.
const WHOLE_ENTRIES: [&str; 2] = ["env", "volumes"];

/// The handlers of a probe or a hook. There may be one.
const HANDLERS: [&str; 5] = ["httpGet", "tcpSocket", "grpc", "exec", "sleep"];

/// Lays `patch` over `base`.
pub(super) fn merge(base: &mut Value, patch: &Value) {
    over(base, patch, "");
}

fn over(base: &mut Value, patch: &Value, field: &str) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => map(base, patch),
        (Value::Array(base), Value::Array(patch)) => match LISTS.iter().find(|(list, _)| *list == field) {
            Some((_, key)) => list(base, patch, key, WHOLE_ENTRIES.contains(&field)),
            None => base.clone_from(patch),
        },
        (base, patch) => *base = patch.clone(),
    }
}

fn map(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        base.clear();
    }
    if HANDLERS.iter().any(|handler| patch.get(*handler).is_some_and(|value| !value.is_null())) {
        base.retain(|field, _| !HANDLERS.contains(&field.as_str()) || patch.contains_key(field));
    }
    for (field, value) in patch.iter().filter(|(field, _)| *field != "$patch") {
        if value.is_null() {
            base.remove(field);
        } else if let Some(old) = base.get_mut(field) {
            over(old, value, field);
        } else {
            base.insert(field.clone(), value.clone());
        }
    }
}

fn list(base: &mut Vec<Value>, patch: &[Value], key: &str, whole: bool) {
    for entry in patch {
        let at = base.iter().position(|old| old.get(key).is_some() && old.get(key) == entry.get(key));
        let deletes = entry.get("$patch").and_then(Value::as_str) == Some("delete");
        match at {
            Some(at) if deletes => {
                base.remove(at);
            }
            None if deletes => {}
            Some(at) if whole => base[at] = entry.clone(),
            Some(at) => over(&mut base[at], entry, ""),
            None => base.push(entry.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_laid_over_each_other() {
        let table = [
            (
                "fields",
                json!({"a": 1, "b": {"c": 2}}),
                json!({"b": {"d": 3}}),
                json!({"a": 1, "b": {"c": 2, "d": 3}}),
            ),
            ("null removes", json!({"a": 1, "b": 2}), json!({"a": null, "x": null}), json!({"b": 2})),
            ("other lists", json!({"args": ["a", "b"]}), json!({"args": ["c"]}), json!({"args": ["c"]})),
            (
                "by name",
                json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}),
                json!({"containers": [{"name": "c"}, {"name": "a", "tty": true}]}),
                json!({"containers": [{"name": "a", "image": "x", "tty": true}, {"name": "b"}, {"name": "c"}]}),
            ),
            (
                "a variable is replaced",
                json!({"env": [{"name": "A", "valueFrom": {"x": 1}}]}),
                json!({"env": [{"name": "A", "value": "b"}]}),
                json!({"env": [{"name": "A", "value": "b"}]}),
            ),
            (
                "one handler",
                json!({"readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 3}}),
                json!({"readinessProbe": {"exec": {"command": ["x"]}}}),
                json!({"readinessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 3}}),
            ),
            (
                "the same handler",
                json!({"readinessProbe": {"httpGet": {"path": "/", "port": 1}}}),
                json!({"readinessProbe": {"httpGet": {"port": 2}}}),
                json!({"readinessProbe": {"httpGet": {"path": "/", "port": 2}}}),
            ),
            (
                "taken out by name",
                json!({"volumes": [{"name": "a"}, {"name": "b"}]}),
                json!({"volumes": [{"name": "a", "$patch": "delete"}, {"name": "z", "$patch": "delete"}]}),
                json!({"volumes": [{"name": "b"}]}),
            ),
            (
                "replaced as a whole",
                json!({"securityContext": {"a": 1}}),
                json!({"securityContext": {"$patch": "replace", "b": 2}}),
                json!({"securityContext": {"b": 2}}),
            ),
        ];
        for (what, mut base, patch, expected) in table {
            merge(&mut base, &patch);
            assert_eq!(base, expected, "{what}");
            merge(&mut base, &patch);
            assert_eq!(base, expected, "{what}, twice");
        }
    }
}
