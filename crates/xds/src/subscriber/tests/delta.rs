use std::sync::Arc;

use bytes::Bytes;
use pilothouse_base::{Kind, ObjectKey};

use super::mesh::options;
use super::stream::{Stream, delta, mesh};
use crate::composite::{Composite, Headers};
use crate::message::{DeltaRequest, Protocol, Request, Response, SotwRequest, StreamError};
use crate::options::{Bounds, Options};
use crate::resource::{Resource, ResourceType::*};
use crate::snapshot::Snapshot;
use crate::status::TypeState;
use crate::subscriber::Subscriber;

const NOTHING: [&str; 0] = [];

/// A stream that has been told all of a mesh of clusters a and b.
fn told() -> Stream {
    let mut stream = Stream::new(Protocol::Delta, mesh(&["a", "b"], &["x"]));
    assert_eq!(stream.ask(delta(Cluster)), ["CDS a b"]);
    assert_eq!(stream.ask(delta(Endpoint).sub(&["a", "b"])), ["EDS a b"]);
    assert_eq!(stream.ack(Endpoint), NOTHING);
    assert_eq!(stream.ack(Cluster), NOTHING);
    assert_eq!(stream.ask(delta(Listener)), ["LDS l"]);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Listener), NOTHING);
    assert_eq!(stream.ack(Route), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 1);
    stream
}

#[test]
fn without_news_nothing_is_sent() {
    let mut stream = told();
    assert_eq!(stream.change(|_| {}), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 2);
    assert!(stream.server.status().types.values().all(|status| status.state == TypeState::Synced));
}

#[test]
fn an_empty_mesh_is_answered_too() {
    let mut stream = Stream::new(Protocol::Delta, mesh(&[], &[]));
    stream.mesh.listeners.clear();
    stream.change(|_| {});
    assert_eq!(stream.ask(delta(Cluster)), ["CDS"]);
    assert_eq!(stream.ack(Cluster), NOTHING);
    assert_eq!(stream.ask(delta(Listener)), ["LDS"]);
}

#[test]
fn a_moved_endpoint_is_one_assignment() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), ["EDS a"]);
    // The next move waits for the answer, and only the last counts.
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 3), NOTHING);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 4), NOTHING);
    assert_eq!(stream.ack(Endpoint), ["EDS a"]);
    // One that comes back before it could be sent was never there.
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("b").unwrap() = 2), NOTHING);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("b").unwrap() = 1), NOTHING);
    assert_eq!(stream.ack(Endpoint), NOTHING);
}

#[test]
fn a_changed_cluster_brings_its_assignment() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2), ["CDS a", "EDS a"]);
}

#[test]
fn make_before_break() {
    let mut stream = told();
    let sent = stream.change(|mesh| {
        mesh.clusters.insert("c".to_owned(), (1, true));
        mesh.endpoints.insert("c".to_owned(), 1);
        mesh.clusters.remove("a");
        mesh.endpoints.remove("a");
        mesh.listeners.get_mut("l").unwrap().0 = 2;
        mesh.tables.get_mut("t").unwrap().0 = 2;
    });
    assert_eq!(sent, ["CDS c"]);
    assert!(stream.server.is_waiting());
    assert_eq!(stream.ask(delta(Endpoint).sub(&["c"])), ["EDS c"]);
    assert_eq!(stream.ack(Endpoint), NOTHING);
    assert_eq!(stream.ack(Cluster), ["LDS l", "RDS t"]);
    assert_eq!(stream.ack(Listener), NOTHING);
    assert_eq!(stream.ack(Route), ["CDS -a"]);
    assert_eq!(stream.ask(delta(Endpoint).unsub(&["a"])), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 1);
    assert_eq!(stream.ack(Cluster), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 2);
}

#[test]
fn a_cluster_that_returns_while_a_push_is_under_way() {
    let mut stream = told();
    assert_eq!(
        stream.change(|mesh| {
            mesh.clusters.remove("b");
            mesh.listeners.get_mut("l").unwrap().0 = 2;
        }),
        ["LDS l"]
    );
    assert_eq!(stream.change(|mesh| mesh.clusters.insert("b".to_owned(), (1, true))), NOTHING);
    // The first push ends as it began; the second knows that the client lost the cluster.
    assert_eq!(stream.ack(Listener), ["CDS -b"]);
    assert_eq!(stream.ack(Cluster), ["CDS b", "EDS b"]);
}

