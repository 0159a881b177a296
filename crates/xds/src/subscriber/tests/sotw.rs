use super::stream::{Stream, mesh};
use crate::message::{Protocol, SotwRequest};
use crate::resource::ResourceType::*;

const NOTHING: [&str; 0] = [];

/// A stream that has been told all of a mesh of clusters a and b.
fn told() -> Stream {
    let mut stream = Stream::new(Protocol::Sotw, mesh(&["a", "b"], &["x", "y", "z"]));
    assert_eq!(stream.world(Cluster, &[]), ["CDS a b"]);
    assert_eq!(stream.world(Endpoint, &["a", "b"]), ["EDS a b"]);
    assert_eq!(stream.world(Endpoint, &["a", "b"]), NOTHING, "accepts");
    assert_eq!(stream.world(Cluster, &[]), NOTHING, "accepts");
    assert_eq!(stream.world(Listener, &[]), ["LDS l"]);
    assert_eq!(stream.world(Route, &["t"]), ["RDS t"]);
    assert_eq!(stream.world(Listener, &[]), NOTHING, "accepts");
    assert_eq!(stream.world(Route, &["t"]), NOTHING, "accepts");
    assert_eq!(stream.server.status().acknowledged, 1);
    stream
}

#[test]
fn all_clusters_each_time_and_only_what_changed_of_the_others() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), ["EDS a"]);
    stream.world(Endpoint, &["a", "b"]);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2), ["CDS a b", "EDS a"]);
}

#[test]
fn make_before_break() {
    let mut stream = told();
    let sent = stream.change(|mesh| {
        mesh.clusters.insert("c".to_owned(), (1, true));
        mesh.clusters.remove("a");
        mesh.listeners.insert("k".to_owned(), (1, Vec::new(), Vec::new()));
        mesh.listeners.remove("l");
    });
    assert_eq!(sent, ["CDS a b c"], "a is kept for the routes");
    assert_eq!(stream.world(Cluster, &[]), ["LDS k", "RDS t"]);
    assert_eq!(stream.world(Listener, &[]), NOTHING);
    assert_eq!(stream.world(Route, &["t"]), ["CDS b c"]);
    assert_eq!(stream.world(Endpoint, &["b"]), NOTHING);
    assert_eq!(stream.world(Cluster, &[]), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 2);
}

#[test]
fn names_that_are_new_are_answered_alone() {
    let mut stream = told();
    assert_eq!(stream.world(Endpoint, &["a", "b", "c"]), ["EDS c"]);
    assert_eq!(stream.world(Endpoint, &["a", "c"]), NOTHING, "accepts and drops one");
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("b").unwrap() = 2), NOTHING);
    assert_eq!(stream.world(Endpoint, &[]), NOTHING);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), NOTHING);
    assert_eq!(stream.world(Endpoint, &["a"]), ["EDS a"]);
}

#[test]
fn a_repeated_request_is_answered() {
    let mut stream = told();
    assert_eq!(stream.world(Endpoint, &["a", "b"]), ["EDS a b"]);
    assert_eq!(stream.world(Endpoint, &["a", "b"]), NOTHING, "accepts");
    assert_eq!(stream.world(Route, &["t"]), ["RDS t"]);
    assert_eq!(stream.world(Cluster, &[]), NOTHING);
}

#[test]
fn stale_nonces_answer_nothing_but_name() {
    let mut stream = told();
    let response_nonce = stream.nonce(Endpoint);
    assert_eq!(stream.change(|mesh| *mesh.endpoints.get_mut("a").unwrap() = 2), ["EDS a"]);
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let stale = SotwRequest { names, response_nonce: response_nonce.clone(), ..SotwRequest::new(Endpoint) };
    assert_eq!(stream.ask(stale), NOTHING);
    assert_eq!(stream.world(Endpoint, &["a", "b", "c"]), ["EDS c"]);
    // Who drops a name and takes it up again has forgotten what it was.
    for names in [vec!["a".to_owned()], ["a", "b", "c"].map(str::to_owned).to_vec()] {
        let stale =
            SotwRequest { names, response_nonce: response_nonce.clone(), ..SotwRequest::new(Endpoint) };
        assert_eq!(stream.ask(stale), NOTHING);
    }
    assert_eq!(stream.world(Endpoint, &["a", "b", "c"]), ["EDS b c"]);
}

#[test]
fn more_names_before_the_first_answer() {
    let mut stream = Stream::new(Protocol::Sotw, mesh(&["a", "b"], &[]));
    stream.world(Cluster, &[]);
    let ask = |names: &[&str]| SotwRequest {
        names: names.iter().map(ToString::to_string).collect(),
        ..SotwRequest::new(Endpoint)
    };
    assert_eq!(stream.ask(ask(&["a"])), ["EDS a"]);
    assert_eq!(stream.ask(ask(&["a", "b"])), NOTHING);
    assert_eq!(stream.world(Endpoint, &["a", "b"]), ["EDS b"]);
}

#[test]
fn a_refusal_is_not_answered() {
    let mut stream = told();
    stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 2);
    let response_nonce = stream.nonce(Cluster);
    let error = Some("Error adding/updating cluster(s) a: no".to_owned());
    assert_eq!(stream.ask(SotwRequest { response_nonce, error, ..SotwRequest::new(Cluster) }), NOTHING);
    assert_eq!(&*stream.server.status().types[&Cluster].rejected[0].resources[0].0, "a");
    assert_eq!(stream.change(|_| {}), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.clusters.get_mut("a").unwrap().0 = 3), ["CDS a b"]);
    stream.world(Cluster, &[]);
    assert!(stream.server.status().types[&Cluster].rejected.is_empty());
}

#[test]
fn tables_are_assembled_and_hosts_not_served() {
    let mut stream = told();
    assert_eq!(stream.world(VirtualHost, &[]), NOTHING);
    let sent = stream.change(|mesh| mesh.tables.get_mut("t").unwrap().1.remove("x"));
    assert_eq!(sent, ["RDS t"]);
}

#[test]
fn secrets_are_issued_again_for_who_asks_again() {
    let mut stream = told();
    assert_eq!(stream.world(Secret, &["default"]), NOTHING);
    assert_eq!(stream.secret("default", "1"), ["SDS default"]);
    assert_eq!(stream.world(Secret, &["default"]), NOTHING, "accepts");
    assert!(stream.server.wanted_secrets().is_empty());
    assert_eq!(stream.world(Secret, &["default"]), NOTHING);
    assert_eq!(stream.server.wanted_secrets().len(), 1);
    assert_eq!(stream.secret("default", "1"), ["SDS default"]);
}
