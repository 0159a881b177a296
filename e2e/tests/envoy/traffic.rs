//! Limits and ejection; TCP, TLS and names of the outside.

use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::app::Mode;
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Request, Tls};
use pilothouse_e2e::mesh::{Mesh, Version, until};
use pilothouse_e2e::stats::binomial_bounds;
use pilothouse_e2e::world;

fn limits(version: Version) -> Result<()> {
    world::run(version, &["limits"], |mesh, checks| {
        checks.show("a full connection pool overflows", overflow(mesh));
        checks.show("an endpoint that fails is put aside and comes back", ejection(mesh));
        Ok(())
    })
}

fn layer_four(version: Version) -> Result<()> {
    world::run(version, &["tcp"], |mesh, checks| {
        checks.show("TCP by port", tcp_by_port(mesh));
        checks.show("TCP by weight", tcp_by_weight(mesh));
        checks.show("the server speaks first", server_first(mesh));
        checks.show("TLS by server name", by_server_name(mesh));
        checks.show("headless service", headless(mesh));
        checks.show("ExternalName", external_name(mesh));
        checks.show("ServiceEntry STATIC", service_entry_static(mesh));
        checks.show("ServiceEntry DNS", service_entry_dns(mesh));
        Ok(())
    })
}

fn outside_world(version: Version) -> Result<()> {
    world::run(version, &["outside-world"], |mesh, checks| {
        checks.show("unknown hosts are reachable, then refused, then reachable", unknown_hosts(mesh));
        Ok(())
    })
}

both!(limits, layer_four, outside_world);

fn overflow(mesh: &Mesh) -> Result<()> {
    let answers = mesh.pod("client.shop")?.send_many(&Request::get("http://narrow/?delay=200"), 8, 8)?;
    let good = answers.iter().filter(|a| a.status == 200).count();
    let shed =
        answers.iter().filter(|a| a.status == 503 && a.headers.contains_key("x-envoy-overloaded")).count();
    ensure!(good >= 1 && shed >= 1 && good + shed == 8, "{good} served and {shed} shed of 8 at once");
    same("the most in work at the server", mesh.pod("echo-v1.shop")?.counts()?.most_in_flight, 1_u64)?;
    same("one alone", mesh.pod("client.shop")?.get("http://narrow/")?.status, 200_u16)
}

fn ejection(mesh: &Mesh) -> Result<()> {
    let pod = mesh.pod("client.shop")?;
    let get = Request::get("http://outlier/");
    mesh.pod("echo-v2.shop")?.behave(Mode { status: Some(500), ..Mode::default() })?;
    let sick = until("the failing endpoint to be put aside", Duration::from_secs(15), || {
        let tally = pod.tally(&get, 12)?;
        ensure!(!tally.contains_key("echo-v2"), "{tally:?}");
        Ok(tally)
    });
    mesh.pod("echo-v2.shop")?.behave(Mode::default())?;
    let sick = sick?;
    ensure!(sick.contains_key("echo-v1") && sick.contains_key("echo-v3"), "the others went on: {sick:?}");
    until("the endpoint to return", Duration::from_secs(20), || {
        let tally = pod.tally(&get, 12)?;
        ensure!(tally.contains_key("echo-v2"), "{tally:?}");
        Ok(())
    })
}

fn tcp_by_port(mesh: &Mesh) -> Result<()> {
    for _ in 0..5 {
        let answer = mesh.pod("client.shop")?.send(&Request::tcp("lines:9000", "hello"))?;
        same("the line", answer.body.as_str(), "echo v2 hello")?;
    }
    Ok(())
}

fn tcp_by_weight(mesh: &Mesh) -> Result<()> {
    let answers = mesh.pod("client.shop")?.send_many(&Request::tcp("lines:9100", "x"), 400, 4)?;
    let count = |line: &str| answers.iter().filter(|a| a.body == line).count() as u64;
    let (first, third) = (count("echo v1 x"), count("echo v3 x"));
    same("all answers", first + third, 400_u64)?;
    ensure!(binomial_bounds(400, 0.2).contains(&third), "{third} of 400 went to v3, a fifth should");
    Ok(())
}

