use std::time::Duration;

use pilothouse_base::{Locality, Name};
use pilothouse_config::traffic_policy::{
    ConnectionPool, HashKey, Keepalive, LoadBalancer, OutlierDetection, Roots,
};
use pilothouse_testkit::plans::{self, subset_cluster as plan};
use pilothouse_view::plan::{Discovery, DnsEndpoint, MeshTls, UpstreamProtocol};
use serde_json::{Value, json};

use super::*;

fn shown(plan: &ClusterPlan) -> Value {
    envoy::json::print(&cluster(plan)).unwrap()
}

fn mesh() -> MeshTls {
    plans::mesh_tls("outbound_.80_.v1_.cart.shop.svc.cluster.local")
}

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

#[test]
fn a_plain_cluster_says_no_more_than_it_must() {
    assert_eq!(
        shown(&plan()),
        json!({
            "name": "outbound|80|v1|cart.shop.svc.cluster.local",
            "alt_stat_name": "outbound|80|v1|cart.shop.svc.cluster.local;",
            "type": "EDS",
            "eds_cluster_config": {
                "eds_config": {"ads": {}, "initial_fetch_timeout": "1s", "resource_api_version": "V3"},
                "service_name": "outbound|80|v1|cart.shop.svc.cluster.local"
            },
            "connect_timeout": "10s",
            "lb_policy": "LEAST_REQUEST",
            "circuit_breakers": {"thresholds": [{
                "max_connections": 4_294_967_295_u32,
                "max_pending_requests": 4_294_967_295_u32,
                "max_requests": 4_294_967_295_u32,
                "max_retries": 4_294_967_295_u32
            }]},
            "common_lb_config": {"healthy_panic_threshold": {}},
            "metadata": {"filter_metadata": {"istio": {
                "services": [{"host": "cart.shop.svc.cluster.local", "name": "cart", "namespace": "shop"}],
                "subset": "v1",
                "config": "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/cart"
            }}}
        })
    );
}

#[test]
fn discovery_decides_type_and_balancing() {
    let dns = |host: &str, place: &str| DnsEndpoint {
        host: Name::from(host),
        port: 443,
        weight: 2,
        locality: Locality::parse(place),
        mtls: false,
    };
    let two = || vec![dns("a.example", "r1"), dns("b.example", "r2")];
    for (discovery, kind, policy, localities) in [
        (Discovery::Endpoints, "EDS", "RING_HASH", 0),
        (Discovery::StrictDns(two()), "STRICT_DNS", "RING_HASH", 2),
        (Discovery::LogicalDns(two()), "LOGICAL_DNS", "RING_HASH", 1),
        (Discovery::LogicalDns(vec![]), "", "RING_HASH", 0),
        (Discovery::OriginalDestination { port: Some(9) }, "ORIGINAL_DST", "CLUSTER_PROVIDED", 0),
        (Discovery::Inbound, "ORIGINAL_DST", "CLUSTER_PROVIDED", 0),
        (Discovery::Nothing, "", "RING_HASH", 0),
    ] {
        let load_balancer = LoadBalancer::ConsistentHash { key: HashKey::SourceIp, minimum_ring_size: 7 };
        let built = shown(&ClusterPlan { discovery: discovery.clone(), load_balancer, ..plan() });
        assert_eq!(built["type"].as_str().unwrap_or_default().replace("STATIC", ""), kind, "{discovery:?}");
        assert_eq!(built["lb_policy"], policy, "{discovery:?}");
        let assigned = built["load_assignment"]["endpoints"].as_array().map_or(0, Vec::len);
        assert_eq!(assigned, localities, "{discovery:?}");
    }
    let inbound = shown(&ClusterPlan { discovery: Discovery::Inbound, ..plan() });
    assert_eq!(inbound["cleanup_interval"], "9223372035s");
    assert_eq!(inbound.pointer("/upstream_bind_config/source_address/address"), Some(&json!("127.0.0.6")));
    assert_eq!(
        inbound.pointer("/upstream_bind_config/extra_source_addresses/0/address/address"),
        Some(&json!("::6"))
    );
}