#[test]
fn an_assignment_that_is_gone_while_asked_for_is_empty() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| mesh.endpoints.remove("a")), ["EDS a"]);
    assert_eq!(stream.ask(delta(Endpoint).sub(&["nobody"])), NOTHING, "in flight");
    assert_eq!(stream.ack(Endpoint), ["EDS nobody"]);
}

#[test]
fn while_a_push_waits_only_the_newest_snapshot_is_kept() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2), ["CDS a", "EDS a"]);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("b").unwrap().0 = 2), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("b").unwrap().0 = 3), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.listeners.get_mut("l").unwrap().0 = 2), NOTHING);
    assert_eq!(stream.server.status().types[&Listener].state, TypeState::Pending { since: 5 });
    assert_eq!(stream.ack(Endpoint), NOTHING);
    assert_eq!(stream.ack(Cluster), ["CDS b", "EDS b"]);
    assert_eq!(stream.ack(Cluster), ["LDS l"]);
}

#[test]
fn endpoints_do_not_wait_for_clusters() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2), ["CDS a", "EDS a"]);
    assert_eq!(stream.ack(Endpoint), NOTHING);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("b").unwrap() = 2), ["EDS b"]);
}

#[test]
fn a_cluster_on_its_way_out_keeps_its_endpoints() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), ["EDS a"]);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2), ["CDS a"]);
    assert_eq!(stream.change(|mesh| mesh.clusters.remove("a")), NOTHING);
    assert_eq!(stream.ack(Endpoint), ["EDS a"], "the changed cluster waits for it");
    assert_eq!(stream.body(Endpoint, "a"), "endpoints 2");
}

#[test]
fn a_client_that_does_not_answer_can_be_left_waiting() {
    let mut stream = told();
    stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2);
    assert_eq!(stream.change(|mesh| mesh.listeners.get_mut("l").unwrap().0 = 2), NOTHING);
    assert_eq!(stream.release(), ["LDS l"]);
    let mut stream = Stream::new(Protocol::Delta, mesh(&["a"], &[]));
    assert_eq!(stream.ask(delta(Listener)), NOTHING, "an Envoy asks for clusters first");
    assert_eq!(stream.release(), ["LDS l"]);
}

#[test]
fn stale_nonces_answer_nothing_but_subscribe() {
    let mut stream = told();
    let old = stream.nonce(Endpoint);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), ["EDS a"]);
    let stale = DeltaRequest { response_nonce: old, error: Some("no".to_owned()), ..delta(Endpoint) };
    assert_eq!(stream.ask(stale.sub(&["z"])), NOTHING);
    assert!(stream.server.take_rejections().is_empty());
    assert_eq!(stream.ack(Endpoint), ["EDS z"]);
    assert_eq!(stream.ack(Cluster), NOTHING, "a second answer is none");
}

#[test]
fn a_name_subscribed_again_is_answered_again() {
    let mut stream = told();
    assert_eq!(stream.ask(delta(Endpoint).sub(&["a"])), ["EDS a"]);
    stream.ack(Endpoint);
    assert_eq!(stream.ask(delta(Endpoint).unsub(&["a"])), NOTHING);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), NOTHING);
    assert_eq!(stream.ask(delta(Endpoint).sub(&["a"])), ["EDS a"]);
}

#[test]
fn clusters_by_name_and_all_of_them() {
    let mut stream = Stream::new(Protocol::Delta, mesh(&["a", "b", "c"], &[]));
    assert_eq!(stream.ask(delta(Cluster).sub(&["b", "later"])), ["CDS b"]);
    stream.ack(Cluster);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("c").unwrap().0 = 2), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.clusters.insert("later".to_owned(), (1, false))), ["CDS later"]);
    stream.ack(Cluster);
    assert_eq!(stream.ask(delta(Cluster).sub(&["*"])), ["CDS a c"]);
    stream.ack(Cluster);
    assert_eq!(stream.ask(delta(Cluster).unsub(&["*"])), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("c").unwrap().0 = 3), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("b").unwrap().0 = 3), ["CDS b"]);
}

/// All but assignments, with what the client has.
fn returning(old: &Snapshot, new: &mut Stream) -> Vec<String> {
    let mut sent = new.ask(delta(Cluster).has(old.clusters.iter()));
    sent.extend(new.ask(delta(Endpoint).sub(&["a", "b"]).has(old.endpoints.iter())));
    sent.extend(new.ask(delta(Listener).has(old.listeners.iter())));
    sent.extend(new.ask(delta(Route).sub(&["t"]).has([old.routes.get("t").unwrap().assembled()])));
    sent
}

