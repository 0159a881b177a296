//! The bootstrap of a workload's Envoy.
//!
//! It holds what must be known before the first word with the control plane: who the proxy is, where the control plane
//! listens and how it is recognised, and the two listeners that have to answer without it being configured (readiness
//! and metrics). Everything else comes by discovery.
//!
//! Token and root certificate are read through SDS files, so that Envoy notices when they change: a secret written into
//! the bootstrap is read once and for ever. The two SDS files are constant text ([`token_secret`], [`root_secret`]) that
//! only names where token and root lie.
//!
//! Two things to know about these files. Envoy watches the *directory* and reacts to renames, as the kubelet and any
//! careful writer make them, not to writing in place. And the token must not end in a line break: Envoy 1.37 puts it
//! into the header as it is and can never connect.

mod check;
mod discovery;
mod listeners;
mod node;
mod probes;
mod statistics;
mod variable;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

pub use check::{BootstrapError, BootstrapProblem};
pub use probes::{AppProbe, Call};
pub use statistics::Statistics;
pub use variable::{as_argument, variable};

/// Name of the cluster of the control plane; dashboards count its connections under it.
pub const DISCOVERY_CLUSTER: &str = "xds-grpc";
/// Name of the secret with the token.
const TOKEN: &str = "xds-token";
/// Name of the secret with the root of the control plane.
const ROOT: &str = "xds-root";

/// What a proxy is in the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Beside one workload.
    Sidecar,
    /// A gateway.
    Router,
}

/// Who the proxy is. The control plane believes of this only what its token proves.
///
/// What is known only when the pod runs is a [`variable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub role: Role,
    /// Name of the pod.
    pub pod: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Service account of the pod.
    pub service_account: String,
    /// Domain below which services have their names, `cluster.local` unless changed.
    pub domain: String,
    /// The primary address of the pod.
    pub address: String,
    /// All its addresses between commas, the primary one first.
    pub all_addresses: String,
    /// Labels of the pod.
    pub labels: BTreeMap<String, String>,
    /// The Kubernetes cluster it runs in; empty if unknown.
    pub cluster_id: String,
    /// Its network; empty if there is only one.
    pub network: String,
    /// Name of the workload that owns the pod; empty if unknown.
    pub workload: String,
    /// Further metadata, under Istio's keys.
    pub metadata: BTreeMap<String, String>,
}

/// Where token, root and the two SDS files lie in the proxy's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The token, without line break at its end.
    pub token: String,
    /// The root certificates that the control plane's certificate leads to, as PEM.
    pub root: String,
    /// Where [`token_secret`] is written.
    pub token_secret: String,
    /// Where [`root_secret`] is written.
    pub root_secret: String,
}

impl Files {
    /// Everything in one directory: `istio-token`, `root-cert.pem`, `token-sds.json`, `root-sds.json`.
    pub fn in_directory(directory: &str) -> Self {
        let at = |name: &str| format!("{}/{name}", directory.trim_end_matches('/'));
        Self {
            token: at("istio-token"),
            root: at("root-cert.pem"),
            token_secret: at("token-sds.json"),
            root_secret: at("root-sds.json"),
        }
    }
}

/// How the control plane is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// TLS, with a token for us and a certificate for the control plane.
    Tls {
        /// The name its certificate must have; it is also sent as SNI. Need not be the host that is dialled.
        server_name: String,
        /// Where the credentials are.
        files: Files,
    },
    /// Plain text, for a control plane on the loopback address.
    Insecure,
}

/// Where Envoy's own administration listens. It can change and end everything, so never on an address of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// A port of 127.0.0.1; 15000 is what tools expect.
    Port(u16),
    /// A UNIX socket, so that several proxies can share one network namespace.
    Pipe(String),
}

