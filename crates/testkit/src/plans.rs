//! Plans that tests and benchmarks of the translation start from: as plain as they can be, so that a test says what is special.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pilothouse_base::{Hostname, Kind, Locality, Name, Namespace, ObjectKey};
use pilothouse_config::mesh::PathNormalization;
use pilothouse_config::traffic_policy::{ConnectionPool, LoadBalancer};
use pilothouse_config::virtual_service::{Fault, HeaderChanges};
use pilothouse_view::plan::{
    ActionPlan, AssignmentPlan, ChainMatch, ChainPlan, ClusterPlan, ClusterService, Direction, Discovery,
    EndpointPlan, HttpPlan, HttpRole, ListenerPlan, ListenerPort, LocalityPlan, MeshTls, Network,
    RouteMatchPlan, RoutePlan, RouteToPlan, Routes, ServerTlsPlan, Sniffing, TcpPlan, UpstreamProtocol,
    UpstreamTls, VirtualHostPlan, WeightedPlan,
};

/// An identity that the mesh issued.
pub const IDENTITY: &str = "spiffe://cluster.local/ns/shop/sa/cart";

/// A cluster by EDS of the service *cart* without anything special.
pub fn cluster(name: &str) -> ClusterPlan {
    ClusterPlan {
        name: Name::from(name),
        discovery: Discovery::Endpoints,
        connect_timeout: Duration::from_secs(10),
        load_balancer: LoadBalancer::LeastRequest,
        pool: ConnectionPool::default(),
        outlier: None,
        protocol: UpstreamProtocol::Http1,
        tls: UpstreamTls::None,
        services: vec![ClusterService {
            host: Hostname::from("cart.shop.svc.cluster.local"),
            name: Name::from("cart"),
            namespace: Namespace::from("shop"),
        }],
        external: false,
        subset: None,
        rule: Some(ObjectKey::new(Kind::DestinationRule, "shop", "cart")),
    }
}

/// The cluster of a subset of *cart*.
pub fn subset_cluster() -> ClusterPlan {
    ClusterPlan { subset: Some(Name::from("v1")), ..cluster("outbound|80|v1|cart.shop.svc.cluster.local") }
}

/// Mutual TLS of the mesh to [`IDENTITY`] under this server name.
pub fn mesh_tls(sni: &str) -> MeshTls {
    MeshTls { sni: Name::from(sni), subject_alt_names: vec![Name::from(IDENTITY)] }
}

/// The endpoints of a cluster, in one place.
pub fn assignment(cluster: &str, endpoints: Vec<EndpointPlan>) -> AssignmentPlan {
    AssignmentPlan { cluster: Name::from(cluster), localities: vec![locality("r/z", 0, endpoints)] }
}

/// Endpoints in a place.
pub fn locality(place: &str, priority: u32, endpoints: Vec<EndpointPlan>) -> LocalityPlan {
    LocalityPlan { locality: Locality::parse(place), priority, endpoints }
}

/// A healthy endpoint in plain text.
pub fn endpoint(address: impl Into<IpAddr>, port: u16) -> EndpointPlan {
    EndpointPlan {
        address: address.into(),
        port,
        weight: 1,
        healthy: true,
        mtls: false,
        workload: Name::default(),
    }
}

/// A route of everything.
pub fn route(action: ActionPlan) -> RoutePlan {
    RoutePlan {
        name: Name::from("default"),
        origin: None,
        matches: RouteMatchPlan::All,
        action,
        operation: Name::default(),
        headers: HeaderChanges::default(),
        fault: Fault::default(),
        cors: None,
    }
}

/// A route of everything to clusters.
pub fn forward(to: RouteToPlan) -> RoutePlan {
    route(ActionPlan::Route(Box::new(to)))
}

/// Sends on to these clusters.
pub fn to(clusters: Vec<WeightedPlan>) -> RouteToPlan {
    RouteToPlan {
        clusters,
        timeout: None,
        inbound: false,
        retry: None,
        avoid_previous_hosts: false,
        path: None,
        authority: None,
        mirrors: vec![],
        hash: vec![],
    }
}

/// A share of a route.
pub fn weighted(cluster: &str, weight: u32) -> WeightedPlan {
    WeightedPlan {
        cluster: Name::from(cluster),
        weight,
        headers: HeaderChanges::default(),
        foreign_tls: false,
    }
}

/// A virtual host that answers to everything.
pub fn host(name: &str, routes: Vec<RoutePlan>) -> VirtualHostPlan {
    VirtualHostPlan {
        name: Name::from(name),
        domains: vec![Name::from("*")],
        routes,
        require_tls: false,
        attempt_count: true,
    }
}

/// A connection manager.
pub fn http(role: HttpRole, routes: Routes) -> HttpPlan {
    HttpPlan {
        stat_prefix: Name::from("outbound_0.0.0.0_80"),
        routes,
        role,
        grpc_web: false,
        path_normalization: PathNormalization::Base,
        access_log: None,
    }
}

/// A TCP proxy to one cluster.
pub fn tcp(cluster: &str) -> TcpPlan {
    TcpPlan {
        stat_prefix: Name::from(cluster),
        clusters: vec![(Name::from(cluster), 1)],
        idle_timeout: None,
        max_duration: None,
        hash_source_ip: false,
        mesh_marker: false,
        after_handshake: false,
        access_log: None,
        origin: None,
    }
}

/// A chain that takes everything in plain text.
pub fn chain(name: &str, network: Network) -> ChainPlan {
    ChainPlan { name: Name::from(name), matches: ChainMatch::default(), tls: ServerTlsPlan::None, network }
}

/// An outbound listener of port 80 behind capture.
pub fn listener(name: &str, chains: Vec<ChainPlan>) -> ListenerPlan {
    ListenerPlan {
        name: Name::from(name),
        port: ListenerPort {
            address: Ipv4Addr::UNSPECIFIED.into(),
            additional: vec![],
            port: 80,
            bound: false,
        },
        direction: Direction::Outbound,
        hands_over: false,
        original_dst: false,
        sniffing: Sniffing::default(),
        chains,
        default_chain: None,
        access_log: None,
    }
}
