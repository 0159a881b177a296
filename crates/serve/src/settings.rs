//! What the serving part is told by the binary.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pilothouse_ca::{LeafLifetimes, LimitSettings};
use pilothouse_xds::{Bounds, RouteDelivery};

use crate::compile::Pacing;
use crate::webhook::Webhooks;

/// The port of discovery over TLS.
pub const DISCOVERY_PORT: u16 = 15012;
/// The port of the admin pages, on loopback.
pub const ADMIN_PORT: u16 = 15014;

/// Settings of [`crate::run`]. There is no default for what an operator should choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where discovery over TLS listens.
    pub discovery: SocketAddr,
    /// Where discovery in plain text listens, if at all. Must be loopback: whoever reaches it is believed.
    pub plaintext: Option<SocketAddr>,
    /// Where the admin pages listen. Must be loopback.
    pub admin: SocketAddr,
    /// The webhooks, if the API server asks here.
    pub webhooks: Option<Webhooks>,
    /// Names under which proxies reach the discovery port; they go into its certificate.
    pub server_names: Vec<String>,
    /// Addresses under which proxies reach the discovery port.
    pub server_addresses: Vec<IpAddr>,
    /// The folder that keeps the CA and the token key, where keys do not come from elsewhere.
    pub state: PathBuf,
    /// A folder in Istio's `cacerts` layout, to sign with instead of a root of our own.
    pub cacerts: Option<PathBuf>,
    /// Written into the root that is made at first start. Identities follow the mesh settings.
    pub trust_domain: String,
    /// Audiences that tokens may be meant for.
    pub audiences: Vec<String>,
    /// How long leaves live.
    pub leaves: LeafLifetimes,
    /// How long a new root is at least trusted before it signs. Long enough for all replicas to hear of it, and for those
    /// who read roots from files.
    pub root_hold: Duration,
    /// How many leaves are issued.
    pub issue_limits: LimitSettings,
    /// Whether a stream must come from an address of its pod.
    pub peer_address: PeerAddress,
    /// How long changes wait to be compiled together.
    pub pacing: Pacing,
    /// How route tables travel.
    pub routes: RouteDelivery,
    /// What clients may use.
    pub limits: Limits,
}

impl Settings {
    /// Settings with Istio's defaults: everything that does not depend on the place.
    pub fn new(discovery: SocketAddr, admin: SocketAddr, state: PathBuf) -> Self {
        Self {
            discovery,
            plaintext: None,
            admin,
            webhooks: None,
            server_names: vec!["localhost".to_owned(), "istiod.istio-system.svc".to_owned()],
            server_addresses: vec![IpAddr::from([127, 0, 0, 1])],
            state,
            cacerts: None,
            trust_domain: "cluster.local".to_owned(),
            audiences: vec![crate::identity::AUDIENCE.to_owned()],
            leaves: LeafLifetimes::ISTIO,
            root_hold: Duration::from_secs(10),
            issue_limits: LimitSettings::default(),
            peer_address: PeerAddress::Warn,
            pacing: Pacing::default(),
            routes: RouteDelivery::default(),
            limits: Limits::default(),
        }
    }
}

/// What happens when a stream comes from an address that its pod does not have. Address translation and pods on the
/// host's network make that normal in some places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// It is not looked at.
    Ignore,
    /// It is logged.
    Warn,
    /// The stream is refused.
    Enforce,
}

/// What clients may use before they are cut off, so that none of them can exhaust the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of one request, in bytes.
    pub request_bytes: usize,
    /// Names and lists of one stream.
    pub names: Bounds,
    /// Open connections, TLS handshakes included.
    pub connections: usize,
    /// TLS handshakes at the same time.
    pub handshakes: usize,
    /// Streams of all proxies.
    pub streams: usize,
    /// Streams of one workload. An Envoy has one, and for a moment two when it reconnects.
    pub streams_per_workload: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may be without any stream.
    pub idle_connection: Duration,
    /// How long a stream may be open before its first request.
    pub first_request: Duration,
    /// How long a stream waits for its pod to become known, and for the first configuration after a start.
    pub pod_wait: Duration,
    /// How long a response may wait for the proxy to read.
    pub write: Duration,
    /// How long a push waits for the answer to its first part before the rest goes out without it.
    pub answer: Duration,
    /// The age at which a stream is ended, so that its token is checked anew; up to a tenth less by chance.
    pub stream_age: Duration,
    /// How often a silent connection is asked for a sign of life.
    pub keepalive: Duration,
    /// How long that sign may take.
    pub keepalive_timeout: Duration,
    /// How long streams get to end when the process stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 4 << 20,
            names: Bounds::default(),
            connections: 20_000,
            handshakes: 256,
            streams: 20_000,
            streams_per_workload: 8,
            handshake: Duration::from_secs(10),
            idle_connection: Duration::from_mins(1),
            first_request: Duration::from_secs(10),
            pod_wait: Duration::from_secs(10),
            write: Duration::from_mins(1),
            answer: Duration::from_secs(15),
            stream_age: Duration::from_mins(30),
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}
