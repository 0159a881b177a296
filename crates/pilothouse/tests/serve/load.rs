//! The daemon under simulated proxies: they get everything, and hear of changes.

use std::fs;
use std::process::Command;
use std::time::Duration;

use pilothouse_adsload::report::Spread;
use pilothouse_adsload::{Counts, Fleet, Kind, Protocol, Proxy, Target};
use pilothouse_testkit::objects;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{Daemon, PATIENCE};

/// Services of the mesh: enough for a table whose hosts travel one by one.
const SERVICES: u8 = 80;
/// Proxies that connect.
const PROXIES: u32 = 20;
/// A proxy that is not let in comes back after this.
const RETRY: Duration = Duration::from_millis(20);

fn slice(number: u8, address: &str) -> Value {
    let service = format!("svc{number}");
    objects::slice("shop", &format!("{service}-a"), &service, ("http", 8080), &[address.into()])
}

/// A daemon that serves the mesh, and proxies that have everything.
async fn loaded(protocol: Protocol) -> (Daemon, Fleet) {
    let mut objects = vec![objects::namespace("shop")];
    for number in 0..SERVICES {
        let address = format!("10.96.1.{number}");
        objects.push(objects::service("shop", &format!("svc{number}"), &address, &[("http", 80)]));
        if number > 0 {
            objects.push(slice(number, "10.0.0.1"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(config.join("mesh.json"), list.to_string()).unwrap();
    fs::write(config.join("slice.json"), slice(0, "10.0.0.1").to_string()).unwrap();
    let daemon = Daemon::start_in(folder, Command::new(env!("CARGO_BIN_EXE_pilothouse")));
    let address = daemon.line("listening")["plaintext"].as_str().unwrap().to_owned();
    daemon.line("ready");

    let proxies = (0..PROXIES).map(|number| Proxy::numbered("shop", "svc1", number)).collect();
    let fleet = Fleet::start(&Target::plain(address), protocol, proxies, RETRY);
    let moments = fleet.configured(PATIENCE).await.unwrap();
    assert_eq!((moments.len(), fleet.breaks()), (PROXIES as usize, 0));
    (daemon, fleet)
}

/// What came, once it is as wished.
async fn counts(fleet: &Fleet, wished: impl Fn(&Counts) -> bool) -> Counts {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = fleet.counts();
        if wished(&counts) {
            return counts;
        }
        assert!(Instant::now() < deadline, "{counts:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn proxies_get_everything_and_hear_of_what_moves() {
    let (daemon, fleet) = loaded(Protocol::Delta).await;
    let (each, proxies) = (u64::from(PROXIES) * u64::from(SERVICES), u64::from(PROXIES));
    let first = fleet.counts();
    assert_eq!(first.of(Kind::Endpoints).resources, each);
    assert!(first.of(Kind::Cluster).resources > each, "there are clusters of its own as well");
    assert!(first.of(Kind::VirtualHost).resources >= each, "the table is large");
    assert!(first.total().bytes > each * 500);

    let mark = fleet.mark();
    daemon.write("slice.json", &slice(0, "10.0.0.2").to_string());
    let now = counts(&fleet, |now| {
        now.of(Kind::Endpoints).messages >= first.of(Kind::Endpoints).messages + proxies
    });
    assert_eq!(now.await.of(Kind::Endpoints).resources, each + proxies, "one assignment for each");
    let effect = fleet.effect(&mark, Duration::ZERO, PATIENCE).await;
    assert_eq!(effect.delays.len(), PROXIES as usize);
    let Spread { p50_ms, max_ms, .. } = Spread::of(&effect.delays);
    assert!(p50_ms > 0.0 && max_ms >= p50_ms);
    assert_eq!(effect.counts.of(Kind::Cluster).messages, 0);
    fleet.close().await;
}

#[tokio::test]
async fn proxies_that_know_the_state_of_the_world_alone_are_served_too() {
    let (_daemon, fleet) = loaded(Protocol::Sotw).await;
    let counts = fleet.counts();
    assert!(counts.of(Kind::Endpoints).resources >= u64::from(PROXIES) * u64::from(SERVICES));
    assert_eq!(counts.of(Kind::VirtualHost).messages, 0, "hosts by themselves exist as deltas only");
    assert!(counts.of(Kind::Routes).resources >= u64::from(PROXIES));
    fleet.close().await;
}
