use std::net::Ipv4Addr;

use envoy::endpoint::lb_endpoint::HostIdentifier;
use pilothouse_testkit::plans::{self, locality as local};

use super::*;

fn endpoint(last: u8, weight: u32) -> EndpointPlan {
    EndpointPlan { weight, ..plans::endpoint(Ipv4Addr::new(10, 0, 0, last), 8080) }
}

fn plan(localities: Vec<LocalityPlan>) -> AssignmentPlan {
    AssignmentPlan { cluster: Name::from("outbound|80||cart.shop"), localities }
}

#[test]
fn endpoints_keep_order_health_and_weight() {
    let unhealthy = EndpointPlan { healthy: false, ..endpoint(2, 3) };
    let built = assignment(&plan(vec![
        local("r/z/s", 0, vec![endpoint(1, 2), unhealthy]),
        local("", 1, vec![endpoint(3, 1)]),
    ]));
    assert_eq!(built.cluster_name, "outbound|80||cart.shop");
    let [near, far] = built.endpoints.as_slice() else { panic!("two localities") };
    assert_eq!(near.locality.as_ref().unwrap().sub_zone, "s");
    assert_eq!((near.priority, far.priority), (0, 1));
    assert_eq!(near.load_balancing_weight, Some(envoy::uint32(5)));
    assert_eq!(far.locality, None, "an unknown place is not said");
    let health: Vec<_> = near.lb_endpoints.iter().map(envoy::endpoint::LbEndpoint::health_status).collect();
    assert_eq!(health, [envoy::core::HealthStatus::Healthy, envoy::core::HealthStatus::Unhealthy]);
    let Some(HostIdentifier::Endpoint(first)) = &near.lb_endpoints[0].host_identifier else { panic!() };
    assert_eq!(first.address, Some(address::tcp("10.0.0.1", 8080)));
}

#[test]
fn metadata_says_tls_mode_and_workload_only_if_there_is_something() {
    let known =
        EndpointPlan { mtls: true, workload: Name::from("cart-1;shop;cart;v1;site"), ..endpoint(1, 1) };
    let built = assignment(&plan(vec![local("", 0, vec![known, endpoint(2, 1)])]));
    let [with, without] = built.endpoints[0].lb_endpoints.as_slice() else { panic!() };
    let metadata = &with.metadata.as_ref().unwrap().filter_metadata;
    assert_eq!(metadata["envoy.transport_socket_match"].fields["tlsMode"], text("istio"));
    assert_eq!(metadata["istio"].fields["workload"], text("cart-1;shop;cart;v1;site"));
    assert_eq!(without.metadata, None);
}

#[test]
fn weights_beyond_what_envoy_adds_up_are_scaled() {
    let built = assignment(&plan(vec![
        local("a", 0, vec![endpoint(1, u32::MAX), endpoint(2, u32::MAX)]),
        local("b", 0, vec![endpoint(3, u32::MAX)]),
    ]));
    let sum: u64 =
        built.endpoints.iter().map(|l| u64::from(l.load_balancing_weight.as_ref().unwrap().value)).sum();
    assert!(u32::try_from(sum).is_ok(), "{sum}");
}

#[test]
fn nothing_is_an_answer_too() {
    assert_eq!(assignment(&plan(vec![])), empty_assignment(&Name::from("outbound|80||cart.shop")));
}
