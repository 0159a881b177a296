//! Clusters.

use std::time::Duration;

use pilothouse_base::{Locality, Name};
use pilothouse_config::traffic_policy::{
    ClientCertificate, ConnectionPool, HashKey, Keepalive, LoadBalancer, OutlierDetection, Roots,
};
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{assignment, cluster};
use pilothouse_view::plan::{ClusterPlan, Discovery, DnsEndpoint, UpstreamProtocol, UpstreamTls};

use super::name;
use crate::{cast, process};

pub(super) fn check_clusters(plans: &[ClusterPlan], secrets: &[&str]) {
    let assignments: Vec<_> =
        plans.iter().map(|plan| assignment(&cast::assignment(plan.name.as_str(), 8080, true))).collect();
    process::validate(&bootstrap_static(
        plans.iter().map(cluster),
        [],
        [],
        assignments,
        cast::secrets(secrets),
    ));
}

#[test]
fn clusters_of_every_discovery() {
    let dns = |host: &str| DnsEndpoint {
        host: name(host),
        port: 443,
        weight: 1,
        locality: Locality::parse("r"),
        mtls: true,
    };
    let discoveries = [
        Discovery::Endpoints,
        Discovery::StrictDns(vec![dns("a.example"), dns("10.0.0.1")]),
        Discovery::StrictDns(vec![]),
        Discovery::LogicalDns(vec![dns("a.example"), dns("b.example")]),
        Discovery::LogicalDns(vec![]),
        Discovery::OriginalDestination { port: None },
        Discovery::OriginalDestination { port: Some(9000) },
        Discovery::Inbound,
        Discovery::Nothing,
    ];
    let balancers = [
        LoadBalancer::LeastRequest,
        LoadBalancer::RoundRobin,
        LoadBalancer::Random,
        LoadBalancer::Passthrough,
        LoadBalancer::ConsistentHash { key: HashKey::SourceIp, minimum_ring_size: u64::MAX },
    ];
    let mut plans = Vec::new();
    for (d, discovery) in discoveries.iter().enumerate() {
        for (b, load_balancer) in balancers.iter().enumerate() {
            plans.push(ClusterPlan {
                discovery: discovery.clone(),
                load_balancer: load_balancer.clone(),
                ..cast::cluster(&format!("outbound|{d}|{b}|cart.shop"))
            });
        }
    }
    check_clusters(&plans, &[]);
}

#[test]
fn clusters_of_every_protocol_and_limit() {
    let day = Duration::from_hours(24);
    let full = ConnectionPool {
        max_connections: Some(1),
        connect_timeout: Some(Duration::from_millis(1)),
        keepalive: Some(Keepalive {
            probes: Some(3),
            time: Some(day),
            interval: Some(Duration::from_millis(1)),
        }),
        tcp_idle_timeout: Some(day),
        max_connection_duration: Some(day),
        max_pending_requests: Some(u32::MAX),
        max_requests: Some(0),
        max_requests_per_connection: Some(1),
        max_retries: Some(1),
        http_idle_timeout: Some(Duration::ZERO),
        h2_upgrade: true,
    };
    let zero = ConnectionPool {
        connect_timeout: Some(Duration::ZERO),
        max_connection_duration: Some(Duration::ZERO),
        keepalive: Some(Keepalive { probes: None, time: None, interval: None }),
        max_requests_per_connection: Some(0),
        ..ConnectionPool::default()
    };
    let outliers = [
        None,
        Some(OutlierDetection::default()),
        Some(OutlierDetection {
            consecutive_5xx: Some(0),
            consecutive_gateway: Some(0),
            local_origin: Some(0),
            split_local_origin: true,
            interval: Some(Duration::ZERO),
            base_ejection_time: Some(Duration::ZERO),
            max_ejection_percent: Some(1000),
            min_health_percent: 1000,
        }),
        Some(OutlierDetection {
            consecutive_5xx: Some(u32::MAX),
            consecutive_gateway: Some(5),
            local_origin: Some(5),
            split_local_origin: true,
            interval: Some(Duration::from_millis(1)),
            base_ejection_time: Some(day),
            max_ejection_percent: Some(100),
            min_health_percent: 50,
        }),
    ];
    let mut plans = Vec::new();
    for (o, outlier) in outliers.iter().enumerate() {
        for (p, pool) in [ConnectionPool::default(), full.clone(), zero.clone()].iter().enumerate() {
            for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2, UpstreamProtocol::AsDownstream]
            {
                plans.push(ClusterPlan {
                    outlier: outlier.clone(),
                    pool: pool.clone(),
                    protocol,
                    external: true,
                    subset: Some(name("v1")),
                    ..cast::cluster(&format!("{o} {p} {protocol:?}"))
                });
            }
        }
    }
    check_clusters(&plans, &[]);
}

#[test]
fn clusters_of_every_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = cast::certificate();
    let file = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        Name::from(path.to_str().unwrap())
    };
    let files =
        ClientCertificate::Files { certificate: file("chain.pem", &chain), key: file("key.pem", &key) };
    let roots = file("roots.pem", &chain);
    let mut tls = vec![
        UpstreamTls::None,
        UpstreamTls::Auto(cast::mesh_tls()),
        UpstreamTls::Mesh(cast::mesh_tls()),
        UpstreamTls::Mesh(pilothouse_view::plan::MeshTls { subject_alt_names: vec![], ..cast::mesh_tls() }),
        UpstreamTls::Closed,
    ];
    for sni in [None, Some(name("cart.example"))] {
        for subject_alt_names in [vec![], vec![name("cart.example"), name("10.0.0.1"), name(cast::IDENTITY)]]
        {
            for roots in [Roots::File(roots.clone()), Roots::Secret(name("cart")), Roots::Unverified] {
                for certificate in [None, Some(files.clone()), Some(ClientCertificate::Secret(name("cart")))]
                {
                    tls.push(UpstreamTls::Origination {
                        sni: sni.clone(),
                        subject_alt_names: subject_alt_names.clone(),
                        roots: roots.clone(),
                        certificate,
                    });
                }
            }
        }
    }
    let mut plans = Vec::new();
    for (at, tls) in tls.iter().enumerate() {
        for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2, UpstreamProtocol::AsDownstream] {
            plans.push(ClusterPlan {
                tls: tls.clone(),
                protocol,
                ..cast::cluster(&format!("{at} {protocol:?}"))
            });
        }
    }
    check_clusters(&plans, &["kubernetes://cart", "kubernetes://cart-cacert"]);
}

#[test]
fn clusters_whose_secrets_are_missing_are_closed() {
    let plan = ClusterPlan { tls: UpstreamTls::Mesh(cast::mesh_tls()), ..cast::cluster("a") };
    process::validate(&bootstrap_static([cluster(&plan)], [], [], [], []));
}
