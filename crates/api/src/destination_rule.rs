//! DestinationRule (`networking.istio.io`).

use serde::Deserialize;

use crate::{LabelSelector, List, Map, TrafficPolicy};

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRule {
    /// The host.
    pub host: Option<String>,
    /// The policy.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Named parts of the host.
    pub subsets: List<Subset>,
    /// Who may see it.
    pub export_to: List<String>,
    /// Which clients it is for.
    pub workload_selector: Option<LabelSelector>,
}

/// An entry of `subsets`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    /// Its name.
    pub name: Option<String>,
    /// What its endpoints are labelled.
    pub labels: Map<String>,
    /// The policy, laid over that of the rule.
    pub traffic_policy: Option<TrafficPolicy>,
}