/// Everything a bootstrap depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapOptions {
    /// Who the proxy is.
    pub node: Node,
    /// Host of the control plane: a name or an address.
    pub discovery_host: String,
    /// Port of the control plane: 15012, or 15010 in plain text.
    pub discovery_port: u16,
    /// How it is reached.
    pub security: Security,
    /// Where the administration listens.
    pub admin: Admin,
    /// Port of the readiness listener (15021), `None` to leave it out.
    pub ready_port: Option<u16>,
    /// Port of the metrics listener (15090), `None` to leave it out.
    pub metrics_port: Option<u16>,
    /// Whether the pod has an address of IPv6, so that its listeners answer there too.
    pub ipv6: bool,
    /// What an application beside the proxy needs of it.
    pub beside: Beside,
}

/// What the bootstrap holds for the application beside the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// Probes that the readiness listener answers for the application.
    pub probes: Vec<AppProbe>,
    /// The address of the pod is a variable that stands for one of IPv6.
    pub brackets: bool,
    /// The value of [`DRAIN_HEADER`] that starts the draining of inbound connections; `None` to leave that out.
    pub drain: Option<String>,
    /// Which statistics are kept, and how.
    pub statistics: Statistics,
    /// Values of Envoy's runtime.
    pub runtime: BTreeMap<String, String>,
}

/// The path of the readiness listener that starts the draining of inbound connections.
pub const DRAIN_PATH: &str = "/drain";
/// The header that must come with it: the port is open to the whole network.
pub const DRAIN_HEADER: &str = "x-pilothouse-drain";

/// Makes the bootstrap, or names everything that is wrong with the options.
pub fn bootstrap(options: &BootstrapOptions) -> Result<Value, BootstrapError> {
    check::check(options)?;
    let BootstrapOptions {
        node,
        discovery_host: _,
        discovery_port: _,
        security: _,
        admin,
        ready_port,
        metrics_port,
        ipv6: _,
        beside,
    } = options;
    let source = json!({"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"});
    let mut clusters = vec![listeners::admin_cluster(admin), discovery::cluster(options)];
    clusters.extend(probes::clusters(&beside.probes, &node.address));
    // Regular expressions of users are larger than Envoy's default allows; Istio's bound.
    let mut runtime =
        serde_json::Map::from_iter([("re2.max_program_size.error_level".to_owned(), json!(32768))]);
    runtime.extend(beside.runtime.iter().map(|(key, value)| (key.clone(), statistics::scalar(value))));
    let mut made = json!({
        "node": node::node(node, *ready_port, *metrics_port),
        "admin": {"address": listeners::admin_address(admin)},
        "dynamic_resources": {
            "ads_config": discovery::ads(&node.cluster_id),
            // An Envoy without clusters and listeners answers nobody, and one without listeners lets captured traffic
            // fail: so it waits for the control plane for as long as it takes.
            "cds_config": source,
            "lds_config": source,
        },
        "static_resources": {
            "clusters": clusters,
            "listeners": listeners::listeners(options),
        },
        "layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]},
    });
    statistics::add(&beside.statistics, &mut made);
    Ok(made)
}

/// The SDS file with the token.
pub fn token_secret(files: &Files) -> Value {
    secret_file(&json!({
        "@type": discovery::SECRET,
        "name": TOKEN,
        "generic_secret": {
            "secret": {"filename": files.token, "watched_directory": {"path": parent(&files.token)}},
        },
    }))
}

/// The SDS file with the roots, and the name that the certificate of the control plane must have.
pub fn root_secret(files: &Files, server_name: &str) -> Value {
    let san_type = if server_name.parse::<IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
    secret_file(&json!({
        "@type": discovery::SECRET,
        "name": ROOT,
        "validation_context": {
            "trusted_ca": {"filename": files.root},
            "watched_directory": {"path": parent(&files.root)},
            "match_typed_subject_alt_names": [{"san_type": san_type, "matcher": {"exact": server_name}}],
        },
    }))
}

fn secret_file(secret: &Value) -> Value {
    json!({"resources": [secret]})
}

/// The directory of a path, which is what Envoy watches.
fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    }
}

#[cfg(test)]
mod tests;
