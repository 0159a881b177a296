//! `pilothouse capture` on a real kernel: what it writes for each family, that it may be run again, that it takes back all of it.

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::mesh::{Mesh, Place, Version, binary, case_manifests};

const POD: &str = "outside.elsewhere";

/// The programs of a family, and the address from which the proxy calls its application.
const FAMILIES: [(&str, &str, &str); 2] =
    [("iptables", "iptables-save", "127.0.0.6/32"), ("ip6tables", "ip6tables-save", "::6/128")];

#[test]
fn writes_its_rules_once_and_takes_them_back() -> Result<()> {
    let mesh = Mesh::bare(case_manifests(&["harness"])?, Version::V1_40_0)?;
    // A second address makes the pod one of two families; the rules of the second one are asked for.
    let second = ["address", "add", "fd00:10:2::7/128", "dev", "eth0", "nodad"];
    mesh.sandbox().run(Place::Pod(POD), "ip", &second)?;
    let before = rules(&mesh)?;
    let plan = capture(&mesh, &["--dry-run"])?;
    ensure!(plan.contains("15001") && plan.contains("15006"), "the plan names no ports: {plan}");
    same("the rules after a dry run", rules(&mesh)?, before.clone())?;

    // A rule of somebody else must survive all of it.
    for (program, ..) in FAMILIES {
        let rule = ["-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "7", "-j", "RETURN"];
        mesh.sandbox().run(Place::Pod(POD), program, &rule)?;
    }
    let foreign = rules(&mesh)?;
    capture(&mesh, &[])?;
    let captured = rules(&mesh)?;
    for (own, (program, _, source)) in captured.iter().zip(FAMILIES) {
        for part in ["--to-ports 15001", "--to-ports 15006", &format!("-s {source} -o lo -j RETURN")] {
            ensure!(own.iter().any(|rule| rule.contains(part)), "{program} has no `{part}`: {own:#?}");
        }
    }
    let addresses = mesh.sandbox().run(Place::Pod(POD), "ip", &["-6", "address", "show", "dev", "lo"])?;
    ensure!(addresses.contains("::6/128"), "the proxy cannot call from ::6: {addresses}");
    capture(&mesh, &[])?;
    same("the rules after a second run", rules(&mesh)?, captured)?;
    capture(&mesh, &["--cleanup"])?;
    same("the rules after the clean-up", rules(&mesh)?, foreign)
}

#[test]
fn leaves_a_second_family_alone_unless_asked() -> Result<()> {
    let mesh = Mesh::bare(case_manifests(&["harness"])?, Version::V1_40_0)?;
    let second = ["address", "add", "fd00:10:2::7/128", "dev", "eth0", "nodad"];
    mesh.sandbox().run(Place::Pod(POD), "ip", &second)?;
    mesh.sandbox().run(Place::Pod(POD), binary()?, &["capture"])?;
    let [v4, v6] = rules(&mesh)?;
    ensure!(v4.iter().any(|rule| rule.contains("15001")), "nothing is captured: {v4:?}");
    same("the rules of the second family", v6, Vec::<String>::new())
}

fn capture(mesh: &Mesh, extra: &[&str]) -> Result<String> {
    let args: Vec<&str> = ["capture", "--dual-stack"].into_iter().chain(extra.iter().copied()).collect();
    mesh.sandbox().run(Place::Pod(POD), binary()?, &args)
}

/// All rules of the pod by family, without counters and comments.
fn rules(mesh: &Mesh) -> Result<[Vec<String>; 2]> {
    let saved = |program: &str| -> Result<Vec<String>> {
        let text = mesh.sandbox().run(Place::Pod(POD), program, &["-t", "nat"])?;
        Ok(text.lines().filter(|line| line.starts_with("-A")).map(ToOwned::to_owned).collect())
    };
    let [v4, v6] = FAMILIES.map(|(_, save, _)| saved(save));
    Ok([v4?, v6?])
}
