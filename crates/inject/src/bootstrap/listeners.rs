//! What answers before anything is configured: administration, readiness, metrics.
//!
//! The administration is never routed to by prefix. Each listener knows one exact path and refuses all others, because
//! both ports are open to the whole network in plain text.

use serde_json::{Value, json};

use super::{Admin, BootstrapOptions, DRAIN_HEADER, DRAIN_PATH, probes};

/// Name of the cluster that is Envoy's own administration, as in Istio.
const ADMIN_CLUSTER: &str = "prometheus_stats";
const LUA: &str = "envoy.filters.http.lua";

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
pub(super) fn listeners(options: &BootstrapOptions) -> Vec<Value> {
    let BootstrapOptions { ready_port, metrics_port, ipv6, beside, node, .. } = options;
    let ready = ready_port.map(|port| {
        let mut routes = vec![route("/healthz/ready", "/ready")];
        routes.extend(probes::routes(beside, &node.address));
        routes.extend(beside.drain.as_deref().map(drain_route));
        let mut filters = probes::filters(&beside.probes);
        if routes.len() > 1 {
            filters.push(scripts());
        }
        filters.push(router());
        listener("ready", port, *ipv6, &routes, &filters)
    });
    let metrics = metrics_port.map(|port| {
        let routes = [route("/stats/prometheus", "/stats/prometheus")];
        let mut filters = Vec::new();
        if beside.statistics.compressed {
            filters.push(compressor());
        }
        filters.push(router());
        listener("prometheus", port, *ipv6, &routes, &filters)
    });
    ready.into_iter().chain(metrics).collect()
}

/// One exact path that the administration answers.
fn route(path: &str, admin_path: &str) -> Value {
    json!({
        "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": admin_path},
    })
}

/// Starts the draining of inbound connections. The kubelet's hooks can only GET and the administration accepts POST only.
/// The method is no part of the match: changing it would lose the route.
fn drain_route(guard: &str) -> Value {
    json!({
        "match": {"path": DRAIN_PATH, "headers": [{"name": DRAIN_HEADER, "string_match": {"exact": guard}}]},
        "route": {
            "cluster": ADMIN_CLUSTER,
            // New connections are still accepted while others learn that this pod ends.
            "prefix_rewrite": "/drain_listeners?inboundonly&graceful&skip_exit",
        },
        "typed_per_filter_config": script("post"),
    })
}

/// The script of a route.
pub(super) fn script(name: &str) -> Value {
    json!({LUA: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute",
        "name": name,
    }})
}

/// The two scripts that routes name. An answer of the application that sends the kubelet elsewhere would send it to a path
/// of this listener that does not exist; the kubelet counts it as success, and so it is one.
fn scripts() -> Value {
    json!({
        "name": LUA,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "source_codes": {
                "post": {"inline_string":
                    "function envoy_on_request(handle)\n  handle:headers():replace(\":method\", \"POST\")\nend\n"},
                "redirect": {"inline_string":
                    "function envoy_on_response(handle)\n  local status = handle:headers():get(\":status\")\n  \
                     if status ~= nil and string.sub(status, 1, 1) == \"3\" then\n    \
                     handle:headers():replace(\":status\", \"200\")\n    handle:headers():remove(\"location\")\n  \
                     end\nend\n"},
            },
        },
    })
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    })
}

fn compressor() -> Value {
    json!({
        "name": "envoy.filters.http.compressor",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor",
            "compressor_library": {
                "name": "gzip",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip"},
            },
        },
    })
}

fn listener(name: &str, port: u16, ipv6: bool, routes: &[Value], filters: &[Value]) -> Value {
    // All addresses of the pod's families; a pod with an IPv6 address gets one socket for both.
    let address = if ipv6 {
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
                    "virtual_hosts": [{"name": "backend", "domains": ["*"], "routes": routes}],
                },
                "http_filters": filters,
            },
        }]}],
    })
}
