//! What runs: namespaces, pods and workload entries.

use std::net::IpAddr;

use pilothouse_base::{Labels, Locality, Name, Namespace};
use serde::Serialize;

use crate::{Endpoint, Meta, TrafficDistribution};

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct NamespaceObject {
    /// The object; its name is the namespace.
    pub meta: Meta,
    /// Its labels.
    pub labels: Labels,
    /// Which endpoints clients of its services prefer, where a service does not say.
    pub distribution: Option<TrafficDistribution>,
}

impl NamespaceObject {
    /// Whether its pods get a sidecar unless they say otherwise.
    pub fn injects(&self) -> bool {
        match self.labels.get("istio-injection") {
            Some(value) => value == "enabled",
            None => self.labels.get("istio.io/rev").is_some(),
        }
    }
}

/// A pod, or the one pod that stands for a workload template in the offline commands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Pod {
    /// The object.
    pub meta: Meta,
    /// `metadata.uid`, empty if not written.
    pub uid: Name,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses, the primary one first; empty before one is assigned.
    pub addresses: Vec<IpAddr>,
    /// `spec.serviceAccountName`, `default` if not written.
    pub service_account: Name,
    /// Named container ports.
    pub named_ports: Vec<(Name, u16)>,
    /// Whether it has a sidecar.
    pub sidecar: Sidecar,
    /// Whether it serves traffic.
    pub health: PodHealth,
    /// `spec.nodeName`, empty before it is scheduled.
    pub node: Name,
    /// Whether all its containers have ended for good.
    pub finished: bool,
    /// `metadata.deletionTimestamp`, when the grace of its deletion is over, in seconds since 1970.
    pub deleted_at: Option<u64>,
    /// From the label `istio-locality` or the topology labels.
    pub locality: Locality,
    /// The workload it belongs to (its controller without generated suffixes), for telemetry.
    pub workload: Name,
}

/// Whether a workload has a proxy of ours in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Sidecar {
    /// It says so: an `istio-proxy` container, or the label `security.istio.io/tlsMode: istio`.
    Present,
    /// It says it has none, or cannot have one (host network, `sidecar.istio.io/inject: "false"`).
    Absent,
    /// A manifest from before injection: it will have one where its namespace injects.
    IfInjected,
}

impl Sidecar {
    /// Resolves against the namespace of the workload.
    pub fn resolve(self, namespace: Option<&NamespaceObject>) -> bool {
        match self {
            Self::Present => true,
            Self::Absent => false,
            Self::IfInjected => namespace.is_some_and(NamespaceObject::injects),
        }
    }
}

/// The state of a pod as far as traffic is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum PodHealth {
    /// Ready, or nothing is known of its readiness (manifests without a status).
    Ready,
    /// Running but not ready.
    NotReady,
    /// Being deleted, failed or finished.
    Ended,
}

/// A workload outside Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct WorkloadEntry {
    /// The object.
    pub meta: Meta,
    /// Where it listens and what it is.
    pub endpoint: Endpoint,
}

impl WorkloadEntry {
    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.meta.namespace()
    }
}
