//! Envoy v3 messages, their type URLs and protobuf JSON.
//!
//! The messages come from `envoy-types`; this crate gives them short module names, so that code reads
//! `cluster::Cluster` and not a path of eight segments. What it adds is small: [`pack`] and [`encode`], which give
//! the same bytes for equal messages, [`type_url`] and [`json`].

mod any;
mod encode;
pub mod json;
pub mod type_url;
mod well_known;

pub use any::{UnpackError, pack, unpack};
pub use encode::encode;
pub use prost::{Message, Name};
pub use well_known::{boolean, double, duration, string, uint32, uint64};

// Well-known types.
pub use envoy_types::pb::google::protobuf::{
    Any, BoolValue, BytesValue, DoubleValue, Duration, Empty, FloatValue, Int32Value, Int64Value, ListValue,
    NullValue, StringValue, Struct, Timestamp, UInt32Value, UInt64Value, Value, value,
};
/// Status of a gRPC call, as Envoy reports why it rejected an update.
pub use envoy_types::pb::google::rpc;
/// `TypedExtensionConfig` of xDS, the matcher trees' way to name an extension.
pub use envoy_types::pb::xds::core::v3 as xds_core;
/// Matcher trees.
pub use envoy_types::pb::xds::r#type::matcher::v3 as xds_matcher;

// Resources.
/// What Envoy's admin port answers: configuration dump, clusters, certificates.
pub use envoy_types::pb::envoy::admin::v3 as admin;
/// `AccessLog` and its filters.
pub use envoy_types::pb::envoy::config::accesslog::v3 as access_log;
/// `Bootstrap`: what an Envoy starts with.
pub use envoy_types::pb::envoy::config::bootstrap::v3 as bootstrap;
/// `Cluster` and what is inside it.
pub use envoy_types::pb::envoy::config::cluster::v3 as cluster;
/// Header mutations and the rules that bound them.
pub use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation_rules;
/// Addresses, metadata, config sources, `Node` and other shared parts.
pub use envoy_types::pb::envoy::config::core::v3 as core;
/// `ClusterLoadAssignment`, localities and endpoints.
pub use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
/// `Listener`, filter chains and their matches.
pub use envoy_types::pb::envoy::config::listener::v3 as listener;
/// Stats sinks, tags and matchers of the bootstrap.
pub use envoy_types::pb::envoy::config::metrics::v3 as metrics;
/// Overload manager of the bootstrap.
pub use envoy_types::pb::envoy::config::overload::v3 as overload;
/// Rate limit service settings.
pub use envoy_types::pb::envoy::config::ratelimit::v3 as ratelimit;
/// RBAC rules, shared by the HTTP and the network filter.
pub use envoy_types::pb::envoy::config::rbac::v3 as rbac;
/// `RouteConfiguration`, `VirtualHost`, routes and actions.
pub use envoy_types::pb::envoy::config::route::v3 as route;
/// Tracing providers.
pub use envoy_types::pb::envoy::config::trace::v3 as trace;
/// TLS contexts, validation and `Secret`.
pub use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
/// Discovery requests and responses, and the aggregated discovery service (client and server).
pub use envoy_types::pb::envoy::service::discovery::v3 as discovery;
/// Client status: what a proxy says it has accepted or rejected.
pub use envoy_types::pb::envoy::service::status::v3 as status;

// Values.
/// Cookies and path transformations.
pub use envoy_types::pb::envoy::r#type::http::v3 as http_types;
/// String, regex, metadata and value matchers.
pub use envoy_types::pb::envoy::r#type::matcher::v3 as matcher;
/// Keys and kinds of metadata.
pub use envoy_types::pb::envoy::r#type::metadata::v3 as metadata_key;
/// Custom tracing tags.
pub use envoy_types::pb::envoy::r#type::tracing::v3 as tracing_tag;
/// `Percent`, `FractionalPercent`, ranges, HTTP status and versions.
pub use envoy_types::pb::envoy::r#type::v3 as types;

