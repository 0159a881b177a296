//! Endpoint assignments.

use std::net::IpAddr;

use pilothouse_base::{Locality, Name};
use serde::Serialize;

/// All that decides a cluster load assignment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AssignmentPlan {
    /// The name of the cluster.
    pub cluster: Name,
    /// Its endpoints by priority and locality, in that order.
    pub localities: Vec<LocalityPlan>,
}

/// Endpoints of one locality.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct LocalityPlan {
    /// Where they are.
    pub locality: Locality,
    /// 0 is used first.
    pub priority: u32,
    /// Ordered by address and port.
    pub endpoints: Vec<EndpointPlan>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EndpointPlan {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Whether it is ready; others are sent as unhealthy.
    pub healthy: bool,
    /// Whether it takes mutual TLS of the mesh (`envoy.transport_socket_match` `tlsMode: istio`).
    pub mtls: bool,
    /// `name;namespace;canonical name;canonical revision;cluster` (`istio.workload`), empty if unknown.
    pub workload: Name,
}
