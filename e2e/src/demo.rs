//! `make demo`: a shop on real Envoys, changed while its customers shop, with what was asked beside what was seen.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::checks::same;
use crate::client::{Load, Request};
use crate::mesh::{Mesh, Options, Version, case_manifests, until};
use crate::stats::binomial_bounds;
use crate::story::{Story, unharmed};

const FRONTEND: &str = "frontend.shop";
const VISITOR: &str = "visitor.street";

/// Runs the demonstration; fails when anything was not as the manifests ask.
pub fn run() -> Result<()> {
    let started = Instant::now();
    println!("A shop from a folder of manifests (e2e/cases/demo), on Envoy {}.\n", Version::V1_40_0.number());
    println!(
        "  bringing it up: six network namespaces, four sidecars and a gateway, real iptables, our own CA …"
    );
    let mut mesh = Mesh::start(case_manifests(&["demo"])?, Version::V1_40_0, Options::default())?;
    println!(
        "  up after {:.1} s; the control plane reads {}\n",
        started.elapsed().as_secs_f32(),
        mesh.config()?.display()
    );
    let mut story = Story::since(started);
    println!("  {:<62}what happened", "what the manifests ask");
    if let Err(error) = tell(&mut mesh, &mut story) {
        return Err(mesh.explain(&error));
    }
    story.end().map_err(|error| mesh.explain(&error))
}

fn tell(mesh: &mut Mesh, story: &mut Story) -> Result<()> {
    story.line("catalog: 90 % to v1, 10 % to v2", shares(mesh, 0.1));
    story.line("catalog: testers always get v2", testers(mesh));
    story.line("cart: two failures are retried, the customer sees none", retried(mesh));
    story.line("gateway: the street reaches the catalog by shop.example.com", from_the_street(mesh));
    story.line("cart: knows the frontend by its SPIFFE name", peer(mesh));
    story.line("no policy yet: plain text from the street is taken", street(mesh, true));

    let load = mesh.pod(FRONTEND)?.load(&Load {
        request: Request::get("http://catalog/"),
        workers: 4,
        pause_ms: 2,
    })?;
    println!("\n  from here on four customers shop without pause, and files change under them\n");
    story.line("catalog.yaml edited: 50 % to each", shift(mesh));
    story.line("strict.yaml added: mutual TLS only", strict(mesh));
    story.line("bad.yaml added: one bad object, named, nothing else changes", bad(mesh));
    story.line("the control plane killed (-9) and back: the mesh goes on", killed(mesh));
    story.line("bad.yaml and strict.yaml removed: as before", undone(mesh));
    story.line("no request failed meanwhile", unharmed(load));
    Ok(())
}

/// Sends from the frontend and judges the share of v2.
fn shares(mesh: &Mesh, second: f64) -> Result<String> {
    let tally = mesh.pod(FRONTEND)?.tally(&Request::get("http://catalog/"), 1000)?;
    let count = |who: &str| tally.get(who).copied().unwrap_or(0);
    let (one, two) = (count("catalog-v1"), count("catalog-v2"));
    ensure!(one + two == 1000 && binomial_bounds(1000, second).contains(&two), "of 1000: {tally:?}");
    Ok(format!("{one} to v1, {two} to v2"))
}

fn testers(mesh: &Mesh) -> Result<String> {
    let tally =
        mesh.pod(FRONTEND)?.tally(&Request::get("http://catalog/").header("x-group", "testers"), 50)?;
    same("who answered", tally.get("catalog-v2").copied(), Some(50_u64))?;
    Ok("50 of 50".into())
}

fn retried(mesh: &Mesh) -> Result<String> {
    let answer = mesh.pod(FRONTEND)?.get("http://cart/?fail-first=2&key=basket")?;
    let seen = mesh.pod("cart.shop")?.counts()?.by_key.get("basket").copied().unwrap_or(0);
    ensure!(answer.status == 200 && seen == 3, "status {}, {seen} requests at the cart", answer.status);
    Ok(format!("status {}, {seen} requests at the cart", answer.status))
}

fn from_the_street(mesh: &Mesh) -> Result<String> {
    let answer =
        mesh.pod(VISITOR)?.send(&Request::get("http://shop.example.com/").connect("10.1.0.14:8080"))?;
    ensure!(answer.who().starts_with("catalog-"), "{}", answer.who());
    Ok(format!("status {} from {}", answer.status, answer.who()))
}