#[test]
fn a_client_that_returns_hears_what_changed_and_all_assignments() {
    let old = mesh(&["a", "b"], &["x"]);
    let mut stream = Stream::new(Protocol::Delta, old.clone());
    assert_eq!(returning(&old.snapshot(1), &mut stream), ["EDS a b"]);
    assert_eq!(stream.ack(Endpoint), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 1);

    let mut new = old.clone();
    new.clusters.get_mut("b").unwrap().0 = 2;
    new.tables.get_mut("t").unwrap().0 = 2;
    let mut stream = Stream::new(Protocol::Delta, new);
    assert_eq!(returning(&old.snapshot(1), &mut stream), ["CDS b", "EDS a b"]);
    assert_eq!(stream.ack(Cluster), ["RDS t"]);
}

#[test]
fn a_client_that_returns_loses_what_is_gone_but_not_before_its_routes_changed() {
    let old = mesh(&["a", "b"], &["x"]);
    let mut new = mesh(&["b"], &["y"]);
    new.listeners.insert("k".to_owned(), (1, Vec::new(), Vec::new()));
    new.listeners.remove("l");
    let mut stream = Stream::new(Protocol::Delta, new);
    // The empty response is there to be answered after all requests of the new stream.
    assert_eq!(returning(&old.snapshot(1), &mut stream), ["CDS", "EDS a b"]);
    assert_eq!(stream.ack(Cluster), ["LDS k -l", "RDS t"]);
    assert_eq!(stream.ack(Listener), NOTHING);
    assert_eq!(stream.ack(Route), ["CDS -a"]);
}

#[test]
fn versions_of_others_mean_nothing() {
    let mut stream = Stream::new(Protocol::Delta, mesh(&["a"], &["x"]));
    let mut request = delta(Cluster);
    request.initial_versions =
        vec![("a".to_owned(), "2024-01-01".to_owned()), ("z".to_owned(), String::new())];
    assert_eq!(stream.ask(request), ["CDS a"]);
    assert_eq!(stream.ack(Cluster), ["CDS -z"]);
}

#[test]
fn a_refusal_is_remembered_with_its_cause_and_the_rest_goes_on() {
    let origin = ObjectKey::new(Kind::DestinationRule, "shop", "wrong");
    let bad = Arc::new(Resource::new("bad", vec![1], [origin.clone()]));
    let good = Arc::new(Resource::new("good", vec![1], []));
    let snapshot = |revision, bad: &Arc<Resource>, good: &Arc<Resource>| -> Arc<Snapshot> {
        let clusters = [bad, good].into_iter().cloned().collect();
        Arc::new(Snapshot { revision, clusters, ..Snapshot::default() })
    };
    let mut server = Subscriber::new(Protocol::Delta, options(), snapshot(1, &bad, &good));
    let sent = server.on_request(Request::Delta(delta(Cluster))).unwrap();
    let error = Some("Error adding/updating cluster(s) bad: no such thing".to_owned());
    let nack = DeltaRequest { response_nonce: sent[0].nonce.clone(), error, ..delta(Cluster) };
    assert_eq!(server.on_request(Request::Delta(nack.clone())).unwrap(), []);

    let status = server.status();
    let [rejection] = &status.types[&Cluster].rejected[..] else { panic!("{status:#?}") };
    assert_eq!(rejection.resources, [(Arc::from("bad"), bad.version)]);
    assert_eq!(*rejection.origins, [origin]);
    assert_eq!(&*rejection.message, "Error adding/updating cluster(s) bad: no such thing");
    assert_eq!((rejection.count, rejection.revision), (1, 1));
    assert_eq!(status.acknowledged, 1, "an answer is an answer");
    assert_eq!(server.take_rejections().len(), 1);
    assert!(server.take_rejections().is_empty(), "once");

    // Nothing is sent again until it changes, and then the suspect goes alone, after the others.
    assert_eq!(server.on_snapshot(snapshot(2, &bad, &good)), []);
    let better = Arc::new(Resource::new("bad", vec![2], []));
    let other = Arc::new(Resource::new("good", vec![2], []));
    let sent = server.on_snapshot(snapshot(3, &better, &other));
    assert_eq!(sent[0].resources, [other]);
    let ack = DeltaRequest { response_nonce: sent[0].nonce.clone(), ..delta(Cluster) };
    let sent = server.on_request(Request::Delta(ack)).unwrap();
    assert_eq!(sent[0].resources, [better]);
    let ack = DeltaRequest { response_nonce: sent[0].nonce.clone(), ..delta(Cluster) };
    server.on_request(Request::Delta(ack)).unwrap();
    assert!(server.status().types[&Cluster].rejected.is_empty());
}

