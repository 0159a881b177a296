//! Pods with IPv6 addresses only: what the rules of that family capture goes through Envoy on both sides.

use anyhow::{Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::Request;
use pilothouse_e2e::mesh::{Mesh, Version};
use pilothouse_e2e::world;

fn captured_ipv6(version: Version) -> Result<()> {
    world::run(version, &["ipv6"], |mesh, checks| {
        checks.show("from Envoy to Envoy with mutual TLS", between(mesh));
        checks.show("a line over TCP", line(mesh));
        checks.show("plain text from outside is captured on its way in", inbound(mesh));
        Ok(())
    })
}

both!(captured_ipv6);

fn between(mesh: &Mesh) -> Result<()> {
    let answer = mesh.pod("client.shop")?.get("http://server/")?;
    same("who answers", answer.who().as_str(), "server-v1")?;
    let peer = answer.seen("x-forwarded-client-cert").unwrap_or_default();
    ensure!(
        peer.contains("URI=spiffe://cluster.local/ns/shop/sa/client"),
        "the server saw the peer `{peer}`"
    );
    ensure!(answer.field("peer").starts_with("[::6]:"), "not through the server's Envoy: {answer:?}");
    Ok(())
}

fn line(mesh: &Mesh) -> Result<()> {
    let dialled =
        || mesh.envoy("client.shop")?.stat("outbound|9000||server.shop.svc.cluster.local;.upstream_cx_total");
    let before = dialled()?;
    let answer = mesh.pod("client.shop")?.send(&Request::tcp("server:9000", "hello"))?;
    same("the line", answer.body.as_str(), "server v1 hello")?;
    same("connections of the client's Envoy", dialled()?, before + 1)
}

fn inbound(mesh: &Mesh) -> Result<()> {
    let get = Request::get("http://server.shop/").connect("[fd00:10:1::11]:8080");
    let answer = mesh.pod("outside.elsewhere")?.send(&get)?;
    same("who answers", answer.who().as_str(), "server-v1")?;
    ensure!(answer.field("peer").starts_with("[::6]:"), "not through the server's Envoy: {answer:?}");
    Ok(())
}
