//! What a bug harms and what it does not: bugs are wished for, and live engines compared with fresh ones.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{set_hook, take_hook};
use std::rc::Rc;
use std::sync::Once;

use pilothouse_base::{Hostname, Kind, Name, Namespace, ObjectKey};
use pilothouse_testkit::inputs::Inputs;
use pilothouse_testkit::script::{NAMESPACES, PROXIES, Step, scripts};
use pilothouse_testkit::{change, changes, objects};
use pilothouse_view::query::{Role, stranger};
use pilothouse_view::{Query, QueryKind};
use pilothouse_xds::Snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::bug::Stage;
use crate::panic_hook;
use crate::poison::{self, Poison};

/// Keeps what is caught off the output, as the daemon does.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_hook(panic_hook(take_hook())));
}

type Has = Option<BTreeSet<String>>;

/// Name and version of every resource.
fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let Snapshot { revision: _, clusters, endpoints, listeners, routes, secrets } = snapshot;
    let mut all = BTreeSet::new();
    for (kind, layers) in [("cds", clusters), ("eds", endpoints), ("lds", listeners), ("sds", secrets)] {
        all.extend(layers.iter().map(|one| format!("{kind} {} {}", one.name, one.version)));
    }
    all.extend(routes.iter().map(|table| format!("rds {} {}", table.name(), table.assembled().version)));
    all
}

fn has(snapshot: Option<&Arc<Snapshot>>) -> Has {
    snapshot.map(|snapshot| names(snapshot))
}

fn proxy(index: usize) -> Proxy {
    let (namespace, name, gateway) = PROXIES[index];
    Proxy::of_pod(if gateway { Role::Gateway } else { Role::Sidecar }, namespace, name)
}

/// Bugs in one of so many questions, brought about by one of so many of their answers.
#[derive(Clone, Debug)]
struct Wish {
    stage: Stage,
    kind: Option<QueryKind>,
    one_of: u64,
    answers: u64,
    seed: u64,
}

impl Wish {
    fn poison(self) -> Poison {
        let Self { stage, kind, one_of, answers, seed } = self;
        let digest = move |of: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            seed.hash(&mut hasher);
            of(&mut hasher);
            hasher.finish()
        };
        Rc::new(move |at, query: &Query, answer: &dyn Debug| {
            // A stranger has no targets of its own; nothing is read to tell that, so nothing could ever lift it.
            let liftable = !matches!(query, Query::Targets(namespace) if *namespace == stranger());
            at == stage
                && liftable
                && kind.is_none_or(|kind| kind == query.kind())
                && digest(&|hasher| query.hash(hasher)).is_multiple_of(one_of)
                && digest(&|hasher| format!("{answer:?}").hash(hasher)).is_multiple_of(answers)
        })
    }
}

fn wishes() -> impl Strategy<Value = Wish> {
    let stage = prop_oneof![3 => Just(Stage::Answer), 1 => Just(Stage::Encode)];
    let kind = prop::option::weighted(0.7, prop::sample::select(QueryKind::ALL.to_vec()));
    (stage, kind, prop::sample::select(vec![1, 3, 10]), prop::sample::select(vec![1, 2, 3]), any::<u64>())
        .prop_map(|(stage, kind, one_of, answers, seed)| Wish { stage, kind, one_of, answers, seed })
}

/// Compares what each proxy has with fresh engines, one with the bugs and one without. Returns how many have something to miss.
fn compare(
    live: &Engine,
    inputs: &Inputs,
    streams: &BTreeMap<usize, (ProxyId, Has)>,
    before: &BTreeMap<usize, (ProxyId, Has)>,
) -> Result<usize, String> {
    let mut harmed = 0;
    let mut fresh = Engine::new();
    fresh.apply(inputs.changes());
    let mut sound = Engine::new();
    poison::with(None, || sound.apply(inputs.changes()));
    for (index, (id, told)) in streams {
        let fit = poison::with(None, || has(sound.connect(proxy(*index)).1.as_ref()));
        let wanted = match fresh.connect(proxy(*index)).1 {
            Some(snapshot) if has(Some(&snapshot)) != fit => {
                return Err(format!("a bug shapes what proxy {index} has in a fresh engine"));
            }
            Some(_) => fit,
            // It keeps the last good state.
            None => {
                harmed += 1;
                before.get(index).and_then(|(_, has)| has.clone())
            }
        };
        let kept = has(live.snapshot(*id).as_ref());
        if kept != wanted {
            return Err(format!("proxy {index} has {kept:#?} instead of {wanted:#?}"));
        }
        if *told != wanted {
            return Err(format!("proxy {index} was told of {told:#?} instead of {wanted:#?}"));
        }
    }
    let known = live.bugs();
    if let Some(bug) = fresh.bugs().keys().find(|bug| !known.contains_key(*bug)) {
        return Err(format!("nobody hears that {bug}"));
    }
    let counted = known.values().map(|harm| harm.keeping + harm.waiting).max().unwrap_or(0);
    if harmed > 0 && counted == 0 || counted > harmed {
        return Err(format!("{harmed} are harmed, not {counted}"));
    }
    Ok(harmed)
}

