//! Pilothouse in the cluster, installed as a user installs it.

use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};

use super::{Cluster, Kubectl, REGISTRY, Said};
use crate::mesh::Version;

/// Where the control plane runs.
pub const NAMESPACE: &str = "istio-system";

static RESOURCES: OnceLock<Result<(), String>> = OnceLock::new();
static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();

/// The image of an Envoy.
pub fn proxy_image(version: Version) -> String {
    format!("{REGISTRY}/envoy:v{}", version.number())
}

/// What `pilothouse install` is told here: images that this machine has.
pub fn arguments() -> Vec<String> {
    vec![
        format!("--image={REGISTRY}/pilothouse:dev"),
        format!("--proxy-image={}", proxy_image(Version::V1_40_0)),
        "--pull-policy=IfNotPresent".into(),
    ]
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

/// The cluster with custom resources and a control plane that is ready; the first call installs them.
pub fn installed() -> Result<&'static Cluster> {
    let cluster = resources()?;
    let done = INSTALLED.get_or_init(|| install(&cluster.kubectl).map_err(|error| format!("{error:#}")));
    done.as_ref().map_err(|error| anyhow!("the control plane is not there: {error}"))?;
    Ok(cluster)
}

fn install(kubectl: &Kubectl) -> Result<()> {
    kubectl.apply(&manifests()?)?;
    let system = kubectl.namespaced(NAMESPACE);
    // A cluster that ran before may have pods of an older build under the same image name.
    system.run(&["rollout", "restart", "deployment/istiod"])?;
    system.rolled_out("deployment/istiod", 90).map_err(|error| {
        let log = system.say(&["logs", "--selector=app=istiod", "--tail=30"], "");
        let log = log.map(|said| said.out + &said.err).unwrap_or_default();
        let pods = system.run(&["get", "pods"]).unwrap_or_default();
        anyhow!("{error:#}\n{pods}\n{log}")
    })
}

/// What `pilothouse install` prints.
pub fn manifests() -> Result<String> {
    let mut words = vec!["install".to_owned()];
    words.extend(arguments());
    Said::by_pilothouse(&words, "")?.out().context("pilothouse install")
}
