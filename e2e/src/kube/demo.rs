//! `make demo-kube`: the shop of `make demo` in Kubernetes, changed with `kubectl` while its customers shop.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::{Cluster, Namespace, Pod, install, report};
use crate::checks::same;
use crate::client::{Load, Request};
use crate::mesh::until;
use crate::stats::binomial_bounds;
use crate::story::{Story, unharmed};

/// Runs the demonstration; fails when anything was not as the manifests ask.
pub fn run() -> Result<()> {
    let started = Instant::now();
    println!(
        "A shop in Kubernetes (e2e/kube/shop). What stands behind `$` can be typed; stop the shop with\n\n  kubectl delete namespace shop street\n"
    );
    let cluster = Cluster::shared()?;
    println!("  {}\n", cluster.kubectl.run(&["get", "nodes", "--no-headers"])?.trim());
    cluster.kubectl.run(&["delete", "namespace", "shop", "street", "--ignore-not-found", "--timeout=90s"])?;
    let shop = Namespace::of(cluster, "shop");
    let mut show = Show { cluster, story: Story::since(started) };
    if let Err(error) = show.tell(&shop) {
        return Err(report::explain(&shop, &error));
    }
    show.story.end().map_err(|error| report::explain(&shop, &error))
}

/// Types what a user would, and prints each promise beside what was seen.
struct Show {
    cluster: &'static Cluster,
    story: Story,
}

impl Show {
    /// A line as it can be copied from the root of the tree, and what `kubectl` says to it.
    fn kubectl(&self, line: &str) -> Result<()> {
        println!("$ kubectl {line}");
        let words: Vec<&str> = line.split(' ').collect();
        let said = self.cluster.kubectl.say(&words, "")?;
        for line in said.out.lines().chain(said.err.lines()) {
            println!("  {line}");
        }
        ensure!(said.fine, "kubectl {line} failed");
        Ok(())
    }

    fn tell(&mut self, shop: &Namespace) -> Result<()> {
        self.kubectl("apply --server-side -f crds")?;
        println!("$ target/debug/pilothouse install {} | kubectl apply -f -", install::arguments().join(" "));
        for line in self.cluster.kubectl.apply(&install::manifests()?)?.lines() {
            println!("  {line}");
        }
        self.kubectl("--namespace istio-system rollout status deployment/istiod --timeout=120s")?;
        println!();
        self.kubectl("create namespace shop")?;
        self.kubectl("label namespace shop istio-injection=enabled")?;
        self.kubectl("apply -f e2e/kube/shop/shop.yaml -f e2e/kube/shop/street.yaml")?;
        self.kubectl("--namespace shop wait --for=condition=Available deployment --all --timeout=120s")?;
        let frontend = shop.pod("app=frontend")?;
        let visitor = Namespace::of(self.cluster, "street").pod("app=visitor")?;
        self.story.line("every pod of the shop has a proxy, and they speak mutual TLS", peer(&frontend));
        self.story.line("no policy yet: plain text from the street is taken", street(&visitor, true));

        let load =
            frontend.load(&Load { request: Request::get("http://catalog/"), workers: 4, pause_ms: 5 })?;
        println!("\n  from here on four customers shop without pause\n");
        // The version first, then its share: requests for a version without pods are answered with 503.
        self.kubectl("apply -f e2e/kube/shop/catalog-v2.yaml")?;
        self.kubectl("--namespace shop rollout status deployment/catalog-v2 --timeout=120s")?;
        self.kubectl("apply -f e2e/kube/shop/canary.yaml")?;
        self.story.line("catalog: testers always get v2", testers(&frontend));
        self.story.line("catalog: 90 % to v1, 10 % to v2", shares(&frontend, 0.1));
        self.kubectl("apply -f e2e/kube/shop/half.yaml")?;
        self.story.line("catalog: 50 % to each", shift(&frontend));
        self.kubectl("apply -f e2e/kube/shop/strict.yaml")?;
        self.story.line("mutual TLS only: plain text from the street is refused", strict(&visitor));
        self.story.line("the shop goes on", peer(&frontend));
        self.story.line("no request failed meanwhile", unharmed(load));
        Ok(())
    }
}

fn peer(frontend: &Pod) -> Result<String> {
    until("the cart to answer", Duration::from_secs(10), || {
        let answer = frontend.fetch("http://cart/")?;
        let seen = answer.seen("x-forwarded-client-cert").unwrap_or_default();
        let name = seen.split(';').find_map(|part| part.strip_prefix("URI=")).unwrap_or_default();
        ensure!(name == "spiffe://cluster.local/ns/shop/sa/frontend", "{}, it saw `{seen}`", answer.who());
        Ok(format!("the cart knows {name}"))
    })
}

fn street(visitor: &Pod, open: bool) -> Result<String> {
    let answer = visitor.send(&Request::get("http://cart.shop/").timeout(3000))?;
    match answer.error {
        None if open && answer.who() == "cart-v1" => Ok("status 200 from cart-v1".into()),
        Some(_) if !open && answer.status == 0 => Ok("refused".into()),
        _ => bail!("status {} from {}", answer.status, answer.who()),
    }
}

fn strict(visitor: &Pod) -> Result<String> {
    until("plain text to be refused", Duration::from_secs(10), || street(visitor, false))
}

fn testers(frontend: &Pod) -> Result<String> {
    let request = Request::get("http://catalog/").header("x-group", "testers");
    until("the route to arrive", Duration::from_secs(10), || {
        let tally = frontend.tally(&request, 50)?;
        same("who answered", tally.get("catalog-v2").copied(), Some(50_u64))
    })?;
    Ok("50 of 50".into())
}

fn shares(frontend: &Pod, second: f64) -> Result<String> {
    let tally = frontend.tally(&Request::get("http://catalog/"), 1000)?;
    let count = |who: &str| tally.get(who).copied().unwrap_or(0);
    let (one, two) = (count("catalog-v1"), count("catalog-v2"));
    ensure!(one + two == 1000 && binomial_bounds(1000, second).contains(&two), "of 1000: {tally:?}");
    Ok(format!("{one} to v1, {two} to v2"))
}

fn shift(frontend: &Pod) -> Result<String> {
    let applied = Instant::now();
    until("the new weights", Duration::from_secs(10), || {
        let tally = frontend.tally(&Request::get("http://catalog/"), 40)?;
        ensure!(tally.get("catalog-v2").is_some_and(|n| *n >= 12), "{tally:?}");
        Ok(())
    })?;
    let after = applied.elapsed().as_millis();
    Ok(format!("{}, seen within {after} ms", shares(frontend, 0.5)?))
}
