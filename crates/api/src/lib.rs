//! The wire shape of every kind we read; no opinions.
//!
//! What it is: one struct per kind with the fields we act on, the way from JSON to them ([`decode`]) that names what
//! it left unread, and the catalogue of all published fields with what we make of each.
//!
//! What it is not: it judges no value. Numbers may be out of range and words may be misspelled here; `config` tells.
//!
//! Main types: [`ApiObject`], [`Decoded`], [`Unread`]; [`Resource`] is the envelope of Istio's kinds. The kinds of
//! Kubernetes itself are those of `k8s-openapi`.
//!
//! Where to start: `decode.rs`, then `virtual_service.rs`.

mod bounds;
pub mod catalogue;
mod decode;
mod destination_rule;
mod gateway;
mod mesh;
mod object;
mod path;
mod peer_authentication;
pub mod schema;
mod service_entry;
pub mod support;
mod traffic_policy;
pub mod unsupported;
mod value;
mod virtual_service;

pub use bounds::{MAXIMUM_DEPTH, MAXIMUM_VALUES};
pub use decode::{DecodeError, Decoded, Unread, UnreadReason, decode, decode_mesh};
pub use destination_rule::{DestinationRule, Subset};
pub use gateway::{Gateway, Server, ServerPort, ServerTls, TlsCertificate};
pub use k8s_openapi;
pub use mesh::{MeshConfig, NamespaceSelector, OutboundTrafficPolicy, PathNormalization, SelectorExpression};
pub use object::{ApiObject, ObjectMeta, Resource, WorkloadTemplate};
pub use peer_authentication::{LabelSelector, MutualTls, PeerAuthentication};
pub use service_entry::{Endpoint, Port, ServiceEntry, WorkloadSelector};
pub use traffic_policy::{
    ClientTls, ConnectionPool, ConsistentHash, HttpCookie, HttpPool, Keepalive, LoadBalancer,
    OutlierDetection, PortTrafficPolicy, RingHash, TcpPool, TrafficPolicy,
};
pub use value::{Int, List, Map};
pub use virtual_service::{
    Cors, Delegate, Destination, DirectResponse, Fault, FaultAbort, FaultDelay, HeaderEdits, Headers,
    HttpBody, HttpDestination, HttpMatch, HttpRule, Mirror, PercentValue, PortSelector, Redirect,
    RegexRewrite, Retry, Rewrite, StringMatch, TcpDestination, TcpMatch, TcpRule, TlsMatch, TlsRule,
    VirtualService,
};
