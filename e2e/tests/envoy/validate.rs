//! What each proxy of each case would be sent, judged by Envoy itself: shape, references, value rules.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::mesh::{Envoy, Mesh, Place, PodSpec, Role, Version, binary, case_manifests, case_names};
use serde_json::{Value, json};

fn every_case_is_accepted(version: Version) -> Result<()> {
    let work =
        std::env::temp_dir().join(format!("pilothouse-validate.{}.{}", std::process::id(), version.number()));
    let envoy = Version::cache()?.join(version.number()).join("envoy");
    let mut refused = Vec::new();
    for case in case_names()? {
        let manifests = case_manifests(&[&case])?;
        let config = work.join(&case);
        manifests.write(&config)?;
        // The versions of one application differ by address only.
        let twin = |pod: &&PodSpec| pod.name == "echo-v2" || pod.name == "echo-v3";
        let of_the_mesh = manifests.pods.values().filter(|pod| pod.role != Role::Outside);
        for pod in of_the_mesh.filter(|pod| !twin(pod)) {
            let file = work.join(format!("{case}.{}.json", pod.key()));
            if let Err(error) = accepted(&envoy, &config, &pod.key(), &file) {
                refused.push(format!("{} of case {case}: {error:#}", pod.key()));
            }
        }
    }
    std::fs::remove_dir_all(&work).ok();
    ensure!(refused.is_empty(), "{} configurations are refused:\n{}", refused.len(), refused.join("\n"));
    Ok(())
}

/// The same document runs without a control plane: requests to the outside are routed as the manifests ask.
fn static_bootstrap_runs(version: Version) -> Result<()> {
    let mut mesh = Mesh::bare(case_manifests(&["tcp"])?, version)?;
    let config = mesh.sandbox().dir().join("config");
    case_manifests(&["tcp"])?.write(&config)?;
    let mut bootstrap: Value = serde_json::from_slice(&generate(&config, "client.shop")?)?;
    let admin = Envoy::admin_path(mesh.sandbox(), "client.shop");
    bootstrap["admin"]["address"] = json!({"pipe": {"path": admin}});
    mesh.sandbox().run(Place::Pod("client.shop"), binary()?, &["capture"])?;
    mesh.start_envoy("client.shop", &bootstrap.to_string())?;
    let answer = mesh.pod("client.shop")?.get("http://fixed.example.com/")?;
    same("who answers", answer.who().as_str(), "outside-v1")?;
    let served = mesh.envoy("client.shop")?.stat("http.outbound")?;
    ensure!(served > 0, "the request did not pass the Envoy");
    Ok(())
}

both!(every_case_is_accepted, static_bootstrap_runs);

/// The configuration of a proxy with everything inside.
fn generate(config: &Path, pod: &str) -> Result<Vec<u8>> {
    let made = Command::new(binary()?)
        .args(["generate", "--proxy", pod, "--static", "--config"])
        .arg(config)
        .output()?;
    ensure!(made.status.success(), "generate: {}\n{}", made.status, String::from_utf8_lossy(&made.stderr));
    Ok(made.stdout)
}

fn accepted(envoy: &Path, config: &Path, pod: &str, file: &Path) -> Result<()> {
    std::fs::write(file, generate(config, pod)?)?;
    let judged = Command::new(envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(file).output()?;
    let said = String::from_utf8_lossy(&judged.stderr);
    let said: String = said.chars().take(1500).collect();
    ensure!(judged.status.success(), "Envoy: {said}{}", String::from_utf8_lossy(&judged.stdout));
    Ok(())
}