/// Runs a script with bugs, then lifts these.
fn run(script: &[Step], wish: Wish) -> Result<(), String> {
    quiet();
    let mut live = Engine::new();
    let mut inputs = Inputs::default();
    let mut batch = Vec::new();
    let mut streams: BTreeMap<usize, (ProxyId, Has)> = BTreeMap::new();
    poison::with(Some(wish.poison()), || {
        for step in script.iter().chain([&Step::Commit]) {
            match step {
                Step::Apply(_) | Step::Remove(..) => batch.extend(inputs.note(step)),
                Step::Commit => {
                    let before = streams.clone();
                    tell(&mut streams, live.apply(std::mem::take(&mut batch)));
                    compare(&live, &inputs, &streams, &before)?;
                }
                Step::Connect(index) => {
                    if let Some((id, _)) = streams.remove(index) {
                        live.disconnect(id);
                    }
                    let (id, snapshot) = live.connect(proxy(*index));
                    streams.insert(*index, (id, has(snapshot.as_ref())));
                }
                Step::Disconnect(index) => {
                    if let Some((id, _)) = streams.remove(index) {
                        live.disconnect(id);
                    }
                }
                Step::Pump(_) => {}
            }
        }
        Ok::<_, String>(())
    })?;

    // Without the bugs, whatever was read for an answer that failed changes, and is then as it was.
    let mut other = Inputs::default();
    for object in elsewhere() {
        other.note(&Step::Apply(object));
    }
    for changes in [inputs.changes_to(&other), other.changes_to(&inputs)] {
        tell(&mut streams, live.apply(changes));
    }
    let bugs = live.bugs();
    if !bugs.is_empty() {
        return Err(format!("there still are {bugs:#?}"));
    }
    compare(&live, &inputs, &streams, &BTreeMap::new())?;
    for (id, _) in streams.into_values() {
        live.disconnect(id);
    }
    let mut fresh = Engine::new();
    fresh.apply(inputs.changes());
    if live.size() != fresh.size() {
        return Err(format!("{:?} is left behind instead of {:?}", live.size(), fresh.size()));
    }
    Ok(())
}

/// Objects of every kind that is read by lists, other ones than scripts have, some for one namespace alone, and pods of the
/// names they have.
fn elsewhere() -> Vec<Value> {
    let mut all = vec![objects::mesh(&json!({"connectTimeout": "77s", "rootNamespace": "other"}))];
    for namespace in NAMESPACES {
        let host = format!("other.{namespace}.svc.cluster.local");
        all.push(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"other": "yes"}}}));
        all.push(objects::service(namespace, "other", "10.96.7.7", &[("http", 80)]));
        all.push(service(namespace, "10.96.7.8"));
        all.push(objects::split(namespace, "other", &host, 50));
        all.push(objects::subsets(namespace, "other", &host, 7));
        all.push(objects::peer_authentication(namespace, "other", "other", "STRICT"));
        all.push(json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
            "metadata": {"name": "other", "namespace": namespace},
            "spec": {"selector": {"istio": "other"},
                "servers": [{"port": {"number": 8443, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}}));
        for pod in ["p0", "p1", "p2", "stranger"] {
            all.push(objects::pod(namespace, pod, "10.7.7.7", "other", "v7"));
        }
    }
    all
}

fn tell(streams: &mut BTreeMap<usize, (ProxyId, Has)>, commit: Commit) {
    let news: BTreeMap<ProxyId, Arc<Snapshot>> = commit.changed.into_iter().collect();
    for (id, told) in streams.values_mut() {
        if let Some(snapshot) = news.get(id) {
            *told = has(Some(snapshot));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_bug_harms_those_who_need_the_answer_and_nobody_else(script in scripts(50), wish in wishes()) {
        if let Err(difference) = run(&script, wish) {
            return Err(TestCaseError::fail(difference));
        }
    }
}

fn service(namespace: &str, address: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "own", "namespace": namespace,
            "annotations": {"networking.istio.io/exportTo": "."}},
        "spec": {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}})
}

fn connect(engine: &mut Engine, namespace: &str) -> (ProxyId, Has) {
    let (id, snapshot) = engine.connect(Proxy::of_pod(Role::Sidecar, namespace, "pod"));
    (id, has(snapshot.as_ref()))
}

