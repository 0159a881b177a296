//! Tables just large enough to travel host by host: one bad host among good ones, streams that break in between, listeners that
//! leave and return, a table without hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Answer, Load, Request};
use pilothouse_e2e::mesh::{Mesh, Options, Version, case_manifests, until};
use pilothouse_e2e::world;
use serde_json::{Value, json};

use super::{route, service, wait_edition};

/// More than the 64 above which a table is delivered host by host.
const HOSTS: u32 = 70;
const CLIENT: &str = "client.shop";
const EDGE: &str = "edge.edge";
/// A return is soon, but Envoys come back to a control plane with pauses that grow.
const RETURN: Duration = Duration::from_secs(45);

fn few_hosts(version: Version) -> Result<()> {
    let mut manifests = case_manifests(&["route-tables"])?;
    manifests.add_file("services.yaml", services())?;
    manifests.add_file("routes.yaml", routes("first", None))?;
    manifests.add_file("edge.yaml", edge_routes("first"))?;
    // These Envoys take regular expressions of Envoy's own default size only: what other proxies of the mesh would take, they
    // refuse.
    let options = Options {
        envoy_runtime: [("re2.max_program_size.error_level".to_owned(), json!(100))].into(),
        ..Options::default()
    };
    let mesh = Mesh::start(manifests, version, options)?;
    world::run_on(mesh, |mesh, checks| {
        checks.show("the tables travel host by host", host_by_host(mesh));
        let request = Request::get("http://host-7/");
        let load = mesh.pod(CLIENT)?.load(&Load { request, workers: 2, pause_ms: 5 })?;
        checks.show("one bad host among good ones", bad_host(mesh));
        checks.show("a stream broken while one host is refused", broken_while_refused(mesh));
        checks.show("streams broken in the middle of pushes", broken_pushes(mesh));
        checks.show("no request failed", load.stop_without_failures().map(|_| ()));
        checks.show("a sidecar's listener leaves and returns", sidecar_listener(mesh));
        checks.show("a sidecar's table is gone when its stream returns", gone_across_streams(mesh));
        checks.show("a gateway's table becomes empty and full again", empty_table(mesh));
        checks.show("a gateway's listener returns to an empty table", listener_of_empty_table(mesh));
        checks.show("an empty table across a broken stream", empty_across_streams(mesh));
        checks.show("a gateway's listener returns to other hosts", gateway_listener(mesh));
        checks.show("a stream broken while the listener is away", broken_while_away(mesh));
        Ok(())
    })
}

both!(few_hosts);

fn services() -> String {
    (0..HOSTS).map(service).collect()
}

/// Routes of all hosts in an edition; those of the bad one have a large regular expression.
fn routes(edition: &str, bad: Option<u32>) -> String {
    let one = |n| {
        let good = route(n, edition);
        if bad != Some(n) {
            return good;
        }
        good.replace("http: [ { ", "http: [ { match: [ { uri: { regex: \"/[a-z]{1,90}\" } } ], ")
    };
    (0..HOSTS).map(one).collect()
}

fn edge_routes(edition: &str) -> String {
    let one = |n| {
        route(n, edition)
            .replace("namespace: shop", "namespace: edge")
            .replace(
                &format!("hosts: [ host-{n} ]"),
                &format!("hosts: [ host-{n}.example.com ]\n  gateways: [ edge ]"),
            )
            .replace(&format!("host: host-{n} }}"), "host: echo.shop.svc.cluster.local }")
    };
    (0..HOSTS).map(one).collect()
}

fn host_by_host(mesh: &Mesh) -> Result<()> {
    for proxy in [CLIENT, EDGE] {
        ensure!(mesh.envoy(proxy)?.stat(".vhds.")? > 0, "{proxy} has no table that asks for its hosts");
    }
    wait_edition(mesh, 0, "first")?;
    edge_edition(mesh, "first")
}

fn both_ends(mesh: &Mesh, edition: &str) -> Result<()> {
    wait_edition(mesh, 1, edition)?;
    wait_edition(mesh, HOSTS - 1, edition)
}

/// What `proxy-status` says about the hosts of the client's tables.
fn hosts(mesh: &Mesh) -> Result<Value> {
    let report = mesh.proxy_status()?;
    let mut proxies = report["proxies"].as_array().into_iter().flatten();
    let client = proxies.find(|proxy| proxy["proxy"] == CLIENT).context("the client is not connected")?;
    Ok(client["types"]["VHDS"].clone())
}

