//! The connection to the control plane.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{BootstrapOptions, DISCOVERY_CLUSTER, ROOT, Security, TOKEN};

/// Type of a secret.
pub(super) const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The aggregated stream.
pub(super) fn ads(cluster_id: &str) -> Value {
    let mut service = json!({"envoy_grpc": {"cluster_name": DISCOVERY_CLUSTER}});
    if !cluster_id.is_empty() {
        // Tells a control plane of several Kubernetes clusters which API server knows the token.
        service["initial_metadata"] = json!([{"key": "clusterid", "value": cluster_id}]);
    }
    json!({
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": true,
        "grpc_services": [service],
    })
}

/// The cluster of the control plane.
pub(super) fn cluster(options: &BootstrapOptions) -> Value {
    let BootstrapOptions { discovery_host, discovery_port, security, .. } = options;
    let is_address = discovery_host.parse::<IpAddr>().is_ok();
    // Without its own keepalive a lost node would leave the stream half open for minutes.
    let mut http = json!({
        "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
        "explicit_http_config": {
            "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "10s"}},
        },
    });
    let mut cluster = json!({
        "name": DISCOVERY_CLUSTER,
        "type": if is_address { "STATIC" } else { "STRICT_DNS" },
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": DISCOVERY_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                "address": discovery_host, "port_value": discovery_port,
            }}}}]}],
        },
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 300}},
    });
    if !is_address {
        cluster["dns_lookup_family"] = json!("ALL");
    }
    if let Security::Tls { server_name, files } = security {
        http["http_filters"] = token_filters(&files.token_secret);
        cluster["transport_socket"] = tls(server_name, &files.root_secret);
    }
    cluster["typed_extension_protocol_options"] = json!({HTTP_OPTIONS: http});
    cluster
}

/// Puts the token into each new stream. The codec filter must be the last.
fn token_filters(token_secret: &str) -> Value {
    json!([
        {
            "name": "envoy.filters.http.credential_injector",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
                "overwrite": true,
                "credential": {
                    "name": "envoy.http.injected_credentials.generic",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                        "credential": {"name": TOKEN, "sds_config": file_source(token_secret)},
                        "header": "authorization",
                        "header_value_prefix": "Bearer ",
                    },
                },
            },
        },
        {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            },
        },
    ])
}

fn tls(server_name: &str, root_secret: &str) -> Value {
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            // Envoy's upstream TLS ends at 1.2 unless told otherwise.
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": ["h2"],
            "validation_context_sds_secret_config": {"name": ROOT, "sds_config": file_source(root_secret)},
        },
    });
    // An address is no server name (RFC 6066, section 3); it is checked by the validation context all the same.
    if server_name.parse::<IpAddr>().is_err() {
        context["sni"] = json!(server_name);
    }
    json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
}

fn file_source(path: &str) -> Value {
    json!({"path_config_source": {"path": path}, "resource_api_version": "V3"})
}
