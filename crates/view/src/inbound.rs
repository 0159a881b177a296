//! What stands in front of a workload: `virtualInbound` and the clusters that lead to the workload.
//!
//! In STRICT there is no chain for everything else: it would take plain text that no other chain of the port matches. Ports
//! that no service leads to have chains of their own mode instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pilothouse_base::{Name, ObjectKey, Protocol};
use pilothouse_config::traffic_policy::{ConnectionPool, LoadBalancer};
use pilothouse_config::{Mesh, MtlsMode};
use pilothouse_world::ServiceRef;

use crate::names;
use crate::plan::{
    ActionPlan, ChainMatch, ChainPlan, ClusterPlan, ClusterService, Direction, Discovery, HttpPlan, HttpRole,
    Inspected, ListenerPlan, ListenerPort, Network, RouteMatchPlan, RoutePlan, RouteToPlan, Routes,
    ServerTlsPlan, Sniffing, TcpPlan, Transport, UpstreamProtocol, UpstreamTls, VirtualHostPlan,
    WeightedPlan,
};
use crate::policy::effective;
use crate::query::{InboundKey, InboundPort};
use crate::reader::Reader;

/// The port that captured inbound connections arrive at.
pub(crate) const INBOUND_PORT: u16 = 15006;

/// ALPN that marks HTTP of the mesh.
const MESH_HTTP: [&str; 3] = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
/// ALPN that marks bytes of the mesh.
const MESH_TCP: [&str; 2] = ["istio-peer-exchange", "istio"];
/// What the HTTP inspector reports. HTTP/1.0 is left out: the connection manager would refuse it, as bytes it gets through.
pub(crate) const PLAIN_HTTP: [&str; 2] = ["http/1.1", "h2c"];

/// What stands in front of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// `virtualInbound`.
    pub listener: ListenerPlan,
    /// Clusters that lead to the workload.
    pub clusters: Vec<InboundCluster>,
}

/// A cluster that leads to the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundCluster {
    /// What it is.
    pub plan: ClusterPlan,
    /// The service that leads here.
    pub service: ServiceRef,
    /// The destination rule whose limits it has.
    pub limits: Option<ObjectKey>,
}

/// A port, or all ports without one of their own.
struct Place<'k> {
    port: Option<u16>,
    protocol: Protocol,
    mode: MtlsMode,
    cluster: Name,
    service: Option<&'k InboundPort>,
}

pub(crate) fn inbound(key: &InboundKey, read: &mut Reader<'_>) -> Inbound {
    let InboundKey { ports, mode, port_modes, v6 } = key;
    let mesh = read.mesh();
    let any: IpAddr = if *v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let mut places = vec![Place {
        port: None,
        protocol: Protocol::Auto,
        mode: *mode,
        cluster: Name::from(names::INBOUND_PASSTHROUGH),
        service: None,
    }];
    places.extend(port_modes.iter().map(|(port, mode)| Place {
        port: Some(*port),
        protocol: Protocol::Auto,
        mode: *mode,
        cluster: Name::from(names::INBOUND_PASSTHROUGH),
        service: None,
    }));
    places.extend(ports.iter().map(|port| Place {
        port: Some(port.target),
        protocol: port.protocol,
        mode: port.mode,
        cluster: names::inbound_cluster(port.target),
        service: Some(port),
    }));

    let mut chains = vec![black_hole()];
    for place in &places {
        chains.extend(chains_of(place, any, &mesh));
    }
    let listener = ListenerPlan {
        name: Name::from(names::VIRTUAL_INBOUND),
        port: ListenerPort { address: any, additional: Vec::new(), port: INBOUND_PORT, bound: true },
        direction: Direction::Inbound,
        hands_over: false,
        original_dst: true,
        sniffing: Sniffing {
            tls: inspected(&places, |place| place.mode != MtlsMode::Disable),
            http: inspected(&places, |place| {
                place.protocol == Protocol::Auto && place.mode != MtlsMode::Strict
            }),
            timeout: Some(mesh.protocol_detection_timeout),
        },
        chains,
        default_chain: None,
        access_log: mesh.access_log.clone(),
    };
    Inbound { listener, clusters: ports.iter().map(|port| cluster(port, &mesh, read)).collect() }
}

