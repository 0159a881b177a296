//! Peer authentication: which mode a port of a workload has.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilothouse_base::{Labels, Namespace};
use pilothouse_config::{MtlsMode, PeerAuthentication};

use crate::reader::Reader;

/// The modes of one workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Of every port without one of its own.
    pub(crate) all: MtlsMode,
    /// Of single ports.
    pub(crate) ports: BTreeMap<u16, MtlsMode>,
}

impl Modes {
    /// The mode of a port of the workload.
    pub(crate) fn of(&self, port: u16) -> MtlsMode {
        self.ports.get(&port).copied().unwrap_or(self.all)
    }
}

/// The modes of a workload: mesh, then namespace, then workload policy; only the oldest one of each scope counts, and a
/// policy with a selector in the root namespace never does.
pub(crate) fn of_workload(namespace: &Namespace, labels: &Labels, read: &mut Reader<'_>) -> Modes {
    let (mut all, own) = scopes(namespace, read);
    let mut ports = BTreeMap::new();
    let workload = own.iter().find(|one| one.selector.as_ref().is_some_and(|selector| selector.matches(labels)));
    if let Some(policy) = workload {
        all = policy.mode.unwrap_or(all);
        ports = policy.ports.iter().map(|(port, mode)| (*port, mode.unwrap_or(all))).collect();
    }
    Modes { all, ports }
}

/// The mode of a namespace, as clients infer it for a service: workload policies do not count.
pub(crate) fn of_namespace(namespace: &Namespace, read: &mut Reader<'_>) -> MtlsMode {
    scopes(namespace, read).0
}

/// The mode from mesh and namespace policies, and the policies of the namespace that select workloads.
fn scopes(namespace: &Namespace, read: &mut Reader<'_>) -> (MtlsMode, Vec<Arc<PeerAuthentication>>) {
    let root = read.mesh().root_namespace.clone();
    let wide = |policies: &[Arc<PeerAuthentication>]| {
        policies.iter().find(|one| one.selector.is_none()).and_then(|policy| policy.mode)
    };
    let mut mode = wide(&read.peer_authentications(&root)).unwrap_or(MtlsMode::Permissive);
    if *namespace == root {
        return (mode, Vec::new());
    }
    let own = read.peer_authentications(namespace);
    mode = wide(&own).unwrap_or(mode);
    (mode, own)
}
