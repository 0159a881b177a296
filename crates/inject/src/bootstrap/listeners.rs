//! What answers before anything is configured: administration, readiness, metrics.
//!
//! The administration is never routed to by prefix. Each listener knows one exact path and refuses all others, because
//! both ports are open to the whole network in plain text.

use serde_json::{Value, json};

use super::{Admin, Node};

/// Name of the cluster that is Envoy's own administration, as in Istio.
const ADMIN_CLUSTER: &str = "prometheus_stats";

/// Where the administration listens.
pub(super) fn admin_address(admin: &Admin) -> Value {
    match admin {
        Admin::Port(port) => json!({"socket_address": {"address": "127.0.0.1", "port_value": port}}),
        Admin::Pipe(path) => json!({"pipe": {"path": path}}),
    }
}

/// The administration as a destination.
pub(super) fn admin_cluster(admin: &Admin) -> Value {
    json!({
        "name": ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "0.250s",
        "load_assignment": {
            "cluster_name": ADMIN_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": admin_address(admin)}}]}],
        },
    })
}

/// The listeners for the kubelet and for Prometheus.
pub(super) fn listeners(node: &Node, ready_port: Option<u16>, metrics_port: Option<u16>) -> Vec<Value> {
    let ready = ready_port.map(|port| listener(node, "ready", port, "/healthz/ready", "/ready"));
    let metrics =
        metrics_port.map(|port| listener(node, "prometheus", port, "/stats/prometheus", "/stats/prometheus"));
    ready.into_iter().chain(metrics).collect()
}

fn listener(node: &Node, name: &str, port: u16, path: &str, admin_path: &str) -> Value {
    // All addresses of the pod's families; a pod with an IPv6 address gets one socket for both.
    let address = if node.addresses.iter().any(std::net::IpAddr::is_ipv6) {
        json!({"socket_address": {"address": "::", "port_value": port, "ipv4_compat": true}})
    } else {
        json!({"socket_address": {"address": "0.0.0.0", "port_value": port}})
    };
    json!({
        "name": name,
        "address": address,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "codec_type": "AUTO",
                "route_config": {
                    "name": name,
                    "virtual_hosts": [{
                        "name": "backend",
                        "domains": ["*"],
                        "routes": [{
                            "match": {
                                "path": path,
                                "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
                            },
                            "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": admin_path},
                        }],
                    }],
                },
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    },
                }],
            },
        }]}],
    })
}
