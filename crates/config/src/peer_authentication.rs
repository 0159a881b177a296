//! PeerAuthentication: whether a workload demands mutual TLS.

use std::collections::BTreeMap;

use pilothouse_base::Selector;
use serde::Serialize;

use crate::Meta;

/// A checked PeerAuthentication.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct PeerAuthentication {
    /// The object.
    pub meta: Meta,
    /// What it selects; none for a namespace or for the mesh.
    pub selector: Option<Selector>,
    /// `mtls.mode`; none inherits from the wider scope.
    pub mode: Option<MtlsMode>,
    /// `portLevelMtls` by workload port; none inherits the mode of the policy.
    pub ports: BTreeMap<u16, Option<MtlsMode>>,
}

/// How a port treats mutual TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum MtlsMode {
    /// Plain text only.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS only. Also what a mode that cannot be understood is read as.
    Strict,
}