fn peer(mesh: &Mesh) -> Result<String> {
    let seen = mesh.pod(FRONTEND)?.get("http://cart/")?.seen("x-forwarded-client-cert").unwrap_or_default();
    let name = seen.split(';').find_map(|part| part.strip_prefix("URI=")).unwrap_or_default();
    ensure!(name == "spiffe://cluster.local/ns/shop/sa/frontend", "it saw `{seen}`");
    Ok(name.to_owned())
}

fn street(mesh: &Mesh, open: bool) -> Result<String> {
    let answer = mesh.pod(VISITOR)?.send(&Request::get("http://10.1.0.13:8080/").timeout(3000))?;
    if open {
        ensure!(answer.who() == "cart-v1", "{}", answer.who());
        return Ok(format!("status {} from {}", answer.status, answer.who()));
    }
    match answer.error {
        Some(_) if answer.status == 0 => Ok("refused".into()),
        _ => bail!("status {} from {}", answer.status, answer.who()),
    }
}

fn shift(mesh: &Mesh) -> Result<String> {
    let edited = Instant::now();
    let text = mesh.read("demo/catalog.yaml")?;
    mesh.write(
        "demo/catalog.yaml",
        &text.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"),
    )?;
    until("the new weights", Duration::from_secs(10), || {
        let tally = mesh.pod(FRONTEND)?.tally(&Request::get("http://catalog/"), 40)?;
        ensure!(tally.get("catalog-v2").is_some_and(|n| *n >= 12), "{tally:?}");
        Ok(())
    })?;
    let after = edited.elapsed().as_millis();
    Ok(format!("{}, seen within {after} ms", shares(mesh, 0.5)?))
}

const STRICT: &str = "apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
";

fn strict(mesh: &Mesh) -> Result<String> {
    mesh.write("demo/strict.yaml", STRICT)?;
    let seen = until("plain text to be refused", Duration::from_secs(10), || street(mesh, false))?;
    same("a request of the mesh", mesh.pod(FRONTEND)?.get("http://cart/")?.status, 200_u16)?;
    Ok(format!("plain text from the street {seen}, the mesh goes on"))
}

const BAD: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: mistake, namespace: shop }
spec:
  hosts: [ cart ]
  http: [ { match: [ { uri: { regex: \"(\" } } ], route: [ { destination: { host: cart } } ] } ]
";

fn bad(mesh: &Mesh) -> Result<String> {
    mesh.write("demo/bad.yaml", BAD)?;
    let told = until("the control plane to name the object", Duration::from_secs(10), || {
        let log = mesh.control_plane_log();
        let lines: Vec<_> = log.lines().collect();
        // The line before the object's name says what is wrong, behind time and task; errors come before warnings.
        let headlines = lines.windows(2).filter(|pair| pair[1].contains("shop/mistake")).map(|pair| pair[0]);
        let headline = headlines.max_by_key(|line| line.contains("error["));
        let headline = headline.ok_or_else(|| anyhow::anyhow!("it says nothing"))?;
        let told = headline.rsplit("serve: ").next().unwrap_or_default().to_owned();
        Ok(told)
    })?;
    same("a request to the cart", mesh.pod(FRONTEND)?.get("http://cart/")?.status, 200_u16)?;
    Ok(told)
}

fn killed(mesh: &mut Mesh) -> Result<String> {
    mesh.kill_control_plane()?;
    same("a request without it", mesh.pod(FRONTEND)?.get("http://cart/")?.status, 200_u16)?;
    let back = Instant::now();
    mesh.start_control_plane()?;
    // A change proves that the proxies are back on the line.
    let text = mesh.read("demo/catalog.yaml")?;
    mesh.write(
        "demo/catalog.yaml",
        &text.replace("weight: 50", "weight: 0").replacen("weight: 0", "weight: 100", 1),
    )?;
    until("a change to reach the proxies again", Duration::from_secs(45), || {
        let tally = mesh.pod(FRONTEND)?.tally(&Request::get("http://catalog/"), 20)?;
        same("who answers", tally.get("catalog-v1").copied(), Some(20_u64))
    })?;
    Ok(format!("changes arrive again {:.1} s after its start", back.elapsed().as_secs_f32()))
}

fn undone(mesh: &Mesh) -> Result<String> {
    mesh.remove("demo/bad.yaml")?;
    mesh.remove("demo/strict.yaml")?;
    until("plain text to be taken again", Duration::from_secs(10), || street(mesh, true))
}
