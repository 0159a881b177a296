//! Objects that are wrong: they change nothing else, and someone is told.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::Request;
use pilothouse_e2e::mesh::{Mesh, Version, until};
use pilothouse_e2e::world;
use serde_json::{Value, json};

fn bad_object(version: Version) -> Result<()> {
    world::run(version, &["bad-object", "weights"], |mesh, checks| {
        checks.show("good objects beside bad ones at start", good_ones(mesh));
        checks.show("a file that stops parsing changes nothing", broken_file(mesh));
        checks.show("a repaired object takes effect", repaired(mesh));
        Ok(())
    })
}

fn refused_by_envoy(version: Version) -> Result<()> {
    world::run(version, &["refused"], |mesh, checks| {
        checks.show("the refusal is shown with Envoy's words and the object", refusal(mesh));
        checks.show("the rest of the gateway goes on and still learns", rest_goes_on(mesh));
        checks.show("the refusal is forgotten when its cause is gone", forgotten(mesh));
        Ok(())
    })
}

both!(bad_object, refused_by_envoy);

/// What `proxy-status` says about the listeners of the gateway.
fn listeners(mesh: &Mesh) -> Result<Value> {
    let report = mesh.proxy_status()?;
    let mut proxies = report["proxies"].as_array().into_iter().flatten();
    let gateway = proxies.find(|p| p["proxy"] == "edge.edge").context("the gateway is not connected")?;
    Ok(gateway["types"]["LDS"].clone())
}

fn refusal(mesh: &Mesh) -> Result<()> {
    until("the refusal to be reported", Duration::from_secs(10), || {
        let listeners = listeners(mesh)?;
        ensure!(listeners["state"] == "rejected", "the listeners are {listeners}");
        let refused = &listeners["rejected"][0];
        let words = refused["message"].as_str().unwrap_or_default();
        ensure!(words.contains("8090"), "Envoy's words do not name the port: {refused}");
        let taken = json!([{"kind": "Gateway", "namespace": "edge", "name": "taken"}]);
        same("the objects it is laid to", &refused["objects"], &taken)
    })?;
    let log = mesh.control_plane_log();
    let told = log.lines().filter(|line| line.contains("8090") && line.contains("WARN")).count();
    same("how often the log tells of it", told, 1_usize)
}

fn rest_goes_on(mesh: &Mesh) -> Result<()> {
    let get = Request::get("http://shop.example.com/").connect("10.1.2.11:8080");
    let welcome =
        |text: &str| same("the answer", mesh.pod("outside.elsewhere")?.send(&get)?.body.as_str(), text);
    welcome("welcome")?;
    let changed = mesh.read("refused/case.yaml")?.replace("string: welcome", "string: hello");
    mesh.write("refused/case.yaml", &changed)?;
    until("a change to reach the gateway", Duration::from_secs(10), || welcome("hello"))
}

fn forgotten(mesh: &Mesh) -> Result<()> {
    mesh.remove("refused/taken.yaml")?;
    until("the listeners to be in order again", Duration::from_secs(10), || {
        same("their state", listeners(mesh)?["state"].as_str(), Some("synced"))
    })
}

fn good_ones(mesh: &Mesh) -> Result<()> {
    let client = mesh.pod("client.shop")?;
    same("the good route", client.get("http://good/")?.who().as_str(), "echo-v2")?;
    ensure!(client.get("http://weights/")?.who().starts_with("echo-"));
    let log = mesh.control_plane_log();
    for name in ["broken", "nonsense"] {
        ensure!(log.contains(name), "the control plane said nothing about the object `{name}`");
    }
    Ok(())
}

fn broken_file(mesh: &Mesh) -> Result<()> {
    let before = mesh.read("weights/case.yaml")?;
    mesh.write("weights/case.yaml", "apiVersion: [ this is\n  no: yaml")?;
    until("the control plane to tell of the file", Duration::from_secs(10), || {
        ensure!(mesh.control_plane_log().contains("weights/case.yaml"), "it says nothing");
        Ok(())
    })?;
    let tally = mesh.pod("client.shop")?.tally(&Request::get("http://weights/"), 50)?;
    ensure!(tally.keys().all(|who| who == "echo-v1" || who == "echo-v2"), "the route was lost: {tally:?}");
    mesh.write("weights/case.yaml", &before)
}

fn repaired(mesh: &Mesh) -> Result<()> {
    let repaired = mesh.read("bad-object/case.yaml")?.replace("regex: \"(\"", "prefix: /").replace(
        "route: [ { destination: { host: broken } } ]",
        "route: [ { destination: { host: broken } } ], headers: { response: { set: { x-repaired: \"yes\" } } }",
    );
    mesh.write("bad-object/case.yaml", &repaired)?;
    until("the repaired route", Duration::from_secs(10), || {
        let answer = mesh.pod("client.shop")?.get("http://broken/")?;
        same("its header", answer.headers.get("x-repaired").map(String::as_str), Some("yes"))
    })
}
