//! PeerAuthentication (`security.istio.io`).

use serde::Deserialize;

use crate::Map;

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerAuthentication {
    /// Which workloads; none for the whole namespace.
    pub selector: Option<LabelSelector>,
    /// The mode.
    pub mtls: Option<MutualTls>,
    /// The mode by workload port, keys are numbers.
    pub port_level_mtls: Option<Map<MutualTls>>,
}

/// A selector by labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// All must hold.
    pub match_labels: Map<String>,
}

/// `mtls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MutualTls {
    /// `UNSET`, `DISABLE`, `PERMISSIVE` or `STRICT`.
    pub mode: Option<String>,
}