/// Where an inspector runs: only where a chain needs it, for it keeps servers that speak first waiting.
fn inspected(places: &[Place<'_>], needs: impl Fn(&Place<'_>) -> bool) -> Option<Inspected> {
    let ports = |wanted: bool| -> Vec<u16> {
        places.iter().filter(|place| needs(place) == wanted).filter_map(|place| place.port).collect()
    };
    if places.iter().any(|place| place.port.is_none() && needs(place)) {
        let others = ports(false);
        return Some(if others.is_empty() { Inspected::Everywhere } else { Inspected::Except(others) });
    }
    let ports = ports(true);
    (!ports.is_empty()).then_some(Inspected::Only(ports))
}

/// Somebody dialled the capture port itself: without this chain the connection would come back to it for ever.
fn black_hole() -> ChainPlan {
    ChainPlan {
        name: Name::from("virtualInbound-blackhole"),
        matches: ChainMatch { destination_port: Some(INBOUND_PORT), ..ChainMatch::default() },
        tls: ServerTlsPlan::None,
        network: Network::Tcp(TcpPlan {
            stat_prefix: Name::from(names::BLACK_HOLE),
            clusters: vec![(Name::from(names::BLACK_HOLE), 1)],
            idle_timeout: None,
            max_duration: None,
            hash_source_ip: false,
            mesh_marker: false,
            after_handshake: false,
            access_log: None,
            origin: None,
        }),
    }
}

/// Which connections a chain takes and whether it terminates mutual TLS and routes requests.
struct Shape {
    alpn: Vec<Name>,
    transport: Transport,
    http: bool,
    terminates: bool,
}

fn shapes(protocol: Protocol, mode: MtlsMode) -> Vec<Shape> {
    let names = |list: &[&str]| list.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
    let all: Vec<Name> = MESH_TCP.iter().chain(&MESH_HTTP).map(|name| Name::from(*name)).collect();
    let shape = |alpn, transport, http, terminates| Shape { alpn, transport, http, terminates };
    let (tls, raw) = (Transport::Tls, Transport::RawBuffer);
    if protocol == Protocol::Auto {
        match mode {
            MtlsMode::Permissive => vec![
                shape(names(&MESH_HTTP), tls, true, true),
                shape(names(&PLAIN_HTTP), raw, true, false),
                shape(names(&MESH_TCP), tls, false, true),
                shape(Vec::new(), raw, false, false),
                shape(Vec::new(), tls, false, false),
            ],
            MtlsMode::Strict => {
                vec![shape(names(&MESH_HTTP), tls, true, true), shape(Vec::new(), tls, false, true)]
            }
            MtlsMode::Disable => {
                vec![shape(names(&PLAIN_HTTP), raw, true, false), shape(Vec::new(), raw, false, false)]
            }
        }
    } else {
        let http = protocol.is_http();
        match mode {
            MtlsMode::Permissive => {
                let mut list = vec![shape(all, tls, http, true)];
                if !http {
                    list.push(shape(Vec::new(), tls, false, false));
                }
                list.push(shape(Vec::new(), raw, http, false));
                list
            }
            MtlsMode::Strict => vec![shape(Vec::new(), tls, http, true)],
            MtlsMode::Disable => vec![shape(Vec::new(), raw, http, false)],
        }
    }
}

fn chains_of(place: &Place<'_>, any: IpAddr, mesh: &Mesh) -> Vec<ChainPlan> {
    let trust_domains: Vec<Name> =
        std::iter::once(&mesh.trust_domain).chain(&mesh.trust_domain_aliases).cloned().collect();
    shapes(place.protocol, place.mode)
        .into_iter()
        .map(|Shape { alpn, transport, http, terminates }| ChainPlan {
            name: match place.service {
                Some(port) => names::listener(any, port.target),
                None if http => Name::from("virtualInbound-catchall-http"),
                None => Name::from(names::VIRTUAL_INBOUND),
            },
            matches: ChainMatch {
                destination_port: place.port,
                transport: Some(transport),
                application_protocols: alpn,
                ..ChainMatch::default()
            },
            tls: if terminates {
                ServerTlsPlan::Mesh { trust_domains: trust_domains.clone() }
            } else {
                ServerTlsPlan::None
            },
            network: if http {
                Network::Http(Box::new(http_plan(place, any, terminates, mesh)))
            } else {
                Network::Tcp(TcpPlan {
                    stat_prefix: place.cluster.clone(),
                    clusters: vec![(place.cluster.clone(), 1)],
                    idle_timeout: None,
                    max_duration: None,
                    hash_source_ip: false,
                    mesh_marker: false,
                    after_handshake: terminates,
                    access_log: mesh.access_log.clone(),
                    origin: None,
                })
            },
        })
        .collect()
}