/// The refusal names the one host, Envoy's words and the objects of this host alone.
fn refused_alone(mesh: &Mesh) -> Result<()> {
    until("the refusal of the one host", RETURN, || {
        let hosts = hosts(mesh)?;
        ensure!(hosts["state"] == "rejected", "the hosts are {hosts}");
        let refusals = hosts["rejected"].as_array().context("there is a list")?;
        same("how many refusals there are", refusals.len(), 1_usize)?;
        let Value::Object(refusal) = &refusals[0] else { anyhow::bail!("no refusal: {hosts}") };
        let resources = refusal["resources"].as_array().context("there are resources")?;
        let named =
            resources.len() == 1 && resources[0].as_str().is_some_and(|name| name.contains("/host-0."));
        ensure!(named, "other hosts are blamed: {resources:?}");
        let words = refusal["message"].as_str().unwrap_or_default();
        ensure!(words.contains("program size"), "these are not Envoy's words: {words}");
        let objects = refusal["objects"].as_array().context("there are objects")?;
        let kinds: BTreeSet<_> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        ensure!(kinds.contains("VirtualService"), "the virtual service is not blamed: {objects:?}");
        ensure!(objects.iter().all(|object| object["name"] == "host-0"), "others are blamed: {objects:?}");
        Ok(())
    })
}

fn bad_host(mesh: &Mesh) -> Result<()> {
    mesh.write("routes.yaml", &routes("second", Some(0)))?;
    both_ends(mesh, "second")?;
    refused_alone(mesh)?;
    wait_edition(mesh, 0, "first").context("the refused host does not keep what it had")?;
    mesh.write("routes.yaml", &routes("third", Some(0)))?;
    both_ends(mesh, "third")?;
    mesh.write("routes.yaml", &routes("fourth", None))?;
    wait_edition(mesh, 0, "fourth")?;
    both_ends(mesh, "fourth")?;
    until("the refusal to be forgotten", Duration::from_secs(10), || {
        same("the state", hosts(mesh)?["state"].as_str(), Some("synced"))
    })
}

fn broken_while_refused(mesh: &mut Mesh) -> Result<()> {
    mesh.write("routes.yaml", &routes("fifth", Some(0)))?;
    refused_alone(mesh)?;
    mesh.kill_control_plane()?;
    mesh.write("routes.yaml", &routes("sixth", Some(0)))?;
    mesh.start_control_plane()?;
    both_ends(mesh, "sixth")?;
    refused_alone(mesh)?;
    wait_edition(mesh, 0, "fourth").context("the refused host does not keep what it had")?;
    mesh.write("routes.yaml", &routes("seventh", None))?;
    wait_edition(mesh, 0, "seventh")
}

/// The control plane dies while it sends all hosts; whatever of it arrived, the end is the same.
fn broken_pushes(mesh: &mut Mesh) -> Result<()> {
    for edition in ["eighth", "ninth", "tenth"] {
        let before = mesh.envoy(CLIENT)?.received_from_control_plane()?;
        mesh.write("routes.yaml", &routes(edition, None))?;
        until("the push to begin", Duration::from_secs(10), || {
            ensure!(mesh.envoy(CLIENT)?.received_from_control_plane()? > before, "nothing comes");
            Ok(())
        })?;
        mesh.kill_control_plane()?;
        mesh.start_control_plane()?;
        wait_edition(mesh, 0, edition)?;
        both_ends(mesh, edition)?;
    }
    Ok(())
}

/// Whether an Envoy holds a route table of this name.
fn holds(mesh: &Mesh, proxy: &str, table: &str) -> Result<bool> {
    let dump: Value =
        serde_json::from_str(&mesh.envoy(proxy)?.admin("/config_dump?resource=dynamic_route_configs")?)?;
    let mut tables = dump["configs"].as_array().into_iter().flatten();
    Ok(tables.any(|one| one["route_config"]["name"] == table))
}

/// Waits until the drained listener is gone with its table.
fn drained(mesh: &Mesh, proxy: &str, table: &str) -> Result<()> {
    until("the table to be given up", Duration::from_secs(20), || {
        ensure!(!holds(mesh, proxy, table)?, "{proxy} holds {table}");
        Ok(())
    })
}

fn sidecar_listener(mesh: &Mesh) -> Result<()> {
    for (edition, wait) in [("eleventh", false), ("twelfth", true)] {
        ensure!(holds(mesh, CLIENT, "80")?, "there is no table of port 80 to begin with");
        mesh.remove("routes.yaml")?;
        mesh.remove("services.yaml")?;
        hosts_gone(mesh, Duration::from_secs(10))?;
        if wait {
            drained(mesh, CLIENT, "80")?;
        }
        hosts_return(mesh, edition)?;
    }
    Ok(())
}

/// The client comes back to a control plane that knows no table of port 80 any more, and still holds it: its listener has yet to
/// drain. Envoy 1.37 does not survive it for long if it is then told that the table does not ask for hosts.
fn gone_across_streams(mesh: &mut Mesh) -> Result<()> {
    for (edition, wait) in [("thirteenth", false), ("fourteenth", true), ("fifteenth", true)] {
        mesh.kill_control_plane()?;
        mesh.remove("routes.yaml")?;
        mesh.remove("services.yaml")?;
        mesh.start_control_plane()?;
        hosts_gone(mesh, RETURN)?;
        if wait {
            drained(mesh, CLIENT, "80")?;
        }
        hosts_return(mesh, edition)?;
    }
    Ok(())
}

