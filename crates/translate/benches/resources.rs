//! One resource of each kind: from plan to message, and from plan to the bytes that travel.

use std::net::Ipv4Addr;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_testkit::plans;
use pilothouse_translate as translate;
use pilothouse_view::plan::{
    AssignmentPlan, CatchAll, ChainMatch, ChainPlan, ClusterPlan, EndpointPlan, HttpRole, Inspected,
    ListenerPlan, Network, RoutePlan, RouteTablePlan, Routes, Sniffing, Transport, UpstreamTls,
    VirtualHostPlan,
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
        tls: UpstreamTls::Auto(plans::mesh_tls("outbound_.80_.v1_.cart.shop.svc.cluster.local")),
        ..plans::subset_cluster()
    }
}

fn assignment(endpoints: u8) -> AssignmentPlan {
    let endpoints = (1..=endpoints).map(|last| EndpointPlan {
        mtls: true,
        workload: Name::from("cart;shop;cart;v1;Kubernetes"),
        ..plans::endpoint(Ipv4Addr::new(10, 0, 0, last), 8080)
    });
    plans::assignment("outbound|80||cart.shop.svc.cluster.local", endpoints.collect())
}

fn host(number: usize) -> VirtualHostPlan {
    let short = format!("svc{number}.shop");
    let full = format!("{short}.svc.cluster.local");
    let route = RoutePlan {
        operation: Name::from(format!("{full}:80/*")),
        ..plans::forward(plans::to(vec![plans::weighted(&format!("outbound|80||{full}"), 1)]))
    };
    let domains =
        [full.clone(), format!("{full}."), short.clone(), format!("{short}.svc"), "10.96.0.7".to_owned()];
    VirtualHostPlan {
        domains: domains.map(Name::from).to_vec(),
        ..plans::host(&format!("{full}:80"), vec![route])
    }
}

fn listener() -> ListenerPlan {
    let http = plans::http(HttpRole::Outbound, Routes::Discovered(Name::from("80")));
    let chain = ChainPlan {
        matches: ChainMatch {
            transport: Some(Transport::RawBuffer),
            application_protocols: ["http/1.0", "http/1.1", "h2c"].map(Name::from).into(),
            ..ChainMatch::default()
        },
        ..plans::chain("0.0.0.0_80_http", Network::Http(Box::new(http)))
    };
    ListenerPlan {
        sniffing: Sniffing {
            http: Some(Inspected::Everywhere),
            timeout: Some(Duration::from_secs(1)),
            ..Sniffing::default()
        },
        ..plans::listener("0.0.0.0_80", vec![chain])
    }
}
