//! Test application, test client and hands-on worlds of the end-to-end suite, in one program.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::Path;

use anyhow::{Result, bail};
use pilothouse_e2e::mesh::Version;
use pilothouse_e2e::{app, client, demo, hands_on, in_pod, kube};

const USAGE: &str = "usage:
  e2e app SETTINGS SOCKET    the test application (name=…,version=…,http=PORT,tcp=PORT,banner=PORT,tls=PORT)
  e2e client SOCKET          the test client
  e2e pod SETTINGS FOLDER    both, in a container, with their sockets in FOLDER
  e2e demo                   a shop on real Envoys, changed while its customers shop
  e2e demo-kube              the same in a Kubernetes of its own
  e2e try CASE [VERSION]     a case (or a folder of manifests) left running for you to walk around in
  e2e hold CASE              the pods of a case until the end of input
  e2e get POD-FOLDER URL     one request from a pod of a running `try`
  e2e shell PID POD-FOLDER   a shell in a pod of a running `try`";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["app", settings, control] => block_on(app::run(settings.parse()?, Path::new(control))),
        ["client", control] => block_on(client::run(Path::new(control))),
        ["pod", settings, folder] => block_on(in_pod::run(settings.parse()?, Path::new(folder))),
        ["demo"] => demo::run(),
        ["demo-kube"] => kube::demo::run(),
        ["try", scenario] => hands_on::run(scenario, Version::V1_40_0),
        ["try", scenario, version] => hands_on::run(scenario, version.parse()?),
        ["hold", case] => hands_on::hold(case),
        ["shell", pid, pod] => hands_on::shell(pid, Path::new(pod)),
        ["get", pod, url] => hands_on::get(Path::new(pod), url),
        _ => bail!("{USAGE}"),
    }
}

/// One thread is enough for a pod's application, and a world has many pods.
fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
