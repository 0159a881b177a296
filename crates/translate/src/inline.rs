//! Everything in one document: what discovery would deliver, put where it is referred to.
//!
//! For `envoy --mode validate`, which sees nothing that comes by discovery, and to run a proxy without a control plane.
//! What a resource refers to but nobody gave is replaced by something that fails closed: an assignment without endpoints, a
//! table without hosts, a chain that is left out, TLS that never succeeds.

mod listener;
mod secrets;

use std::collections::BTreeMap;

use pilothouse_envoy_api as envoy;

use secrets::Secrets;

/// A bootstrap that holds all of these resources. Tables must be whole ([`crate::assemble`]).
pub fn bootstrap_static(
    clusters: impl IntoIterator<Item = envoy::cluster::Cluster>,
    listeners: impl IntoIterator<Item = envoy::listener::Listener>,
    routes: impl IntoIterator<Item = envoy::route::RouteConfiguration>,
    assignments: impl IntoIterator<Item = envoy::endpoint::ClusterLoadAssignment>,
    secrets: impl IntoIterator<Item = envoy::tls::Secret>,
) -> envoy::bootstrap::Bootstrap {
    let mut secrets = Secrets::new(secrets);
    let tables: BTreeMap<_, _> = routes.into_iter().map(|table| (table.name.clone(), table)).collect();
    let mut assignments: BTreeMap<_, _> =
        assignments.into_iter().map(|assignment| (assignment.cluster_name.clone(), assignment)).collect();
    let mut clusters: Vec<_> =
        clusters.into_iter().map(|cluster| in_place(cluster, &mut assignments, &mut secrets)).collect();
    clusters.sort_by(|one, other| one.name.cmp(&other.name));
    let mut listeners: Vec<_> = listeners
        .into_iter()
        .filter_map(|listener| listener::in_place(listener, &tables, &mut secrets))
        .collect();
    listeners.sort_by(|one, other| one.name.cmp(&other.name));
    envoy::bootstrap::Bootstrap {
        static_resources: Some(envoy::bootstrap::bootstrap::StaticResources {
            listeners,
            clusters,
            secrets: secrets.used(),
        }),
        ..Default::default()
    }
}

/// A cluster with its endpoints and secrets in place.
fn in_place(
    mut cluster: envoy::cluster::Cluster,
    assignments: &mut BTreeMap<String, envoy::endpoint::ClusterLoadAssignment>,
    secrets: &mut Secrets,
) -> envoy::cluster::Cluster {
    use envoy::cluster::cluster::{ClusterDiscoveryType, DiscoveryType};
    if let Some(eds) = cluster.eds_cluster_config.take() {
        let asked = if eds.service_name.is_empty() { cluster.name.clone() } else { eds.service_name };
        let empty =
            envoy::endpoint::ClusterLoadAssignment { cluster_name: asked.clone(), ..Default::default() };
        cluster.load_assignment = Some(assignments.remove(&asked).unwrap_or(empty));
        cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into()));
    }
    let sockets = cluster
        .transport_socket_matches
        .iter_mut()
        .filter_map(|candidate| candidate.transport_socket.as_mut())
        .chain(cluster.transport_socket.as_mut());
    for socket in sockets {
        if !secrets.upstream(socket) {
            *socket = crate::cluster::tls::closed();
        }
    }
    cluster
}

#[cfg(test)]
mod tests;
