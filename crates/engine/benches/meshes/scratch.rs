//! From manifests to snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilothouse_engine::{Change, Engine, Proxy, ProxyId, defaults};
use pilothouse_testkit::change;
use pilothouse_xds::model::Client;
use pilothouse_xds::{Options, Protocol, Snapshot, Subscriber};

use crate::inputs::Mesh;
use crate::measure::{Cost, cost, resident};
use crate::table::{bytes, row, time};

#[path = "../../tests/bodies/mod.rs"]
mod bodies;

/// Streams whose state is weighed.
const STREAMS: usize = 5;

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
    let (first, cold) = cost(|| proxies.next().map(|proxy| engine.connect(proxy)));
    step("the first proxy connects", cold);
    snapshots.extend(first);
    let (rest, connected) = cost(|| proxies.map(|proxy| engine.connect(proxy)).collect::<Vec<_>>());
    step("all others connect", connected);
    snapshots.extend(rest);
    row("in all", &[time(total.time), total.allocations.to_string()]);

    let per = |kept: isize, count: usize| heap(kept / isize::try_from(count.max(1)).unwrap_or(1));
    println!();
    println!("heap per {}, before anybody connects: {}", mesh.unit, per(judged.kept + applied.kept, mesh.units));
    let all = cold.kept + connected.kept;
    println!("heap per proxy, with all that audiences share: {}", per(all, mesh.proxies.len()));
    let ((), replica) = cost(|| replica(&mut engine, mesh.proxies.last().cloned()));
    println!("heap for one more proxy of a known audience: {}", per(replica.kept, 1));
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

/// Connects once more and stays.
fn replica(engine: &mut Engine, proxy: Option<Proxy>) {
    if let Some(proxy) = proxy {
        engine.connect(proxy);
    }
}

/// What the protocol remembers of a client that has everything.
fn weigh_streams(snapshots: &BTreeMap<ProxyId, Arc<Snapshot>>) {
    let mut kept = Vec::new();
    for snapshot in snapshots.values().take(STREAMS) {
        let (subscriber, cost) = cost(|| {
            let options = Options { bounds: Default::default(), routes: Default::default(), defaults: defaults() };
            let mut subscriber = Subscriber::new(Protocol::Delta, options, snapshot.clone());
            let mut client = Client::new(Protocol::Delta, bodies::EnvoyBodies);
            client.connect();
            while let Some(request) = client.next_request() {
                for response in subscriber.on_request(request).expect("the simulated client keeps the rules") {
                    client.receive(&response);
                }
            }
            subscriber
        });
        kept.push((subscriber, cost.kept));
    }
    let all: isize = kept.iter().map(|(_, kept)| kept).sum();
    println!("heap per stream, what it has told its client: {}", heap(all / isize::try_from(kept.len().max(1)).unwrap_or(1)));
}

fn heap(kept: isize) -> String {
    if kept < 0 { format!("-{}", bytes(kept.unsigned_abs())) } else { bytes(kept.unsigned_abs()) }
}
