//! Probes of the application, answered by the readiness listener.
//!
//! The kubelet has no certificate, so a port under strict mutual TLS refuses it, and a captured port accepts every
//! connection whether the application listens or not. So each probe asks the readiness listener for a path of its own,
//! and the listener asks the application the way the probe would have done: from the address whose connections are not
//! captured.
//!
//! HTTP is forwarded. For TCP and gRPC Envoy checks the application actively and the path tells the last result. Such a
//! result is as old as the interval at most; without an explicit interval for clusters that see no traffic Envoy would
//! look once a minute only.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Beside;
use super::listeners::script;

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/// A result may not be older than this, however rarely the kubelet asks.
const MAX_INTERVAL: u32 = 5;

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppProbe {
    /// The exact path that the kubelet asks for.
    pub path: String,
    /// What it stands for.
    pub call: Call,
    /// Seconds until it has failed; zero to wait for as long as the kubelet does.
    pub timeout: u32,
    /// Seconds between two.
    pub period: u32,
}

/// What a probe asks the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A GET; below 400 is success.
    Http {
        /// With TLS; the certificate is not looked at, as the kubelet does not.
        tls: bool,
        /// The port.
        port: u16,
        /// The path with its query.
        path: String,
        /// Whether the probe brings a `Host` header of its own, which then stays.
        own_host: bool,
    },
    /// A connection.
    Tcp {
        /// The port.
        port: u16,
    },
    /// The health service of gRPC.
    Grpc {
        /// The port.
        port: u16,
        /// The service that is asked about; empty for the server as a whole.
        service: String,
    },
}

/// The routes of HTTP probes.
pub(super) fn routes(beside: &Beside, address: &str) -> Vec<Value> {
    beside.probes.iter().filter_map(|probe| route(probe, address, beside.brackets)).collect()
}

fn route(probe: &AppProbe, address: &str, brackets: bool) -> Option<Value> {
    let AppProbe { path, call, timeout, period: _ } = probe;
    let Call::Http { tls: _, port, path: app_path, own_host } = call else { return None };
    let mut action = json!({
        "cluster": name(probe),
        "prefix_rewrite": if app_path.starts_with('/') { app_path.clone() } else { format!("/{app_path}") },
        "timeout": format!("{timeout}s"),
    });
    if !own_host {
        // The kubelet named the port of this listener.
        let host =
            if brackets || address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        action["host_rewrite_literal"] = json!(format!("{host}:{port}"));
    }
    Some(json!({"match": {"path": path}, "route": action, "typed_per_filter_config": script("redirect")}))
}

/// The filters that answer TCP and gRPC probes.
pub(super) fn filters(probes: &[AppProbe]) -> Vec<Value> {
    let checked = probes.iter().filter(|probe| !matches!(probe.call, Call::Http { .. }));
    checked
        .map(|probe| {
            json!({
                "name": "envoy.filters.http.health_check",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
                    "pass_through_mode": false,
                    "headers": [{"name": ":path", "string_match": {"exact": probe.path}}],
                    "cluster_min_healthy_percentages": {name(probe): {"value": 100}},
                },
            })
        })
        .collect()
}

/// The application as the destination of each probe.
pub(super) fn clusters(probes: &[AppProbe], address: &str) -> Vec<Value> {
    let by_name: BTreeMap<String, Value> =
        probes.iter().map(|probe| (name(probe), cluster(probe, address))).collect();
    by_name.into_values().collect()
}

/// HTTP probes of one port share a cluster; a checked one is asked in its own interval.
fn name(probe: &AppProbe) -> String {
    match &probe.call {
        Call::Http { tls: false, port, .. } => format!("probe|http|{port}"),
        Call::Http { tls: true, port, .. } => format!("probe|https|{port}"),
        Call::Tcp { port } => format!("probe|tcp|{port}|{}", probe.path),
        Call::Grpc { port, .. } => format!("probe|grpc|{port}|{}", probe.path),
    }
}

fn cluster(probe: &AppProbe, address: &str) -> Value {
    let AppProbe { path: _, call, timeout, period } = probe;
    let (Call::Http { port, .. } | Call::Tcp { port } | Call::Grpc { port, .. }) = call;
    let name = name(probe);
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        // From here connections are not captured. The one of the same family as the application's address is taken.
        "upstream_bind_config": {
            "source_address": {"address": "127.0.0.6", "port_value": 0},
            "extra_source_addresses": [{"address": {"address": "::6", "port_value": 0}}],
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                "address": address, "port_value": port,
            }}}}]}],
        },
    });
    let check = |with: &str, what: Value| {
        let interval = format!("{}s", (*period).clamp(1, MAX_INTERVAL));
        json!([{
            "timeout": format!("{timeout}s"),
            "interval": interval,
            "no_traffic_interval": interval,
            "healthy_threshold": 1,
            "unhealthy_threshold": 1,
            with: what,
        }])
    };
    match call {
        Call::Http { tls, .. } => {
            cluster["typed_extension_protocol_options"] = json!({HTTP_OPTIONS: {
                "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
                "common_http_protocol_options": {"max_requests_per_connection": 1},
                "explicit_http_config": {"http_protocol_options": {}},
            }});
            if *tls {
                cluster["transport_socket"] = json!({
                    "name": "envoy.transport_sockets.tls",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    },
                });
            }
        }
        Call::Tcp { .. } => cluster["health_checks"] = check("tcp_health_check", json!({})),
        Call::Grpc { service, .. } => {
            cluster["typed_extension_protocol_options"] = json!({HTTP_OPTIONS: {
                "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
                "explicit_http_config": {"http2_protocol_options": {}},
            }});
            cluster["health_checks"] = check("grpc_health_check", json!({"service_name": service}));
        }
    }
    cluster
}