// Network filters.
/// Limit of open connections per chain.
pub use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3 as connection_limit;
/// Answers a connection with fixed bytes.
pub use envoy_types::pb::envoy::extensions::filters::network::direct_response::v3 as direct_response;
/// Network external authorization.
pub use envoy_types::pb::envoy::extensions::filters::network::ext_authz::v3 as network_ext_authz;
/// HTTP connection manager.
pub use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
/// Local rate limit per connection.
pub use envoy_types::pb::envoy::extensions::filters::network::local_ratelimit::v3 as network_local_ratelimit;
/// MongoDB protocol filter.
pub use envoy_types::pb::envoy::extensions::filters::network::mongo_proxy::v3 as mongo_proxy;
/// Network RBAC filter.
pub use envoy_types::pb::envoy::extensions::filters::network::rbac::v3 as network_rbac;
/// Redis protocol filter.
pub use envoy_types::pb::envoy::extensions::filters::network::redis_proxy::v3 as redis_proxy;
/// Network filter that writes filter state.
pub use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3 as network_set_filter_state;
/// Cluster name taken from SNI.
pub use envoy_types::pb::envoy::extensions::filters::network::sni_cluster::v3 as sni_cluster;
/// TCP proxy.
pub use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp_proxy;

// HTTP filters.
/// Delay and rate limit shared by fault filters.
pub use envoy_types::pb::envoy::extensions::filters::common::fault::v3 as fault_common;
/// The values that both filter state writers share.
pub use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as set_filter_state;
/// Response compression.
pub use envoy_types::pb::envoy::extensions::filters::http::compressor::v3 as compressor;
/// CORS.
pub use envoy_types::pb::envoy::extensions::filters::http::cors::v3 as cors;
/// Adds a credential to requests.
pub use envoy_types::pb::envoy::extensions::filters::http::credential_injector::v3 as credential_injector;
/// External authorization.
pub use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3 as ext_authz;
/// Delays and aborts.
pub use envoy_types::pb::envoy::extensions::filters::http::fault::v3 as fault;
/// gRPC statistics.
pub use envoy_types::pb::envoy::extensions::filters::http::grpc_stats::v3 as grpc_stats;
/// gRPC-Web.
pub use envoy_types::pb::envoy::extensions::filters::http::grpc_web::v3 as grpc_web;
/// Header mutation filter.
pub use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3 as header_mutation;
/// Request headers to dynamic metadata.
pub use envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3 as header_to_metadata;
/// Answers health checks in the proxy.
pub use envoy_types::pb::envoy::extensions::filters::http::health_check::v3 as health_check;
/// JWT checks.
pub use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3 as jwt_authn;
/// Local rate limit of requests.
pub use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3 as http_local_ratelimit;
/// Lua filter.
pub use envoy_types::pb::envoy::extensions::filters::http::lua::v3 as lua;
/// Virtual hosts and clusters on demand.
pub use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3 as on_demand;
/// Global rate limit of requests.
pub use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3 as http_ratelimit;
/// HTTP RBAC filter.
pub use envoy_types::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
/// The router, last of every HTTP filter list.
pub use envoy_types::pb::envoy::extensions::filters::http::router::v3 as router;
/// HTTP filter that writes filter state.
pub use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3 as http_set_filter_state;
/// Session persistence.
pub use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3 as stateful_session;
/// Codec filter, last of every upstream HTTP filter list.
pub use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3 as upstream_codec;
/// HTTP Wasm filter.
pub use envoy_types::pb::envoy::extensions::filters::http::wasm::v3 as http_wasm;
/// A credential read from a generic secret.
pub use envoy_types::pb::envoy::extensions::http::injected_credentials::generic::v3 as generic_credential;
/// Session persistence by cookie.
pub use envoy_types::pb::envoy::extensions::http::stateful_session::cookie::v3 as cookie_session;
/// Session persistence by header.
pub use envoy_types::pb::envoy::extensions::http::stateful_session::header::v3 as header_session;

// Listener filters.
/// Detects HTTP.
pub use envoy_types::pb::envoy::extensions::filters::listener::http_inspector::v3 as http_inspector;
/// Original destination of a captured connection.
pub use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3 as original_dst;
/// Reads the PROXY protocol.
pub use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3 as proxy_protocol;
/// Detects TLS and reads SNI and ALPN.
pub use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3 as tls_inspector;

// Transport sockets.
/// Carries metadata into an internal listener.
pub use envoy_types::pb::envoy::extensions::transport_sockets::internal_upstream::v3 as internal_upstream;
/// Writes the PROXY protocol.
pub use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3 as proxy_protocol_upstream;
/// Plain text.
pub use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3 as raw_buffer;

