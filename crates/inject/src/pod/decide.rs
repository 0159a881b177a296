//! Whether a pod is injected at all.

use std::fmt;

use serde_json::Value;

use super::Settings;
use super::labels::{Labels, fits, is_empty};

/// The label, and the annotation that it took the place of.
pub(super) const INJECT: &str = "sidecar.istio.io/inject";

/// Namespaces of Kubernetes itself, which must start without us.
pub const SYSTEM_NAMESPACES: [&str; 4] =
    ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// Why a pod is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It shares the network of its node, whose traffic is not ours to take.
    HostNetwork,
    /// It is in a namespace of Kubernetes itself.
    SystemNamespace,
    /// It says so itself.
    Refused,
    /// A selector of the mesh says so.
    NeverSelected,
    /// Nothing asks for it.
    NotAsked,
}

impl fmt::Display for Skip {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::HostNetwork => "it uses the network of its node",
            Self::SystemNamespace => "its namespace belongs to Kubernetes",
            Self::Refused => "sidecar.istio.io/inject says \"false\"",
            Self::NeverSelected => "its labels fit a selector of pods that are never injected",
            Self::NotAsked => "nothing asks for it",
        })
    }
}

/// Decides, in this order; the first that applies wins. `None`: it is injected.
pub(super) fn skip(
    pod: &Value,
    namespace: &str,
    labels: &Labels<'_>,
    annotations: &Labels<'_>,
    settings: &Settings,
) -> Option<Skip> {
    if pod["spec"]["hostNetwork"] == true {
        return Some(Skip::HostNetwork);
    }
    if SYSTEM_NAMESPACES.contains(&namespace) {
        return Some(Skip::SystemNamespace);
    }
    // A label that is there hides the annotation, whatever it says.
    match labels.get(INJECT).or_else(|| annotations.get(INJECT)) {
        Some(&"true") => return None,
        Some(&"false") => return Some(Skip::Refused),
        _ => {}
    }
    let any = |selectors: &[Value]| selectors.iter().any(|one| !is_empty(one) && fits(one, labels));
    if any(&settings.never) {
        return Some(Skip::NeverSelected);
    }
    if any(&settings.always) || settings.by_default {
        return None;
    }
    Some(Skip::NotAsked)
}
