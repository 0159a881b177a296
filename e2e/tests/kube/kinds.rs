//! Pods of every kind of owner and make are in the mesh, or skipped where they must be.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::kube::Namespace;
use pilothouse_e2e::mesh::{Version, until};
use serde_json::{Value, json};

use crate::world::{caller, meshed, workload, world};

fn named(kind: &str, api: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The names of the init containers of the one pod with these labels.
fn init_containers(namespace: &Namespace, labels: &str) -> Result<Vec<String>> {
    let pods = namespace.pods(labels)?;
    let pod = pods.first().with_context(|| format!("no pod {labels}"))?;
    let all = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    Ok(all.filter_map(|container| container["name"].as_str().map(ToOwned::to_owned)).collect())
}

fn members_of_a_stateful_set_are_reached_by_their_names(version: Version) -> Result<()> {
    meshed("stateful", version, |inside, outside| {
        let (client, _) = world(inside, outside, version)?;
        let store = workload("store", "v1", version);
        let labels = json!({"app": "store", "version": "v1"});
        inside.apply_all(&[
            store.objects()[0].clone(),
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "store"},
                "spec": {"clusterIP": "None", "selector": {"app": "store"}, "ports": [{"name": "http", "port": 8080}]},
            }),
            named("StatefulSet", "apps/v1", "store", &json!({
                "serviceName": "store", "replicas": 2,
                "selector": {"matchLabels": labels}, "template": store.template(),
            })),
        ])?;
        inside.rolled_out("statefulset/store", 120)?;
        until("each member to answer by its name", Duration::from_secs(30), || {
            for member in ["store-0", "store-1"] {
                let answer = client.fetch(&format!("http://{member}.store:8080/"))?;
                same(member, answer.who(), "store-v1".to_owned())?;
                let seen = answer.seen("x-forwarded-client-cert").unwrap_or_default();
                ensure!(seen.contains("/sa/client"), "{member} saw `{seen}`");
            }
            Ok(())
        })
    })
}

fn a_job_speaks_to_the_mesh_and_ends(version: Version) -> Result<()> {
    meshed("job", version, |inside, outside| {
        let (client, _) = world(inside, outside, version)?;
        until("the mesh", Duration::from_secs(20), || caller(&client))?;
        let once = workload("once", "v1", version)
            .container(json!({
                "command": ["curl", "-sS", "-f", "http://server/"], "args": [], "readinessProbe": null,
            }))
            .spec(json!({"restartPolicy": "Never"}));
        inside.apply_all(&[
            once.objects()[0].clone(),
            named("Job", "batch/v1", "once", &json!({"template": once.template(), "backoffLimit": 0})),
        ])?;
        inside.wait("condition=Complete", "job/once", 60)?;
        let said = inside.run(&["logs", "job/once", "-c", "app"])?;
        ensure!(said.contains("/sa/once"), "the server did not know the job: {said}");
        Ok(())
    })
}

fn init_containers_reach_the_mesh_before_the_application(version: Version) -> Result<()> {
    meshed("early", version, |inside, outside| {
        world(inside, outside, version)?;
        let early = workload("early", "v1", version).spec(json!({"initContainers": [{
            "name": "first", "image": "pilothouse.local/app:dev",
            "command": ["curl", "-sS", "-f", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", "http://server/"],
        }]}));
        inside.apply_all(&early.objects())?;
        inside.rolled_out("deployment/early-v1", 120)?;
        let names = init_containers(inside, "app=early")?;
        let at = |name: &str| names.iter().position(|found| found == name);
        ensure!(at("istio-proxy") < at("first") && at("istio-proxy").is_some(), "the order is {names:?}");
        let said = inside.run(&["logs", "deployment/early-v1", "-c", "first"])?;
        ensure!(said.contains("/sa/early"), "the server did not know the caller: {said}");
        Ok(())
    })
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

pilothouse_e2e::both!(
    members_of_a_stateful_set_are_reached_by_their_names,
    a_job_speaks_to_the_mesh_and_ends,
    init_containers_reach_the_mesh_before_the_application,
    a_pod_of_the_hosts_network_and_one_that_declines_stay_outside,
);