#[test]
fn a_refused_table_is_laid_to_the_hosts_that_changed_since_it_was_taken() {
    let route = |name: &str| ObjectKey::new(Kind::VirtualService, "shop", name);
    let snapshot = |revision, fields: [u8; 2]| -> Arc<Snapshot> {
        let host = |(name, content): (&str, u8)| Composite::part("t", name, &[content], [route(name)]);
        let parts = ["x", "y"].into_iter().zip(fields).map(host).collect();
        let headers = Headers { whole: Bytes::new(), split: Bytes::new(), part_field: 2 };
        let table = Arc::new(Composite::new("t", headers, parts, []));
        Arc::new(Snapshot { revision, routes: [table].into_iter().collect(), ..Snapshot::default() })
    };
    let mut server = Subscriber::new(Protocol::Delta, options(), snapshot(1, [1, 1]));
    let answer = |sent: &[Response], error: Option<&str>| {
        let nonce = sent[0].nonce.clone();
        Request::Delta(DeltaRequest {
            response_nonce: nonce,
            error: error.map(str::to_owned),
            ..delta(Route)
        })
    };
    let blamed = |server: &Subscriber| -> Vec<ObjectKey> {
        let status = server.status();
        status.types[&Route].rejected.iter().flat_map(|one| one.origins.to_vec()).collect()
    };
    for kind in [Cluster, Listener] {
        for one in server.on_request(Request::Delta(delta(kind))).unwrap() {
            let ack = DeltaRequest { response_nonce: one.nonce, ..delta(kind) };
            server.on_request(Request::Delta(ack)).unwrap();
        }
    }
    let sent = server.on_request(Request::Delta(delta(Route).sub(&["t"]))).unwrap();
    server.on_request(answer(&sent, Some("no"))).unwrap();
    assert_eq!(blamed(&server), [route("x"), route("y")], "it was never taken");
    let sent = server.on_snapshot(snapshot(2, [2, 2]));
    server.on_request(answer(&sent, None)).unwrap();
    let sent = server.on_snapshot(snapshot(3, [2, 3]));
    server.on_request(answer(&sent, Some("no"))).unwrap();
    assert_eq!(blamed(&server), [route("y")]);
    // What it took last is what counts, not what it refused last.
    let sent = server.on_snapshot(snapshot(4, [4, 3]));
    server.on_request(answer(&sent, Some("no"))).unwrap();
    assert_eq!(blamed(&server), [route("x"), route("y")]);
}

#[test]
fn what_was_refused_is_removed_on_a_later_stream_though_it_is_not_reported() {
    let mut stream = Stream::new(Protocol::Delta, mesh(&["a", "b"], &[]));
    stream.ask(delta(Cluster));
    stream.nack(Cluster, "a: no");
    let left = stream.server.unconfirmed();
    assert!(!left.is_empty());

    let mut stream = Stream::new(Protocol::Delta, mesh(&["a"], &[]));
    stream.server.remember(left);
    assert_eq!(stream.ask(delta(Cluster)), ["CDS a"]);
    assert_eq!(stream.ack(Cluster), ["CDS -b"]);
    assert!(!stream.server.unconfirmed().is_empty(), "until it is answered");
    stream.ack(Cluster);
    assert!(stream.server.unconfirmed().is_empty());
}

#[test]
fn one_bad_assignment_does_not_spoil_the_others() {
    let names = ["a", "b", "c", "d"];
    let mut stream = Stream::new(Protocol::Delta, mesh(&names, &[]));
    stream.ask(delta(Cluster));
    assert_eq!(stream.ask(delta(Endpoint).sub(&names)), ["EDS a b c d"]);
    assert_eq!(stream.nack(Endpoint, "malformed IP address: c"), ["EDS a b d"], "the words seem to name it");
    assert_eq!(stream.nack(Endpoint, "malformed"), ["EDS a"]);
    assert_eq!(stream.ack(Endpoint), ["EDS b d"]);
    assert_eq!(stream.nack(Endpoint, "malformed"), ["EDS b"]);
    assert_eq!(stream.nack(Endpoint, "malformed"), ["EDS d"]);
    assert_eq!(stream.ack(Endpoint), ["EDS c"]);
    assert_eq!(stream.ack(Endpoint), ["EDS b"], "another chance");
    assert_eq!(stream.nack(Endpoint, "malformed"), NOTHING);
    let rejected = &stream.server.status().types[&Endpoint].rejected;
    assert_eq!(rejected.len(), 1);
    assert_eq!(&*rejected[0].resources[0].0, "b");
}

