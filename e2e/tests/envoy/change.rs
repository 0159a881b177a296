//! Change under steady load: not one request may fail.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Load, Request};
use pilothouse_e2e::mesh::{Mesh, Options, Version, until};
use pilothouse_e2e::world;

fn route_flips(version: Version) -> Result<()> {
    world::run(version, &["flips"], |mesh, _| {
        let before = mesh.read("flips/route.yaml")?;
        let load = mesh.pod("client.shop")?.load(&steady("http://flips/"))?;
        for n in 0..PAIRS {
            mesh.write("flips/route.yaml", FLIPPED)?;
            answered_by(mesh, "echo-v2", n)?;
            mesh.write("flips/route.yaml", &before)?;
            answered_by(mesh, "echo-v1", n)?;
        }
        let report = load.stop_without_failures()?;
        ensure!(report.good >= 1000, "the load was no load: {report:?}");
        same(
            "who else answered",
            report.by.keys().filter(|k| !["echo-v1", "echo-v2"].contains(&k.as_str())).count(),
            0_usize,
        )
    })
}

/// How often the subset comes and goes: one edit adds it and routes to it, the next one takes both back.
const PAIRS: u32 = 200;

const FLIPPED: &str = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: flips, namespace: shop }
spec:
  host: flips
  subsets:
  - { name: first, labels: { version: v1 } }
  - { name: second, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: flips, namespace: shop }
spec:
  hosts: [ flips ]
  http: [ { route: [ { destination: { host: flips, subset: second } } ] } ]
";

fn answered_by(mesh: &Mesh, who: &str, flip: u32) -> Result<()> {
    until(&format!("flip {flip} to reach the proxy"), Duration::from_secs(10), || {
        same("who answers", mesh.pod("client.shop")?.get("http://flips/")?.who().as_str(), who)
    })
}

fn leaf_rotation(version: Version) -> Result<()> {
    let options = Options { leaf_ttl: Some(Duration::from_secs(30)), ..Options::default() };
    world::run_with(version, &["rotation"], options, |mesh, _| {
        let client = mesh.envoy("client.shop")?;
        let load = mesh.pod("client.shop")?.load(&steady("http://rotation/"))?;
        let started = Instant::now();
        let first = serial(&client.admin("/certs")?)?;
        let mut serials = std::collections::BTreeSet::from([first]);
        // Four lifetimes: without renewal every handshake after the first half minute would fail.
        until("two minutes of rotation", Duration::from_mins(3), || {
            serials.insert(serial(&client.admin("/certs")?)?);
            ensure!(started.elapsed() >= Duration::from_mins(2), "{} certificates so far", serials.len());
            Ok(())
        })?;
        let report = load.stop_without_failures()?;
        ensure!(report.good >= 1000, "the load was no load: {report:?}");
        ensure!(serials.len() >= 4, "only {} certificates were seen in two minutes", serials.len());
        ensure!(mesh.envoy("echo-v1.shop")?.stat("ssl.handshake")? >= 50, "connections were not made anew");
        Ok(())
    })
}

/// The serial number of the proxy's own certificate.
fn serial(certs: &str) -> Result<String> {
    let certs: serde_json::Value = serde_json::from_str(certs)?;
    let mut all = certs["certificates"].as_array().into_iter().flatten();
    let own = all.find_map(|c| c["cert_chain"][0]["serial_number"].as_str());
    own.map(ToOwned::to_owned).ok_or_else(|| anyhow::anyhow!("no certificate is loaded: {certs}"))
}

