//! The harness itself, proven with hand-written Envoy configuration: capture on both sides, uid 1337, names,
//! counters, load, and that nothing outlives a world.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::app::Mode;
use pilothouse_e2e::both;
use pilothouse_e2e::client::{Load, Protocol, Request, Tls};
use pilothouse_e2e::mesh::{Envoy, Mesh, Place, Version, case_manifests, until};

const CAPTURE: &str = "*nat
-N OUT_REDIRECT
-A OUT_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-N IN_REDIRECT
-A IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A PREROUTING -p tcp -j IN_REDIRECT
-A OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A OUTPUT -m owner --uid-owner 1337 -j RETURN
-A OUTPUT -d 127.0.0.1/32 -j RETURN
-A OUTPUT -j OUT_REDIRECT
COMMIT
";

/// Everything that arrives at 15001 goes to the server's HTTP port, whatever address was dialled; everything that
/// arrives at 15006 goes to the port that was dialled, from 127.0.0.6.
fn bootstrap(admin: &Path) -> String {
    format!(
        r#"
admin: {{address: {{pipe: {{path: "{}"}}}}}}
static_resources:
  listeners:
  - name: outbound
    address: {{socket_address: {{address: 0.0.0.0, port_value: 15001}}}}
    use_original_dst: true
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: out
          http_filters: [{{name: router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], response_headers_to_add: [{{header: {{key: x-envoy, value: out}}}}], routes: [{{match: {{prefix: /}}, route: {{cluster: server}}}}]}}
  - name: inbound
    address: {{socket_address: {{address: 0.0.0.0, port_value: 15006}}}}
    listener_filters: [{{name: dst, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}}}}]
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: in
          cluster: local
  clusters:
  - name: server
    load_assignment: {{cluster_name: server, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 10.1.0.6, port_value: 8080}}}}}}}}]}}]}}
  - name: local
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    upstream_bind_config: {{source_address: {{address: 127.0.0.6, port_value: 0}}}}
"#,
        admin.display()
    )
}

fn world(version: Version) -> Result<Mesh> {
    let mut mesh = Mesh::bare(case_manifests(&["harness"])?, version)?;
    for pod in ["client.shop", "server.shop"] {
        let rules = mesh.sandbox().pod_dir(pod).join("rules");
        std::fs::write(&rules, CAPTURE)?;
        let rules = rules.to_string_lossy().into_owned();
        mesh.sandbox().run(Place::Pod(pod), "iptables-restore", &["--noflush", &rules])?;
        let admin = Envoy::admin_path(mesh.sandbox(), pod);
        mesh.start_envoy(pod, &bootstrap(&admin))?;
    }
    Ok(mesh)
}

fn captures_both_sides(version: Version) -> Result<()> {
    let mesh = world(version)?;
    let client = mesh.pod("client.shop")?;
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Grpc] {
        let answer = client.send(&Request::get("http://server/path?x=1").over(protocol))?;
        ensure!(answer.status == 200 && answer.who() == "server-v1", "{protocol:?}: {answer:?}");
        ensure!(
            answer.headers.get("x-envoy").is_some_and(|v| v == "out"),
            "not through the client's Envoy: {answer:?}"
        );
        ensure!(answer.field("peer").starts_with("127.0.0.6:"), "not through the server's Envoy: {answer:?}");
        ensure!(answer.field("path") == "/path", "{answer:?}");
    }
    let retried = client.send(&Request::get("http://server/?status=503&key=counted"))?;
    ensure!(retried.status == 503, "{retried:?}");
    ensure!(mesh.pod("server.shop")?.counts()?.by_key.get("counted") == Some(&1));

    let outside = mesh.pod("outside.elsewhere")?;
    let greeting = outside.send(&Request::tcp("10.1.0.6:9001", ""))?;
    ensure!(greeting.body == "server v1 ready", "{greeting:?}");
    let echo = outside.send(&Request::tcp("10.1.0.6:9000", "hello"))?;
    ensure!(echo.body == "server v1 hello", "{echo:?}");
    let tls = Tls { sni: Some("server.example".into()), ..Tls::default() };
    let secure = outside.send(&Request::get("https://server.shop/").connect("10.1.0.6:8443").tls(tls))?;
    ensure!(secure.field("sni") == "server.example", "{secure:?}");
    Ok(())
}

fn load_counts_every_failure(version: Version) -> Result<()> {
    let mesh = world(version)?;
    let server = mesh.pod("server.shop")?;
    let load = Load { request: Request::get("http://server/"), workers: 4, pause_ms: 1 };
    let running = mesh.pod("client.shop")?.load(&load)?;
    until("two hundred requests", Duration::from_secs(20), || {
        ensure!(server.counts()?.requests >= 200);
        Ok(())
    })?;
    let report = running.stop_without_failures()?;
    ensure!(report.by.get("server-v1").is_some_and(|n| *n >= 200), "{report:?}");

    server.behave(Mode { status: Some(500), ..Mode::default() })?;
    server.reset()?;
    let mut running = mesh.pod("client.shop")?.load(&load)?;
    until("failures", Duration::from_secs(20), || {
        ensure!(running.peek()?.bad > 0);
        Ok(())
    })?;
    let report = running.stop()?;
    ensure!(report.good == 0 && report.bad == server.counts()?.requests, "{report:?}");
    Ok(())
}

fn nothing_outlives_a_world(version: Version) -> Result<()> {
    let mesh = world(version)?;
    let dir = mesh.sandbox().dir().to_path_buf();
    let pids: Vec<_> = ["client.shop", "server.shop"]
        .map(|p| mesh.envoy(p).map(|e| e.process.pid()))
        .into_iter()
        .collect::<Result<_>>()?;
    ensure!(pids.iter().all(|pid| Path::new(&format!("/proc/{pid}")).exists()));
    drop(mesh);
    ensure!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "an Envoy is left");
    ensure!(!dir.exists(), "the folder is left");
    Ok(())
}

/// A harness that is killed cannot clean up; the kernel does, and the next world removes the folder.
#[test]
fn a_killed_harness_leaves_nothing() -> Result<()> {
    let mut harness = Command::new(env!("CARGO_BIN_EXE_e2e"))
        .args(["hold", "harness"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(harness.stdout.take().context("no output")?).read_line(&mut line)?;
    let (pid, dir) = line.trim().split_once(' ').with_context(|| format!("it said `{line}`"))?;
    ensure!(Path::new("/proc").join(pid).exists() && Path::new(dir).exists(), "the world is not there");
    harness.kill()?;
    harness.wait()?;
    until("the world's processes to end", Duration::from_secs(10), || {
        ensure!(!Path::new("/proc").join(pid).exists(), "its first process runs");
        Ok(())
    })?;
    drop(Mesh::bare(case_manifests(&["harness"])?, Version::V1_40_0)?);
    ensure!(!Path::new(dir).exists(), "the next world did not remove {dir}");
    Ok(())
}

both!(captures_both_sides, load_counts_every_failure, nothing_outlives_a_world);
