//! Which pods of a labelled namespace are skipped.

use anyhow::{Context as _, Result};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::kube::Namespace;
use pilothouse_e2e::mesh::Version;
use serde_json::json;

use crate::world::{meshed, workload};

/// The names of the init containers of the one pod with these labels.
fn init_containers(namespace: &Namespace, labels: &str) -> Result<Vec<String>> {
    let pods = namespace.pods(labels)?;
    let pod = pods.first().with_context(|| format!("no pod {labels}"))?;
    let all = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    Ok(all.filter_map(|container| container["name"].as_str().map(ToOwned::to_owned)).collect())
}

fn a_pod_of_the_hosts_network_and_one_that_declines_stay_outside(version: Version) -> Result<()> {
    meshed("skipped", version, |inside, _| {
        let host = workload("host", "v1", version)
            .settings("name=host,version=v1")
            .container(json!({"readinessProbe": null, "ports": []}))
            .spec(json!({"hostNetwork": true}));
        let declined = workload("declined", "v1", version).label("sidecar.istio.io/inject", "false");
        inside.apply_all(&[host.objects(), declined.objects()].concat())?;
        for (deployment, labels) in
            [("deployment/host-v1", "app=host"), ("deployment/declined-v1", "app=declined")]
        {
            inside.rolled_out(deployment, 60)?;
            same(labels, init_containers(inside, labels)?, Vec::<String>::new())?;
        }
        Ok(())
    })
}

pilothouse_e2e::both!(a_pod_of_the_hosts_network_and_one_that_declines_stay_outside);
