//! Runs a script against a live engine, a fresh one after every batch, and simulated clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_engine::{Engine, Forget, Proxy, ProxyId, Role, defaults};
use pilothouse_testkit::inputs::Inputs;
use pilothouse_testkit::script::{PROXIES, Step};
use pilothouse_xds::model::Client;
use pilothouse_xds::{Options, Protocol, RouteDelivery, Snapshot, Subscriber};

use crate::bodies::EnvoyBodies;

const NO_BUG: &str = "there is no bug in the way";

fn proxy(index: usize) -> Proxy {
    let (namespace, name, gateway) = PROXIES[index];
    Proxy::of_pod(if gateway { Role::Gateway } else { Role::Sidecar }, namespace, name)
}

/// Name and version of every resource of every proxy, and all findings.
pub(crate) fn state(engine: &mut Engine) -> (Vec<BTreeSet<String>>, Vec<String>) {
    let proxies = (0..PROXIES.len())
        .map(|index| {
            let (id, snapshot) = engine.connect(proxy(index));
            engine.disconnect(id);
            names(&snapshot.expect(NO_BUG))
        })
        .collect();
    (proxies, engine.diagnostics().iter().map(pilothouse_diag::render::text).collect())
}

fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let Snapshot { revision: _, clusters, endpoints, listeners, routes, secrets } = snapshot;
    let mut all = BTreeSet::new();
    for (kind, layers) in [("cds", clusters), ("eds", endpoints), ("lds", listeners), ("sds", secrets)] {
        all.extend(layers.iter().map(|one| format!("{kind} {} {}", one.name, one.version)));
    }
    for table in routes.iter() {
        all.insert(format!("rds {} {}", table.name(), table.assembled().version));
        all.extend(table.parts().iter().map(|one| format!("vhds {} {}", one.name, one.version)));
    }
    all
}

/// A proxy with its stream.
struct Stream {
    id: ProxyId,
    subscriber: Subscriber,
    client: Client<EnvoyBodies>,
    newest: Arc<Snapshot>,
}

fn options(index: usize) -> Options {
    // One proxy gets its tables host by host whatever their size, the others in one piece.
    let routes = if index == 0 { RouteDelivery::Auto { over: 0 } } else { RouteDelivery::Rds };
    Options { bounds: Default::default(), routes, defaults: defaults() }
}

fn protocol(index: usize) -> Protocol {
    if index == 2 { Protocol::Sotw } else { Protocol::Delta }
}

/// Lets a proxy read and answer up to so many messages.
fn pump(stream: &mut Stream, most: usize) -> Result<(), String> {
    for _ in 0..most {
        let Some(request) = stream.client.next_request() else { return Ok(()) };
        let responses = stream.subscriber.on_request(request).map_err(|error| error.to_string())?;
        for response in responses {
            stream.client.receive(&response);
        }
    }
    Ok(())
}

/// Runs a script; the error says what differed first.
pub(crate) fn run(script: &[Step], forget: Forget) -> Result<(), String> {
    let mut live = Engine::new();
    live.forget(forget);
    let mut inputs = Inputs::default();
    let mut batch = Vec::new();
    let mut streams: BTreeMap<usize, Stream> = BTreeMap::new();
    let mut offline: BTreeMap<usize, Client<EnvoyBodies>> = BTreeMap::new();
    for step in script.iter().chain([&Step::Commit]) {
        match step {
            Step::Apply(_) | Step::Remove(..) => batch.extend(inputs.note(step)),
            Step::Commit => {
                let commit = live.apply(std::mem::take(&mut batch));
                let news: BTreeMap<ProxyId, Arc<Snapshot>> = commit.changed.into_iter().collect();
                for stream in streams.values_mut() {
                    if let Some(snapshot) = news.get(&stream.id) {
                        stream.newest = snapshot.clone();
                        for response in stream.subscriber.on_snapshot(snapshot.clone()) {
                            stream.client.receive(&response);
                        }
                    }
                }
                compare(&mut live, &inputs, &streams)?;
            }
            Step::Connect(index) => {
                let mut client = match (streams.remove(index), offline.remove(index)) {
                    (Some(broken), _) => {
                        live.disconnect(broken.id);
                        broken.client
                    }
                    (None, Some(client)) => client,
                    (None, None) => Client::new(protocol(*index), EnvoyBodies),
                };
                let (id, snapshot) = live.connect(proxy(*index));
                let snapshot = snapshot.expect(NO_BUG);
                client.connect();
                let subscriber = Subscriber::new(protocol(*index), options(*index), snapshot.clone());
                streams.insert(*index, Stream { id, subscriber, client, newest: snapshot });
            }
            Step::Disconnect(index) => {
                if let Some(stream) = streams.remove(index) {
                    live.disconnect(stream.id);
                    offline.insert(*index, stream.client);
                }
            }
            Step::Pump(index) => {
                if let Some(stream) = streams.get_mut(index) {
                    pump(stream, 3)?;
                }
            }
        }
    }
    for (index, stream) in &mut streams {
        pump(stream, 10_000)?;
        if stream.client.has_requests() {
            return Err(format!("the stream of proxy {index} never comes to rest"));
        }
        stream
            .client
            .check(&stream.newest, defaults())
            .map_err(|difference| format!("what proxy {index} built from its messages: {difference}"))?;
    }
    Ok(())
}

/// Compares the live engine with a fresh one made from the same objects.
fn compare(live: &mut Engine, inputs: &Inputs, streams: &BTreeMap<usize, Stream>) -> Result<(), String> {
    let mut fresh = Engine::new();
    fresh.apply(inputs.changes());
    for (index, stream) in streams {
        let (_, wanted) = fresh.connect(proxy(*index));
        let kept = live.snapshot(stream.id).ok_or("a connected proxy has no snapshot")?;
        let (kept, wanted, told) = (names(&kept), names(&wanted.expect(NO_BUG)), names(&stream.newest));
        if kept != wanted {
            let (missing, extra): (Vec<_>, Vec<_>) =
                (wanted.difference(&kept).collect(), kept.difference(&wanted).collect());
            return Err(format!("proxy {index} lacks {missing:#?} and has {extra:#?}"));
        }
        if told != kept {
            return Err(format!("proxy {index} was not told of the newest snapshot"));
        }
    }
    let text =
        |engine: &Engine| engine.diagnostics().iter().map(pilothouse_diag::render::text).collect::<Vec<_>>();
    if text(live) != text(&fresh) {
        return Err(format!("findings differ: {:#?} instead of {:#?}", text(live), text(&fresh)));
    }
    Ok(())
}
