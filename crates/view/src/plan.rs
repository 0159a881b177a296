//! Plans: the printable pieces of what an audience sees, and the only argument of translation.
//!
//! Everything that decides an Envoy resource is a field here; equal plans give equal bytes.

mod assignment;
mod cluster;
mod listener;
mod route;
mod secret;

pub use assignment::{AssignmentPlan, EndpointPlan, LocalityPlan};
pub use cluster::{
    ClusterPlan, ClusterService, Discovery, DnsEndpoint, MeshTls, UpstreamProtocol, UpstreamTls,
};
pub use listener::{
    ChainMatch, ChainPlan, ClientVerificationPlan, Direction, HttpPlan, HttpRole, Inspected, ListenerPlan,
    ListenerPort, Network, Routes, ServerTlsPlan, Sniffing, TcpPlan, Transport,
};
pub use route::{
    ActionPlan, CatchAll, HashPlan, MirrorPlan, RouteMatchPlan, RoutePlan, RouteTablePlan, RouteToPlan,
    VirtualHostPlan, WeightedPlan,
};
pub use secret::{SecretMaterial, SecretPlan};
