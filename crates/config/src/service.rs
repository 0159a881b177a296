//! Services: named destinations with ports, from Kubernetes services and from service entries alike.

use std::net::IpAddr;

use pilothouse_base::{Hostname, Name, Namespace, Protocol, Selector};
use serde::Serialize;

use crate::{Endpoint, ExportTo, Meta};

/// One named destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Service {
    /// The object that defines it: a Service or a ServiceEntry.
    pub meta: Meta,
    /// Its host name; a service entry with several hosts defines several services.
    pub host: Hostname,
    /// Its ports, in the order written, numbers unique.
    pub ports: Vec<ServicePort>,
    /// Virtual addresses at which clients dial it. Empty for headless services and for entries without addresses.
    pub addresses: Vec<Cidr>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Whether it is outside the mesh (`location: MESH_EXTERNAL`): never mutual TLS by itself.
    pub external: bool,
    /// What picks its pods and workload entries.
    pub selector: Option<Selector>,
    /// Endpoints written in the object itself (service entries).
    pub endpoints: Vec<Endpoint>,
    /// `subjectAltNames` of a service entry: what its certificates may be named.
    pub subject_alt_names: Vec<Name>,
    /// Who may see it.
    pub export_to: ExportTo,
    /// Whether endpoints that are not ready count (`publishNotReadyAddresses`).
    pub publish_not_ready: bool,
    /// Which endpoints clients prefer by where they run; none if it does not say, so that its namespace may.
    pub distribution: Option<TrafficDistribution>,
    /// Whether clients reach endpoints of their own node alone (`internalTrafficPolicy: Local`).
    pub node_local: bool,
}

/// Which endpoints clients prefer by where they run (`trafficDistribution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum TrafficDistribution {
    /// None.
    Any,
    /// Those of the client's zone, then those of its region (`PreferSameZone`, `PreferClose`).
    SameZone,
    /// Those of the client's node, then those of its sub-zone, zone and region (`PreferSameNode`).
    SameNode,
}

impl Service {
    /// The namespace of the object that defines it.
    pub fn namespace(&self) -> &Namespace {
        self.meta.namespace()
    }

    /// Whether a Kubernetes Service defines it; such a one wins over a service entry of the same host.
    pub fn is_kubernetes(&self) -> bool {
        self.meta.key.kind == pilothouse_base::Kind::Service
    }

    /// Its port of a number.
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }
}

/// How endpoints of a service are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Resolution {
    /// The control plane lists them (a ClusterIP service, `STATIC`).
    Endpoints,
    /// A headless Kubernetes service: connections go to the address that was dialled; endpoints are listed for HTTP.
    Headless,
    /// `NONE`: connections go to the address that was dialled.
    OriginalDestination,
    /// `DNS`: the proxy resolves the names of the endpoints, else the host, and uses all addresses.
    Dns,
    /// `DNS_ROUND_ROBIN`: as `DNS`, with one address at a time.
    DnsRoundRobin,
    /// An ExternalName service: another name for this host.
    Alias(Hostname),
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ServicePort {
    /// Its name; may be empty if it is the only one.
    pub name: Name,
    /// The number clients dial.
    pub number: u16,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it leads on the workload.
    pub target: TargetPort,
}

/// `targetPort`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum TargetPort {
    /// A number; the port's own number if nothing was written.
    Number(u16),
    /// The name of a container port.
    Named(Name),
}

/// An address range; a single address has the full prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Cidr {
    /// The first address of the range.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Cidr {
    /// One address.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether it is one address.
    pub fn is_host(&self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Reads `10.0.0.1` or `10.0.0.0/8`; bits past the prefix are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            None => return text.parse().ok().map(Self::host),
            Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?),
        };
        match address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Some(Self { address: IpAddr::V4((u32::from(v4) & mask).into()), prefix })
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Some(Self { address: IpAddr::V6((u128::from(v6) & mask).into()), prefix })
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_host() {
            write!(out, "{}", self.address)
        } else {
            write!(out, "{}/{}", self.address, self.prefix)
        }
    }
}
