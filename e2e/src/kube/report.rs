//! What a reader needs to see why a test on the cluster failed.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Kubectl, Namespace, install};

/// Adds to an error what the cluster says about it: pods, events, what containers and Envoys of pods report, the control
/// plane's log.
pub(super) fn explain(namespace: &Namespace, error: &anyhow::Error) -> anyhow::Error {
    let mut text =
        format!("{error:#}\n\nin namespace {}, which stays as long as the cluster", namespace.name);
    section(&mut text, namespace, "pods", &["get", "pods", "-o", "wide"]);
    section(&mut text, namespace, "events", &["events", "--no-headers"]);
    let pods = namespace.get(&["pods"]).unwrap_or_default();
    for pod in pods["items"].as_array().into_iter().flatten().take(8) {
        describe(&mut text, namespace, pod);
    }
    let control_plane = namespace.cluster.kubectl.namespaced(install::NAMESPACE);
    if namespace.cluster.kubectl.get(&["namespace", install::NAMESPACE]).is_err() {
        return anyhow::anyhow!(text);
    }
    section(&mut text, &control_plane, "control plane", &["get", "pods"]);
    section(
        &mut text,
        &control_plane,
        "control plane's log",
        &["logs", "--selector=app=istiod", "--tail=40"],
    );
    anyhow::anyhow!(text)
}

fn describe(text: &mut String, kubectl: &Kubectl, pod: &Value) {
    let Some(name) = pod["metadata"]["name"].as_str() else { return };
    let status = &pod["status"];
    let states = ["initContainerStatuses", "containerStatuses"]
        .iter()
        .flat_map(|kind| status[*kind].as_array().into_iter().flatten());
    for state in states {
        let container = state["name"].as_str().unwrap_or_default();
        if state["ready"] != true {
            writeln!(text, "\n--- {name}: {container} is not ready: {}", state["state"]).ok();
        }
        if state["ready"] != true || container == "istio-proxy" {
            section(
                text,
                kubectl,
                &format!("{name}: log of {container}"),
                &["logs", name, "-c", container, "--tail=15"],
            );
        }
    }
    let meshed = pod["spec"]["initContainers"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(pod["spec"]["containers"].as_array().into_iter().flatten());
    if meshed.into_iter().any(|container| container["name"] == "istio-proxy") {
        for (what, path) in [
            (
                "Envoy's rejected updates and secrets",
                "/stats?filter=update_rejected|ssl_context_update_by_sds|control_plane.connected_state&usedonly",
            ),
            ("Envoy's listeners", "/listeners"),
            ("Envoy's endpoints", "/clusters?filter=.*health_flags"),
        ] {
            let url = format!("http://127.0.0.1:15000{path}");
            section(
                text,
                kubectl,
                &format!("{name}: {what}"),
                &["exec", name, "-c", "app", "--", "curl", "-s", "-m", "3", &url],
            );
        }
    }
}

/// The end of what one call says.
fn section(text: &mut String, kubectl: &Kubectl, title: &str, arguments: &[&str]) {
    let said = match kubectl.say(arguments, "") {
        Ok(said) => said.out + &said.err,
        Err(error) => format!("{error:#}"),
    };
    let lines: Vec<&str> = said.lines().collect();
    writeln!(text, "\n--- {title}").ok();
    for line in &lines[lines.len().saturating_sub(40)..] {
        writeln!(text, "{}", line.chars().take(400).collect::<String>()).ok();
    }
}