#[test]
fn passthrough_balancing_dials_what_was_dialled() {
    let built = shown(&ClusterPlan { load_balancer: LoadBalancer::Passthrough, ..plan() });
    assert_eq!(built["type"], "ORIGINAL_DST");
    assert_eq!(built["lb_policy"], "CLUSTER_PROVIDED");
    assert_eq!(built.get("eds_cluster_config"), None);
}

#[test]
fn limits_of_zero_are_no_limits() {
    let pool = ConnectionPool {
        max_connections: Some(5),
        max_pending_requests: Some(0),
        connect_timeout: Some(Duration::from_millis(30)),
        keepalive: Some(Keepalive {
            probes: Some(3),
            time: Some(Duration::from_millis(10)),
            interval: Some(Duration::from_secs(75)),
        }),
        ..ConnectionPool::default()
    };
    let built = shown(&ClusterPlan { pool, ..plan() });
    assert_eq!(built.pointer("/circuit_breakers/thresholds/0/max_connections"), Some(&json!(5)));
    assert_eq!(built.pointer("/circuit_breakers/thresholds/0/max_pending_requests"), Some(&json!(u32::MAX)));
    assert_eq!(built["connect_timeout"], "0.030s");
    assert_eq!(
        built["upstream_connection_options"]["tcp_keepalive"],
        json!({"keepalive_probes": 3, "keepalive_time": 1, "keepalive_interval": 75})
    );
    assert_eq!(built.get("typed_extension_protocol_options"), None);
}

#[test]
fn outliers_are_ejected_by_what_the_rule_names() {
    let outlier = OutlierDetection {
        consecutive_5xx: Some(0),
        consecutive_gateway: Some(5),
        local_origin: Some(3),
        split_local_origin: true,
        min_health_percent: 40,
        ..OutlierDetection::default()
    };
    let built = shown(&ClusterPlan { outlier: Some(outlier), ..plan() });
    assert_eq!(
        built["outlier_detection"],
        json!({
            "consecutive_5xx": 0, "enforcing_consecutive_5xx": 0,
            "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100,
            "enforcing_success_rate": 0,
            "split_external_local_origin_errors": true,
            "consecutive_local_origin_failure": 3, "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_local_origin_success_rate": 0
        })
    );
    assert_eq!(built.pointer("/common_lb_config/healthy_panic_threshold/value"), Some(&json!(40)));
}

#[test]
fn http_options_are_there_only_if_something_needs_them() {
    let idle = ConnectionPool { tcp_idle_timeout: Some(Duration::from_secs(3)), ..ConnectionPool::default() };
    let upgrade = ConnectionPool { h2_upgrade: true, ..ConnectionPool::default() };
    let nothing = ConnectionPool::default;
    let http2 = json!({"http2_protocol_options": {}});
    let both = json!({"http_protocol_options": {}, "http2_protocol_options": {}});
    for (protocol, pool, field, expected) in [
        (UpstreamProtocol::Http1, nothing(), "explicit_http_config", Value::Null),
        (UpstreamProtocol::Http2, nothing(), "explicit_http_config", http2.clone()),
        (UpstreamProtocol::AsDownstream, nothing(), "use_downstream_protocol_config", both.clone()),
        (UpstreamProtocol::Http1, upgrade.clone(), "explicit_http_config", http2),
        (UpstreamProtocol::AsDownstream, upgrade, "use_downstream_protocol_config", both),
        (UpstreamProtocol::Http1, idle.clone(), "explicit_http_config", json!({"http_protocol_options": {}})),
        (UpstreamProtocol::Http1, idle, "common_http_protocol_options", json!({"idle_timeout": "3s"})),
    ] {
        let built = shown(&ClusterPlan { protocol, pool, ..plan() });
        assert_eq!(built["typed_extension_protocol_options"][OPTIONS][field], expected, "{protocol:?}");
    }
}

