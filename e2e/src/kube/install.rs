//! Pilothouse in the cluster.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use super::{Cluster, REGISTRY};
use crate::mesh::Version;

/// Where the control plane runs.
pub const NAMESPACE: &str = "istio-system";

static RESOURCES: OnceLock<Result<(), String>> = OnceLock::new();

/// The image of an Envoy.
pub fn proxy_image(version: Version) -> String {
    format!("{REGISTRY}/envoy:v{}", version.number())
}

/// The cluster with our custom resources; the first call applies them.
pub fn resources() -> Result<&'static Cluster> {
    let cluster = Cluster::shared()?;
    let apply = || {
        cluster.kubectl.run(&["apply", "--server-side", "-f", "crds"])?;
        cluster.kubectl.run(&["wait", "--for=condition=Established", "--timeout=30s", "-f", "crds"])
    };
    let done = RESOURCES.get_or_init(|| apply().map(drop).map_err(|error| format!("{error:#}")));
    done.as_ref().map_err(|error| anyhow!("the custom resources are not there: {error}"))?;
    Ok(cluster)
}
