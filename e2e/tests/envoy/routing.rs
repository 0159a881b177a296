//! Where requests go and what happens to them on the way: one world, many routes.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Answer, Protocol, Request};
use pilothouse_e2e::mesh::{Mesh, Version, until};
use pilothouse_e2e::stats::binomial_bounds;
use pilothouse_e2e::world;

const CASES: [&str; 6] = ["weights", "matches", "rewrite", "resilience", "mirror", "balance"];

fn routing(version: Version) -> Result<()> {
    world::run(version, &CASES, |mesh, checks| {
        checks.show("HTTP/1.1, h2c and gRPC", protocols(mesh));
        checks.show("weights 90/10", weights(mesh));
        checks.show("matches, order, fallback", matches(mesh));
        checks.show("rewrite", rewrites(mesh));
        checks.show("redirect and direct response", redirects(mesh));
        checks.show("header changes", headers(mesh));
        checks.show("CORS", cors(mesh));
        checks.show("timeout", timeout(mesh));
        checks.show("retries", retries(mesh));
        checks.show("faults", faults(mesh));
        checks.show("mirror", mirror(mesh));
        checks.show("balancing by hash", by_hash(mesh));
        checks.show("balancing in turn and to the least busy", in_turn(mesh));
        Ok(())
    })
}

both!(routing);

fn client(mesh: &Mesh, request: &Request) -> Result<Answer> {
    mesh.pod("client.shop")?.send(request)
}

fn protocols(mesh: &Mesh) -> Result<()> {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = client(mesh, &Request::get("http://resilience/").over(protocol))?;
        ensure!(answer.status == 200 && answer.who().starts_with("echo-"), "{protocol:?}: {answer:?}");
    }
    for status in ["0", "5"] {
        let call = Request::get(format!("http://resilience:90/shop.Catalog/List?grpc-status={status}"));
        let answer = client(mesh, &call.over(Protocol::Grpc))?;
        same("the status of the call", answer.headers.get("grpc-status").map(String::as_str), Some(status))?;
        same("how the server saw it", answer.field("protocol").as_str(), "HTTP/2.0")?;
    }
    Ok(())
}

fn weights(mesh: &Mesh) -> Result<()> {
    let tally = mesh.pod("client.shop")?.tally(&Request::get("http://weights/"), 1000)?;
    let count = |who: &str| tally.get(who).copied().unwrap_or(0);
    ensure!(binomial_bounds(1000, 0.1).contains(&count("echo-v2")), "{tally:?}");
    same("the sum of v1 and v2", count("echo-v1") + count("echo-v2"), 1000_u64)
}

