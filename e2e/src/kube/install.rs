//! Pilothouse in the cluster.

use super::REGISTRY;
use crate::mesh::Version;

/// Where the control plane runs.
pub const NAMESPACE: &str = "istio-system";

/// The image of an Envoy.
pub fn proxy_image(version: Version) -> String {
    format!("{REGISTRY}/envoy:v{}", version.number())
}
