//! `trafficPolicy` of a DestinationRule.

use serde::Deserialize;

use crate::virtual_service::PortSelector;
use crate::{Int, List};

/// `trafficPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    /// Load balancing.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits.
    pub connection_pool: Option<ConnectionPool>,
    /// Ejection.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS.
    pub tls: Option<ClientTls>,
    /// Replacements by port.
    pub port_level_settings: List<PortTrafficPolicy>,
}

/// An entry of `portLevelSettings`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortTrafficPolicy {
    /// The service port.
    pub port: Option<PortSelector>,
    /// Load balancing.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits.
    pub connection_pool: Option<ConnectionPool>,
    /// Ejection.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS.
    pub tls: Option<ClientTls>,
}

/// `loadBalancer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    /// `LEAST_REQUEST`, `ROUND_ROBIN`, `RANDOM`, `PASSTHROUGH`, …
    pub simple: Option<String>,
    /// Hashing.
    pub consistent_hash: Option<ConsistentHash>,
}

/// `consistentHash`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsistentHash {
    /// Hash of a request header.
    pub http_header_name: Option<String>,
    /// Hash of a cookie.
    pub http_cookie: Option<HttpCookie>,
    /// Hash of the client's address.
    pub use_source_ip: Option<bool>,
    /// Hash of a query parameter.
    pub http_query_parameter_name: Option<String>,
    /// On a ring.
    pub ring_hash: Option<RingHash>,
    /// Deprecated place of the ring size.
    pub minimum_ring_size: Option<Int>,
}

/// `httpCookie`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpCookie {
    /// Its name.
    pub name: Option<String>,
    /// Its path.
    pub path: Option<String>,
    /// How long a made cookie lives.
    pub ttl: Option<String>,
}

/// `ringHash`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RingHash {
    /// At least this many points.
    pub minimum_ring_size: Option<Int>,
}

/// `connectionPool`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConnectionPool {
    /// For all connections.
    pub tcp: Option<TcpPool>,
    /// For HTTP.
    pub http: Option<HttpPool>,
}

/// `connectionPool.tcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpPool {
    /// Connections.
    pub max_connections: Option<Int>,
    /// Time to connect.
    pub connect_timeout: Option<String>,
    /// Keepalive.
    pub tcp_keepalive: Option<Keepalive>,
    /// Life of a connection.
    pub max_connection_duration: Option<String>,
    /// Idle time.
    pub idle_timeout: Option<String>,
}

/// `tcpKeepalive`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Keepalive {
    /// Probes without an answer before the connection is dead.
    pub probes: Option<Int>,
    /// Idle time before the first probe.
    pub time: Option<String>,
    /// Time between probes.
    pub interval: Option<String>,
}

/// `connectionPool.http`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPool {
    /// Requests that wait for a connection.
    pub http1_max_pending_requests: Option<Int>,
    /// Requests in flight, for HTTP/1.1 too.
    pub http2_max_requests: Option<Int>,
    /// Requests on one connection.
    pub max_requests_per_connection: Option<Int>,
    /// Retries in flight.
    pub max_retries: Option<Int>,
    /// Idle time.
    pub idle_timeout: Option<String>,
    /// `DEFAULT`, `DO_NOT_UPGRADE` or `UPGRADE`.
    pub h2_upgrade_policy: Option<String>,
}

/// `outlierDetection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    /// Local failures are counted apart.
    pub split_external_local_origin_errors: Option<bool>,
    /// Local failures in a row.
    pub consecutive_local_origin_failures: Option<Int>,
    /// 502, 503, 504 in a row.
    pub consecutive_gateway_errors: Option<Int>,
    /// 5xx in a row.
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<Int>,
    /// Time between sweeps.
    pub interval: Option<String>,
    /// Time of the first ejection.
    pub base_ejection_time: Option<String>,
    /// Share of endpoints that may be ejected.
    pub max_ejection_percent: Option<Int>,
    /// Share of healthy endpoints below which all are used.
    pub min_health_percent: Option<Int>,
}

/// `tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientTls {
    /// `DISABLE`, `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`.
    pub mode: Option<String>,
    /// File with the client's chain.
    pub client_certificate: Option<String>,
    /// File with the client's key.
    pub private_key: Option<String>,
    /// File with roots.
    pub ca_certificates: Option<String>,
    /// Secret with all of these.
    pub credential_name: Option<String>,
    /// Accepted names of the server.
    pub subject_alt_names: List<String>,
    /// Server name to send.
    pub sni: Option<String>,
    /// The server is not verified.
    pub insecure_skip_verify: Option<bool>,
    /// File with revoked certificates.
    pub ca_crl: Option<String>,
}
