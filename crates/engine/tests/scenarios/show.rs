//! The shown part of what a proxy gets. A scenario shows what it is about and no more.
//!
//! An entry of `show` is a text, or a map of one such entry and `fields`, the fields of the resource that count:
//!
//! - `cluster NAME`, `listener NAME`, `table NAME`, `assignment NAME`, `secret NAME`: the resource;
//! - `host TABLE HOST`: a virtual host; `routes TABLE HOST`: what its routes match and where they lead;
//! - `chains LISTENER`: which connections its chains take, and where they lead;
//! - `endpoints CLUSTER`: a line for each endpoint;
//! - `domains TABLE`: what its hosts answer to;
//! - `names`: the names of everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pilothouse_envoy_api::json::to_json;
use pilothouse_xds::{ResourceType, Snapshot};
use serde_json::{Value, json};

/// What is shown, by entry.
pub(crate) fn all(entries: &[Value], snapshot: &Snapshot) -> BTreeMap<String, Value> {
    entries
        .iter()
        .map(|entry| match entry {
            Value::String(text) => (text.clone(), one(text, snapshot)),
            other => {
                let map = other.as_object().expect("an entry is a text or a map");
                let (kind, name) =
                    map.iter().find(|(key, _)| *key != "fields").expect("a map names a resource");
                let text = format!("{kind} {}", name.as_str().expect("a name is a text"));
                let whole = one(&text, snapshot);
                let fields = map["fields"].as_array().expect("fields are a list").iter();
                let fields = fields.map(|field| field.as_str().expect("a field is a text"));
                let picked = fields.map(|field| (field.to_owned(), whole[field].clone())).collect();
                (text, Value::Object(picked))
            }
        })
        .collect()
}

fn one(entry: &str, snapshot: &Snapshot) -> Value {
    let (kind, rest) = entry.split_once(' ').unwrap_or((entry, ""));
    match kind {
        "cluster" | "listener" | "table" | "assignment" | "secret" => resource(kind, rest, snapshot),
        "host" => {
            let (table, host) = rest.split_once(' ').expect("host TABLE HOST");
            self::host(table, host, snapshot)
        }
        "routes" => {
            let (table, host) = rest.split_once(' ').expect("routes TABLE HOST");
            each(&self::host(table, host, snapshot)["routes"], route)
        }
        "domains" => {
            let table = resource("table", rest, snapshot);
            let hosts = table["virtual_hosts"].as_array().cloned().unwrap_or_default();
            hosts.iter().map(|host| (text(&host["name"]), host["domains"].clone())).collect()
        }
        "chains" => {
            let listener = resource("listener", rest, snapshot);
            let mut chains = each(&listener["filter_chains"], chain);
            if let (Value::Array(list), Value::Object(_)) = (&mut chains, &listener["default_filter_chain"]) {
                let mut last = chain(&listener["default_filter_chain"]);
                last["default"] = json!(true);
                list.push(last);
            }
            chains
        }
        "endpoints" => {
            let assignment = resource("assignment", rest, snapshot);
            let groups = assignment["endpoints"].as_array().into_iter().flatten();
            groups.flat_map(lines).collect()
        }
        "names" => json!({
            "clusters": names(snapshot.clusters.sorted_iter().map(|one| &one.name)),
            "endpoints": names(snapshot.endpoints.sorted_iter().map(|one| &one.name)),
            "listeners": names(snapshot.listeners.sorted_iter().map(|one| &one.name)),
            "tables": names(snapshot.routes.sorted_iter().map(|one| one.name())),
            "secrets": names(snapshot.secrets.sorted_iter().map(|one| &one.name)),
        }),
        _ => panic!("nothing can be shown by {entry:?}"),
    }
}

fn names<'n>(all: impl Iterator<Item = &'n std::sync::Arc<str>>) -> Vec<&'n str> {
    all.map(|name| &**name).collect()
}

