//! `pilothouse capture` on a real kernel: what it writes, that it may be run again, that it takes back all of it.

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::mesh::{Mesh, Place, Version, binary, case_manifests};

const POD: &str = "outside.elsewhere";

#[test]
fn writes_its_rules_once_and_takes_them_back() -> Result<()> {
    let mesh = Mesh::bare(case_manifests(&["harness"])?, Version::V1_40_0)?;
    let before = rules(&mesh)?;
    let plan = capture(&mesh, &["--dry-run"])?;
    ensure!(plan.contains("15001") && plan.contains("15006"), "the plan names no ports: {plan}");
    same("the rules after a dry run", rules(&mesh)?, before.clone())?;

    // A rule of somebody else must survive all of it.
    mesh.sandbox().run(
        Place::Pod(POD),
        "iptables",
        &["-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "7", "-j", "RETURN"],
    )?;
    let foreign = rules(&mesh)?;
    capture(&mesh, &[])?;
    let captured = rules(&mesh)?;
    ensure!(captured.iter().any(|rule| rule.contains("15006")), "nothing is captured: {captured:?}");
    capture(&mesh, &[])?;
    same("the rules after a second run", rules(&mesh)?, captured)?;
    capture(&mesh, &["--cleanup"])?;
    same("the rules after the clean-up", rules(&mesh)?, foreign)
}

fn capture(mesh: &Mesh, extra: &[&str]) -> Result<String> {
    let args: Vec<&str> = ["capture"].into_iter().chain(extra.iter().copied()).collect();
    mesh.sandbox().run(Place::Pod(POD), binary()?, &args)
}

/// All rules of the pod, without counters and comments.
fn rules(mesh: &Mesh) -> Result<Vec<String>> {
    let text = mesh.sandbox().run(Place::Pod(POD), "iptables-save", &["-t", "nat"])?;
    Ok(text.lines().filter(|line| line.starts_with("-A")).map(ToOwned::to_owned).collect())
}
