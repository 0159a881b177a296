//! The mark by which the receiving proxy tells traffic of the mesh from an application's own TLS.
//!
//! The mark is an ALPN offer. The sending filter chain knows whether it carries requests or bytes and writes the mark into
//! filter state, from where the upstream TLS socket takes it; the receiver chooses its filter chain by it and negotiates
//! nothing. The values are Istio's, so that match lists written for Istio's proxies match too.
//!
//! An empty configuration on a route does *not* take the mark away (Envoy applies the filter's own values first, then
//! those of the route); switching the filter off for the route does, on weighted clusters as well.

use pilothouse_envoy_api as envoy;

/// Marks requests, of HTTP/1.1 and HTTP/2 alike.
pub const HTTP: &str = "istio-http/1.1";
/// Marks bytes.
pub const BYTES: &str = "istio";
/// The name of the HTTP filter, and the key of its settings on routes.
pub(crate) const HTTP_FILTER: &str = "envoy.filters.http.set_filter_state";

/// The configuration of the HTTP filter that marks each request.
pub(crate) fn http() -> envoy::Any {
    envoy::pack(&envoy::http_set_filter_state::Config {
        on_request_headers: vec![offer(HTTP)],
        clear_route_cache: false,
    })
}

/// The network filter that marks a connection of bytes.
pub(crate) fn network() -> envoy::listener::Filter {
    envoy::listener::Filter {
        name: "envoy.filters.network.set_filter_state".into(),
        config_type: Some(envoy::listener::filter::ConfigType::TypedConfig(envoy::pack(
            &envoy::network_set_filter_state::Config {
                on_new_connection: vec![offer(BYTES)],
                ..Default::default()
            },
        ))),
    }
}

/// The setting of a route, or of one of its weighted clusters, that leaves requests unmarked.
pub(crate) fn off() -> envoy::Any {
    envoy::pack(&envoy::route::FilterConfig { config: None, is_optional: false, disabled: true })
}

fn offer(mark: &str) -> envoy::set_filter_state::FilterStateValue {
    use envoy::set_filter_state::filter_state_value::{Key, SharedWithUpstream, Value};
    envoy::set_filter_state::FilterStateValue {
        key: Some(Key::ObjectKey("envoy.network.application_protocols".into())),
        value: Some(Value::FormatString(crate::format::text(mark))),
        shared_with_upstream: SharedWithUpstream::Once.into(),
        ..Default::default()
    }
}