fn resource(kind: &str, name: &str, snapshot: &Snapshot) -> Value {
    let (kind, body) = match kind {
        "cluster" => (ResourceType::Cluster, snapshot.clusters.get(name).map(|one| one.body.clone())),
        "listener" => (ResourceType::Listener, snapshot.listeners.get(name).map(|one| one.body.clone())),
        "table" => (ResourceType::Route, snapshot.routes.get(name).map(|one| one.assembled().body.clone())),
        "secret" => (ResourceType::Secret, snapshot.secrets.get(name).map(|one| one.body.clone())),
        _ => (ResourceType::Endpoint, snapshot.endpoints.get(name).map(|one| one.body.clone())),
    };
    match body {
        Some(body) => to_json(kind.type_url(), &body).expect("what the engine encodes can be read"),
        None => json!("there is none"),
    }
}

fn host(table: &str, host: &str, snapshot: &Snapshot) -> Value {
    let table = resource("table", table, snapshot);
    let hosts = table["virtual_hosts"].as_array().cloned().unwrap_or_default();
    hosts.into_iter().find(|one| one["name"] == host).unwrap_or_else(|| json!("there is none"))
}

fn each(list: &Value, shorter: impl Fn(&Value) -> Value) -> Value {
    list.as_array().map_or_else(|| list.clone(), |list| list.iter().map(shorter).collect())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a route matches and where it leads.
fn route(route: &Value) -> Value {
    let mut short = json!({ "name": route["name"], "match": route["match"] });
    let to = &route["route"];
    for field in ["redirect", "direct_response"] {
        if !route[field].is_null() {
            short[field] = route[field].clone();
        }
    }
    if let Some(cluster) = to["cluster"].as_str() {
        short["to"] = json!(cluster);
    } else if let Some(clusters) = to["weighted_clusters"]["clusters"].as_array() {
        let clusters = clusters.iter().map(|one| json!(format!("{} {}", one["weight"], text(&one["name"]))));
        short["to"] = clusters.collect();
    }
    short
}

/// Which connections a chain takes, and where they lead.
fn chain(chain: &Value) -> Value {
    let mut short = json!({ "name": chain["name"] });
    if let Value::Object(matches) = &chain["filter_chain_match"] {
        short["match"] = matches.iter().map(|(field, value)| (field.clone(), value.clone())).collect();
    }
    let tls = &chain["transport_socket"]["typed_config"];
    if !tls.is_null() {
        let peer = if tls["require_client_certificate"] == true { "mutual" } else { "server" };
        let alpn = tls["common_tls_context"]["alpn_protocols"].clone();
        short["tls"] = json!({ "kind": peer, "alpn": alpn });
    }
    let filters = chain["filters"].as_array().cloned().unwrap_or_default();
    if let Some(last) = filters.last() {
        let config = &last["typed_config"];
        short["to"] = if let Some(table) = config["rds"]["route_config_name"].as_str() {
            json!(format!("routes {table}"))
        } else if let Some(inline) = config["route_config"]["name"].as_str() {
            json!(format!("routes in place {inline}"))
        } else if let Some(cluster) = config["cluster"].as_str() {
            json!(format!("cluster {cluster}"))
        } else {
            config["weighted_clusters"].clone()
        };
        short["stat_prefix"] = config["stat_prefix"].clone();
    }
    short
}

/// A line for each endpoint of a locality.
fn lines(group: &Value) -> Vec<Value> {
    let locality = &group["locality"];
    let parts = ["region", "zone", "sub_zone"].map(|part| locality[part].as_str().unwrap_or_default());
    let locality = parts.join("/");
    let priority = group["priority"].as_u64().unwrap_or(0);
    let endpoints = group["lb_endpoints"].as_array().into_iter().flatten();
    endpoints
        .map(|one| {
            let socket = &one["endpoint"]["address"]["socket_address"];
            let meshed =
                one["metadata"]["filter_metadata"]["envoy.transport_socket_match"]["tlsMode"] == "istio";
            let mut line = format!("{}:{}", text(&socket["address"]), socket["port_value"]);
            if meshed {
                line += " mtls";
            }
            if !one["health_status"].is_null() {
                let _ = write!(line, " {}", text(&one["health_status"]));
            }
            if one["load_balancing_weight"] != 1 {
                let _ = write!(line, " weight {}", one["load_balancing_weight"]);
            }
            if locality != "//" {
                let _ = write!(line, " in {locality}");
            }
            if priority != 0 {
                let _ = write!(line, " priority {priority}");
            }
            json!(line)
        })
        .collect()
}