fn control_plane_killed(version: Version) -> Result<()> {
    world::run(version, &["restart"], |mesh, _| {
        let mut load = mesh.pod("client.shop")?.load(&steady("http://restart/"))?;
        let root = mesh.root_certificate()?;
        mesh.kill_control_plane()?;
        same("a request without a control plane", edition(mesh)?.as_str(), "one")?;
        // However fast the machine is, the outage is long enough to matter.
        let killed = load.peek()?;
        until("a hundred requests without a control plane", Duration::from_secs(20), || {
            ensure!(load.peek()?.good >= killed.good + 100, "there are none");
            Ok(())
        })?;
        // What changes while nobody looks must be found at the start.
        let text = mesh.read("restart/route.yaml")?.replace("one", "two");
        mesh.write("restart/route.yaml", &text)?;
        mesh.start_control_plane()?;
        until("the proxy to come back and learn", Duration::from_secs(45), || {
            same("the edition", edition(mesh)?.as_str(), "two")
        })?;
        same("the root", mesh.root_certificate()?, root)?;
        let seen = load.peek()?;
        until("a hundred more requests", Duration::from_secs(20), || {
            ensure!(load.peek()?.good >= seen.good + 100, "there are none");
            Ok(())
        })?;
        load.stop_without_failures().map(|_| ())
    })
}

fn edition(mesh: &Mesh) -> Result<String> {
    let answer = mesh.pod("client.shop")?.get("http://restart/")?;
    Ok(answer.headers.get("x-edition").cloned().unwrap_or_else(|| format!("{answer:?}")))
}

fn endpoint_replaced(version: Version) -> Result<()> {
    world::run(version, &["drain"], |mesh, _| {
        let load = mesh.pod("client.shop")?.load(&steady("http://drain/?delay=20"))?;
        answered(mesh, "echo-v1")?;
        let file = "drain/endpoints.yaml";
        mesh.write(file, &endpoints(&[("10.1.0.11", "echo-v1", true), ("10.1.0.12", "echo-v2", false)]))?;
        answered(mesh, "echo-v2")?;
        until("the old endpoint to be idle", Duration::from_secs(10), || {
            let counts = mesh.pod("echo-v1.shop")?.counts()?;
            let before = mesh.pod("echo-v2.shop")?.counts()?.requests;
            until("twenty more requests", Duration::from_secs(5), || {
                ensure!(mesh.pod("echo-v2.shop")?.counts()?.requests >= before + 20);
                Ok(())
            })?;
            let later = mesh.pod("echo-v1.shop")?.counts()?;
            ensure!(later.requests == counts.requests && later.in_flight == 0, "it still serves");
            Ok(())
        })?;
        mesh.kill_app("echo-v1.shop")?;
        mesh.write(file, &endpoints(&[("10.1.0.12", "echo-v2", false)]))?;
        let before = mesh.pod("echo-v2.shop")?.counts()?.requests;
        until("a hundred requests after the end", Duration::from_secs(10), || {
            ensure!(mesh.pod("echo-v2.shop")?.counts()?.requests >= before + 100);
            Ok(())
        })?;
        load.stop_without_failures().map(|_| ())
    })
}

fn answered(mesh: &Mesh, who: &str) -> Result<()> {
    until(&format!("{who} to answer"), Duration::from_secs(10), || {
        same("who answers", mesh.pod("client.shop")?.get("http://drain/")?.who().as_str(), who)
    })
}

/// An EndpointSlice with these addresses, pods, and whether they are going.
fn endpoints(list: &[(&str, &str, bool)]) -> String {
    let mut text = "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: drain-1, namespace: shop, labels: { kubernetes.io/service-name: drain } }
addressType: IPv4
ports: [ { name: http, port: 8080, protocol: TCP } ]
endpoints:
"
    .to_owned();
    for (address, pod, going) in list {
        write!(
            text,
            "- addresses: [ {address} ]\n  conditions: {{ ready: {}, serving: true, terminating: {going} }}\n  \
             targetRef: {{ kind: Pod, name: {pod}, namespace: shop }}\n",
            !going
        )
        .ok();
    }
    text
}

fn steady(url: &str) -> Load {
    Load { request: Request::get(url), workers: 4, pause_ms: 5 }
}

both!(route_flips, leaf_rotation, control_plane_killed, endpoint_replaced);
