//! How HTTP is spoken to endpoints.

use pilothouse_config::traffic_policy::{ConnectionPool, Roots};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{UpstreamProtocol, UpstreamTls};

use crate::time;

/// Under which a cluster holds its HTTP options.
pub(super) const KEY: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The HTTP options of a cluster, if it needs any: a cluster without them speaks HTTP/1.1 and carries bytes.
pub(super) fn options(
    protocol: UpstreamProtocol,
    pool: &ConnectionPool,
    tls: &UpstreamTls,
) -> Option<envoy::upstream_http::HttpProtocolOptions> {
    let common = common(pool);
    let server_name = server_name(tls);
    // A cluster that speaks what its client spoke cannot be upgraded: nothing says that requests are HTTP at all.
    let protocol = match protocol {
        UpstreamProtocol::Http1 if pool.h2_upgrade => UpstreamProtocol::Http2,
        protocol => protocol,
    };
    if protocol == UpstreamProtocol::Http1 && common.is_none() && server_name.is_none() {
        return None;
    }
    Some(envoy::upstream_http::HttpProtocolOptions {
        common_http_protocol_options: common,
        upstream_http_protocol_options: server_name,
        upstream_protocol_options: Some(spoken(protocol)),
        ..Default::default()
    })
}

/// Limits of connections.
fn common(pool: &ConnectionPool) -> Option<envoy::core::HttpProtocolOptions> {
    let ConnectionPool {
        http_idle_timeout,
        tcp_idle_timeout,
        max_connection_duration,
        max_requests_per_connection,
        max_connections: _,
        connect_timeout: _,
        keepalive: _,
        max_pending_requests: _,
        max_requests: _,
        max_retries: _,
        h2_upgrade: _,
    } = pool;
    let common = envoy::core::HttpProtocolOptions {
        idle_timeout: http_idle_timeout.or(*tcp_idle_timeout).map(time::duration),
        max_connection_duration: max_connection_duration.and_then(time::positive),
        max_requests_per_connection: max_requests_per_connection
            .filter(|limit| *limit > 0)
            .map(envoy::uint32),
        ..Default::default()
    };
    (common != envoy::core::HttpProtocolOptions::default()).then_some(common)
}

/// Takes the server name of TLS from the request, and checks the certificate against it, where the rule names neither.
fn server_name(tls: &UpstreamTls) -> Option<envoy::core::UpstreamHttpProtocolOptions> {
    let UpstreamTls::Origination { sni: None, subject_alt_names, roots, certificate: _ } = tls else {
        return None;
    };
    Some(envoy::core::UpstreamHttpProtocolOptions {
        auto_sni: true,
        auto_san_validation: subject_alt_names.is_empty() && *roots != Roots::Unverified,
        ..Default::default()
    })
}

fn spoken(
    protocol: UpstreamProtocol,
) -> envoy::upstream_http::http_protocol_options::UpstreamProtocolOptions {
    use envoy::core::{Http1ProtocolOptions, Http2ProtocolOptions};
    use envoy::upstream_http::http_protocol_options::explicit_http_config::ProtocolConfig;
    use envoy::upstream_http::http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
    };
    let explicit = |config| {
        UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig { protocol_config: Some(config) })
    };
    match protocol {
        UpstreamProtocol::Http1 => {
            explicit(ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default()))
        }
        UpstreamProtocol::Http2 => {
            explicit(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default()))
        }
        UpstreamProtocol::AsDownstream => {
            UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
                http_protocol_options: Some(Http1ProtocolOptions::default()),
                http2_protocol_options: Some(Http2ProtocolOptions::default()),
                http3_protocol_options: None,
            })
        }
    }
}
