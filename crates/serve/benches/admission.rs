//! How long the API server waits for a verdict: the handler of the validating webhook, with the largest objects that can be stored.
//!
//! etcd takes requests of at most 1.5 MB, and an update brings the former object along.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::time::{Duration, Instant};

use pilothouse_config::CheckSettings;
use pilothouse_serve::validate_review;
use serde_json::{Value, json};

/// How often each is asked.
const ROUNDS: usize = 400;
/// What etcd takes, with a little for what the API server adds.
const LARGEST: usize = 1_500_000;

fn main() {
    println!("\n== validating webhook, {ROUNDS} questions each ==\n");
    println!("{:<34} {:>9} {:>9} {:>9}", "", "question", "p50", "p99");
    let one = |count| virtual_service(count);
    let full = largest(one);
    let usual = one(3);
    for (what, review) in [
        ("a usual virtual service", review(&usual, &Value::Null)),
        ("1 MB virtual service, new", review(&one(full * 2 / 3), &Value::Null)),
        ("1.5 MB virtual service, new", review(&one(full), &Value::Null)),
        ("1.5 MB virtual service, changed", review(&one(full), &one(full - 1))),
        ("1.5 MB service entry, new", review(&service_entry(largest(service_entry)), &Value::Null)),
    ] {
        measure(what, &serde_json::to_vec(&review).expect("a value can be written"));
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what it is for")]
fn measure(what: &str, body: &[u8]) {
    let settings = CheckSettings {
        domain: "cluster.local".into(),
        parse_yaml: |text| serde_json::from_str(text).map_err(|error| error.to_string()),
    };
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            let (answer, allowed) = validate_review(body, &settings).expect("it is a review");
            let answer = serde_json::to_vec(&answer).expect("a value can be written");
            let took = begun.elapsed();
            assert!(allowed && !answer.is_empty());
            took
        })
        .collect();
    times.sort();
    let millis = |at: usize| times[at].as_secs_f64() * 1000.0;
    let megabytes = f64::from(u32::try_from(body.len()).expect("an object of a few megabytes")) / 1e6;
    println!(
        "{what:<34} {megabytes:>6.2} MB {:>6.2} ms {:>6.2} ms",
        millis(ROUNDS / 2),
        millis(ROUNDS * 99 / 100)
    );
}

fn review(object: &Value, before: &Value) -> Value {
    let operation = if before.is_null() { "CREATE" } else { "UPDATE" };
    json!({"request": {"uid": "7", "operation": operation, "object": object, "oldObject": before}})
}

/// How many parts make the largest object.
fn largest(make: impl Fn(usize) -> Value) -> usize {
    let length = |count| make(count).to_string().len();
    let (begin, each) = (length(0), length(1001) - length(1));
    (LARGEST - begin) * 1000 / each
}

fn virtual_service(routes: usize) -> Value {
    let http: Vec<Value> = (0..routes)
        .map(|number| {
            json!({
                "name": format!("route-{number}"),
                "match": [{"uri": {"prefix": format!("/shop/{number:06}")}, "headers": {"x-group": {"exact": "testers"}}}],
                "route": [
                    {"destination": {"host": "catalog.shop.svc.cluster.local", "subset": "v1"}, "weight": 90},
                    {"destination": {"host": "catalog.shop.svc.cluster.local", "subset": "v2"}, "weight": 10},
                ],
                "timeout": "5s",
                "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "connect-failure,refused-stream"},
            })
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "catalog", "namespace": "shop"},
        "spec": {"hosts": ["catalog.shop.svc.cluster.local"], "http": http},
    })
}

fn service_entry(endpoints: usize) -> Value {
    let endpoints: Vec<Value> = (0..endpoints)
        .map(|number| {
            let address = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
            json!({"address": address, "labels": {"version": "v1"}, "locality": "eu/west/a", "weight": 1})
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "bank", "namespace": "shop"},
        "spec": {
            "hosts": ["bank.example"], "resolution": "STATIC", "location": "MESH_EXTERNAL",
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}], "endpoints": endpoints,
        },
    })
}