fn http_plan(place: &Place<'_>, any: IpAddr, peer_certificate: bool, mesh: &Mesh) -> HttpPlan {
    let grpc = matches!(place.protocol, Protocol::Grpc | Protocol::GrpcWeb);
    let (stat_prefix, host_name, operation) = match place.service {
        Some(port) => (
            Name::from(format!("inbound_{}", names::listener(any, port.target))),
            Name::from(format!("inbound|http|{}", port.service_port)),
            Name::from(format!("{}:{}/*", port.service.host, port.service_port)),
        ),
        None => (Name::from(names::INBOUND_PASSTHROUGH), Name::from("inbound|http|0"), Name::from(":0/*")),
    };
    let route = RoutePlan {
        name: Name::from("default"),
        origin: None,
        matches: RouteMatchPlan::All,
        action: ActionPlan::Route(Box::new(RouteToPlan {
            clusters: vec![WeightedPlan {
                cluster: place.cluster.clone(),
                weight: 1,
                headers: Default::default(),
                foreign_tls: false,
            }],
            timeout: None,
            inbound: true,
            // The workload closed an idle connection just as a request went out: nothing was processed, so trying again
            // is safe. Not for gRPC, whose clients do that themselves.
            retry: (!grpc).then(|| pilothouse_config::virtual_service::Retry {
                attempts: 2,
                per_try_timeout: None,
                retry_on: Name::from("reset-before-request"),
                status_codes: Vec::new(),
                remote_localities: false,
                ignore_previous_hosts: None,
                backoff: None,
            }),
            avoid_previous_hosts: false,
            path: None,
            authority: None,
            mirrors: Vec::new(),
            hash: Vec::new(),
        })),
        operation,
        headers: Default::default(),
        fault: Default::default(),
        cors: None,
    };
    HttpPlan {
        stat_prefix,
        routes: Routes::Inline {
            name: place.cluster.clone(),
            host: Box::new(VirtualHostPlan {
                name: host_name,
                domains: vec![Name::from("*")],
                routes: vec![route],
                require_tls: false,
                attempt_count: false,
            }),
        },
        role: HttpRole::Inbound { peer_certificate },
        grpc_web: place.protocol == Protocol::GrpcWeb,
        path_normalization: mesh.path_normalization,
        access_log: mesh.access_log.clone(),
    }
}

fn cluster(port: &InboundPort, mesh: &Mesh, read: &mut Reader<'_>) -> InboundCluster {
    let (pool, limits) = limits(port, read);
    let plan = ClusterPlan {
        name: names::inbound_cluster(port.target),
        discovery: Discovery::Inbound,
        connect_timeout: pool.connect_timeout.unwrap_or(mesh.connect_timeout),
        load_balancer: LoadBalancer::Passthrough,
        pool,
        outlier: None,
        protocol: match port.protocol {
            protocol if protocol.is_http2() => UpstreamProtocol::Http2,
            Protocol::Auto => UpstreamProtocol::AsDownstream,
            _ => UpstreamProtocol::Http1,
        },
        tls: UpstreamTls::None,
        services: vec![ClusterService {
            host: port.service.host.clone(),
            name: port.service_name.clone(),
            namespace: port.service.namespace.clone(),
        }],
        external: false,
        subset: None,
        rule: None,
    };
    InboundCluster { plan, service: port.service.clone(), limits }
}

/// The limits that the destination rule of a service sets, as the namespace of the service sees them: they hold in front of its
/// workloads too. Nothing else of a rule does.
fn limits(port: &InboundPort, read: &mut Reader<'_>) -> (ConnectionPool, Option<ObjectKey>) {
    let service = &port.service;
    let target = read.target(&service.namespace, &service.host).filter(|target| target.name() == *service);
    let found = target.map(|target| effective(&target.rules, port.service_port, None, read));
    let (pool, rule) = found.map(|found| (found.policy.connection_pool, found.rule)).unwrap_or_default();
    let rule = rule.filter(|_| pool.is_some());
    (ConnectionPool { h2_upgrade: false, ..pool.unwrap_or_default() }, rule)
}
