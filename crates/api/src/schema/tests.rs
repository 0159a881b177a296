//! Every published field is in the schema with its type, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

/// The kinds that this crate has no struct for yet: kind, path, type and exclusive group.
const FURTHER: &str = include_str!("../../data/further-fields.tsv");
/// The others; the same columns stand elsewhere.
const READ: &str = include_str!("../../data/config-fields.tsv");

struct Row {
    kind: &'static str,
    path: &'static str,
    shape: &'static str,
    groups: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str, columns: [usize; 4]| {
        let all: Vec<&str> = line.split('\t').collect();
        let [kind, path, shape, groups] = columns.map(|at| all[at]);
        Row { kind, path, shape, groups }
    };
    let read = READ.lines().skip(1).map(|line| row(line, [0, 1, 2, 4]));
    let further = FURTHER.lines().skip(1).map(|line| row(line, [0, 1, 2, 3]));
    let kinds: BTreeSet<_> = definitions().iter().map(|definition| definition.kind).collect();
    read.chain(further).filter(|row| kinds.contains(row.kind)).collect()
}

fn specs() -> BTreeMap<&'static str, Value> {
    definitions().iter().map(|definition| (definition.kind, definition.spec())).collect()
}

/// The parts of a path below `spec`: `http[]` is `http` and then `[]`.
fn parts(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("spec.").unwrap();
    path.split('.')
        .flat_map(|part| {
            let (name, rest) = part.split_at(part.find(['[', '{']).unwrap_or(part.len()));
            [name, rest].into_iter().filter(|one| !one.is_empty())
        })
        .collect()
}

fn step<'s>(schema: &'s Value, part: &str) -> Option<&'s Value> {
    match part {
        "[]" => schema.get("items"),
        "{}" => schema.get("additionalProperties"),
        name => schema.get("properties")?.get(name),
    }
}

fn at<'s>(schema: &'s Value, parts: &[&str]) -> Option<&'s Value> {
    parts.iter().try_fold(schema, |schema, part| step(schema, part))
}

/// Whether a schema says what the catalogue writes.
fn fits(shape: &str, schema: &Value) -> bool {
    let is = |key: &str, expected: &str| schema.get(key).and_then(Value::as_str) == Some(expected);
    let number = |key: &str| schema.get(key).and_then(Value::as_u64);
    let wrapped = shape.ends_with('?');
    if wrapped != (schema.get("nullable") == Some(&Value::Bool(true))) {
        return false;
    }
    let shape = shape.trim_end_matches('?');
    if let Some(inner) = shape.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        return is("type", "array") && fits(inner, &schema["items"]);
    }
    if let Some(inner) = shape.strip_prefix("map<string,").and_then(|rest| rest.strip_suffix('>')) {
        return is("type", "object") && fits(inner, &schema["additionalProperties"]);
    }
    if let Some(words) = shape.strip_prefix("enum(") {
        let words: Vec<Value> = words.trim_end_matches(')').split('|').map(Value::from).collect();
        return is("type", "string") && schema["enum"] == Value::Array(words);
    }
    if let Some((low, high)) =
        shape.strip_prefix("uint32[").and_then(|rest| rest.trim_end_matches(']').split_once(".."))
    {
        let (low, high) = (low.parse().ok(), high.parse().ok());
        return is("type", "integer") && number("minimum") == low && number("maximum") == high;
    }
    match shape {
        "string" | "duration" => {
            is("type", "string") && schema.get("format").is_none() && schema.get("enum").is_none()
        }
        "bytes" => is("type", "string") && is("format", "byte"),
        "bool" => is("type", "boolean"),
        "double" => is("type", "number") && is("format", "double"),
        "int32" => is("type", "integer") && is("format", "int32"),
        "uint32" => {
            is("type", "integer")
                && number("minimum") <= Some(1)
                && number("maximum") == Some(u64::from(u32::MAX))
        }
        "uint64" => is("type", "integer") && number("minimum") == Some(0) && number("maximum").is_none(),
        "message" => is("type", "object") && schema.get("properties").is_some(),
        "struct" => schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)),
        other => panic!("a shape that nobody knows: {other}"),
    }
}

#[test]
fn each_published_field_has_its_type() {
    let specs = specs();
    let rows = rows();
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|Row { kind, path, shape, .. }| match at(&specs[kind], &parts(path)) {
            None => Some(format!("{kind} {path} is missing")),
            Some(schema) if !fits(shape, schema) => Some(format!("{kind} {path} is no {shape}: {schema}")),
            Some(_) => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 750, "{} fields", rows.len());
}

/// Every path of a schema that leads to something without fields.
fn leaves(schema: &Value, path: String, found: &mut BTreeSet<String>) {
    let below = |found: &mut BTreeSet<String>, schema: &Value, path: String| leaves(schema, path, found);
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        for (name, field) in fields {
            below(found, field, format!("{path}.{name}"));
        }
        return;
    }
    for (inner, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(inner)
            && inner.get("properties").is_some()
        {
            below(found, inner, format!("{path}{suffix}"));
            return;
        }
    }
    found.insert(path);
}

