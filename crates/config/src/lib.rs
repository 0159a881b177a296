//! Checked configuration.
//!
//! What it is: the typed value of every kind, where units are units, ranges hold, defaults are filled in and host
//! names are complete; and the one judge ([`check`]) that turns an `api` object into such a value and diagnostics.
//! The daemon, `validate`, `generate` and later the webhook call the same function.
//!
//! What it is not: it does not know other objects (dangling references are for `view`), it knows no Envoy.
//!
//! Main types: [`Object`], one variant per kind; [`Service`] unites Kubernetes services and service entries.
//!
//! Where to start: `object.rs`, then `virtual_service.rs`.

mod check;
pub mod destination_rule;
pub mod endpoint;
pub mod gateway;
pub mod mesh;
mod namespace_selector;
pub mod object;
pub mod peer_authentication;
pub mod secret;
pub mod service;
pub mod traffic_policy;
pub mod virtual_service;
pub mod workload;

pub use check::stand_in::stand_ins;
pub use check::{CheckSettings, Judgement, Outcome, check, judge};
pub use destination_rule::{DestinationRule, Subset};
pub use endpoint::{Endpoint, EndpointSlice, Health};
pub use gateway::{Gateway, Server};
pub use mesh::Mesh;
pub use namespace_selector::{LabelExpression, NamespaceSelector};
pub use object::{ExportTo, Meta, Object};
pub use peer_authentication::{MtlsMode, PeerAuthentication};
pub use secret::{Certificate, Secret};
pub use service::{Resolution, Service, ServicePort, TrafficDistribution};
pub use traffic_policy::TrafficPolicy;
pub use virtual_service::VirtualService;
pub use workload::{NamespaceObject, Pod, Sidecar, WorkloadEntry};