/// A bug in every cluster of a host.
fn in_clusters_of(host: &'static str) -> Poison {
    Rc::new(move |stage, query: &Query, _: &dyn Debug| {
        stage == Stage::Encode
            && matches!(query, Query::Cluster(key) if key.service.host == Hostname::parse(host))
    })
}

#[test]
fn a_namespace_with_a_bug_stands_still_while_others_go_on() {
    quiet();
    let mut engine = Engine::new();
    engine.apply(changes(&[service("b", "10.96.0.2"), objects::namespace("a")]));
    let ((a, before), (b, _)) = (connect(&mut engine, "a"), connect(&mut engine, "b"));
    poison::with(Some(in_clusters_of("own.a.svc.cluster.local")), || {
        let commit = engine.apply(changes(&[service("a", "10.96.0.1")]));
        assert_eq!(commit.changed.len(), 0);
        let bugs = engine.bugs();
        let (bug, harm) = bugs.first_key_value().unwrap();
        assert_eq!(*harm, Harm { keeping: 1, waiting: 0 });
        assert_eq!(bug.objects(), [ObjectKey::new(Kind::Service, "a", "own")]);

        // Something else that both see.
        let commit = engine.apply(changes(&[change_for_all()]));
        assert_eq!(commit.changed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [b]);
        assert_eq!(has(engine.snapshot(a).as_ref()), before);

        // One that comes meanwhile shares the last good state; one of a new audience waits.
        assert_eq!(connect(&mut engine, "a").1, before);
        let gateway = engine.connect(Proxy::of_pod(Role::Gateway, "a", "gateway"));
        assert!(gateway.1.is_none());
        // Gateways have a cluster of their own for the service.
        let harms: Vec<Harm> = engine.bugs().into_values().collect();
        assert_eq!(harms, [Harm { keeping: 2, waiting: 0 }, Harm { keeping: 0, waiting: 1 }]);
        let shown = pilothouse_diag::render::text(&engine.diagnostics()[0]);
        for words in [
            "error[PH0601]",
            "Service a/own",
            "encoding cluster outbound|80||own.a.svc.cluster.local failed: as the test wished (crates/engine/src/poison.rs:",
            "2 connected proxies keep their last good state and 0 have nothing yet",
            "please report this",
        ] {
            assert!(shown.contains(words), "{words:?} is not in\n{shown}");
        }

        // The object that brought it about goes: everything is well, and those who waited hear of it.
        let key = ObjectKey::new(Kind::Service, "a", "own");
        let commit = engine.apply(vec![Change::Remove { key }]);
        assert_eq!(commit.changed.len(), 3, "both sidecars of the namespace, and the gateway");
        assert!(engine.bugs().is_empty());
        assert!(engine.diagnostics().is_empty());
        assert!(engine.snapshot(gateway.0).is_some());
    });
}

fn change_for_all() -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "shared", "namespace": "c"},
        "spec": {"hosts": ["shared.example.com"], "resolution": "DNS",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}})
}

#[test]
fn a_proxy_whose_audience_is_not_known_keeps_what_it_has() {
    quiet();
    let pod = |app: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "pod", "namespace": "a", "labels": {"app": app}},
            "spec": {"serviceAccountName": "default"}, "status": {"phase": "Running", "podIP": "10.1.0.1"}})
    };
    let mut engine = Engine::new();
    engine.apply(changes(&[pod("good")]));
    let (id, before) = connect(&mut engine, "a");
    let poison: Poison = Rc::new(|stage, query: &Query, _: &dyn Debug| {
        stage == Stage::Answer && matches!(query, Query::Audience(_))
    });
    poison::with(Some(poison), || {
        let commit = engine.apply(changes(&[pod("bad"), change_for_all()]));
        assert!(commit.changed.is_empty());
        assert_eq!(has(engine.snapshot(id).as_ref()), before);
        assert!(connect(&mut engine, "a").1.is_none(), "it cannot be told what another one is");
    });
    let commit = engine.apply(vec![change(&pod("good"))]);
    assert_eq!(commit.changed.len(), 2);
    assert_ne!(has(engine.snapshot(id).as_ref()), before);
}

#[test]
fn a_secret_is_not_quoted() {
    let query = Arc::new(Query::Public);
    let panic = || crate::guard::Panic { message: "-----BEGIN".to_owned(), place: None };
    let key = pilothouse_world::Key::Secret(Namespace::from("a"), Name::from("cert"));
    let bug = Bug::new(&query, Stage::Answer, panic(), [&key].into_iter(), &World::default(), &[]);
    assert!(!bug.to_string().contains("BEGIN"), "{bug}");
    let bug = Bug::new(&query, Stage::Answer, panic(), std::iter::empty(), &World::default(), &[]);
    assert!(bug.to_string().contains("BEGIN"), "{bug}");
}
