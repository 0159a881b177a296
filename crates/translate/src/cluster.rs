//! Clusters.

mod discovery;
mod http_options;
mod limits;
mod load_balancing;
mod outlier;
pub(crate) mod tls;

use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{ClusterPlan, ClusterService, UpstreamTls};

use crate::metadata::{ISTIO, list, map, metadata, path, structure, text, truth};
use crate::time;

/// The cluster of a plan.
pub fn cluster(plan: &ClusterPlan) -> envoy::cluster::Cluster {
    let ClusterPlan {
        name,
        discovery,
        connect_timeout,
        load_balancer,
        pool,
        outlier,
        protocol,
        tls,
        services: _,
        external: _,
        subset: _,
        rule: _,
    } = plan;
    let mut cluster = envoy::cluster::Cluster {
        name: name.to_string(),
        // The semicolon ends the name for the rules that cut names out of statistics; names contain dots and bars.
        alt_stat_name: format!("{name};"),
        connect_timeout: time::positive(pool.connect_timeout.unwrap_or(*connect_timeout)),
        circuit_breakers: Some(limits::circuit_breakers(pool)),
        upstream_connection_options: limits::keepalive(pool),
        outlier_detection: outlier.as_ref().map(outlier::detection),
        common_lb_config: Some(outlier::panic_threshold(outlier.as_ref())),
        metadata: describe(plan),
        ..Default::default()
    };
    discovery::apply(name, discovery, &mut cluster);
    load_balancing::apply(load_balancer, &mut cluster);
    tls::apply(tls, *protocol, &mut cluster);
    if let Some(options) = http_options::options(*protocol, pool, tls) {
        cluster.typed_extension_protocol_options.insert(http_options::KEY.into(), envoy::pack(&options));
    }
    cluster
}

/// What telemetry and tools read about a cluster.
fn describe(plan: &ClusterPlan) -> Option<envoy::core::Metadata> {
    let ClusterPlan {
        services,
        external,
        subset,
        rule,
        tls,
        name: _,
        discovery: _,
        connect_timeout: _,
        load_balancer: _,
        pool: _,
        outlier: _,
        protocol: _,
    } = plan;
    let services: Vec<_> = services
        .iter()
        .map(|ClusterService { host, name, namespace }| {
            map([
                ("host", text(host.as_str())),
                ("name", text(name.as_str())),
                ("namespace", text(namespace.as_str())),
            ])
        })
        .collect();
    let foreign_tls = matches!(tls, UpstreamTls::Origination { .. } | UpstreamTls::Closed);
    let fields = [
        (!services.is_empty()).then(|| ("services", list(services))),
        external.then(|| ("external", truth(true))),
        subset.as_ref().map(|subset| ("subset", text(subset.as_str()))),
        rule.as_ref().map(|rule| ("config", text(path(rule)))),
        foreign_tls.then(|| ("alpn_override", text("false"))),
    ];
    metadata([(ISTIO, structure(fields.into_iter().flatten()))])
}

#[cfg(test)]
mod tests;
