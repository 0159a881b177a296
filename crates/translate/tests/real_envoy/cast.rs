//! Plans that tests start from, and certificates for them.

use std::net::Ipv4Addr;
use std::time::Duration;

use pilothouse_base::{Hostname, Kind, Locality, Name, Namespace, ObjectKey};
use pilothouse_config::mesh::{AccessLog, PathNormalization};
use pilothouse_config::traffic_policy::{ConnectionPool, LoadBalancer};
use pilothouse_config::virtual_service::{Fault, HeaderChanges};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{
    ActionPlan, AssignmentPlan, ChainMatch, ChainPlan, ClusterPlan, ClusterService, Direction, Discovery,
    EndpointPlan, HttpPlan, HttpRole, ListenerPlan, ListenerPort, LocalityPlan, MeshTls, Network,
    RouteMatchPlan, RoutePlan, RouteToPlan, Routes, ServerTlsPlan, Sniffing, TcpPlan, UpstreamProtocol,
    UpstreamTls, VirtualHostPlan, WeightedPlan,
};

/// An identity that the mesh issued.
pub(crate) const IDENTITY: &str = "spiffe://cluster.local/ns/shop/sa/cart";

/// A cluster by EDS without anything special.
pub(crate) fn cluster(name: &str) -> ClusterPlan {
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

/// Mutual TLS of the mesh to [`IDENTITY`].
pub(crate) fn mesh_tls() -> MeshTls {
    MeshTls {
        sni: Name::from("outbound_.80_._.cart.shop.svc.cluster.local"),
        subject_alt_names: vec![Name::from(IDENTITY)],
    }
}

/// One endpoint on this machine.
pub(crate) fn assignment(cluster: &str, port: u16, mtls: bool) -> AssignmentPlan {
    AssignmentPlan {
        cluster: Name::from(cluster),
        localities: vec![LocalityPlan {
            locality: Locality::parse("r/z"),
            priority: 0,
            endpoints: vec![EndpointPlan {
                address: Ipv4Addr::LOCALHOST.into(),
                port,
                weight: 1,
                healthy: true,
                mtls,
                workload: Name::from("cart-1;shop;cart;v1;Kubernetes"),
            }],
        }],
    }
}

/// A route of everything to one cluster.
pub(crate) fn route_to(cluster: &str) -> RoutePlan {
    RoutePlan {
        name: Name::from("default"),
        origin: Some(ObjectKey::new(Kind::VirtualService, "shop", "cart")),
        matches: RouteMatchPlan::All,
        action: ActionPlan::Route(Box::new(to(vec![weighted(cluster, 1)]))),
        operation: Name::from("cart.shop.svc.cluster.local:80/*"),
        headers: HeaderChanges::default(),
        fault: Fault::default(),
        cors: None,
    }
}

/// Sends on to these clusters.
pub(crate) fn to(clusters: Vec<WeightedPlan>) -> RouteToPlan {
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
pub(crate) fn weighted(cluster: &str, weight: u32) -> WeightedPlan {
    WeightedPlan {
        cluster: Name::from(cluster),
        weight,
        headers: HeaderChanges::default(),
        foreign_tls: false,
    }
}

/// A virtual host that answers to everything.
pub(crate) fn host(routes: Vec<RoutePlan>) -> VirtualHostPlan {
    VirtualHostPlan {
        name: Name::from("cart.shop.svc.cluster.local:80"),
        domains: vec![Name::from("*")],
        routes,
        require_tls: false,
        attempt_count: true,
    }
}

/// A connection manager with its routes in place.
pub(crate) fn http(role: HttpRole, routes: Vec<RoutePlan>) -> HttpPlan {
    HttpPlan {
        stat_prefix: Name::from("outbound_0.0.0.0_80"),
        routes: Routes::Inline { name: Name::from("80"), host: Box::new(host(routes)) },
        role,
        grpc_web: false,
        path_normalization: PathNormalization::Base,
        access_log: Some(AccessLog { path: "/dev/stdout".into(), format: None, json: false }),
    }
}

/// A TCP proxy to one cluster.
pub(crate) fn tcp(cluster: &str) -> TcpPlan {
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
pub(crate) fn chain(name: &str, network: Network) -> ChainPlan {
    ChainPlan { name: Name::from(name), matches: ChainMatch::default(), tls: ServerTlsPlan::None, network }
}

/// A listener on this machine.
pub(crate) fn listener(name: &str, port: u16, chains: Vec<ChainPlan>) -> ListenerPlan {
    ListenerPlan {
        name: Name::from(name),
        port: ListenerPort { address: Ipv4Addr::LOCALHOST.into(), additional: vec![], port, bound: true },
        direction: Direction::Outbound,
        hands_over: false,
        original_dst: false,
        sniffing: Sniffing::default(),
        chains,
        default_chain: None,
        access_log: Some(AccessLog { path: "/dev/stdout".into(), format: None, json: true }),
    }
}

/// The secrets `default` (for [`IDENTITY`] and `cart.example`) and `ROOTCA`, and any further names of the same certificate.
pub(crate) fn secrets(further: &[&str]) -> Vec<envoy::tls::Secret> {
    use envoy::Message as _;
    let (chain, key) = certificate();
    let mut secrets: Vec<_> = ["default"]
        .iter()
        .chain(further.iter().filter(|name| !name.ends_with("-cacert")))
        .map(|name| {
            pilothouse_translate::workload_secret(&Name::from(*name), chain.as_bytes(), key.as_bytes())
        })
        .map(|bytes| envoy::tls::Secret::decode(bytes.as_slice()).unwrap())
        .collect();
    for name in ["ROOTCA"].iter().chain(further.iter().filter(|name| name.ends_with("-cacert"))) {
        let bytes = pilothouse_translate::root_secret(&Name::from(*name), chain.as_bytes());
        secrets.push(envoy::tls::Secret::decode(bytes.as_slice()).unwrap());
    }
    secrets
}

/// A certificate that is its own root, with its key.
pub(crate) fn certificate() -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["cart.example".into()]).unwrap();
    params.subject_alt_names.push(rcgen::SanType::URI(IDENTITY.try_into().unwrap()));
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