#[test]
fn secrets_go_alone_and_are_held_back_rather_than_denied() {
    let mut stream = told();
    stream.change(|mesh| mesh.secrets.extend([("s1".to_owned(), 1), ("s2".to_owned(), 1)]));
    stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2);
    assert_eq!(stream.ask(delta(Secret).sub(&["default", "s1", "s2"])), ["SDS s1"]);
    assert_eq!(stream.ack(Secret), ["SDS s2"]);
    assert_eq!(stream.ack(Secret), NOTHING);
    let wanted = stream.server.wanted_secrets();
    assert_eq!(wanted.iter().map(|wanted| &*wanted.name).collect::<Vec<_>>(), ["default"]);
    assert!(matches!(stream.server.status().types[&Secret].state, TypeState::Pending { .. }));
    assert_eq!(stream.secret("default", "key"), ["SDS default"]);
    assert!(stream.server.wanted_secrets().is_empty());
    assert!(!format!("{:?}", stream.server).contains("key"), "not kept");
    assert_eq!(stream.ack(Secret), NOTHING);
    assert_eq!(stream.secret("default", "key"), NOTHING, "the same again");
    assert_eq!(stream.secret("default", "other"), ["SDS default"]);
    assert_eq!(stream.secret("default", "third"), NOTHING, "in flight");
    assert_eq!(stream.nack(Secret, "KEY_VALUES_MISMATCH"), ["SDS default"]);
    assert_eq!(stream.secret("nobody asked", "x"), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.secrets.clear()), NOTHING, "never taken away");
    // What was handed out is gone; who asks again needs a new one.
    stream.ack(Secret);
    assert_eq!(stream.ask(delta(Secret).sub(&["default"])), NOTHING);
    assert_eq!(stream.server.wanted_secrets().len(), 1);
    assert_eq!(stream.ask(delta(Secret).unsub(&["default"])), NOTHING);
    assert!(stream.server.wanted_secrets().is_empty());
}

#[test]
fn a_client_that_returns_keeps_equal_secrets() {
    let mut stream = told();
    stream.change(|mesh| mesh.secrets.insert("s".to_owned(), 1));
    let shared = Arc::clone(stream.mesh.snapshot(1).secrets.get("s").unwrap());
    let roots = Arc::new(Resource::new("ROOTCA", b"roots".to_vec(), []));
    assert_eq!(stream.ask(delta(Secret).sub(&["ROOTCA", "s"]).has([&shared, &roots])), NOTHING);
    assert_eq!(stream.server.wanted_secrets()[0].reported, Some(roots.version));
    assert_eq!(stream.secret("ROOTCA", "roots"), NOTHING);
    assert!(stream.server.wanted_secrets().is_empty());
    assert_eq!(stream.secret("ROOTCA", "new roots"), ["SDS ROOTCA"]);
}

#[test]
fn bounds() {
    let bounds = Bounds { names: 2, name_length: 4, request_bytes: 100 };
    let options = Options { bounds, ..options() };
    let stream = || Stream::with(Protocol::Delta, mesh(&["a"], &[]), options);
    let too_long = StreamError::NameTooLong { kind: Endpoint, limit: 4 };
    assert_eq!(stream().try_ask(delta(Endpoint).sub(&["abcde"])), Err(too_long));
    let mut full = stream();
    assert!(full.try_ask(delta(Endpoint).sub(&["a", "b"])).is_ok());
    assert!(full.try_ask(delta(Endpoint).unsub(&["a"]).sub(&["c"])).is_ok());
    let too_many = StreamError::TooManyNames { kind: Endpoint, limit: 2 };
    assert_eq!(full.try_ask(delta(Endpoint).sub(&["d"])), Err(too_many));
    let names = ["aaaa"; 10];
    let too_large = StreamError::RequestTooLarge { kind: Route, limit: 100 };
    assert_eq!(stream().try_ask(delta(Route).unsub(&names)), Err(too_large.clone()));
    let mut reports = delta(Route);
    reports.initial_versions = vec![("aaaa".to_owned(), "1".to_owned()); 10];
    assert_eq!(stream().try_ask(reports), Err(too_large));
    assert_eq!(stream().try_ask(SotwRequest::new(Route)), Err(StreamError::Dialect));
    let mut sotw = Stream::with(Protocol::Sotw, mesh(&["a"], &[]), options);
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let too_many = StreamError::TooManyNames { kind: Route, limit: 2 };
    assert_eq!(sotw.try_ask(SotwRequest { names, ..SotwRequest::new(Route) }), Err(too_many));
    assert_eq!(sotw.try_ask(delta(Route)), Err(StreamError::Dialect));
}
