//! What each proxy of each case would be sent, judged by Envoy itself: shape, references, value rules.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use pilothouse_e2e::mesh::{Role, Version, binary, case_manifests, case_names};

fn every_case_is_accepted(version: Version) -> Result<()> {
    let work =
        std::env::temp_dir().join(format!("pilothouse-validate.{}.{}", std::process::id(), version.number()));
    let envoy = Version::cache()?.join(version.number()).join("envoy");
    let mut refused = Vec::new();
    for case in case_names()? {
        let manifests = case_manifests(&[&case])?;
        let config = work.join(&case);
        manifests.write(&config)?;
        for pod in manifests.pods.values().filter(|pod| pod.role != Role::Outside) {
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

both!(every_case_is_accepted);

fn accepted(envoy: &Path, config: &Path, pod: &str, file: &Path) -> Result<()> {
    let generated = Command::new(binary()?)
        .args(["generate", "--proxy", pod, "--static", "--config"])
        .arg(config)
        .output()?;
    let said = String::from_utf8_lossy(&generated.stderr);
    ensure!(generated.status.success(), "generate: {}\n{said}", generated.status);
    std::fs::write(file, &generated.stdout)?;
    let judged = Command::new(envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(file).output()?;
    let said = String::from_utf8_lossy(&judged.stderr);
    let said: String = said.chars().take(1500).collect();
    ensure!(judged.status.success(), "Envoy: {said}{}", String::from_utf8_lossy(&judged.stdout));
    Ok(())
}
