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
    let Scopes { mut all, mut ports, own } = scopes(namespace, read);
    let workload =
        own.iter().find(|one| one.selector.as_ref().is_some_and(|selector| selector.matches(labels)));
    if let Some(policy) = workload {
        all = policy.mode.unwrap_or(all);
        ports.extend(policy.ports.iter().map(|(port, mode)| (*port, mode.unwrap_or(all))));
    }
    Modes { all, ports }
}

/// The mode of a namespace, as clients infer it for a service: workload policies do not count.
pub(crate) fn of_namespace(namespace: &Namespace, read: &mut Reader<'_>) -> MtlsMode {
    scopes(namespace, read).all
}

/// What mesh and namespace policies say.
struct Scopes {
    all: MtlsMode,
    /// Ports that they close. Modes by port are meant for policies with a selector; `check` keeps those that are STRICT where
    /// there is none, and tells the user that these count.
    ports: BTreeMap<u16, MtlsMode>,
    /// The policies of the namespace.
    own: Vec<Arc<PeerAuthentication>>,
}

fn scopes(namespace: &Namespace, read: &mut Reader<'_>) -> Scopes {
    let root = read.mesh().root_namespace.clone();
    let mut scopes = Scopes { all: MtlsMode::Permissive, ports: BTreeMap::new(), own: Vec::new() };
    let of_mesh = read.peer_authentications(&root);
    scopes.add(&of_mesh);
    if *namespace != root {
        scopes.own = read.peer_authentications(namespace);
        scopes.add(&scopes.own.clone());
    }
    scopes
}

impl Scopes {
    /// Lays the oldest policy without a selector over what there is.
    fn add(&mut self, policies: &[Arc<PeerAuthentication>]) {
        let Some(policy) = policies.iter().find(|one| one.selector.is_none()) else { return };
        self.all = policy.mode.unwrap_or(self.all);
        self.ports.extend(policy.ports.iter().map(|(port, mode)| (*port, mode.unwrap_or(self.all))));
    }
}
