//! Listeners and their filter chains.

use std::net::IpAddr;
use std::time::Duration;

use pilothouse_base::{Hostname, Name, ObjectKey};
use pilothouse_config::mesh::{AccessLog, PathNormalization};
use pilothouse_config::service::Cidr;
use serde::Serialize;

use super::VirtualHostPlan;

/// All that decides a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ListenerPlan {
    /// Its name, such as `0.0.0.0_9080` or `virtualInbound`.
    pub name: Name,
    /// Where it listens (or which connections are handed to it).
    pub port: ListenerPort,
    /// Whose traffic it carries.
    pub direction: Direction,
    /// Whether it hands connections over to the listener of the dialled address (`use_original_dst`).
    pub hands_over: bool,
    /// Whether the dialled address is restored by the `original_dst` listener filter.
    pub original_dst: bool,
    /// What is looked at before a chain is chosen.
    pub sniffing: Sniffing,
    /// Its chains, in order.
    pub chains: Vec<ChainPlan>,
    /// The chain for everything that no other one matches.
    pub default_chain: Option<ChainPlan>,
    /// Logs connections that no chain matched.
    pub access_log: Option<AccessLog>,
}

/// An address and port of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ListenerPort {
    /// The address; unspecified for all.
    pub address: IpAddr,
    /// Further addresses of the same listener.
    pub additional: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// Whether a socket is opened. Listeners behind capture get their connections handed over.
    pub bound: bool,
}

/// Whose traffic a listener carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Direction {
    /// To the workload.
    Inbound,
    /// From the workload, and everything a gateway carries.
    Outbound,
}

/// Which inspectors run, and for which ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Sniffing {
    /// Where the TLS hello is read; none: nowhere.
    pub tls: Option<Inspected>,
    /// Where the first bytes are checked for HTTP; none: nowhere.
    pub http: Option<Inspected>,
    /// How long inspectors wait; then the connection goes on as it is known so far. None: Envoy's default of 15 s, and the
    /// connection is closed.
    pub timeout: Option<Duration>,
}

/// The destination ports on which an inspector runs. Where it does not, a server that speaks first is not kept waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Inspected {
    /// All.
    Everywhere,
    /// These.
    Only(Vec<u16>),
    /// All but these.
    Except(Vec<u16>),
}

/// One filter chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ChainPlan {
    /// Its name.
    pub name: Name,
    /// Which connections it takes.
    pub matches: ChainMatch,
    /// How TLS is terminated.
    pub tls: ServerTlsPlan,
    /// What happens to the connection.
    pub network: Network,
}

/// Which connections a chain takes; an empty list matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct ChainMatch {
    /// The dialled port.
    pub destination_port: Option<u16>,
    /// The dialled address.
    pub prefix_ranges: Vec<Cidr>,
    /// The server name of the TLS hello.
    pub server_names: Vec<Hostname>,
    /// What the TLS inspector saw.
    pub transport: Option<Transport>,
    /// Offered in ALPN, or found by the HTTP inspector.
    pub application_protocols: Vec<Name>,
}

/// What the TLS inspector saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Transport {
    /// A TLS hello.
    Tls,
    /// Something else.
    RawBuffer,
}

/// How a chain terminates TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ServerTlsPlan {
    /// Not at all.
    None,
    /// Mutual TLS of the mesh: the workload's certificate (`default`), peers under `ROOTCA` whose identity is of one of
    /// these trust domains.
    Mesh {
        /// Accepted trust domains.
        trust_domains: Vec<Name>,
    },
    /// Certificates of the server's own.
    Terminate {
        /// The names of the secret resources with the certificates, such as `kubernetes://shop-cert`.
        certificates: Vec<Name>,
        /// How certificates of clients are verified; none: they are not asked for one.
        clients: Option<Box<ClientVerificationPlan>>,
        /// Whether HTTP/2 is offered in ALPN.
        http: bool,
    },
}

/// How certificates of clients are verified.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClientVerificationPlan {
    /// Whether clients without a certificate are refused.
    pub required: bool,
    /// The name of the secret resource with the roots, such as `kubernetes://shop-cert-cacert`.
    pub roots: Name,
    /// Accepted exact names; empty: any.
    pub subject_alt_names: Vec<Name>,
    /// Accepted public keys, SHA-256 in base64; empty: any.
    pub public_keys: Vec<Name>,
    /// Accepted certificates, SHA-256 in hexadecimal digits; empty: any.
    pub fingerprints: Vec<Name>,
}

/// What a chain does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Network {
    /// Routes requests.
    Http(Box<HttpPlan>),
    /// Carries bytes.
    Tcp(TcpPlan),
    /// The ready probe: answers 200 on `/healthz/ready` once the proxy has its configuration.
    Ready,
}

/// All that decides an HTTP connection manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpPlan {
    /// The prefix of its statistics, without the closing `;`.
    pub stat_prefix: Name,
    /// Where its routes are.
    pub routes: Routes,
    /// Which part it plays.
    pub role: HttpRole,
    /// Whether gRPC-Web is translated.
    pub grpc_web: bool,
    /// How paths are normalized.
    pub path_normalization: PathNormalization,
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
}

/// The part an HTTP connection manager plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum HttpRole {
    /// In front of the workload; `peer_certificate` says whether the chain terminates mutual TLS.
    Inbound {
        /// Whether the peer's certificate is known and passed on in `x-forwarded-client-cert`.
        peer_certificate: bool,
    },
    /// Behind the workload: marks requests for the mesh by ALPN.
    Outbound,
    /// At the edge.
    Gateway,
}

/// Where an HTTP connection manager finds its routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Routes {
    /// By RDS over ADS under this name.
    Discovered(Name),
    /// In place.
    Inline {
        /// The name of the route configuration.
        name: Name,
        /// Its only virtual host.
        host: Box<VirtualHostPlan>,
    },
}

/// All that decides a TCP proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TcpPlan {
    /// The prefix of its statistics.
    pub stat_prefix: Name,
    /// Where bytes go: clusters with their weights; one entry makes the weight meaningless. Never empty.
    pub clusters: Vec<(Name, u32)>,
    /// Closes idle connections.
    pub idle_timeout: Option<Duration>,
    /// Closes old connections.
    pub max_duration: Option<Duration>,
    /// Picks the endpoint by the client's address.
    pub hash_source_ip: bool,
    /// Marks the connection for the mesh by ALPN (outbound chains to mesh clusters).
    pub mesh_marker: bool,
    /// Dials the workload only once the peer is authenticated (inbound chains with mutual TLS).
    pub after_handshake: bool,
    /// Where connections are logged.
    pub access_log: Option<AccessLog>,
    /// The object that routed it, if one did.
    pub origin: Option<ObjectKey>,
}
