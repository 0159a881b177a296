//! A snapshot as JSON for people. Of secrets only the names are shown.

use pilothouse_envoy_api::json::{self, JsonError};
use pilothouse_xds::{Layers, Resource, ResourceType, Snapshot};
use serde_json::{Value, json};

use crate::certificates::{LEAF, ROOTS};

/// `{"clusters": […], "listeners": […], "routes": […], "endpoints": […], "secrets": [names]}`, each list sorted by name.
pub(crate) fn document(snapshot: &Snapshot) -> Result<Value, JsonError> {
    let Snapshot { revision, clusters, endpoints, listeners, routes, secrets } = snapshot;
    let routes: Vec<_> = routes.sorted_iter().map(|table| table.assembled()).collect();
    let mut names: Vec<&str> = secrets.iter().map(|secret| &*secret.name).chain([LEAF, ROOTS]).collect();
    names.sort_unstable();
    Ok(json!({
        "revision": revision,
        "clusters": all(ResourceType::Cluster, clusters)?,
        "listeners": all(ResourceType::Listener, listeners)?,
        "routes": routes.into_iter().map(|table| one(ResourceType::Route, table)).collect::<Result<Vec<_>, _>>()?,
        "endpoints": all(ResourceType::Endpoint, endpoints)?,
        "secrets": names,
    }))
}

fn all(kind: ResourceType, layers: &Layers<Resource>) -> Result<Vec<Value>, JsonError> {
    layers.sorted_iter().map(|resource| one(kind, resource)).collect()
}

fn one(kind: ResourceType, resource: &Resource) -> Result<Value, JsonError> {
    json::to_json(kind.type_url(), &resource.body)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pilothouse_envoy_api::{cluster, encode};

    use super::*;

    #[test]
    fn lists_are_sorted_and_secrets_stay_closed() {
        let cluster = |name: &str| {
            let message = cluster::Cluster { name: name.to_owned(), ..cluster::Cluster::default() };
            Arc::new(Resource::new(name, encode(&message), []))
        };
        let secret = Arc::new(Resource::new("kubernetes://tls", b"-----BEGIN PRIVATE KEY-----".to_vec(), []));
        let snapshot = Snapshot {
            revision: 7,
            clusters: [cluster("b"), cluster("a")].into_iter().collect(),
            secrets: [secret].into_iter().collect(),
            ..Snapshot::default()
        };
        let document = document(&snapshot).unwrap();
        assert_eq!(document["clusters"], json!([{"name": "a"}, {"name": "b"}]));
        assert_eq!(document["secrets"], json!(["ROOTCA", "default", "kubernetes://tls"]));
        assert!(!document.to_string().contains("PRIVATE"));
    }
}
