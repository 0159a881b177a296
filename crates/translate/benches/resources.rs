//! One resource of each kind: from plan to message, and from plan to the bytes that travel.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use pilothouse_base::{Hostname, Kind, Locality, Name, Namespace, ObjectKey};
use pilothouse_config::mesh::PathNormalization;
use pilothouse_config::traffic_policy::{ConnectionPool, LoadBalancer};
use pilothouse_config::virtual_service::HeaderChanges;
use pilothouse_envoy_api as envoy;
use pilothouse_translate as translate;
use pilothouse_view::plan::{
    ActionPlan, AssignmentPlan, CatchAll, ChainMatch, ChainPlan, ClusterPlan, ClusterService, Direction,
    Discovery, EndpointPlan, HttpPlan, HttpRole, Inspected, ListenerPlan, ListenerPort, LocalityPlan,
    MeshTls, Network, RouteMatchPlan, RoutePlan, RouteTablePlan, RouteToPlan, Routes, ServerTlsPlan,
    Sniffing, Transport, UpstreamProtocol, UpstreamTls, VirtualHostPlan, WeightedPlan,
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn cluster_message(bencher: Bencher) {
    let plan = cluster();
    bencher.bench(|| translate::cluster(black_box(&plan)));
}

#[divan::bench]
fn cluster_bytes(bencher: Bencher) {
    let plan = cluster();
    bencher.bench(|| envoy::encode(&translate::cluster(black_box(&plan))));
}

#[divan::bench(args = [1, 10, 100])]
fn assignment_message(bencher: Bencher, endpoints: u8) {
    let plan = assignment(endpoints);
    bencher.bench(|| translate::assignment(black_box(&plan)));
}

#[divan::bench(args = [1, 10, 100])]
fn assignment_bytes(bencher: Bencher, endpoints: u8) {
    let plan = assignment(endpoints);
    bencher.bench(|| envoy::encode(&translate::assignment(black_box(&plan))));
}

#[divan::bench]
fn virtual_host_message(bencher: Bencher) {
    let plan = host(7);
    bencher.bench(|| translate::virtual_host(black_box(&plan)));
}

#[divan::bench]
fn virtual_host_bytes(bencher: Bencher) {
    let plan = host(7);
    bencher.bench(|| envoy::encode(&translate::virtual_host(black_box(&plan))));
}

#[divan::bench]
fn listener_message(bencher: Bencher) {
    let plan = listener();
    bencher.bench(|| translate::listener(black_box(&plan)));
}

#[divan::bench]
fn listener_bytes(bencher: Bencher) {
    let plan = listener();
    bencher.bench(|| envoy::encode(&translate::listener(black_box(&plan))));
}

/// A whole table, every host anew: what a table costs that was never built before.
#[divan::bench(args = [1_000])]
fn table_bytes(bencher: Bencher, hosts: usize) {
    let hosts: Vec<VirtualHostPlan> = (0..hosts).map(host).collect();
    let table = RouteTablePlan { name: Name::from("80"), catch_all: Some(CatchAll::Passthrough) };
    bencher.bench(|| {
        let mut made = translate::route_table(black_box(&table), translate::Delivery::Whole);
        made.virtual_hosts.extend(black_box(&hosts).iter().map(translate::virtual_host));
        envoy::encode(&made)
    });
}

fn cluster() -> ClusterPlan {
    ClusterPlan {
        name: Name::from("outbound|80|v1|cart.shop.svc.cluster.local"),
        discovery: Discovery::Endpoints,
        connect_timeout: Duration::from_secs(10),
        load_balancer: LoadBalancer::LeastRequest,
        pool: ConnectionPool::default(),
        outlier: None,
        protocol: UpstreamProtocol::Http1,
        tls: UpstreamTls::Auto(MeshTls {
            sni: Name::from("outbound_.80_.v1_.cart.shop.svc.cluster.local"),
            subject_alt_names: vec![Name::from("spiffe://cluster.local/ns/shop/sa/cart")],
        }),
        services: vec![ClusterService {
            host: Hostname::from("cart.shop.svc.cluster.local"),
            name: Name::from("cart"),
            namespace: Namespace::from("shop"),
        }],
        external: false,
        subset: Some(Name::from("v1")),
        rule: Some(ObjectKey::new(Kind::DestinationRule, "shop", "cart")),
    }
}

fn assignment(endpoints: u8) -> AssignmentPlan {
    let endpoints = (1..=endpoints).map(|last| EndpointPlan {
        address: IpAddr::from(Ipv4Addr::new(10, 0, 0, last)),
        port: 8080,
        weight: 1,
        healthy: true,
        mtls: true,
        workload: Name::from("cart;shop;cart;v1;Kubernetes"),
    });
    AssignmentPlan {
        cluster: Name::from("outbound|80||cart.shop.svc.cluster.local"),
        localities: vec![LocalityPlan {
            locality: Locality::parse("region/zone"),
            priority: 0,
            endpoints: endpoints.collect(),
        }],
    }
}

fn host(number: usize) -> VirtualHostPlan {
    let short = format!("svc{number}.shop");
    let full = format!("{short}.svc.cluster.local");
    let to = RouteToPlan {
        clusters: vec![WeightedPlan {
            cluster: Name::from(format!("outbound|80||{full}")),
            weight: 1,
            headers: HeaderChanges::default(),
            foreign_tls: false,
        }],
        timeout: None,
        inbound: false,
        retry: None,
        avoid_previous_hosts: false,
        path: None,
        authority: None,
        mirrors: Vec::new(),
        hash: Vec::new(),
    };
    VirtualHostPlan {
        name: Name::from(format!("{full}:80")),
        domains: [
            full.clone(),
            format!("{full}."),
            short.clone(),
            format!("{short}.svc"),
            "10.96.0.7".to_owned(),
        ]
        .map(Name::from)
        .to_vec(),
        routes: vec![RoutePlan {
            name: Name::from("default"),
            origin: None,
            matches: RouteMatchPlan::All,
            action: ActionPlan::Route(Box::new(to)),
            operation: Name::from(format!("{full}:80/*")),
            headers: HeaderChanges::default(),
            fault: Default::default(),
            cors: None,
        }],
        require_tls: false,
        attempt_count: true,
    }
}

fn listener() -> ListenerPlan {
    let http = HttpPlan {
        stat_prefix: Name::from("outbound_0.0.0.0_80"),
        routes: Routes::Discovered(Name::from("80")),
        role: HttpRole::Outbound,
        grpc_web: false,
        path_normalization: PathNormalization::Base,
        access_log: None,
    };
    ListenerPlan {
        name: Name::from("0.0.0.0_80"),
        port: ListenerPort {
            address: Ipv4Addr::UNSPECIFIED.into(),
            additional: Vec::new(),
            port: 80,
            bound: false,
        },
        direction: Direction::Outbound,
        hands_over: false,
        original_dst: false,
        sniffing: Sniffing {
            http: Some(Inspected::Everywhere),
            timeout: Some(Duration::from_secs(1)),
            ..Sniffing::default()
        },
        chains: vec![ChainPlan {
            name: Name::from("0.0.0.0_80_http"),
            matches: ChainMatch {
                transport: Some(Transport::RawBuffer),
                application_protocols: ["http/1.0", "http/1.1", "h2c"].map(Name::from).into(),
                ..ChainMatch::default()
            },
            tls: ServerTlsPlan::None,
            network: Network::Http(Box::new(http)),
        }],
        default_chain: None,
        access_log: None,
    }
}