// Upstreams, load balancing, retries, resolvers.
/// DNS cluster extension.
pub use envoy_types::pb::envoy::extensions::clusters::dns::v3 as dns_cluster;
/// Dynamic forward proxy cluster.
pub use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3 as dynamic_forward_proxy_cluster;
/// Header names keep their case.
pub use envoy_types::pb::envoy::extensions::http::header_formatters::preserve_case::v3 as preserve_case;
/// Client address from a header.
pub use envoy_types::pb::envoy::extensions::http::original_ip_detection::custom_header::v3 as custom_header_ip;
/// Client address from X-Forwarded-For.
pub use envoy_types::pb::envoy::extensions::http::original_ip_detection::xff::v3 as xff;
/// Internal redirects that keep the scheme safe.
pub use envoy_types::pb::envoy::extensions::internal_redirect::safe_cross_scheme::v3 as internal_redirect;
/// The cluster type's own policy.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::cluster_provided::v3 as lb_cluster_provided;
/// Slow start, locality and hashing parts that policies share.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::common::v3 as lb_common;
/// Least request.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::least_request::v3 as lb_least_request;
/// Maglev.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::maglev::v3 as lb_maglev;
/// A host chosen by header or metadata.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::override_host::v3 as lb_override_host;
/// Random.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::random::v3 as lb_random;
/// Ring hash.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::ring_hash::v3 as lb_ring_hash;
/// Round robin.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::round_robin::v3 as lb_round_robin;
/// Weighted localities.
pub use envoy_types::pb::envoy::extensions::load_balancing_policies::wrr_locality::v3 as lb_wrr_locality;
/// c-ares resolver.
pub use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3 as cares;
/// The system's resolver.
pub use envoy_types::pb::envoy::extensions::network::dns_resolver::getaddrinfo::v3 as getaddrinfo;
/// Request ids.
pub use envoy_types::pb::envoy::extensions::request_id::uuid::v3 as uuid_request_id;
/// Retries avoid canaries.
pub use envoy_types::pb::envoy::extensions::retry::host::omit_canary_hosts::v3 as omit_canary_hosts;
/// Retries avoid hosts already tried.
pub use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3 as previous_hosts;
/// Retries avoid priorities already tried.
pub use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3 as previous_priorities;
/// `HttpProtocolOptions` of a cluster.
pub use envoy_types::pb::envoy::extensions::upstreams::http::v3 as upstream_http;
/// `TcpProtocolOptions` of a cluster.
pub use envoy_types::pb::envoy::extensions::upstreams::tcp::v3 as upstream_tcp;

// Loggers, formatters, matching, other extensions.
/// Access log to a file.
pub use envoy_types::pb::envoy::extensions::access_loggers::file::v3 as file_access_log;
/// Access log filter by CEL.
pub use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3 as cel_log_filter;
/// Access log to a gRPC service.
pub use envoy_types::pb::envoy::extensions::access_loggers::grpc::v3 as grpc_access_log;
/// Access log to an OpenTelemetry collector.
pub use envoy_types::pb::envoy::extensions::access_loggers::open_telemetry::v3 as otel_access_log;
/// Metrics made from access log fields.
pub use envoy_types::pb::envoy::extensions::access_loggers::stats::v3 as stats_access_log;
/// Access log to standard output or error.
pub use envoy_types::pb::envoy::extensions::access_loggers::stream::v3 as stream_access_log;
/// `%CEL()%`.
pub use envoy_types::pb::envoy::extensions::formatter::cel::v3 as cel_formatter;
/// `%METADATA()%`.
pub use envoy_types::pb::envoy::extensions::formatter::metadata::v3 as metadata_formatter;
/// `%REQ_WITHOUT_QUERY()%`.
pub use envoy_types::pb::envoy::extensions::formatter::req_without_query::v3 as req_without_query;
/// Match inputs of a connection.
pub use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3 as network_inputs;
/// Match inputs of the peer certificate.
pub use envoy_types::pb::envoy::extensions::matching::common_inputs::ssl::v3 as ssl_inputs;
/// Match inputs that choose a transport socket.
pub use envoy_types::pb::envoy::extensions::matching::common_inputs::transport_socket::v3 as transport_socket_inputs;
/// Match by address ranges.
pub use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3 as ip_matcher;
/// Overload by open connections.
pub use envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3 as downstream_connections;
/// Overload by heap size.
pub use envoy_types::pb::envoy::extensions::resource_monitors::fixed_heap::v3 as fixed_heap;
/// Wasm plugins and the bootstrap's Wasm service.
pub use envoy_types::pb::envoy::extensions::wasm::v3 as wasm;
