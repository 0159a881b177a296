//! Manifests nobody of this project wrote: Istio's Bookinfo sample. Its folder is not part of the tree, so this is a target of its
//! own, which runs when it is asked for: `make bookinfo FIXTURES=DIR`.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the outermost shell own the environment and the clock"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::Request;
use pilothouse_e2e::mesh::{Manifests, Mesh, Options, Version, cases, until};
use pilothouse_e2e::stats::binomial_bounds;
use pilothouse_e2e::world;

fn bookinfo(version: Version) -> Result<()> {
    let folder = std::env::var_os("PILOTHOUSE_E2E_FIXTURES").map(PathBuf::from);
    let folder = folder.context("PILOTHOUSE_E2E_FIXTURES must name the folder of the Bookinfo sample")?;
    let files = [
        folder.join("platform/kube/bookinfo.yaml"),
        folder.join("networking/bookinfo-gateway.yaml"),
        folder.join("networking/destination-rule-all.yaml"),
        cases().join("bookinfo-visitors"),
    ];
    let mesh = Mesh::start(Manifests::read(&folder, &files)?, version, Options::default())?;
    world::run_on(mesh, |mesh, checks| {
        checks.show("every service answers its client", services(mesh));
        checks.show("the gateway leads to the product page", gateway(mesh));
        checks.show("virtual-service-all-v1", all_first(mesh, &folder));
        checks.show("virtual-service-reviews-90-10", shares(mesh, &folder));
        checks.show("virtual-service-reviews-jason-v2-v3", jason(mesh, &folder));
        checks.show("virtual-service-ratings-test-abort", abort(mesh, &folder));
        checks.show("fault-injection-details-v1", details(mesh, &folder));
        checks.show("destination-rule-all-mtls", mutual_tls(mesh, &folder));
        Ok(())
    })
}

both!(bookinfo);

/// Puts one of the sample's files in force, in place of what was in force under that name.
fn apply(mesh: &Mesh, folder: &Path, file: &str, name: &str) -> Result<()> {
    let path = folder.join("networking").join(file);
    mesh.write(
        name,
        &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
    )
}

fn reviews(count: u32, mesh: &Mesh, user: &str) -> Result<std::collections::BTreeMap<String, u64>> {
    mesh.pod("client.default")?
        .tally(&Request::get("http://reviews:9080/reviews/0").header("end-user", user), count)
}

fn services(mesh: &Mesh) -> Result<()> {
    for service in ["details", "ratings", "productpage"] {
        let answer = mesh.pod("client.default")?.get(&format!("http://{service}:9080/"))?;
        same(service, answer.who(), format!("{service}-v1"))?;
    }
    let tally = reviews(60, mesh, "nobody")?;
    same("the versions of reviews without any route", tally.len(), 3_usize)
}

fn gateway(mesh: &Mesh) -> Result<()> {
    let get = |path: &str| Request::get(format!("http://bookinfo.example{path}")).connect("10.1.0.11:8080");
    let outside = mesh.pod("outside.elsewhere")?;
    same("who answers", outside.send(&get("/productpage"))?.who().as_str(), "productpage-v1")?;
    same("who answers below /static", outside.send(&get("/static/x.css"))?.who().as_str(), "productpage-v1")?;
    same("the status of what is not offered", outside.send(&get("/admin"))?.status, 404_u16)
}

fn all_first(mesh: &Mesh, folder: &Path) -> Result<()> {
    apply(mesh, folder, "virtual-service-all-v1.yaml", "routes.yaml")?;
    until("the first version alone", Duration::from_secs(10), || {
        same("who answers", reviews(20, mesh, "nobody")?.get("reviews-v1").copied(), Some(20_u64))
    })
}

fn shares(mesh: &Mesh, folder: &Path) -> Result<()> {
    apply(mesh, folder, "virtual-service-reviews-90-10.yaml", "routes.yaml")?;
    until("the second version", Duration::from_secs(10), || {
        ensure!(reviews(40, mesh, "nobody")?.contains_key("reviews-v2"));
        Ok(())
    })?;
    let tally = reviews(500, mesh, "nobody")?;
    let second = tally.get("reviews-v2").copied().unwrap_or(0);
    ensure!(binomial_bounds(500, 0.1).contains(&second) && !tally.contains_key("reviews-v3"), "{tally:?}");
    Ok(())
}

fn jason(mesh: &Mesh, folder: &Path) -> Result<()> {
    apply(mesh, folder, "virtual-service-reviews-jason-v2-v3.yaml", "routes.yaml")?;
    until("jason to see the second version, others the third", Duration::from_secs(10), || {
        same("jason sees", reviews(10, mesh, "jason")?.get("reviews-v2").copied(), Some(10_u64))?;
        same("others see", reviews(10, mesh, "nobody")?.get("reviews-v3").copied(), Some(10_u64))
    })
}

fn abort(mesh: &Mesh, folder: &Path) -> Result<()> {
    apply(mesh, folder, "virtual-service-ratings-test-abort.yaml", "ratings.yaml")?;
    let get = |user: &str| Request::get("http://ratings:9080/ratings/0").header("end-user", user);
    until("jason's ratings to fail", Duration::from_secs(10), || {
        same("jason's status", mesh.pod("client.default")?.send(&get("jason"))?.status, 500_u16)
    })?;
    same("the status of others", mesh.pod("client.default")?.send(&get("nobody"))?.status, 200_u16)
}

fn details(mesh: &Mesh, folder: &Path) -> Result<()> {
    let path = folder.join("networking/fault-injection-details-v1.yaml");
    // The file brings a rule that is in force already; its route alone is new.
    let text = std::fs::read_to_string(path)?;
    let route = text.split("---").next().context("the file has documents")?;
    mesh.write("details.yaml", route)?;
    until("details to fail", Duration::from_secs(10), || {
        same("its status", mesh.pod("client.default")?.get("http://details:9080/details/0")?.status, 555_u16)
    })
}

fn mutual_tls(mesh: &Mesh, folder: &Path) -> Result<()> {
    apply(mesh, folder, "destination-rule-all-mtls.yaml", "networking/destination-rule-all.yaml")?;
    let answer = mesh.pod("client.default")?.get("http://productpage:9080/")?;
    same("who answers", answer.who().as_str(), "productpage-v1")?;
    let peer = answer.seen("x-forwarded-client-cert").unwrap_or_default();
    ensure!(peer.contains("URI=spiffe://cluster.local/ns/default/sa/default"), "the peer is `{peer}`");
    Ok(())
}
