//! Every feature of every plan is something that both ends of the supported range of Envoy take.

mod clusters;
mod listeners;
mod routes;

use std::time::Duration;

use pilothouse_base::{Name, Percent};
use pilothouse_config::traffic_policy::{ConnectionPool, Keepalive, OutlierDetection};
use pilothouse_config::virtual_service::{Fault, Retry};
use pilothouse_envoy_api as envoy;
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{assignment, cluster, listener};
use pilothouse_view::plan::{ActionPlan, ClusterPlan, Network, RoutePlan, RouteToPlan, TcpPlan, UpstreamTls};

use crate::{cast, process};
use clusters::check_clusters;
use listeners::{check_listeners, virtual_inbound};
use routes::{check_table, whole};

fn name(text: &str) -> Name {
    Name::from(text)
}

#[test]
fn durations_without_measure() {
    let longest = Some(Duration::MAX);
    let pool = ConnectionPool {
        connect_timeout: longest,
        tcp_idle_timeout: longest,
        max_connection_duration: longest,
        keepalive: Some(Keepalive { probes: Some(u32::MAX), time: longest, interval: longest }),
        ..ConnectionPool::default()
    };
    let outlier =
        OutlierDetection { interval: longest, base_ejection_time: longest, ..OutlierDetection::default() };
    check_clusters(&[ClusterPlan { pool, outlier: Some(outlier), ..cast::cluster("a") }], &[]);

    let retry = Retry {
        attempts: u32::MAX,
        per_try_timeout: longest,
        retry_on: name(""),
        status_codes: vec![],
        remote_localities: false,
        ignore_previous_hosts: None,
        backoff: longest,
    };
    let to = RouteToPlan { timeout: longest, retry: Some(retry), ..cast::to(vec![cast::weighted("a", 1)]) };
    let delay = Fault { delay: Some((Percent::ALL, Duration::MAX)), abort: None };
    let action = ActionPlan::Route(Box::new(to));
    check_table(whole(&cast::host(vec![RoutePlan { fault: delay, action, ..cast::route_to("a") }])));

    let mut plan = cast::listener("a", 80, vec![]);
    let tcp = TcpPlan { idle_timeout: longest, max_duration: longest, ..cast::tcp("a") };
    plan.chains = vec![cast::chain("a", Network::Tcp(tcp))];
    plan.sniffing.timeout = longest;
    check_listeners(&[plan], &[]);
}

#[test]
fn json_says_the_same() {
    let ready = cast::listener("ready", 15021, vec![cast::chain("ready", Network::Ready)]);
    let plan = ClusterPlan { tls: UpstreamTls::Auto(cast::mesh_tls()), ..cast::cluster("a") };
    let bootstrap = bootstrap_static(
        [cluster(&plan)],
        [listener(&ready), listener(&virtual_inbound())],
        [],
        [assignment(&cast::assignment("a", 8080, true))],
        cast::secrets(&[]),
    );
    let json = envoy::json::print(&bootstrap).unwrap().to_string();
    for version in process::VERSIONS {
        process::judged_by_json(version, &json).unwrap();
    }
}

#[test]
fn a_refusal_is_seen() {
    let mut bad = cluster(&cast::cluster("a"));
    bad.connect_timeout = Some(envoy::Duration { seconds: -1, nanos: 0 });
    for version in process::VERSIONS {
        let bootstrap = bootstrap_static([bad.clone()], [], [], [], []);
        assert!(process::judged_by(version, &bootstrap).unwrap_err().contains("duration"), "{version}");
    }
}