fn hosts_gone(mesh: &Mesh, limit: Duration) -> Result<()> {
    until("the hosts to be gone", limit, || {
        let answer = mesh.pod(CLIENT)?.send(&Request::get("http://host-0/").timeout(500))?;
        ensure!(!answer.headers.contains_key("x-edition"), "host-0 answers");
        Ok(())
    })
}

fn hosts_return(mesh: &Mesh, edition: &str) -> Result<()> {
    mesh.write("routes.yaml", &routes(edition, None))?;
    mesh.write("services.yaml", &services())?;
    wait_edition(mesh, 0, edition)?;
    both_ends(mesh, edition)
}

fn at_edge(mesh: &Mesh, host: u32) -> Result<Answer> {
    let get =
        Request::get(format!("http://host-{host}.example.com/")).connect("10.1.2.10:8080").timeout(2000);
    mesh.pod("outside.elsewhere")?.send(&get)
}

fn edge_edition(mesh: &Mesh, edition: &str) -> Result<()> {
    until(&format!("the gateway's hosts in their {edition} edition"), RETURN, || {
        for host in [0, HOSTS - 1] {
            let answer = at_edge(mesh, host)?;
            same("the edition", answer.headers.get("x-edition").map(String::as_str), Some(edition))?;
        }
        Ok(())
    })
}

/// Waits for a status at the gateway; 0 is a refused connection.
fn edge_status(mesh: &Mesh, status: u16) -> Result<()> {
    until(&format!("status {status} at the gateway"), RETURN, || same("it", at_edge(mesh, 0)?.status, status))
}

const GATEWAY: &str = "route-tables/gateway.yaml";

fn empty_table(mesh: &Mesh) -> Result<()> {
    mesh.remove("edge.yaml")?;
    edge_status(mesh, 404)?;
    mesh.write("edge.yaml", &edge_routes("second"))?;
    edge_edition(mesh, "second")
}

fn listener_of_empty_table(mesh: &Mesh) -> Result<()> {
    mesh.remove("edge.yaml")?;
    edge_status(mesh, 404)?;
    let gateway = mesh.read(GATEWAY)?;
    for wait in [false, true] {
        mesh.remove(GATEWAY)?;
        edge_status(mesh, 0)?;
        if wait {
            drained(mesh, EDGE, "http.8080")?;
        }
        mesh.write(GATEWAY, &gateway)?;
        edge_status(mesh, 404)?;
    }
    mesh.write("edge.yaml", &edge_routes("third"))?;
    edge_edition(mesh, "third")
}

fn empty_across_streams(mesh: &mut Mesh) -> Result<()> {
    mesh.remove("edge.yaml")?;
    edge_status(mesh, 404)?;
    mesh.kill_control_plane()?;
    mesh.start_control_plane()?;
    until("the gateway to come back", RETURN, || {
        let report = mesh.proxy_status()?;
        let mut proxies = report["proxies"].as_array().into_iter().flatten();
        ensure!(proxies.any(|proxy| proxy["proxy"] == EDGE), "it is not connected");
        Ok(())
    })?;
    edge_status(mesh, 404)?;
    mesh.write("edge.yaml", &edge_routes("fourth"))?;
    edge_edition(mesh, "fourth")
}

fn gateway_listener(mesh: &Mesh) -> Result<()> {
    let gateway = mesh.read(GATEWAY)?;
    for (edition, wait) in [("fifth", false), ("sixth", true)] {
        mesh.remove(GATEWAY)?;
        edge_status(mesh, 0)?;
        if wait {
            drained(mesh, EDGE, "http.8080")?;
        }
        mesh.write("edge.yaml", &edge_routes(edition))?;
        mesh.write(GATEWAY, &gateway)?;
        edge_edition(mesh, edition)?;
    }
    Ok(())
}

fn broken_while_away(mesh: &mut Mesh) -> Result<()> {
    let gateway = mesh.read(GATEWAY)?;
    for (edition, wait) in [("seventh", false), ("eighth", true)] {
        mesh.remove(GATEWAY)?;
        edge_status(mesh, 0)?;
        if wait {
            drained(mesh, EDGE, "http.8080")?;
        }
        mesh.kill_control_plane()?;
        mesh.write("edge.yaml", &edge_routes(edition))?;
        mesh.write(GATEWAY, &gateway)?;
        mesh.start_control_plane()?;
        edge_edition(mesh, edition)?;
    }
    Ok(())
}
