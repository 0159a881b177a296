use serde_json::{Value, json};

use super::*;
use crate::{Delivery, empty_route_table, tls};

fn discovered(name: &str) -> envoy::cluster::Cluster {
    envoy::cluster::Cluster {
        name: name.into(),
        eds_cluster_config: Some(envoy::cluster::cluster::EdsClusterConfig {
            eds_config: Some(crate::discovery::ads(crate::discovery::ENDPOINTS)),
            service_name: name.into(),
        }),
        transport_socket: Some(tls::socket(envoy::pack(&envoy::tls::UpstreamTlsContext {
            common_tls_context: Some(tls::mesh(vec![])),
            ..Default::default()
        }))),
        ..Default::default()
    }
}

fn served(name: &str, table: &str, secured: bool) -> envoy::listener::Listener {
    use envoy::hcm::http_connection_manager::RouteSpecifier;
    let manager = envoy::hcm::HttpConnectionManager {
        route_specifier: Some(RouteSpecifier::Rds(envoy::hcm::Rds {
            config_source: Some(crate::discovery::ads(crate::discovery::WAIT)),
            route_config_name: table.into(),
        })),
        ..Default::default()
    };
    let context = envoy::tls::DownstreamTlsContext {
        common_tls_context: Some(tls::mesh(vec![])),
        ..Default::default()
    };
    envoy::listener::Listener {
        name: name.into(),
        filter_chains: vec![envoy::listener::FilterChain {
            filters: vec![envoy::listener::Filter {
                name: "http".into(),
                config_type: Some(envoy::listener::filter::ConfigType::TypedConfig(envoy::pack(&manager))),
            }],
            transport_socket: secured.then(|| tls::socket(envoy::pack(&context))),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn named(name: &str) -> envoy::tls::Secret {
    envoy::tls::Secret { name: name.into(), ..Default::default() }
}

fn shown(bootstrap: &envoy::bootstrap::Bootstrap) -> Value {
    envoy::json::print(bootstrap).unwrap()["static_resources"].clone()
}

#[test]
fn everything_is_put_where_it_is_referred_to() {
    let table = envoy::route::RouteConfiguration {
        vhds: Some(envoy::route::Vhds::default()),
        ..empty_route_table(&"80".into(), Delivery::Whole)
    };
    let endpoints = envoy::endpoint::ClusterLoadAssignment {
        cluster_name: "a".into(),
        endpoints: vec![envoy::endpoint::LocalityLbEndpoints::default()],
        ..Default::default()
    };
    let bootstrap = bootstrap_static(
        [discovered("b"), discovered("a")],
        [served("y", "80", true), served("x", "unknown", false)],
        [table],
        [endpoints],
        ["default", "ROOTCA", "unused"].map(named),
    );
    let shown = shown(&bootstrap);
    assert!(!shown.to_string().contains("\"ads\""), "{shown}");
    assert_eq!(
        shown.pointer("/clusters/0/load_assignment"),
        Some(&json!({"cluster_name": "a", "endpoints": [{}]}))
    );
    assert_eq!(shown.pointer("/clusters/1/load_assignment"), Some(&json!({"cluster_name": "b"})));
    let table = "/filter_chains/0/filters/0/typed_config/route_config";
    assert_eq!(
        shown["listeners"][0].pointer(table),
        Some(&json!({"name": "unknown", "validate_clusters": false}))
    );
    assert_eq!(
        shown["listeners"][1].pointer(table),
        Some(&json!({"name": "80", "validate_clusters": false}))
    );
    assert_eq!(shown["secrets"], json!([{"name": "ROOTCA"}, {"name": "default"}]));
}

#[test]
fn what_lacks_a_secret_is_closed() {
    let bootstrap = bootstrap_static(
        [discovered("a")],
        [served("secured", "80", true), served("plain", "80", false)],
        [],
        [],
        [named("default")],
    );
    let resources = bootstrap.static_resources.clone().unwrap();
    assert_eq!(resources.clusters[0].transport_socket, Some(crate::cluster::tls::closed()));
    let names: Vec<_> = resources.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["plain"], "a listener without chains is none");
}
