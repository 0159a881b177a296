//! Temporary stand-in for engine's types.
#![allow(missing_docs)]
use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
#[derive(Clone, Debug, Default)]
pub struct Mesh { pub trust_domain: Name }
#[derive(Clone, Debug)]
pub struct Object;
use pilothouse_diag::{Diagnostic, Origin};
use pilothouse_xds::Snapshot;
use std::net::IpAddr;
use std::sync::Arc;
#[derive(Clone, Debug)]
pub enum Change {
    Apply { key: ObjectKey, object: Object, origin: Option<Arc<Origin>> },
    Remove { key: ObjectKey },
}
impl Change {
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Apply { key, .. } | Self::Remove { key } => key,
        }
    }
    pub fn urgent(&self) -> bool {
        matches!(self.key().kind, Kind::EndpointSlice | Kind::Pod | Kind::WorkloadEntry | Kind::Secret)
    }
}
pub type ProxyId = u64;
#[derive(Debug)]
pub struct Commit {
    pub revision: u64,
    pub changed: Vec<(ProxyId, Arc<Snapshot>)>,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Sidecar,
    Gateway,
}
#[derive(Clone, Debug)]
pub struct Proxy {
    pub role: Role,
    pub namespace: Namespace,
    pub name: Name,
    pub addresses: Vec<IpAddr>,
}
#[derive(Clone, Debug)]
pub struct WorkloadFacts {
    pub uid: Name,
    pub service_account: Name,
    pub ended: bool,
    pub addresses: Vec<IpAddr>,
}
#[derive(Debug, Default)]
pub struct Engine;
impl Engine {
    pub fn new() -> Self {
        Self
    }
    pub fn apply(&mut self, _: Vec<Change>) -> Commit {
        Commit { revision: 0, changed: vec![] }
    }
    pub fn connect(&mut self, _: Proxy) -> (ProxyId, Arc<Snapshot>) {
        (0, Arc::default())
    }
    pub fn disconnect(&mut self, _: ProxyId) {}
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        vec![]
    }
    pub fn workload(&self, _: &Namespace, _: &Name) -> Option<WorkloadFacts> {
        None
    }
    pub fn mesh(&self) -> Arc<Mesh> {
        Arc::default()
    }
}
