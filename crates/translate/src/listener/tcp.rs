//! Chains that carry bytes.

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::TcpPlan;

use crate::{access_log, marker, time, weight};

/// What a peer may send before the workload is dialled, in bytes.
const EARLY_DATA: u32 = 65_536;

/// The network filters of a plan. `terminates` says whether the chain terminates TLS.
pub(super) fn filters(plan: &TcpPlan, terminates: bool) -> Vec<envoy::listener::Filter> {
    use envoy::tcp_proxy::UpstreamConnectMode;
    let TcpPlan {
        stat_prefix,
        clusters,
        idle_timeout,
        max_duration,
        hash_source_ip,
        mesh_marker,
        after_handshake,
        access_log,
        origin: _,
    } = plan;
    let mut proxy = envoy::tcp_proxy::TcpProxy {
        stat_prefix: stat_prefix.to_string(),
        cluster_specifier: Some(specifier(clusters)),
        idle_timeout: idle_timeout.map(time::duration),
        max_downstream_connection_duration: max_duration.and_then(time::positive),
        access_log: access_log::access_log(access_log.as_ref()),
        ..Default::default()
    };
    if *hash_source_ip {
        proxy.hash_policy = vec![envoy::types::HashPolicy {
            policy_specifier: Some(envoy::types::hash_policy::PolicySpecifier::SourceIp(
                envoy::types::hash_policy::SourceIp {},
            )),
        }];
    }
    // By default Envoy dials while the handshake is still going on: the workload would see connections of peers that
    // never authenticate, and logs would not know the peer.
    if *after_handshake && terminates {
        proxy.upstream_connect_mode = UpstreamConnectMode::OnDownstreamTlsHandshake.into();
        proxy.max_early_data_bytes = Some(envoy::uint32(EARLY_DATA));
    }
    let proxy = envoy::listener::Filter {
        name: "envoy.filters.network.tcp_proxy".into(),
        config_type: Some(envoy::listener::filter::ConfigType::TypedConfig(envoy::pack(&proxy))),
    };
    // The marker goes first: the proxy dials as soon as it is reached.
    mesh_marker.then(marker::network).into_iter().chain([proxy]).collect()
}

fn specifier(clusters: &[(pilothouse_base::Name, u32)]) -> envoy::tcp_proxy::tcp_proxy::ClusterSpecifier {
    use envoy::tcp_proxy::tcp_proxy::weighted_cluster::ClusterWeight;
    use envoy::tcp_proxy::tcp_proxy::{ClusterSpecifier, WeightedCluster};
    if let [(only, _)] = clusters {
        return ClusterSpecifier::Cluster(only.to_string());
    }
    let weights = weight::fit(clusters.iter().map(|(_, weight)| *weight));
    ClusterSpecifier::WeightedClusters(WeightedCluster {
        clusters: clusters
            .iter()
            .zip(weights)
            .map(|((name, _), weight)| ClusterWeight { name: name.to_string(), weight, metadata_match: None })
            .collect(),
    })
}
