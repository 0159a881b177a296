//! Pods that are created in a labelled namespace are in the mesh, and follow what is applied.

use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Load, Request};
use pilothouse_e2e::kube::install::proxy_image;
use pilothouse_e2e::mesh::{Version, until};
use pilothouse_e2e::stats::binomial_bounds;

use crate::world::{caller, meshed, plain_text, workload, world};

fn pods_of_a_labelled_namespace_speak_mutual_tls(version: Version) -> Result<()> {
    meshed("mtls", version, |inside, outside| {
        let (client, visitor) = world(inside, outside, version)?;
        let pods = inside.pods("app=server")?;
        let proxy = pods[0]["spec"]["initContainers"].as_array().into_iter().flatten();
        let proxy = proxy.into_iter().find(|container| container["name"] == "istio-proxy");
        let proxy = proxy.ok_or_else(|| anyhow::anyhow!("no sidecar: {}", pods[0]["spec"]))?;
        same("its image", proxy["image"].as_str(), Some(proxy_image(version).as_str()))?;
        same("a native sidecar", proxy["restartPolicy"].as_str(), Some("Always"))?;

        let name = until("mutual TLS", Duration::from_secs(20), || {
            let name = caller(&client)?;
            ensure!(!name.is_empty(), "the server's proxy saw no certificate");
            Ok(name)
        })?;
        same("the caller", name, format!("spiffe://cluster.local/ns/{}/sa/client", inside.name))?;
        same("plain text from the street", plain_text(&visitor, inside)?, "server-v1".to_owned())?;
        // Visitors have no proxy, so nobody vouches for them.
        ensure!(outside.pods("app=visitor")?[0]["spec"]["initContainers"].is_null());
        let echo = client.send(&Request::tcp("server:9000", "hello"))?;
        same("a line over TCP", echo.body, "server v1 hello".to_owned())
    })
}

fn strict_refuses_plain_text_and_the_mesh_goes_on(version: Version) -> Result<()> {
    meshed("strict", version, |inside, outside| {
        let (client, visitor) = world(inside, outside, version)?;
        until("the mesh", Duration::from_secs(20), || caller(&client))?;
        same("plain text before", plain_text(&visitor, inside)?, "server-v1".to_owned())?;
        let load = client.load(&Load { request: Request::get("http://server/"), workers: 2, pause_ms: 5 })?;
        inside.apply(
            "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, \
             spec: {mtls: {mode: STRICT}}}",
        )?;
        until("plain text to be refused", Duration::from_secs(15), || {
            same("plain text", plain_text(&visitor, inside)?, "refused".to_owned())
        })?;
        same("the probes of kubelet", inside.pods("app=server")?.len(), 1)?;
        inside.run(&["wait", "--for=condition=Ready", "pods", "--selector=app=server", "--timeout=20s"])?;
        inside.run(&["delete", "peerauthentication", "default"])?;
        until("plain text to be taken again", Duration::from_secs(15), || {
            same("plain text", plain_text(&visitor, inside)?, "server-v1".to_owned())
        })?;
        load.stop_without_failures().map(drop)
    })
}

fn canary(first: u32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: server }}
spec:
  host: server
  subsets: [ {{ name: v1, labels: {{ version: v1 }} }}, {{ name: v2, labels: {{ version: v2 }} }} ]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: server }}
spec:
  hosts: [ server ]
  http:
  - match: [ {{ headers: {{ x-group: {{ exact: testers }} }} }} ]
    route: [ {{ destination: {{ host: server, subset: v2 }} }} ]
  - route:
    - {{ destination: {{ host: server, subset: v1 }}, weight: {first} }}
    - {{ destination: {{ host: server, subset: v2 }}, weight: {} }}
",
        100 - first
    )
}

fn a_canary_follows_what_is_applied(version: Version) -> Result<()> {
    meshed("canary", version, |inside, outside| {
        let (client, _) = world(inside, outside, version)?;
        until("the mesh", Duration::from_secs(20), || caller(&client))?;
        let request = Request::get("http://server/");
        let load = client.load(&Load { request: request.clone(), workers: 2, pause_ms: 5 })?;
        inside.apply(&canary(100))?;
        inside.apply_all(&workload("server", "v2", version).objects())?;
        inside.rolled_out("deployment/server-v2", 120)?;
        let testers = request.clone().header("x-group", "testers");
        until("testers to get v2", Duration::from_secs(20), || {
            same("testers", client.tally(&testers, 20)?.get("server-v2").copied(), Some(20_u64))
        })?;
        same("all others", client.tally(&request, 50)?.get("server-v1").copied(), Some(50_u64))?;
        inside.apply(&canary(80))?;
        let count =
            |who: &str, n| Ok::<_, anyhow::Error>(client.tally(&request, n)?.get(who).copied().unwrap_or(0));
        until("the first for v2", Duration::from_secs(15), || {
            ensure!(count("server-v2", 30)? > 0, "all go to v1");
            Ok(())
        })?;
        let second = count("server-v2", 1000)?;
        ensure!(binomial_bounds(1000, 0.2).contains(&second), "{second} of 1000 went to v2");
        load.stop_without_failures().map(drop)
    })
}

pilothouse_e2e::both!(
    pods_of_a_labelled_namespace_speak_mutual_tls,
    strict_refuses_plain_text_and_the_mesh_goes_on,
    a_canary_follows_what_is_applied,
);
