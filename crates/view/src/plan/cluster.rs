//! Clusters.

use std::time::Duration;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};
use pilothouse_config::traffic_policy::{
    ClientCertificate, ConnectionPool, LoadBalancer, OutlierDetection, Roots,
};
use serde::Serialize;

/// All that decides an Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClusterPlan {
    /// Its name in Istio's scheme, such as `outbound|80|v1|cart.shop.svc.cluster.local`.
    pub name: Name,
    /// Where its endpoints come from.
    pub discovery: Discovery,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Which endpoint is picked.
    pub load_balancer: LoadBalancer,
    /// Limits; a missing one is Envoy's maximum.
    pub pool: ConnectionPool,
    /// Ejection of failing endpoints.
    pub outlier: Option<OutlierDetection>,
    /// What is spoken to endpoints.
    pub protocol: UpstreamProtocol,
    /// How connections are secured.
    pub tls: UpstreamTls,
    /// Whom it stands for (`filter_metadata.istio.services`).
    pub services: Vec<ClusterService>,
    /// Whether that is outside the mesh (`filter_metadata.istio.external`).
    pub external: bool,
    /// The subset, if it is one.
    pub subset: Option<Name>,
    /// The destination rule that shaped it (`filter_metadata.istio.config`).
    pub rule: Option<ObjectKey>,
}

/// A service behind a cluster, for telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClusterService {
    /// The full host name.
    pub host: Hostname,
    /// The short name.
    pub name: Name,
    /// The namespace.
    pub namespace: Namespace,
}

/// Where endpoints of a cluster come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Discovery {
    /// By EDS over ADS, under the name of the cluster.
    Endpoints,
    /// `STRICT_DNS`: all addresses of these names.
    StrictDns(Vec<DnsEndpoint>),
    /// `LOGICAL_DNS`: one address at a time of this name.
    LogicalDns(Vec<DnsEndpoint>),
    /// To the address that was dialled.
    OriginalDestination {
        /// Replaces the dialled port.
        port: Option<u16>,
    },
    /// To the workload itself: the dialled address, from 127.0.0.6 so that capture lets it through.
    Inbound,
    /// Nowhere.
    Nothing,
}

/// A name to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DnsEndpoint {
    /// The DNS name, or an address.
    pub host: Name,
    /// The port.
    pub port: u16,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Its locality as `region/zone/subzone`, empty if unknown.
    pub locality: pilothouse_base::Locality,
    /// Whether it speaks mutual TLS of the mesh.
    pub mtls: bool,
}

/// What is spoken to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum UpstreamProtocol {
    /// HTTP/1.1, or bytes: no HTTP options unless the pool needs them.
    Http1,
    /// HTTP/2.
    Http2,
    /// What the client spoke.
    AsDownstream,
}

/// How connections to endpoints are secured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum UpstreamTls {
    /// Plain text.
    None,
    /// Mutual TLS of the mesh to endpoints marked with it, plain text to others (automatic mutual TLS).
    Auto(MeshTls),
    /// Mutual TLS of the mesh always.
    Mesh(MeshTls),
    /// TLS as a destination rule asks for.
    Origination {
        /// The server name; none takes it from the request's host.
        sni: Option<Name>,
        /// Accepted exact names of the server; empty accepts what the host says, where the host is known.
        subject_alt_names: Vec<Name>,
        /// Where the roots are.
        roots: Roots,
        /// The client certificate, if any.
        certificate: Option<ClientCertificate>,
    },
    /// The rule could not be understood: no connection succeeds.
    Closed,
}

/// Mutual TLS of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MeshTls {
    /// The server name, such as `outbound_.80_.v1_.cart.shop.svc.cluster.local`.
    pub sni: Name,
    /// Exact names the server may have (SPIFFE URIs); empty accepts every identity of the mesh's roots.
    pub subject_alt_names: Vec<Name>,
}
