//! From manifests to snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilothouse_engine::{Change, Engine, ProxyId, defaults};
use pilothouse_testkit::change;
use pilothouse_xds::model::Client;
use pilothouse_xds::{Options, Protocol, Snapshot, Subscriber};

use crate::inputs::Mesh;
use crate::measure::{Cost, cost, resident};
use crate::table::{bytes, row, time};

#[path = "../../tests/bodies/mod.rs"]
mod bodies;

/// Streams that are told everything; the last one is weighed, after what is made only once, such as descriptors.
const STREAMS: usize = 3;
/// Further proxies that connect.
const REPLICAS: usize = 100;

/// A mesh with its proxies.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) snapshots: BTreeMap<ProxyId, Arc<Snapshot>>,
}

/// Builds a mesh and says what each step took.
pub(crate) fn measure(mesh: &Mesh) -> Running {
    println!("\n== {}: {} {}s, {} proxies ==\n", mesh.name, mesh.units, mesh.unit, mesh.proxies.len());
    row("from scratch", &["time", "allocations", "heap", "resident"].map(str::to_owned));
    let before = resident();
    let mut engine = Engine::new();
    let mut total = Cost::default();
    let mut step = |name: &str, cost: Cost| {
        total.time += cost.time;
        total.allocations += cost.allocations;
        total.kept += cost.kept;
        let resident = resident().saturating_sub(before);
        row(name, &[time(cost.time), cost.allocations.to_string(), heap(total.kept), bytes(resident)]);
    };

    let (changes, judged) = judge(mesh);
    step("objects are judged", judged);
    let (_, applied) = cost(|| engine.apply(changes));
    step("the world takes them", applied);
    let mut proxies = mesh.proxies.clone().into_iter();
    let mut snapshots = BTreeMap::new();
    let mut connect = |proxy| {
        let (id, snapshot) = engine.connect(proxy);
        (id, snapshot.expect("there is no bug in the way"))
    };
    let (first, cold) = cost(|| proxies.next().map(&mut connect));
    step("the first proxy connects", cold);
    snapshots.extend(first);
    let (rest, connected) = cost(|| proxies.map(&mut connect).collect::<Vec<_>>());
    step("all others connect", connected);
    snapshots.extend(rest);
    row("in all", &[time(total.time), total.allocations.to_string()]);

    let per = |kept: isize, count: usize| heap(kept / isize::try_from(count.max(1)).unwrap_or(1));
    println!();
    println!(
        "heap per {}, before anybody connects: {}",
        mesh.unit,
        per(judged.kept + applied.kept, mesh.units)
    );
    let all = cold.kept + connected.kept;
    println!("heap per proxy, with all that audiences share: {}", per(all, mesh.proxies.len()));
    let others = mesh.proxies.len().saturating_sub(1);
    println!(
        "heap per proxy after the first, which brings what everybody sees: {}",
        per(connected.kept, others)
    );
    if let Some(last) = mesh.proxies.last() {
        let (_, more) = cost(|| (0..REPLICAS).map(|_| engine.connect(last.clone()).0).collect::<Vec<_>>());
        println!("heap for one more proxy of a known audience: {}", per(more.kept, REPLICAS));
        println!("time to connect it: {}", time(more.time / REPLICAS as u32));
    }
    weigh_streams(&snapshots);
    let [questions, keys, collections, audiences] = engine.size();
    println!("questions {questions}, keys read {keys}, collections {collections}, audiences {audiences}");
    Running { engine, snapshots }
}

/// Judges the objects one by one; only that is measured.
fn judge(mesh: &Mesh) -> (Vec<Change>, Cost) {
    let mut changes = Vec::new();
    let mut total = Cost::default();
    mesh.each(&mut |object| {
        let (made, cost) = cost(|| change(&object));
        changes.push(made);
        total.time += cost.time;
        total.allocations += cost.allocations;
        total.kept += cost.kept;
    });
    (changes, total)
}

/// What the protocol remembers of a client that has everything.
fn weigh_streams(snapshots: &BTreeMap<ProxyId, Arc<Snapshot>>) {
    let mut kept = Vec::new();
    for snapshot in snapshots.values().take(1).cycle().take(STREAMS) {
        let (subscriber, cost) = cost(|| {
            let options =
                Options { bounds: Default::default(), routes: Default::default(), defaults: defaults() };
            let mut subscriber = Subscriber::new(Protocol::Delta, options, snapshot.clone());
            let mut client = Client::new(Protocol::Delta, bodies::EnvoyBodies);
            client.connect();
            while let Some(request) = client.next_request() {
                for response in subscriber.on_request(request).expect("the simulated client keeps the rules")
                {
                    client.receive(&response);
                }
            }
            subscriber
        });
        kept.push((subscriber, cost.kept));
    }
    let last = kept.last().map_or(0, |(_, kept)| *kept);
    println!("heap per stream, what it has told its client: {}", heap(last));
}

fn heap(kept: isize) -> String {
    if kept < 0 { format!("-{}", bytes(kept.unsigned_abs())) } else { bytes(kept.unsigned_abs()) }
}
