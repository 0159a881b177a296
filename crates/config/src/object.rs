//! A checked object of any kind, and what all kinds share.

use std::cmp::Ordering;
use std::sync::Arc;

use pilothouse_base::{Kind, Namespace, ObjectKey};
use serde::Serialize;

use crate::{
    DestinationRule, EndpointSlice, Gateway, Mesh, NamespaceObject, PeerAuthentication, Pod, Secret, Service,
    VirtualService, WorkloadEntry,
};

/// What is known of an object besides its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Meta {
    /// Its name.
    pub key: ObjectKey,
    /// Seconds since 1970 at which it was created; 0 if it does not say.
    pub created: i64,
}

impl Meta {
    /// The namespace of the object.
    pub fn namespace(&self) -> &Namespace {
        &self.key.namespace
    }

    /// The order in which objects of one kind take precedence: older ones first, then by name, then by namespace.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.created
            .cmp(&other.created)
            .then_with(|| self.key.name.cmp(&other.key.name))
            .then_with(|| self.key.namespace.cmp(&other.key.namespace))
            .then_with(|| self.key.kind.cmp(&other.key.kind))
    }
}

/// Which namespaces may see an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub enum ExportTo {
    /// What the mesh settings say for the kind.
    #[default]
    MeshDefault,
    /// Everybody.
    All,
    /// The namespace of the object alone. Only in the settings of the mesh, where `.` does not stand for one namespace yet.
    Own,
    /// Exactly these; `.` is resolved already. An empty list means nobody.
    Namespaces(Vec<Namespace>),
}

impl ExportTo {
    /// Whether `client` may see an object of `owner` whose own setting this is; `default` is the setting of the mesh, in
    /// which [`ExportTo::MeshDefault`] means everybody.
    pub fn allows(&self, owner: &Namespace, client: &Namespace, default: &Self) -> bool {
        match self {
            Self::MeshDefault if matches!(default, Self::MeshDefault) => true,
            Self::MeshDefault => default.allows(owner, client, &Self::MeshDefault),
            Self::All => true,
            Self::Own => owner == client,
            Self::Namespaces(list) => list.contains(client),
        }
    }
}

/// A checked object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The mesh settings.
    Mesh(Arc<Mesh>),
    /// A namespace with its labels.
    Namespace(Arc<NamespaceObject>),
    /// The services that a Service (always one) or a ServiceEntry (one for each host) defines.
    Services(Vec<Arc<Service>>),
    /// A slice of the endpoints of a Kubernetes service.
    EndpointSlice(Arc<EndpointSlice>),
    /// A pod.
    Pod(Arc<Pod>),
    /// A service account; only its existence counts.
    ServiceAccount,
    /// A secret with certificates.
    Secret(Arc<Secret>),
    /// A virtual service.
    VirtualService(Arc<VirtualService>),
    /// A destination rule.
    DestinationRule(Arc<DestinationRule>),
    /// A workload entry.
    WorkloadEntry(Arc<WorkloadEntry>),
    /// A gateway.
    Gateway(Arc<Gateway>),
    /// A peer authentication policy.
    PeerAuthentication(Arc<PeerAuthentication>),
}

impl Object {
    /// Whether a kind may hold this variant.
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Mesh(_) => kind == Kind::MeshConfig,
            Self::Namespace(_) => kind == Kind::Namespace,
            Self::Services(_) => matches!(kind, Kind::Service | Kind::ServiceEntry),
            Self::EndpointSlice(_) => kind == Kind::EndpointSlice,
            Self::Pod(_) => kind == Kind::Pod,
            Self::ServiceAccount => kind == Kind::ServiceAccount,
            Self::Secret(_) => kind == Kind::Secret,
            Self::VirtualService(_) => kind == Kind::VirtualService,
            Self::DestinationRule(_) => kind == Kind::DestinationRule,
            Self::WorkloadEntry(_) => kind == Kind::WorkloadEntry,
            Self::Gateway(_) => kind == Kind::Gateway,
            Self::PeerAuthentication(_) => kind == Kind::PeerAuthentication,
        }
    }
}
