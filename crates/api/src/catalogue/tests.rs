//! Every published field is either read by a struct or listed in `unsupported.rs`, never both.

use serde_json::{Map, Value, json};

use super::*;
use crate::{DecodeError, UnreadReason, decode, decode_mesh};

/// A value of the shape that the catalogue writes, the first word for an enum.
fn sample(shape: &str) -> Value {
    let shape = shape.trim_end_matches('?');
    if let Some(inner) = shape.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        return json!([sample(inner)]);
    }
    if let Some(inner) = shape.strip_prefix("map<string,").and_then(|rest| rest.strip_suffix('>')) {
        return json!({ "key": sample(inner) });
    }
    if let Some(words) = shape.strip_prefix("enum(") {
        return json!(words.trim_end_matches(')').split('|').next());
    }
    match shape {
        "string" | "bytes" => json!("text"),
        "duration" => json!("5s"),
        "bool" => json!(true),
        "double" => json!(1.5),
        "message" | "message{}" | "struct" => json!({}),
        other if other.contains("int") => json!(1),
        other => panic!("a shape without a sample: {other}"),
    }
}

/// The value at a path, wrapped up to the root.
fn wrap(path: &'static str, leaf: Value) -> Value {
    let parts: Vec<_> = parts(path).collect();
    parts.into_iter().rev().fold(leaf, |inner, part| match part {
        "[]" => json!([inner]),
        "{}" => json!({ "key": inner }),
        name => {
            let mut map = Map::new();
            map.insert(name.to_owned(), inner);
            Value::Object(map)
        }
    })
}

/// Whether a struct reads the field; else what is said of it.
fn reads(field: Field) -> Result<(), Vec<UnreadReason>> {
    let unread = if field.kind == "MeshConfig" {
        decode_mesh(&wrap(field.path, sample(field.shape))).unwrap().1
    } else {
        let group = if field.kind == "PeerAuthentication" { "security" } else { "networking" };
        let mut object = wrap(field.path, sample(field.shape));
        object["apiVersion"] = json!(format!("{group}.istio.io/v1"));
        object["kind"] = json!(field.kind);
        object["metadata"] = json!({ "name": "x" });
        match decode(&object) {
            Ok(decoded) => decoded.unread,
            Err(error) => panic!("{} {}: {error}", field.kind, field.path),
        }
    };
    if unread.is_empty() { Ok(()) } else { Err(unread.into_iter().map(|one| one.reason).collect()) }
}

#[test]
fn each_field_is_read_or_listed() {
    let mut count = 0;
    for field in fields().filter(|field| field.kind != "annotation") {
        count += 1;
        let expected = match field.reason() {
            None | Some(Reason::Refused) => Ok(()),
            Some(Reason::Ineffective) => Err(vec![UnreadReason::Ineffective]),
            Some(Reason::Unsupported) => Err(vec![UnreadReason::Unsupported]),
            Some(Reason::Elsewhere) => panic!("only annotations are elsewhere"),
        };
        // A deprecated alias is read by its other name.
        assert_eq!(reads(field), expected, "{} {} {:?}", field.kind, field.path, field.reason());
    }
    assert!(count > 850, "{count} fields");
}

#[test]
fn each_listed_path_is_published() {
    let published: Vec<_> = fields().collect();
    for list in LISTS {
        for (below, path) in
            list.below.iter().flat_map(|below| list.paths.iter().map(move |path| (below, path)))
        {
            let whole = format!("{below}{path}");
            let known = published.iter().any(|field| {
                field.kind == list.kind
                    && field
                        .path
                        .strip_prefix(whole.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
            });
            assert!(known, "{} {whole} is not in the catalogue", list.kind);
        }
    }
}

/// What injection acts on is compared with its own list where both crates are known, in `pilothouse`.
#[test]
fn effective_annotations_are_known() {
    let of_pods = [
        "sidecar.istio.io/",
        "traffic.sidecar.istio.io/",
        "status.sidecar.istio.io/",
        "readiness.status.sidecar.istio.io/",
        "inject.istio.io/",
        "proxy.istio.io/",
        "prometheus.istio.io/",
    ];
    let effective: Vec<_> = fields()
        .filter(|field| field.kind == "annotation" && field.reason().is_none())
        .map(|field| field.path)
        .filter(|path| !of_pods.iter().any(|prefix| path.starts_with(prefix)))
        .collect();
    let expected = [
        "istio.io/reroute-virtual-interfaces",
        "networking.istio.io/exportTo",
        "networking.istio.io/traffic-distribution",
    ];
    assert_eq!(effective, expected);
}

#[test]
fn wrong_types_are_errors_not_panics() {
    for field in fields().filter(|field| field.kind == "VirtualService") {
        let mut object = wrap(field.path, json!([[true]]));
        object["apiVersion"] = json!("networking.istio.io/v1");
        object["kind"] = json!(field.kind);
        object["metadata"] = json!({ "name": "x" });
        if let Err(error) = decode(&object) {
            assert!(matches!(error, DecodeError::WrongShape { .. }), "{error}");
        }
    }
}
