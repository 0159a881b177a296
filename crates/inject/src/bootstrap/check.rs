//! What a bootstrap cannot be made from.

use std::fmt;
use std::net::IpAddr;

use super::variable::is_variable;
use super::{Admin, BootstrapOptions, Files, Node, Security};

/// The longest path of a UNIX socket in Linux, without the zero at its end.
const MAX_PIPE: usize = 107;

/// One thing that is wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapProblem {
    /// What is wrong, in the words of the user.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// What is expected instead.
    pub reason: &'static str,
}

impl fmt::Display for BootstrapProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, reason } = self;
        write!(out, "{what} {value:?} {reason}")
    }
}

/// Why there is no bootstrap. All problems are named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct BootstrapError {
    /// What is wrong.
    pub problems: Vec<BootstrapProblem>,
}

/// Looks for everything that is wrong.
pub(super) fn check(options: &BootstrapOptions) -> Result<(), BootstrapError> {
    let BootstrapOptions {
        node,
        discovery_host,
        discovery_port,
        security,
        admin,
        ready_port,
        metrics_port,
        ipv6: _,
        beside: _,
    } = options;
    let mut problems = Vec::new();
    let mut problem = |what, value: &str, reason| {
        problems.push(BootstrapProblem { what, value: value.to_owned(), reason });
    };

    let Node { role: _, pod, namespace, service_account, domain, address, all_addresses, .. } = node;
    for (what, value) in
        [("pod", pod), ("namespace", namespace), ("service account", service_account), ("domain", domain)]
    {
        if !is_variable(value) && !is_name(value) {
            problem(what, value, "is not a name");
        }
    }
    if namespace.contains('.') {
        problem("namespace", namespace, "has a dot in it; the node id could not be taken apart again");
    }
    if address.is_empty() {
        problem("addresses", "", "must name at least one address of the pod");
    }
    for part in std::iter::once(address.as_str()).chain(all_addresses.split(',')) {
        if !part.is_empty() && !is_variable(part) && part.parse::<IpAddr>().is_err() {
            problem("addresses", part, "is not an address");
        }
    }
    if discovery_host.parse::<IpAddr>().is_err() && !is_name(discovery_host) {
        problem("discovery host", discovery_host, "is neither a name nor an address");
    }
    if *discovery_port == 0 {
        problem("discovery port", "0", "is not a port");
    }
    match security {
        Security::Insecure if !is_loopback(discovery_host) => problem(
            "discovery host",
            discovery_host,
            "is not a loopback address; plain text would show certificates and keys to the network",
        ),
        Security::Insecure => {}
        Security::Tls { server_name, files } => {
            if server_name.parse::<IpAddr>().is_err() && !is_name(server_name) {
                problem("server name", server_name, "is neither a name nor an address");
            }
            let Files { token, root, token_secret, root_secret } = files;
            for (what, path) in [
                ("token file", token),
                ("root file", root),
                ("token secret file", token_secret),
                ("root secret file", root_secret),
            ] {
                if !path.starts_with('/') {
                    problem(what, path, "is not an absolute path");
                }
            }
            for (what, path) in [("token secret file", token_secret), ("root secret file", root_secret)] {
                if ![".json", ".yaml"].iter().any(|ending| path.ends_with(ending)) {
                    problem(what, path, "must end in .json or .yaml; Envoy tells the format by it");
                }
            }
        }
    }
    match admin {
        Admin::Pipe(path) if path.is_empty() || path.len() > MAX_PIPE => {
            problem("admin socket", path, "must be a path of at most 107 bytes");
        }
        Admin::Port(0) => problem("admin port", "0", "is not a port"),
        _ => {}
    }
    if *ready_port == Some(0) {
        problem("ready port", "0", "is not a port");
    }
    if *metrics_port == Some(0) {
        problem("metrics port", "0", "is not a port");
    }
    let admin_port = match admin {
        Admin::Port(port) => Some(*port),
        Admin::Pipe(_) => None,
    };
    let mut ports: Vec<u16> = [admin_port, *ready_port, *metrics_port].into_iter().flatten().collect();
    ports.sort_unstable();
    if let Some(pair) = ports.windows(2).find(|pair| pair[0] == pair[1]) {
        problem("port", &pair[0].to_string(), "is given to two listeners");
    }
    if problems.is_empty() { Ok(()) } else { Err(BootstrapError { problems }) }
}

/// Names of Kubernetes and of the DNS. In particular no `~`, which separates the parts of a node id.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
