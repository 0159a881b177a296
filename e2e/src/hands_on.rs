//! `make try SCENARIO=…`: a case's world, left running for a person to walk around in.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::client::Request;
use crate::mesh::{Manifests, Mesh, Options, Role, Version, case_manifests, case_names, cases};

/// Brings up a case by name, or any folder of manifests, and waits for Ctrl-C.
pub fn run(scenario: &str, version: Version) -> Result<()> {
    let folder = Path::new(scenario);
    let manifests = if cases().join(scenario).is_dir() {
        case_manifests(&[scenario])?
    } else {
        ensure!(
            folder.is_dir(),
            "`{scenario}` is neither a case ({}) nor a folder",
            case_names()?.join(", ")
        );
        Manifests::read(folder, &[folder.to_path_buf()])?
    };
    println!("bringing up {scenario} on Envoy {} …", version.number());
    let mesh = Mesh::start(manifests, version, Options::default())?;
    let exe = std::env::current_exe()?;
    println!("\nThe control plane watches {}: edit there and see.\n", mesh.config()?.display());
    println!("pods:");
    for pod in mesh.pods() {
        let role = match pod.spec.role {
            Role::Sidecar => "with sidecar",
            Role::Gateway => "gateway",
            Role::Outside => "outside the mesh",
        };
        println!("  {:<28} {:<15} {role}", pod.spec.key(), pod.spec.address.to_string());
    }
    let some = mesh.pods().next().context("a world has pods")?.spec.key();
    let dir = mesh.sandbox().dir().display();
    println!("\nsend a request from a pod:  {} get {dir}/{some} http://HOST/PATH", exe.display());
    println!(
        "ask a pod's Envoy:          curl --unix-socket {dir}/{some}/run/admin.sock http://admin/config_dump"
    );
    println!("a shell in a pod:           {} shell {} {dir}/{some}", exe.display(), mesh.sandbox().pid());
    println!("logs:                       {dir}/*.log\n\nCtrl-C ends it and leaves nothing behind.");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c())?;
    println!("\ntaking it down …");
    drop(mesh);
    Ok(())
}

/// Opens a shell in a pod of a running world: its network, its names.
pub fn shell(pid: &str, pod: &Path) -> Result<()> {
    let name = pod.file_name().context("the folder of a pod is named like it")?;
    let names = format!("mount --bind {}/hosts /etc/hosts; exec sh", pod.display());
    let status = std::process::Command::new("nsenter")
        .args(["--target", pid, "--net", "--mount", "--pid", "--", "ip", "netns", "exec"])
        .arg(name)
        .args(["sh", "-c", &names])
        .status()?;
    ensure!(status.success(), "the shell ended with {status}");
    Ok(())
}

/// Brings up the pods of a case, without control plane and Envoys, says where, and waits for the end of input: for
/// the test that a killed harness leaves nothing.
pub fn hold(case: &str) -> Result<()> {
    let mesh = Mesh::bare(case_manifests(&[case])?, Version::V1_40_0)?;
    println!("{} {}", mesh.sandbox().pid(), mesh.sandbox().dir().display());
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Sends one GET from the pod whose folder this is, and prints the answer.
pub fn get(pod: &Path, url: &str) -> Result<()> {
    let answer = crate::mesh::Control::new(pod).send(&Request::get(url))?;
    if let Some(error) = &answer.error {
        println!("failed after {} ms: {error}", answer.ms);
    } else {
        println!("{} after {} ms\n{:#?}\n{:#}", answer.status, answer.ms, answer.headers, answer.json());
    }
    Ok(())
}
