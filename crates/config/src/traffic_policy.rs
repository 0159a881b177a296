//! `trafficPolicy`: load balancing, limits, ejection and TLS towards a destination.

use std::time::Duration;

use pilothouse_base::Name;
use serde::Serialize;

/// A traffic policy; a missing block says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct TrafficPolicy {
    /// `loadBalancer`.
    pub load_balancer: Option<LoadBalancer>,
    /// `connectionPool`.
    pub connection_pool: Option<ConnectionPool>,
    /// `outlierDetection`.
    pub outlier: Option<OutlierDetection>,
    /// `tls`.
    pub tls: Option<ClientTls>,
}

impl TrafficPolicy {
    /// Fills each block that says nothing from a wider layer (subsets over their rule).
    #[must_use]
    pub fn or(&self, wider: &Self) -> Self {
        let Self { load_balancer, connection_pool, outlier, tls } = self;
        Self {
            load_balancer: load_balancer.clone().or_else(|| wider.load_balancer.clone()),
            connection_pool: connection_pool.clone().or_else(|| wider.connection_pool.clone()),
            outlier: outlier.clone().or_else(|| wider.outlier.clone()),
            tls: tls.clone().or_else(|| wider.tls.clone()),
        }
    }
}

/// `loadBalancer`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum LoadBalancer {
    /// `LEAST_REQUEST`, `LEAST_CONN`, unset: two random picks, fewer requests wins.
    LeastRequest,
    /// `ROUND_ROBIN`.
    RoundRobin,
    /// `RANDOM`.
    Random,
    /// `PASSTHROUGH`: to the address that was dialled.
    Passthrough,
    /// `consistentHash`: a ring of at least this size.
    ConsistentHash {
        /// What is hashed.
        key: HashKey,
        /// `minimumRingSize`, default 1024.
        minimum_ring_size: u64,
    },
}

/// What consistent hashing looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum HashKey {
    /// A request header.
    Header(Name),
    /// A cookie; made by the proxy if `ttl` is set (zero: for the browser's life).
    Cookie {
        /// Its name.
        name: Name,
        /// How long a made cookie lives.
        ttl: Option<Duration>,
        /// The path of a made cookie, empty if not written.
        path: Name,
    },
    /// The client's address.
    SourceIp,
    /// A query parameter.
    Query(Name),
}

/// `connectionPool`; a missing limit is Envoy's maximum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct ConnectionPool {
    /// `tcp.maxConnections`.
    pub max_connections: Option<u32>,
    /// `tcp.connectTimeout`.
    pub connect_timeout: Option<Duration>,
    /// `tcp.tcpKeepalive`.
    pub keepalive: Option<Keepalive>,
    /// `tcp.idleTimeout`.
    pub tcp_idle_timeout: Option<Duration>,
    /// `tcp.maxConnectionDuration`.
    pub max_connection_duration: Option<Duration>,
    /// `http.http1MaxPendingRequests`.
    pub max_pending_requests: Option<u32>,
    /// `http.http2MaxRequests`.
    pub max_requests: Option<u32>,
    /// `http.maxRequestsPerConnection`.
    pub max_requests_per_connection: Option<u32>,
    /// `http.maxRetries`.
    pub max_retries: Option<u32>,
    /// `http.idleTimeout`.
    pub http_idle_timeout: Option<Duration>,
    /// `http.h2UpgradePolicy: UPGRADE`.
    pub h2_upgrade: bool,
}

/// `tcpKeepalive`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Keepalive {
    /// Probes without an answer before the connection is dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// `outlierDetection`; a missing value is Envoy's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct OutlierDetection {
    /// `consecutive5xxErrors`; zero switches the counter off.
    pub consecutive_5xx: Option<u32>,
    /// `consecutiveGatewayErrors`; zero or none is off.
    pub consecutive_gateway: Option<u32>,
    /// `splitExternalLocalOriginErrors` with `consecutiveLocalOriginFailures`.
    pub local_origin: Option<u32>,
    /// Whether `splitExternalLocalOriginErrors` is set.
    pub split_local_origin: bool,
    /// `interval` between sweeps.
    pub interval: Option<Duration>,
    /// `baseEjectionTime`.
    pub base_ejection_time: Option<Duration>,
    /// `maxEjectionPercent`, 1 to 100.
    pub max_ejection_percent: Option<u32>,
    /// `minHealthPercent`, 0 to 100.
    pub min_health_percent: u32,
}

/// `tls` towards a destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClientTls {
    /// What kind of TLS.
    pub mode: ClientTlsMode,
    /// `sni`; none derives it.
    pub sni: Option<Name>,
    /// `subjectAltNames`: accepted names of the server; empty derives them.
    pub subject_alt_names: Vec<Name>,
}

/// `tls.mode` with what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ClientTlsMode {
    /// Plain text.
    Disable,
    /// Mutual TLS with the workload's own certificate.
    IstioMutual,
    /// TLS without a client certificate.
    Simple {
        /// Where the roots are.
        roots: Roots,
    },
    /// TLS with a client certificate from files or from a secret.
    Mutual {
        /// Where the certificate is.
        certificate: ClientCertificate,
        /// Where the roots are.
        roots: Roots,
    },
    /// Could not be understood: connections fail instead of going out in plain text.
    Closed,
}

impl ClientTlsMode {
    /// Whether it needs something from a secret, which only gateways are given.
    pub fn names_secret(&self) -> bool {
        match self {
            Self::Disable | Self::IstioMutual | Self::Closed => false,
            Self::Simple { roots } => matches!(roots, Roots::Secret(_)),
            Self::Mutual { certificate, roots } => {
                matches!(certificate, ClientCertificate::Secret(_)) || matches!(roots, Roots::Secret(_))
            }
        }
    }
}

/// Where the roots for a server's certificate are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Roots {
    /// The roots of the operating system, as Envoy finds them in the usual bundle file.
    System,
    /// A file of the proxy (`caCertificates`).
    File(Name),
    /// `credentialName`: those that belong to a secret.
    Secret(Name),
    /// `insecureSkipVerify`.
    Unverified,
}

/// Where a client certificate is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ClientCertificate {
    /// Files of the proxy.
    Files {
        /// `clientCertificate`.
        certificate: Name,
        /// `privateKey`.
        key: Name,
    },
    /// A secret.
    Secret(Name),
}
