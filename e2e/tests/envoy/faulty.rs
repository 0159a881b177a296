//! Objects that are wrong: they change nothing else, and someone is told.

use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::mesh::{Mesh, Version, until};

use crate::world;

fn bad_object(version: Version) -> Result<()> {
    world::run(version, &["bad-object", "weights"], |mesh, checks| {
        checks.show("good objects beside bad ones at start", good_ones(mesh));
        checks.show("a file that stops parsing changes nothing", broken_file(mesh));
        checks.show("a repaired object takes effect", repaired(mesh));
        Ok(())
    })
}

both!(bad_object);

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
    let tally =
        mesh.pod("client.shop")?.tally(&pilothouse_e2e::client::Request::get("http://weights/"), 50)?;
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
