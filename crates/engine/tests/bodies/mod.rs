//! Reads Envoy messages for the simulated client: what each refers to.

use std::collections::BTreeSet;

use bytes::Bytes;
use pilothouse_envoy_api as envoy;
use pilothouse_xds::ResourceType;
use pilothouse_xds::model::{Bodies, Facts};
use serde_json::Value;

/// Reads real messages, by way of their JSON, so that no reference is overlooked.
#[derive(Debug)]
pub(crate) struct EnvoyBodies;

impl Bodies for EnvoyBodies {
    fn read(&self, kind: ResourceType, _: &str, body: &Bytes) -> Facts {
        let json = envoy::json::to_json(kind.type_url(), body).expect("what the engine encodes can be read");
        let mut facts = Facts::default();
        match kind {
            ResourceType::Cluster => facts.wants_assignment = json["type"] == "EDS",
            ResourceType::Route => facts.split = json.get("vhds").is_some(),
            _ => {}
        }
        collect(&json, kind, &mut facts);
        // Envoy refuses a table in which a domain appears twice.
        if kind == ResourceType::Route {
            let mut seen = BTreeSet::new();
            let hosts = json["virtual_hosts"].as_array().into_iter().flatten();
            for domain in hosts.flat_map(|host| host["domains"].as_array().into_iter().flatten()) {
                assert!(seen.insert(domain.to_string()), "{domain} appears twice in {json:#}");
            }
        }
        facts
    }
}

/// Walks a message and takes down names by the fields that hold them.
fn collect(json: &Value, kind: ResourceType, facts: &mut Facts) {
    match json {
        Value::Object(fields) => {
            for (field, value) in fields {
                match (field.as_str(), value) {
                    ("route_config_name", Value::String(name)) => {
                        facts.tables.insert(name.clone());
                    }
                    ("cluster", Value::String(name)) if kind != ResourceType::Cluster => {
                        facts.clusters.insert(name.clone());
                    }
                    ("sds_config", _) => {
                        if let Some(name) = fields.get("name").and_then(Value::as_str) {
                            facts.secrets.insert(name.to_owned());
                        }
                    }
                    _ => {}
                }
                collect(value, kind, facts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, kind, facts)),
        _ => {}
    }
}
