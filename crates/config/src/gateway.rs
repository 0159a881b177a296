//! Gateway: which ports a gateway opens, for which hosts, with which certificates.

use std::net::IpAddr;

use pilothouse_base::{Hostname, Name, Namespace, Protocol, Selector};
use serde::Serialize;

use crate::Meta;

/// A checked Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Gateway {
    /// The object.
    pub meta: Meta,
    /// Which gateway workloads it applies to, in any namespace. Empty: all of them.
    pub selector: Selector,
    /// Its servers, in the order written, without those that could not be understood.
    pub servers: Vec<Server>,
}

/// One server of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Server {
    /// Its position in `spec.servers`.
    pub index: usize,
    /// `name`, empty if not written.
    pub name: Name,
    /// `port.number`, a port of the gateway's service.
    pub port: u16,
    /// `port.name`.
    pub port_name: Name,
    /// `port.protocol`.
    pub protocol: Protocol,
    /// `bind`; none listens on all addresses.
    pub bind: Option<IpAddr>,
    /// `hosts`, in the order written.
    pub hosts: Vec<ServerHost>,
    /// `tls`.
    pub tls: Option<ServerTls>,
}

/// An entry of `hosts`: `host` or `namespace/host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ServerHost {
    /// Only virtual services of this namespace may bind; none means any.
    pub namespace: Option<Namespace>,
    /// The host; `*` for every host.
    pub host: Hostname,
}

/// `tls` of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ServerTls {
    /// `httpsRedirect`: plain HTTP requests are sent to HTTPS.
    pub https_redirect: bool,
    /// What happens to a TLS connection.
    pub mode: ServerTlsMode,
}

/// `tls.mode` with what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ServerTlsMode {
    /// Nothing is terminated here: a plain server that only redirects, or TLS routed by server name.
    Passthrough,
    /// Terminated here (`SIMPLE`, `MUTUAL`, `OPTIONAL_MUTUAL`).
    Terminate(Box<Termination>),
    /// The mode or its certificates could not be understood, or is not supported: the server stays closed.
    Closed,
}

/// How TLS is terminated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Termination {
    /// The certificates of the server: one, or two of different kinds of key.
    pub certificates: Vec<ServerCertificate>,
    /// How certificates of clients are verified; none: they are not asked for one (`SIMPLE`).
    pub clients: Option<ClientVerification>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ServerCertificate {
    /// In a secret in the namespace of the gateway workload.
    Secret(Name),
    /// In files of the proxy.
    Files {
        /// The file with the chain.
        certificate: Name,
        /// The file with the key.
        key: Name,
    },
}

/// How certificates of clients are verified. What is written here must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClientVerification {
    /// Whether clients without a certificate are refused (`MUTUAL`).
    pub required: bool,
    /// Where the roots are.
    pub roots: ClientRoots,
    /// `subjectAltNames`: the certificate has one of these names; empty: any.
    pub subject_alt_names: Vec<Name>,
    /// `verifyCertificateSpki`: the public key is one of these (SHA-256 in base64); empty: any.
    pub public_keys: Vec<Name>,
    /// `verifyCertificateHash`: the certificate is one of these (SHA-256 in hexadecimal digits); empty: any.
    pub fingerprints: Vec<Name>,
}

/// Where the roots of clients are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ClientRoots {
    /// For this name `x` in the secret `x-cacert`, or else in `x`, both in the namespace of the gateway workload.
    Secret(Name),
    /// In files of the proxy.
    Files {
        /// The file with the roots.
        roots: Name,
        /// `caCrl`: the file with revoked certificates.
        revoked: Option<Name>,
    },
}