/// Each line: what is sent, the rule that must take it, who must answer.
fn matches(mesh: &Mesh) -> Result<()> {
    let get = |path: &str| Request::get(format!("http://matches{path}"));
    let table = [
        (get("/").header("x-user", "jason"), "header-exact", "echo-v2"),
        (get("/").header("x-user", "Jason"), "fallback", "echo-v1"),
        (get("/").header("x-user", "admin"), "header-prefix", "echo-v3"),
        (get("/").header("x-user", "42"), "header-regex", "echo-v2"),
        (get("/").header("x-user", "42nd"), "fallback", "echo-v1"),
        (get("/").header("x-trace", "anything"), "header-present", "echo-v3"),
        (get("/").header("cookie", "a=b; user=jason; c=d"), "cookie", "echo-v2"),
        (get("/").header("cookie", "user=jasonx"), "fallback", "echo-v1"),
        (get("/").method("POST"), "method", "echo-v3"),
        (get("/").method("PUT"), "fallback", "echo-v1"),
        (get("/?flavour=dark"), "query-exact", "echo-v2"),
        (get("/?flavour=light"), "fallback", "echo-v1"),
        (get("/?page=7"), "query-regex", "echo-v3"),
        (get("/exact"), "uri-exact", "echo-v2"),
        (get("/exact/"), "fallback", "echo-v1"),
        (get("/EXACT"), "fallback", "echo-v1"),
        (get("/item/12"), "uri-regex", "echo-v3"),
        (get("/item/12/more"), "fallback", "echo-v1"),
        (get("/cAsE"), "uri-case", "echo-v2"),
        (get("/both").header("x-both", "yes"), "and", "echo-v3"),
        (get("/both"), "fallback", "echo-v1"),
        (get("/either"), "or", "echo-v2"),
        (get("/else"), "or", "echo-v2"),
        (get("/without"), "without", "echo-v3"),
        (get("/without").header("x-not", "1"), "fallback", "echo-v1"),
        (get("/port"), "fallback", "echo-v1"),
        (Request::get("http://matches:8000/port"), "port", "echo-v3"),
        (get("/from"), "source", "echo-v2"),
        (get("/other"), "fallback", "echo-v1"),
        (get("/order/deep/er"), "order-first", "echo-v3"),
        (get("/order/flat"), "order-second", "echo-v2"),
    ];
    let mut wrong = Vec::new();
    for (request, rule, who) in table {
        let answer = client(mesh, &request)?;
        let took = answer.headers.get("x-rule").map_or("none", String::as_str);
        if (took, answer.who().as_str()) != (rule, who) {
            wrong.push(format!(
                "{} {} {:?}: rule {took} and {}, should be {rule} and {who}",
                request.method,
                request.url,
                request.headers,
                answer.who()
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

fn rewrites(mesh: &Mesh) -> Result<()> {
    let prefix = client(mesh, &Request::get("http://rewrite/old/page?x=1"))?;
    same("the path behind a prefix rewrite", prefix.field("path"), "/new/page")?;
    same("the query behind a prefix rewrite", prefix.field("query"), "x=1")?;
    let authority = client(mesh, &Request::get("http://rewrite/authority"))?;
    same("the authority", authority.field("authority"), "inner.example")?;
    let regex = client(mesh, &Request::get("http://rewrite/regex/a/b"))?;
    same("the path behind a regex rewrite", regex.field("path"), "/b/a")
}

fn redirects(mesh: &Mesh) -> Result<()> {
    let answer = client(mesh, &Request::get("http://rewrite/redirect"))?;
    same("the redirect's status", answer.status, 301_u16)?;
    same(
        "its place",
        answer.headers.get("location").map(String::as_str),
        Some("http://elsewhere.example/there"),
    )?;
    let answer = client(mesh, &Request::get("http://rewrite/redirect-308"))?;
    same("the redirect's status", answer.status, 308_u16)?;
    let location = answer.headers.get("location").cloned().unwrap_or_default();
    ensure!(
        location.starts_with("https://rewrite") && location.ends_with("/redirect-308"),
        "it leads to {location}"
    );
    let answer = client(mesh, &Request::get("http://rewrite/direct"))?;
    same("the direct response", (answer.status, answer.body.as_str()), (418_u16, "short and stout"))
}

fn headers(mesh: &Mesh) -> Result<()> {
    let request = Request::get("http://rewrite/headers")
        .header("x-set", "old")
        .header("x-add", "one")
        .header("x-remove", "me");
    let answer = client(mesh, &request)?;
    same("the set header", answer.seen("x-set").as_deref(), Some("new"))?;
    same("the added header", answer.seen("x-add").as_deref(), Some("one,two"))?;
    same("the removed header", answer.seen("x-remove"), None::<String>)?;
    same("the response's set header", answer.headers.get("x-back").map(String::as_str), Some("from-route"))?;
    same("the response's removed header", answer.headers.get("x-app"), None::<&String>)
}

fn cors(mesh: &Mesh) -> Result<()> {
    let preflight = |origin: &str| {
        Request::get("http://rewrite/cors")
            .method("OPTIONS")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
    };
    for origin in ["https://shop.example", "https://a.trusted.example"] {
        let answer = client(mesh, &preflight(origin))?;
        let header = |name: &str| answer.headers.get(name).map(String::as_str);
        same("the preflight's status", answer.status, 200_u16)?;
        same("the allowed origin", header("access-control-allow-origin"), Some(origin))?;
        same("the allowed methods", header("access-control-allow-methods"), Some("GET,PUT"))?;
        same("the allowed headers", header("access-control-allow-headers"), Some("x-token"))?;
        same("the age", header("access-control-max-age"), Some("3600"))?;
        same("credentials", header("access-control-allow-credentials"), Some("true"))?;
    }
    let foreign =
        client(mesh, &Request::get("http://rewrite/cors").header("origin", "https://evil.example"))?;
    same(
        "what a foreign origin is told",
        foreign.headers.get("access-control-allow-origin"),
        None::<&String>,
    )?;
    let simple = client(mesh, &Request::get("http://rewrite/cors").header("origin", "https://shop.example"))?;
    same(
        "exposed headers",
        simple.headers.get("access-control-expose-headers").map(String::as_str),
        Some("x-app"),
    )
}

fn timeout(mesh: &Mesh) -> Result<()> {
    let slow = client(mesh, &Request::get("http://resilience/timeout?delay=3000"))?;
    same("the slow answer", slow.status, 504_u16)?;
    ensure!((250..2500).contains(&slow.ms), "it came after {} ms", slow.ms);
    let quick = client(mesh, &Request::get("http://resilience/timeout?delay=10"))?;
    same("the quick answer", quick.status, 200_u16)
}

/// How often the three versions together saw a key.
fn seen(mesh: &Mesh, key: &str) -> Result<u64> {
    let mut sum = 0;
    for pod in ["echo-v1.shop", "echo-v2.shop", "echo-v3.shop"] {
        sum += mesh.pod(pod)?.counts()?.by_key.get(key).copied().unwrap_or(0);
    }
    Ok(sum)
}

fn retries(mesh: &Mesh) -> Result<()> {
    let never = client(mesh, &Request::get("http://resilience/retry?status=503&key=never-well"))?;
    same("the answer of a service that always fails", never.status, 503_u16)?;
    same("how often it was asked", seen(mesh, "never-well")?, 3_u64)?;
    let once = client(mesh, &Request::get("http://resilience/once?status=503&key=only-once"))?;
    same("the answer without retries", once.status, 503_u16)?;
    same("how often it was asked", seen(mesh, "only-once")?, 1_u64)?;
    // Each endpoint fails its first request, so one request meets as many failures as endpoints it tries.
    for n in 0..3 {
        client(mesh, &Request::get(format!("http://resilience/retry?fail-first=1&key=heals&n={n}")))?;
    }
    let healed = client(mesh, &Request::get("http://resilience/retry?fail-first=1&key=heals"))?;
    same("the answer after retries", healed.status, 200_u16)
}

fn faults(mesh: &Mesh) -> Result<()> {
    let delayed = client(mesh, &Request::get("http://resilience/delay"))?;
    same("the delayed answer", delayed.status, 200_u16)?;
    ensure!(delayed.ms >= 400, "it came after {} ms", delayed.ms);
    let aborted = client(mesh, &Request::get("http://resilience/abort?key=aborted"))?;
    same("the aborted request", aborted.status, 429_u16)?;
    same("how often the server saw it", seen(mesh, "aborted")?, 0_u64)?;
    let half = mesh.pod("client.shop")?.send_many(&Request::get("http://resilience/half"), 400, 4)?;
    let aborted = half.iter().filter(|a| a.status == 429).count() as u64;
    ensure!(binomial_bounds(400, 0.5).contains(&aborted), "{aborted} of 400 were aborted, half should be");
    Ok(())
}

fn mirror(mesh: &Mesh) -> Result<()> {
    let tally = mesh.pod("client.shop")?.tally(&Request::get("http://mirror/all?key=copied"), 50)?;
    same("who answered", tally.get("echo-v1").copied(), Some(50_u64))?;
    let copies = |key: &str| -> Result<u64> {
        Ok(mesh.pod("echo-v3.shop")?.counts()?.by_key.get(key).copied().unwrap_or(0))
    };
    until("fifty copies", Duration::from_secs(5), || same("the copies", copies("copied")?, 50_u64))?;
    mesh.pod("client.shop")?.send_many(&Request::get("http://mirror/half?key=half-copied"), 400, 4)?;
    until("about two hundred copies", Duration::from_secs(5), || {
        let half = copies("half-copied")?;
        ensure!(binomial_bounds(400, 0.5).contains(&half), "{half} of 400");
        Ok(())
    })?;
    let other = mesh.pod("client.shop")?.tally(&Request::get("http://mirror/?key=not-copied"), 20)?;
    same("who answers elsewhere", other.get("echo-v2").copied(), Some(20_u64))?;
    same("copies of what is not mirrored", copies("not-copied")?, 0_u64)
}

fn by_hash(mesh: &Mesh) -> Result<()> {
    let pod = mesh.pod("client.shop")?;
    let mut all = BTreeSet::new();
    for user in 0..24 {
        let tally =
            pod.tally(&Request::get("http://by-header/").header("x-user", &format!("user-{user}")), 6)?;
        same("the number of endpoints one user meets", tally.len(), 1_usize)?;
        all.extend(tally.into_keys());
    }
    same("the endpoints that many users meet", all.len(), 3_usize)?;

    let first = pod.get("http://by-cookie/")?;
    let cookie = first.headers.get("set-cookie").context("no cookie was set")?;
    ensure!(cookie.starts_with("seat=") && cookie.contains("Max-Age=60"), "the cookie is {cookie}");
    let seat = cookie.split(';').next().unwrap_or_default();
    let tally = pod.tally(&Request::get("http://by-cookie/").header("cookie", seat), 20)?;
    same("who answers the same cookie", tally.into_keys().collect::<Vec<_>>(), vec![first.who()])
}

fn in_turn(mesh: &Mesh) -> Result<()> {
    let pod = mesh.pod("client.shop")?;
    let tally = pod.tally(&Request::get("http://in-turn/"), 60)?;
    ensure!(tally.len() == 3 && tally.values().all(|n| *n == 20), "sixty requests in turn: {tally:?}");
    let tally = pod.tally(&Request::get("http://least/"), 120)?;
    ensure!(tally.len() == 3 && tally.values().all(|n| *n >= 15), "to the least busy: {tally:?}");
    // One endpoint is slow: whoever looks at what is in work sends it less.
    mesh.pod("echo-v1.shop")?.behave(pilothouse_e2e::app::Mode { delay_ms: 300, ..Default::default() })?;
    let tally = pod.send_many(&Request::get("http://least/"), 120, 12);
    mesh.pod("echo-v1.shop")?.behave(pilothouse_e2e::app::Mode::default())?;
    let slow = tally?.iter().filter(|a| a.who() == "echo-v1").count();
    ensure!(slow < 35, "the slow endpoint got {slow} of 120 requests");
    Ok(())
}
