//! Gateway (`networking.istio.io`).

use serde::Deserialize;

use crate::{Int, List, Map};

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Gateway {
    /// Servers.
    pub servers: List<Server>,
    /// Which gateway workloads; empty: all.
    pub selector: Map<String>,
}

/// An entry of `servers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// The port.
    pub port: Option<ServerPort>,
    /// Address to listen on.
    pub bind: Option<String>,
    /// `[namespace/]host`.
    pub hosts: List<String>,
    /// TLS.
    pub tls: Option<ServerTls>,
    /// A name for statistics.
    pub name: Option<String>,
}

/// The port of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServerPort {
    /// The number.
    pub number: Option<Int>,
    /// `HTTP`, `HTTPS`, `TLS`, …
    pub protocol: Option<String>,
    /// Its name, unique in the gateway.
    pub name: Option<String>,
}

/// `tls` of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTls {
    /// Plain HTTP is redirected.
    pub https_redirect: Option<bool>,
    /// `PASSTHROUGH`, `SIMPLE`, `MUTUAL`, `AUTO_PASSTHROUGH`, `ISTIO_MUTUAL` or `OPTIONAL_MUTUAL`.
    pub mode: Option<String>,
    /// File with the chain.
    pub server_certificate: Option<String>,
    /// File with the key.
    pub private_key: Option<String>,
    /// File with roots for clients.
    pub ca_certificates: Option<String>,
    /// Secret with certificate and key.
    pub credential_name: Option<String>,
    /// Several secrets.
    pub credential_names: List<String>,
    /// Secret with roots for clients.
    pub ca_cert_credential_name: Option<String>,
    /// Several certificates.
    pub tls_certificates: List<TlsCertificate>,
    /// Accepted names of clients.
    pub subject_alt_names: List<String>,
    /// Accepted public keys of clients.
    pub verify_certificate_spki: List<String>,
    /// Accepted certificates of clients.
    pub verify_certificate_hash: List<String>,
    /// File with revoked certificates of clients.
    pub ca_crl: Option<String>,
}

/// An entry of `tlsCertificates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsCertificate {
    /// File with the chain.
    pub server_certificate: Option<String>,
    /// File with the key.
    pub private_key: Option<String>,
    /// File with roots for clients.
    pub ca_certificates: Option<String>,
}