#[test]
fn each_field_of_the_schema_is_published() {
    let rows = rows();
    for (kind, spec) in specs() {
        let published: BTreeSet<&str> =
            rows.iter().filter(|row| row.kind == kind).map(|row| row.path).collect();
        let mut found = BTreeSet::new();
        leaves(&spec, "spec".to_owned(), &mut found);
        let made_up: Vec<_> = found.iter().filter(|path| !published.contains(path.as_str())).collect();
        assert!(made_up.is_empty(), "{kind}: {made_up:?}");
    }
}

#[test]
fn each_exclusive_group_is_one() {
    let specs = specs();
    let mut checked = 0;
    for Row { kind, path, groups, .. } in rows() {
        let parts = parts(path);
        for (_, member) in groups
            .split(';')
            .filter_map(|group| group.split_once(':'))
            .filter(|(name, _)| !name.starts_with('~'))
        {
            // A group of one excludes nothing.
            if *kind == *"AuthorizationPolicy" {
                continue;
            }
            let Some(index) = parts.iter().position(|part| *part == member) else {
                panic!("{kind} {path} is in a group as {member}");
            };
            let holder = at(&specs[kind], &parts[..index]).unwrap();
            let groups = [&holder["oneOf"], &holder["allOf"][0]["oneOf"], &holder["allOf"][1]["oneOf"]];
            let alone = serde_json::json!({ "required": [member] });
            let named = groups.iter().any(|group| group.as_array().is_some_and(|all| all.contains(&alone)));
            assert!(named, "{kind} {path}: {member} excludes nothing");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked} fields in groups");
}

fn count(value: &Value, rules: &mut usize, bare: &mut Vec<String>, path: &str) {
    if let Some(found) = value.get("x-kubernetes-validations").and_then(Value::as_array) {
        *rules += found.len();
    }
    if let Some(fields) = value.get("properties").and_then(Value::as_object) {
        for (name, field) in fields {
            let path = format!("{path}.{name}");
            if field.get("description").is_none() {
                bare.push(path.clone());
            }
            count(field, rules, bare, &path);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = value.get(inner) {
            count(inner, rules, bare, path);
        }
    }
}

#[test]
fn rules_are_as_many_as_published_and_fields_are_explained() {
    let expected = [
        ("AuthorizationPolicy", 7),
        ("DestinationRule", 47),
        ("EnvoyFilter", 5),
        // A rule that Istio has twice by mistake is here once; so it is below.
        ("Gateway", 2),
        ("PeerAuthentication", 5),
        ("ProxyConfig", 3),
        ("RequestAuthentication", 10),
        ("ServiceEntry", 15),
        ("Sidecar", 17),
        ("Telemetry", 9),
        ("TrafficExtension", 8),
        ("VirtualService", 6),
        ("WasmPlugin", 8),
        ("WorkloadEntry", 6),
        ("WorkloadGroup", 9),
    ];
    let found: Vec<_> = specs()
        .into_iter()
        .map(|(kind, spec)| {
            let (mut rules, mut bare) = (0, Vec::new());
            count(&spec, &mut rules, &mut bare, "spec");
            bare.retain(|path| !path.ends_with(".from.source") && !path.ends_with(".to.operation"));
            assert!(bare.is_empty(), "{kind}: {bare:?} say nothing about themselves");
            assert!(spec.get("description").is_some(), "{kind}");
            (kind, rules)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn each_kind_is_served_as_published() {
    let line = |definition: &Definition| {
        let resource = definition.resource();
        let versions = resource["spec"]["versions"].as_array().unwrap().clone();
        let stored: Vec<_> = versions
            .iter()
            .filter(|one| one["storage"] == true)
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        let served: Vec<_> = versions.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert!(
            versions.iter().all(|one| one["served"] == true && one["subresources"]["status"].is_object())
        );
        let short = resource["spec"]["names"]["shortNames"][0].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {short} {} {}",
            resource["metadata"]["name"].as_str().unwrap(),
            served.join(","),
            stored.join(",")
        )
    };
    let lines: Vec<_> = definitions().iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "trafficextensions.extensions.istio.io - v1alpha1 v1alpha1",
            "wasmplugins.extensions.istio.io - v1alpha1 v1alpha1",
            "destinationrules.networking.istio.io dr v1,v1alpha3,v1beta1 v1",
            "envoyfilters.networking.istio.io - v1alpha3 v1alpha3",
            "gateways.networking.istio.io gw v1,v1alpha3,v1beta1 v1",
            "proxyconfigs.networking.istio.io - v1beta1 v1beta1",
            "serviceentries.networking.istio.io se v1,v1alpha3,v1beta1 v1",
            "sidecars.networking.istio.io - v1,v1alpha3,v1beta1 v1",
            "virtualservices.networking.istio.io vs v1,v1alpha3,v1beta1 v1",
            "workloadentries.networking.istio.io we v1,v1alpha3,v1beta1 v1",
            "workloadgroups.networking.istio.io wg v1,v1alpha3,v1beta1 v1",
            "authorizationpolicies.security.istio.io ap v1,v1beta1 v1",
            "peerauthentications.security.istio.io pa v1,v1beta1 v1",
            "requestauthentications.security.istio.io ra v1,v1beta1 v1",
            "telemetries.telemetry.istio.io telemetry v1,v1alpha1 v1alpha1",
        ]
    );
}