fn server_first(mesh: &Mesh) -> Result<()> {
    let answer = mesh.pod("client.shop")?.send(&Request::tcp("lines:9001", ""))?;
    ensure!(answer.body.ends_with(" ready"), "{answer:?}");
    Ok(())
}

fn by_server_name(mesh: &Mesh) -> Result<()> {
    for (name, who) in [("two.example", "echo-v2"), ("a.three.example", "echo-v3")] {
        for _ in 0..4 {
            let tls = Tls { sni: Some(name.into()), ..Tls::default() };
            let answer = mesh.pod("client.shop")?.send(&Request::get("https://secure/").tls(tls))?;
            same(name, answer.who().as_str(), who)?;
            same("the server name the application saw", answer.field("sni").as_str(), name)?;
        }
    }
    Ok(())
}

fn headless(mesh: &Mesh) -> Result<()> {
    let answer = mesh.pod("client.shop")?.get("http://headless:8080/")?;
    same("HTTP", answer.who().as_str(), "echo-v2")?;
    let line = mesh.pod("client.shop")?.send(&Request::tcp("headless:9000", "hello"))?;
    same("TCP", line.body.as_str(), "echo v2 hello")
}

fn external_name(mesh: &Mesh) -> Result<()> {
    let answer = mesh.pod("client.shop")?.get("http://alias/")?;
    same("who answers", answer.who().as_str(), "outside-v1")
}

fn service_entry_static(mesh: &Mesh) -> Result<()> {
    let answer = mesh.pod("client.shop")?.get("http://fixed.example.com/")?;
    same("HTTP", answer.who().as_str(), "outside-v1")?;
    let line = mesh.pod("client.shop")?.send(&Request::tcp("fixed.example.com:9000", "hello"))?;
    same("TCP", line.body.as_str(), "outside v1 hello")
}

fn service_entry_dns(mesh: &Mesh) -> Result<()> {
    until("the name to be resolved", Duration::from_secs(10), || {
        let answer = mesh.pod("client.shop")?.get("http://by-name.example.com/")?;
        same("who answers", answer.who().as_str(), "outside-v1")
    })
}

const REGISTRY_ONLY: &str = "apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    outboundTrafficPolicy: { mode: REGISTRY_ONLY }
";

fn unknown_hosts(mesh: &mut Mesh) -> Result<()> {
    let ask = |mesh: &Mesh, url: &str| mesh.pod("client.shop")?.get(url);
    same("an unknown host", ask(mesh, "http://api.example.com:8080/")?.who().as_str(), "outside-v1")?;
    same("an unknown address", ask(mesh, "http://10.2.0.10/")?.who().as_str(), "outside-v1")?;
    let file = "outside-world/mesh.yaml";
    let before = mesh.read(file)?;
    mesh.write(file, REGISTRY_ONLY)?;
    until("the unknown host to be refused", Duration::from_secs(10), || {
        let by_name = ask(mesh, "http://api.example.com:8080/")?;
        same("the answer to an unknown host", by_name.status, 502_u16)?;
        let line = mesh.pod("client.shop")?.send(&Request::tcp("10.2.0.10:9000", "hello"))?;
        ensure!(line.error.is_some(), "a line to an unknown address came back: {}", line.body);
        Ok(())
    })?;
    same("the declared host", ask(mesh, "http://secure.example.com:8080/")?.who().as_str(), "outside-v1")?;
    mesh.write(file, &before)?;
    until("the unknown host to be reachable again", Duration::from_secs(10), || {
        same("who answers", ask(mesh, "http://api.example.com:8080/")?.who().as_str(), "outside-v1")
    })
}
