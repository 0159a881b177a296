//! Endpoint assignments.

use pilothouse_base::{Locality, Name};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{AssignmentPlan, EndpointPlan, LocalityPlan};

use crate::metadata::{ISTIO, metadata, structure, text};
use crate::{address, weight};

/// What the upstream TLS choice of a cluster is matched against.
pub(crate) const TLS_MODE: &str = "tlsMode";
/// The value of an endpoint that takes mutual TLS of the mesh.
pub(crate) const TLS_MODE_MESH: &str = "istio";

/// The assignment of a plan.
pub fn assignment(plan: &AssignmentPlan) -> envoy::endpoint::ClusterLoadAssignment {
    let AssignmentPlan { cluster, localities } = plan;
    let weights = weight::fit(localities.iter().flat_map(|l| &l.endpoints).map(|e| e.weight));
    let mut weights = weights.into_iter();
    envoy::endpoint::ClusterLoadAssignment {
        cluster_name: cluster.to_string(),
        endpoints: localities
            .iter()
            .map(|LocalityPlan { locality: place, priority, endpoints }| {
                let endpoints = endpoints.iter().zip(weights.by_ref()).map(|(e, weight)| endpoint(e, weight));
                locality(place, *priority, endpoints.collect())
            })
            .collect(),
        ..Default::default()
    }
}

/// The assignment of a cluster without endpoints, and of names that are no cluster: an answer ends Envoy's waiting.
pub fn empty_assignment(cluster: &Name) -> envoy::endpoint::ClusterLoadAssignment {
    envoy::endpoint::ClusterLoadAssignment { cluster_name: cluster.to_string(), ..Default::default() }
}

/// Endpoints of one locality, weighing as much as they do together. Their weights must add up to 32 bits.
pub(crate) fn locality(
    place: &Locality,
    priority: u32,
    endpoints: Vec<envoy::endpoint::LbEndpoint>,
) -> envoy::endpoint::LocalityLbEndpoints {
    let Locality { region, zone, sub_zone } = place;
    let weight: u32 = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.load_balancing_weight.as_ref())
        .fold(0, |sum, weight| sum.saturating_add(weight.value));
    envoy::endpoint::LocalityLbEndpoints {
        locality: (!place.is_empty()).then(|| envoy::core::Locality {
            region: region.to_string(),
            zone: zone.to_string(),
            sub_zone: sub_zone.to_string(),
        }),
        lb_endpoints: endpoints,
        load_balancing_weight: (weight > 0).then(|| envoy::uint32(weight)),
        priority,
        ..Default::default()
    }
}

fn endpoint(plan: &EndpointPlan, weight: u32) -> envoy::endpoint::LbEndpoint {
    let EndpointPlan { address, port, weight: _, healthy, mtls, workload } = plan;
    let status =
        if *healthy { envoy::core::HealthStatus::Healthy } else { envoy::core::HealthStatus::Unhealthy };
    lb_endpoint(address::ip(*address, *port), weight, status, *mtls, workload)
}

/// One endpoint with its metadata.
pub(crate) fn lb_endpoint(
    address: envoy::core::Address,
    weight: u32,
    status: envoy::core::HealthStatus,
    mtls: bool,
    workload: &Name,
) -> envoy::endpoint::LbEndpoint {
    let known = !workload.as_str().is_empty();
    envoy::endpoint::LbEndpoint {
        health_status: status.into(),
        metadata: metadata([
            ("envoy.transport_socket_match", structure(mtls.then(|| (TLS_MODE, text(TLS_MODE_MESH))))),
            (ISTIO, structure(known.then(|| ("workload", text(workload.as_str()))))),
        ]),
        load_balancing_weight: Some(envoy::uint32(weight)),
        host_identifier: Some(envoy::endpoint::lb_endpoint::HostIdentifier::Endpoint(
            envoy::endpoint::Endpoint { address: Some(address), ..Default::default() },
        )),
    }
}

#[cfg(test)]
mod tests;
