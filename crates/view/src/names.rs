//! Names of Envoy resources, in Istio's scheme, so that dashboards and habits carry over.

use std::net::IpAddr;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};

/// Drops connections.
pub const BLACK_HOLE: &str = "BlackHoleCluster";
/// Sends connections to where they were dialled.
pub const PASSTHROUGH: &str = "PassthroughCluster";
/// Sends connections on to the workload.
pub const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";
/// The listener of captured outbound connections.
pub const VIRTUAL_OUTBOUND: &str = "virtualOutbound";
/// The listener of captured inbound connections.
pub const VIRTUAL_INBOUND: &str = "virtualInbound";

/// `outbound|<port>|<subset>|<host>`.
pub fn outbound_cluster(port: u16, subset: Option<&Name>, host: &Hostname) -> Name {
    Name::from(format!("outbound|{port}|{}|{host}", subset.map_or("", Name::as_str)))
}

/// The server name of mutual TLS: `outbound_.<port>_.<subset>_.<host>`.
pub fn server_name(port: u16, subset: Option<&Name>, host: &Hostname) -> Name {
    Name::from(format!("outbound_.{port}_.{}_.{host}", subset.map_or("", Name::as_str)))
}

/// `inbound|<port>||`.
pub fn inbound_cluster(port: u16) -> Name {
    Name::from(format!("inbound|{port}||"))
}

/// `<address>_<port>`.
pub fn listener(address: IpAddr, port: u16) -> Name {
    Name::from(format!("{address}_{port}"))
}

/// `<host>:<port>`, of virtual hosts and of sniffed route tables.
pub fn host_port(host: &Hostname, port: u16) -> Name {
    Name::from(format!("{host}:{port}"))
}

/// What names of secrets with roots end in.
pub const ROOTS: &str = "-cacert";

/// The name of the secret with the roots that belong to a secret.
pub fn roots(name: &Name) -> Name {
    Name::from(format!("{name}{ROOTS}"))
}

/// The name of a secret resource that comes from a Secret.
pub fn credential(name: &Name) -> Name {
    Name::from(format!("kubernetes://{name}"))
}

/// `https.<port>.<port name>.<gateway>.<namespace>`, the route table of a terminating server.
pub fn https_table(port: u16, port_name: &Name, gateway: &ObjectKey) -> Name {
    Name::from(format!("https.{port}.{port_name}.{}.{}", gateway.name, gateway.namespace))
}

/// The namespace in the name of a Kubernetes service.
pub(crate) fn namespace_of(host: &Hostname, domain: &str) -> Option<Namespace> {
    let name_and_namespace = host.as_str().strip_suffix(domain)?.strip_suffix(".svc.")?;
    name_and_namespace.rsplit_once('.').map(|(_, namespace)| Namespace::from(namespace))
}

/// The short names a client of `client` may use for a service host, besides the full one.
pub fn short_names(host: &Hostname, client: &Namespace, domain: &str) -> Vec<String> {
    let Some(name_and_namespace) = host.as_str().strip_suffix(&format!(".svc.{domain}")) else {
        return Vec::new();
    };
    let Some((name, namespace)) = name_and_namespace.rsplit_once('.') else {
        return Vec::new();
    };
    if namespace == client.as_str() {
        vec![name.to_owned(), format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")]
    } else {
        vec![format!("{name}.{namespace}"), format!("{name}.{namespace}.svc")]
    }
}
