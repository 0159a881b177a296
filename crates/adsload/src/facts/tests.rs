use pilothouse_envoy_api::core::{AggregatedConfigSource, ConfigSource};
use pilothouse_envoy_api::hcm::Rds;
use pilothouse_envoy_api::listener::Filter;
use pilothouse_envoy_api::route::RouteConfiguration;

use super::*;

fn ads() -> ConfigSource {
    let specifier = ConfigSourceSpecifier::Ads(AggregatedConfigSource::default());
    ConfigSource { config_source_specifier: Some(specifier), ..Default::default() }
}

fn secret(name: &str, source: Option<ConfigSource>) -> SdsSecretConfig {
    SdsSecretConfig { name: name.into(), sds_config: source }
}

fn read(kind: Kind, message: &impl Name) -> Facts {
    (*Reader::default().read(kind, &envoy::encode(message).into()).unwrap()).clone()
}

#[test]
fn a_cluster_names_its_assignment_and_its_secrets() {
    let common = CommonTlsContext {
        tls_certificate_sds_secret_configs: vec![secret("default", Some(ads())), secret("file", None)],
        validation_context_type: Some(ValidationContextType::ValidationContextSdsSecretConfig(secret(
            "ROOTCA",
            Some(ads()),
        ))),
        ..Default::default()
    };
    let context = UpstreamTlsContext { common_tls_context: Some(common), ..Default::default() };
    let socket = core::TransportSocket {
        name: "tls".into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(envoy::pack(&context))),
    };
    let mut cluster = Cluster {
        name: "web".into(),
        cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Eds as i32)),
        transport_socket_matches: vec![cluster::TransportSocketMatch {
            name: "mtls".into(),
            transport_socket: Some(socket),
            ..Default::default()
        }],
        ..Default::default()
    };
    let facts = read(Kind::Cluster, &cluster);
    assert_eq!(facts.assignment.as_deref(), Some("web"));
    assert_eq!(facts.secrets, ["ROOTCA".into(), "default".into()]);

    cluster.eds_cluster_config =
        Some(cluster::EdsClusterConfig { service_name: "other".into(), ..Default::default() });
    assert_eq!(read(Kind::Cluster, &cluster).assignment.as_deref(), Some("other"));
    assert_eq!(read(Kind::Cluster, &Cluster::default()), Facts::default());
}

#[test]
fn a_listener_names_its_tables_once() {
    let manager = |table: &str, source| {
        let rds = Rds { config_source: source, route_config_name: table.into() };
        let manager =
            HttpConnectionManager { route_specifier: Some(RouteSpecifier::Rds(rds)), ..Default::default() };
        let config = Some(filter::ConfigType::TypedConfig(envoy::pack(&manager)));
        FilterChain {
            filters: vec![Filter { name: "http".into(), config_type: config }],
            ..Default::default()
        }
    };
    let listener = Listener {
        filter_chains: vec![manager("80", Some(ads())), manager("80", Some(ads())), manager("file", None)],
        default_filter_chain: Some(manager("81", Some(ads()))),
        ..Default::default()
    };
    assert_eq!(read(Kind::Listener, &listener).tables, ["80".into(), "81".into()]);
}

#[test]
fn a_table_says_whether_its_hosts_come_by_themselves() {
    let mut table = RouteConfiguration { name: "80".into(), ..Default::default() };
    assert!(!read(Kind::Routes, &table).split);
    table.vhds = Some(Default::default());
    assert!(read(Kind::Routes, &table).split);
}

#[test]
fn what_cannot_be_read_is_said() {
    assert!(Reader::default().read(Kind::Cluster, &Bytes::from_static(&[0xff])).is_err());
}