#[test]
fn automatic_mutual_tls_is_chosen_per_endpoint() {
    let built = shown(&ClusterPlan { tls: UpstreamTls::Auto(mesh()), ..plan() });
    let matches = built["transport_socket_matches"].as_array().unwrap();
    assert_eq!(matches[0]["name"], "tlsMode-istio");
    assert_eq!(matches[0]["match"], json!({"tlsMode": "istio"}));
    assert_eq!(matches[1]["name"], "tlsMode-disabled");
    assert_eq!(matches[1]["match"], json!({}));
    assert_eq!(built.get("transport_socket"), None);
    assert_eq!(
        matches[0]["transport_socket"]["typed_config"],
        json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "outbound_.80_.v1_.cart.shop.svc.cluster.local",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
                "alpn_protocols": ["istio"],
                "tls_certificate_sds_secret_configs": [{
                    "name": "default",
                    "sds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
                }],
                "combined_validation_context": {
                    "default_validation_context": {"match_typed_subject_alt_names": [{
                        "san_type": "URI", "matcher": {"exact": "spiffe://cluster.local/ns/shop/sa/cart"}
                    }]},
                    "validation_context_sds_secret_config": {
                        "name": "ROOTCA",
                        "sds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
                    }
                }
            }
        })
    );
}

#[test]
fn originated_tls_verifies_a_name_whenever_one_is_known() {
    for (sni, names, expected, from_request) in [
        (Some("a.example"), vec![], json!([{"san_type": "DNS", "matcher": {"exact": "a.example"}}]), false),
        (
            Some("a.example"),
            vec!["1.2.3.4"],
            json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": "1.2.3.4"}}]),
            false,
        ),
        (
            None,
            vec!["spiffe://a/b"],
            json!([{"san_type": "URI", "matcher": {"exact": "spiffe://a/b"}}]),
            false,
        ),
        (None, vec![], Value::Null, true),
    ] {
        let tls = UpstreamTls::Origination {
            sni: sni.map(Name::from),
            subject_alt_names: names.into_iter().map(Name::from).collect(),
            roots: Roots::System,
            certificate: None,
        };
        let built = shown(&ClusterPlan { tls, ..plan() });
        let context = &built["transport_socket"]["typed_config"];
        let validation = &context["common_tls_context"]["validation_context"];
        assert_eq!(validation["match_typed_subject_alt_names"], expected);
        assert_eq!(validation["trusted_ca"]["filename"], "/etc/ssl/certs/ca-certificates.crt");
        assert_eq!(context["auto_host_sni"].as_bool().unwrap_or_default(), sni.is_none());
        let options = &built["typed_extension_protocol_options"][OPTIONS]["upstream_http_protocol_options"];
        assert_eq!(options["auto_sni"].as_bool().unwrap_or_default(), sni.is_none());
        assert_eq!(options["auto_san_validation"].as_bool().unwrap_or_default(), from_request);
        assert_eq!(built.pointer("/metadata/filter_metadata/istio/alpn_override"), Some(&json!("false")));
    }
}

#[test]
fn a_rule_that_was_not_understood_is_never_plain_text() {
    for discovery in [Discovery::Endpoints, Discovery::Inbound, Discovery::Nothing] {
        let built = cluster(&ClusterPlan { tls: UpstreamTls::Closed, discovery, ..plan() });
        assert_eq!(built.transport_socket.unwrap().name, "envoy.transport_sockets.tls");
        assert!(built.transport_socket_matches.is_empty());
    }
}

#[test]
fn equal_plans_give_equal_bytes() {
    let full = ClusterPlan {
        tls: UpstreamTls::Auto(mesh()),
        protocol: UpstreamProtocol::AsDownstream,
        external: true,
        ..plan()
    };
    let first = envoy::encode(&cluster(&full));
    for _ in 0..20 {
        assert_eq!(envoy::encode(&cluster(&full)), first);
    }
}
