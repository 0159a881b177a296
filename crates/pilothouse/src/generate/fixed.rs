//! A bootstrap with everything inside: for `envoy --mode validate`, and for a look at a proxy without a control plane.
//!
//! What comes by discovery otherwise is put where it is used: assignments into their clusters, route tables into their listeners. The
//! certificate of the workload is a placeholder that everybody can read in this repository, so mutual TLS with it proves nothing.

use std::collections::BTreeMap;

use pilothouse_envoy_api::type_url;
use pilothouse_xds::Snapshot;
use serde_json::{Map, Value, json};

use super::{Document, all};
use crate::exit::Failure;

/// Key and certificate of nobody. They are constant so that the output is.
const PLACEHOLDER_KEY: &str = include_str!("placeholder-key.pem");
const PLACEHOLDER_CERTIFICATE: &str = include_str!("placeholder-cert.pem");
/// What carries the roots; every other name that is not a gateway's is a certificate.
const ROOTS: &str = "ROOTCA";

/// Puts the bootstrap together.
pub(super) fn bootstrap(name: &str, document: Document, snapshot: &Snapshot) -> Result<Value, Failure> {
    let Document { mut clusters, mut listeners, routes, endpoints, secrets: names } = document;
    let routes = by_name(routes, "name");
    let endpoints = by_name(endpoints, "cluster_name");
    for cluster in &mut clusters {
        fix_assignment(cluster, &endpoints);
    }
    for value in clusters.iter_mut().chain(&mut listeners) {
        walk(value, &mut |map| {
            fix_routes(map, &routes);
            fix_secret(map);
        });
    }
    let mut secrets = by_name(all(type_url::SECRET, snapshot.secrets.sorted_iter())?, "name");
    for name in names {
        secrets.entry(name.as_str().to_owned()).or_insert_with(|| placeholder(name.as_str()));
    }
    Ok(json!({
        "node": { "id": name, "cluster": name },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 15000 } } },
        "layered_runtime": { "layers": [{
            "name": "static",
            // As in the bootstrap of a connected proxy: expressions of users are larger than Envoy's default allows.
            "static_layer": { "re2.max_program_size.error_level": 32768 },
        }] },
        "static_resources": {
            "clusters": clusters,
            "listeners": listeners,
            "secrets": secrets.into_values().collect::<Vec<_>>(),
        },
    }))
}

fn by_name(list: Vec<Value>, field: &str) -> BTreeMap<String, Value> {
    list.into_iter().map(|value| (value[field].as_str().unwrap_or_default().to_owned(), value)).collect()
}

/// A cluster that asks for its endpoints becomes one that has them.
fn fix_assignment(cluster: &mut Value, endpoints: &BTreeMap<String, Value>) {
    let Some(map) = cluster.as_object_mut() else { return };
    let Some(asked) = map.remove("eds_cluster_config") else { return };
    let own = map.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = asked["service_name"].as_str().filter(|name| !name.is_empty()).unwrap_or(own).to_owned();
    let assignment = endpoints.get(&name).cloned().unwrap_or_else(|| json!({ "cluster_name": name }));
    map.insert("type".to_owned(), "STATIC".into());
    map.insert("load_assignment".to_owned(), assignment);
}

/// A filter that asks for its route table becomes one that has it. Clusters that do not exist are no error there: that share of the
/// traffic fails, as it does for a connected proxy.
fn fix_routes(map: &mut Map<String, Value>, routes: &BTreeMap<String, Value>) {
    let Some(asked) = map.remove("rds") else { return };
    let name = asked["route_config_name"].as_str().unwrap_or_default();
    let mut table = routes.get(name).cloned().unwrap_or_else(|| json!({ "name": name }));
    table["validate_clusters"] = false.into();
    map.insert("route_config".to_owned(), table);
}

/// A secret without a source is looked up in the bootstrap.
fn fix_secret(map: &mut Map<String, Value>) {
    if map.contains_key("name") {
        map.remove("sds_config");
    }
}

fn walk(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|inner| walk(inner, change)),
        Value::Object(map) => {
            change(map);
            map.values_mut().for_each(|inner| walk(inner, change));
        }
        _ => {}
    }
}

fn placeholder(name: &str) -> Value {
    if name == ROOTS || name.ends_with("-cacert") {
        return json!({
            "name": name,
            "validation_context": { "trusted_ca": { "inline_string": PLACEHOLDER_CERTIFICATE } },
        });
    }
    json!({
        "name": name,
        "tls_certificate": {
            "certificate_chain": { "inline_string": PLACEHOLDER_CERTIFICATE },
            "private_key": { "inline_string": PLACEHOLDER_KEY },
        },
    })
}
