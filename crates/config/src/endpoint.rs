//! Endpoints: addresses and ports that serve a service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pilothouse_base::{Labels, Locality, Name};
use serde::Serialize;

use crate::Meta;

/// An endpoint written in a ServiceEntry or WorkloadEntry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Endpoint {
    /// Where it listens.
    pub address: EndpointAddress,
    /// Port numbers by port name of the service; other ports use the target port of the service.
    pub ports: BTreeMap<Name, u16>,
    /// Labels, for subsets and selectors.
    pub labels: Labels,
    /// `locality`, empty if not written.
    pub locality: Locality,
    /// `weight`, at least 1.
    pub weight: u32,
    /// `network`, empty if not written.
    pub network: Name,
    /// `serviceAccount`: its identity within the namespace of the object; a workload that has one speaks mutual TLS.
    pub service_account: Option<Name>,
}

/// Where an endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum EndpointAddress {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name (only with DNS resolution).
    Name(Name),
    /// A unix domain socket.
    Unix(Name),
}

/// A slice of the endpoints of a Kubernetes service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct EndpointSlice {
    /// The object.
    pub meta: Meta,
    /// The service it belongs to (label `kubernetes.io/service-name`).
    pub service: Name,
    /// Port numbers by port name.
    pub ports: BTreeMap<Name, u16>,
    /// Its endpoints, in the order written.
    pub endpoints: Vec<SliceEndpoint>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SliceEndpoint {
    /// Its first address; further addresses of a slice endpoint are interchangeable by the API's contract.
    pub address: IpAddr,
    /// Whether traffic should be sent.
    pub health: Health,
    /// The pod behind it (`targetRef`).
    pub pod: Option<Name>,
    /// Where it runs: `zone` of the slice, with what its node adds where nodes are known.
    pub locality: Locality,
    /// `nodeName`, empty if not written.
    pub node: Name,
}

/// What is known of an endpoint's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Health {
    /// Ready.
    Healthy,
    /// Not ready: sent to proxies as unhealthy.
    Unhealthy,
    /// Shutting down and still serving: for when nobody is ready.
    Draining,
    /// Shutting down and not serving any more: not sent.
    Terminating,
}
