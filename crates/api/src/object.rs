//! An object of any kind we read.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pilothouse_base::{Kind, ObjectKey};
use serde::Deserialize;

use crate::{DestinationRule, Endpoint, Gateway, PeerAuthentication, ServiceEntry, VirtualService};

/// The envelope of Istio's kinds. `apiVersion`, `kind` and `status` are known but not kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Resource<S> {
    /// `metadata`.
    pub metadata: ObjectMeta,
    /// `spec`.
    #[serde(default)]
    pub spec: S,
}

/// A workload kind that makes pods from a template.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadTemplate {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `ReplicaSet`, `Job` or `CronJob`.
    pub kind: &'static str,
    /// `metadata` of the workload.
    pub metadata: ObjectMeta,
    /// The template.
    pub template: core::PodTemplateSpec,
}

/// A decoded object.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiObject {
    /// The `ConfigMap` `istio`, which holds the mesh settings as text.
    MeshConfigMap(Box<core::ConfigMap>),
    /// `v1` Namespace.
    Namespace(Box<core::Namespace>),
    /// `v1` Service.
    Service(Box<core::Service>),
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice(Box<EndpointSlice>),
    /// `v1` Pod.
    Pod(Box<core::Pod>),
    /// `v1` ServiceAccount; only its existence counts.
    ServiceAccount(Box<ObjectMeta>),
    /// `v1` Secret.
    Secret(Box<core::Secret>),
    /// A kind that makes pods.
    Workload(Box<WorkloadTemplate>),
    /// VirtualService.
    VirtualService(Box<Resource<VirtualService>>),
    /// DestinationRule.
    DestinationRule(Box<Resource<DestinationRule>>),
    /// ServiceEntry.
    ServiceEntry(Box<Resource<ServiceEntry>>),
    /// WorkloadEntry.
    WorkloadEntry(Box<Resource<Endpoint>>),
    /// Gateway.
    Gateway(Box<Resource<Gateway>>),
    /// PeerAuthentication.
    PeerAuthentication(Box<Resource<PeerAuthentication>>),
}

impl ApiObject {
    /// The metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::MeshConfigMap(object) => &object.metadata,
            Self::Namespace(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::Pod(object) => &object.metadata,
            Self::ServiceAccount(metadata) => metadata,
            Self::Secret(object) => &object.metadata,
            Self::Workload(object) => &object.metadata,
            Self::VirtualService(object) => &object.metadata,
            Self::DestinationRule(object) => &object.metadata,
            Self::ServiceEntry(object) => &object.metadata,
            Self::WorkloadEntry(object) => &object.metadata,
            Self::Gateway(object) => &object.metadata,
            Self::PeerAuthentication(object) => &object.metadata,
        }
    }

    /// The kind it is an input as. A workload template stands for a pod, the mesh `ConfigMap` for the mesh settings.
    pub fn kind(&self) -> Kind {
        match self {
            Self::MeshConfigMap(_) => Kind::MeshConfig,
            Self::Namespace(_) => Kind::Namespace,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Pod(_) | Self::Workload(_) => Kind::Pod,
            Self::ServiceAccount(_) => Kind::ServiceAccount,
            Self::Secret(_) => Kind::Secret,
            Self::VirtualService(_) => Kind::VirtualService,
            Self::DestinationRule(_) => Kind::DestinationRule,
            Self::ServiceEntry(_) => Kind::ServiceEntry,
            Self::WorkloadEntry(_) => Kind::WorkloadEntry,
            Self::Gateway(_) => Kind::Gateway,
            Self::PeerAuthentication(_) => Kind::PeerAuthentication,
        }
    }

    /// Its name. A namespaced object that does not name its namespace is in `default`, as for `kubectl`.
    pub fn key(&self) -> ObjectKey {
        let ObjectMeta { name, namespace, .. } = self.metadata();
        key(self.kind(), name.as_deref().unwrap_or_default(), namespace.as_deref())
    }
}

/// Puts a key together.
pub(crate) fn key(kind: Kind, name: &str, namespace: Option<&str>) -> ObjectKey {
    let namespace = match (kind, namespace) {
        (Kind::Namespace, _) => "",
        (_, None | Some("")) => "default",
        (_, Some(namespace)) => namespace,
    };
    ObjectKey::new(kind, namespace, name)
}
