//! Route tables that travel host by host: what one change costs on the wire, and that nobody notices; and the ways in which
//! tables come and go, on the sidecar's side and at a gateway.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Load, Request};
use pilothouse_e2e::mesh::{Mesh, Options, Version, case_manifests, until};
use pilothouse_e2e::world;

const HOSTS: u32 = 1000;

fn thousand_hosts(version: Version) -> Result<()> {
    let mut manifests = case_manifests(&["many-hosts"])?;
    manifests.add_file("services.yaml", (0..HOSTS).map(service).collect())?;
    manifests.add_file("routes.yaml", (1..HOSTS).map(|n| route(n, "first")).collect())?;
    manifests.add_file("one.yaml", route(0, "first"))?;
    let mesh = Mesh::start(manifests, version, Options::default())?;
    world::run_on(mesh, |mesh, checks| {
        let load = mesh.pod("client.shop")?.load(&Load {
            request: Request::get("http://host-0/"),
            workers: 4,
            pause_ms: 5,
        })?;
        checks.show("one host changed: under 2 KB on the wire", one_change(mesh));
        checks.show("a host removed and added again", removal(mesh));
        checks.show("changed while the stream was broken", broken_stream(mesh));
        checks.show("no request failed", load.stop_without_failures().map(|_| ()));
        Ok(())
    })
}

both!(thousand_hosts);

mod comings_and_goings;

fn service(n: u32) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: host-{n}, namespace: shop }}\nspec:\n  \
         clusterIP: 10.98.{}.{}\n  selector: {{ app: echo, version: v1 }}\n  \
         ports: [ {{ name: http, port: 80, targetPort: 8080 }} ]\n",
        n / 250,
        n % 250 + 1
    )
}

fn route(n: u32, edition: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{ name: host-{n}, namespace: shop }}\nspec:\n  hosts: [ host-{n} ]\n  \
         http: [ {{ headers: {{ response: {{ set: {{ x-edition: {edition} }} }} }}, \
         route: [ {{ destination: {{ host: host-{n} }} }} ] }} ]\n"
    )
}

fn wait_edition(mesh: &Mesh, host: u32, edition: &str) -> Result<()> {
    until(&format!("host-{host} in its {edition} edition"), Duration::from_secs(45), || {
        let answer = mesh.pod("client.shop")?.get(&format!("http://host-{host}/"))?;
        same("the edition", answer.headers.get("x-edition").map(String::as_str), Some(edition))
    })
}

/// Waits until nothing has come for a while, and gives what had come.
fn quiet(mesh: &Mesh) -> Result<u64> {
    let envoy = mesh.envoy("client.shop")?;
    let mut last = (envoy.received_from_control_plane()?, 0);
    until("quiet on the stream", Duration::from_secs(20), || {
        let now = envoy.received_from_control_plane()?;
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        ensure!(last.1 >= 5, "{now} bytes and more are coming");
        Ok(now)
    })
}

fn one_change(mesh: &Mesh) -> Result<()> {
    wait_edition(mesh, 0, "first")?;
    wait_edition(mesh, HOSTS - 1, "first")?;
    let mut sizes = String::new();
    for edition in ["second", "third", "fourth"] {
        let before = quiet(mesh)?;
        mesh.write("one.yaml", &route(0, edition))?;
        wait_edition(mesh, 0, edition)?;
        let size = quiet(mesh)? - before;
        write!(sizes, " {size}")?;
        ensure!(size < 2048, "a change of one host took{sizes} bytes");
    }
    Ok(())
}

fn removal(mesh: &Mesh) -> Result<()> {
    let all: String = (0..HOSTS).map(service).collect();
    mesh.write("services.yaml", &(0..HOSTS - 1).map(service).collect::<String>())?;
    let last = format!("http://host-{}/", HOSTS - 1);
    until("the removed host to be gone", Duration::from_secs(10), || {
        let answer = mesh.pod("client.shop")?.send(&Request::get(&last).timeout(1000))?;
        ensure!(!answer.headers.contains_key("x-edition"), "it answers");
        Ok(())
    })?;
    mesh.write("services.yaml", &all)?;
    wait_edition(mesh, HOSTS - 1, "first")
}

fn broken_stream(mesh: &mut Mesh) -> Result<()> {
    mesh.kill_control_plane()?;
    mesh.write("one.yaml", &route(0, "fifth"))?;
    same("a request meanwhile", mesh.pod("client.shop")?.get("http://host-7/")?.status, 200_u16)?;
    mesh.start_control_plane()?;
    wait_edition(mesh, 0, "fifth")?;
    wait_edition(mesh, 7, "first")
}
