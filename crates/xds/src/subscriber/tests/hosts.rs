use std::collections::BTreeMap;

use super::mesh::{Hosts, Mesh, OVER, options};
use super::stream::{Stream, delta, mesh};
use crate::message::Protocol;
use crate::options::{Options, RouteDelivery};
use crate::resource::ResourceType::*;

const NOTHING: [&str; 0] = [];
/// One more than are delivered in one piece.
const MANY: [&str; OVER + 1] = ["x", "y", "z"];

/// A stream that has been told clusters and listeners.
fn ready(mesh: Mesh) -> Stream {
    let mut stream = Stream::new(Protocol::Delta, mesh);
    stream.ask(delta(Cluster));
    stream.ack(Cluster);
    stream.ask(delta(Listener));
    stream.ack(Listener);
    stream
}

/// A stream that has been told a table of many hosts.
fn told() -> Stream {
    let mut stream = ready(mesh(&["a"], &MANY));
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ask(delta(VirtualHost)), NOTHING, "not before the table is there");
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 1);
    stream
}

fn hosts<'a>(mesh: &'a mut Mesh, table: &str) -> &'a mut Hosts {
    &mut mesh.tables.get_mut(table).unwrap().1
}

fn host(content: u8) -> (u8, String) {
    (content, "a".to_owned())
}

#[test]
fn small_tables_go_in_one_piece() {
    let mut stream = ready(mesh(&["a"], &MANY[..OVER]));
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Route), NOTHING);
    // The form stays, whatever becomes of the table.
    let grown = stream.change(|mesh| hosts(mesh, "t").extend(MANY.map(|name| (name.to_owned(), host(2)))));
    assert_eq!(grown, ["RDS t"]);
    assert_eq!(stream.ask(delta(VirtualHost)), NOTHING);
    assert_eq!(stream.ack(Route), NOTHING);
    assert_eq!(stream.ask(delta(Route).unsub(&["t"])), NOTHING);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Route), NOTHING);
}

#[test]
fn all_tables_go_in_one_piece_if_told_so() {
    let options = Options { routes: RouteDelivery::Rds, ..options() };
    let mut stream = Stream::with(Protocol::Delta, mesh(&["a"], &MANY), options);
    stream.ask(delta(Cluster));
    stream.ack(Cluster);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    stream.ask(delta(VirtualHost));
    assert_eq!(stream.ack(Route), NOTHING);
}

#[test]
fn a_changed_host_goes_alone() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| hosts(mesh, "t").insert("y".to_owned(), host(2))), ["VHDS t/y"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    let moved = stream.change(|mesh| {
        hosts(mesh, "t").remove("x");
        hosts(mesh, "t").insert("w".to_owned(), host(1));
    });
    assert_eq!(moved, ["VHDS t/w -t/x"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    // A changed header leaves the hosts where they are.
    assert_eq!(stream.change(|mesh| mesh.tables.get_mut("t").unwrap().0 = 2), ["RDS t"]);
    assert_eq!(stream.ack(Route), NOTHING);
}

#[test]
fn a_changed_header_goes_before_the_hosts() {
    let mut stream = told();
    let sent = stream.change(|mesh| {
        mesh.tables.get_mut("t").unwrap().0 = 2;
        hosts(mesh, "t").insert("y".to_owned(), host(2));
    });
    assert_eq!(sent, ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/y"]);
}

#[test]
fn a_table_without_hosts_says_so() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| hosts(mesh, "t").clear()), ["VHDS -t/x -t/y -t/z"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    // The listener left and returned.
    assert_eq!(stream.ask(delta(Route).unsub(&["t"])), NOTHING, "no host to remove");
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS -t/-"]);
}

#[test]
fn a_table_subscribed_again_is_sent_again_with_all_hosts() {
    let mut stream = told();
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
}

#[test]
fn hosts_of_a_table_nobody_wants_are_removed() {
    let mut stream = told();
    assert_eq!(stream.ask(delta(Route).unsub(&["t"])), ["VHDS -t/x -t/y -t/z"]);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
}

#[test]
fn tables_are_told_one_by_one() {
    let mut two = mesh(&["a"], &MANY);
    two.tables.insert("0.0.0.0/80".to_owned(), two.tables["t"].clone());
    let mut stream = ready(two);
    assert_eq!(stream.ask(delta(Route).sub(&["0.0.0.0/80", "t"])), ["RDS 0.0.0.0/80 t"]);
    stream.ask(delta(VirtualHost));
    assert_eq!(stream.ack(Route), ["VHDS 0.0.0.0/80/x 0.0.0.0/80/y 0.0.0.0/80/z"]);
    assert_eq!(stream.ack(VirtualHost), ["VHDS t/x t/y t/z"]);
}

#[test]
fn a_table_that_leaves_the_mesh_stays_with_who_still_drains() {
    let mut stream = told();
    assert_eq!(stream.change(|mesh| mesh.tables.remove("t")), ["LDS l"]);
    stream.ack(Listener);
    let mut hosts = BTreeMap::from([("x".to_owned(), host(1)), ("w".to_owned(), host(1))]);
    assert_eq!(
        stream.change(|mesh| mesh.tables.insert("t".to_owned(), (1, hosts.clone()))),
        ["VHDS t/w -t/y -t/z"]
    );
    assert_eq!(stream.ack(VirtualHost), ["LDS l"], "not before what was kept is as it should be");
    stream.ack(Listener);
    hosts.clear();
    stream.change(|mesh| mesh.tables.remove("t"));
    stream.ack(Listener);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"], "who asks is told that there is none");
}

#[test]
fn an_unknown_table_is_answered_and_follows() {
    let mut stream = ready(mesh(&["a"], &[]));
    assert_eq!(stream.ask(delta(Route).sub(&["later"])), ["RDS later"]);
    stream.ack(Route);
    stream.ask(delta(VirtualHost));
    let many = MANY.map(|name| (name.to_owned(), host(1))).into_iter().collect();
    assert_eq!(stream.change(|mesh| mesh.tables.insert("later".to_owned(), (1, many))), ["RDS later"]);
    assert_eq!(stream.ack(Route), ["VHDS later/x later/y later/z"]);
}

#[test]
fn a_client_that_returns_keeps_its_hosts_and_its_way() {
    let old = mesh(&["a"], &MANY).snapshot(1);
    let table = old.routes.get("t").unwrap();
    let mut new = mesh(&["a"], &["y"]);
    hosts(&mut new, "t").insert("z".to_owned(), host(2));
    // It is small now, but the client holds it split.
    let mut stream = ready(new);
    assert_eq!(stream.ask(delta(Route).sub(&["t"]).has([table.split()])), NOTHING);
    assert_eq!(stream.ask(delta(VirtualHost).has(table.parts().iter())), ["VHDS t/z -t/x"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 1);

    // And the other way round.
    let small = mesh(&["a"], &["x"]).snapshot(1);
    let mut stream = ready(mesh(&["a"], &MANY));
    let assembled = small.routes.get("t").unwrap().assembled();
    assert_eq!(stream.ask(delta(Route).sub(&["t"]).has([assembled])), ["RDS t"]);
    assert_eq!(stream.ack(Route), NOTHING);
    assert_eq!(stream.ask(delta(VirtualHost)), NOTHING);
}

#[test]
fn claims_without_their_table_are_not_believed() {
    let old = mesh(&["a"], &MANY).snapshot(1);
    let parts = old.routes.get("t").unwrap().parts();
    // The client claims hosts of a table that it does not hold, as it got them in the wrong order.
    let mut stream = ready(mesh(&["a"], &MANY));
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ask(delta(VirtualHost).has(parts.iter())), NOTHING);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
    // Or of one that it does not even want.
    let mut stream = ready(mesh(&["a"], &MANY));
    assert_eq!(stream.ask(delta(VirtualHost).has(parts.iter())), ["VHDS -t/x -t/y -t/z"]);
    stream.ack(VirtualHost);
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
}

#[test]
fn one_bad_host_among_good_ones() {
    let mut stream = told();
    let sent = stream.change(|mesh| {
        for name in ["v", "w"] {
            hosts(mesh, "t").insert(name.to_owned(), host(1));
        }
        hosts(mesh, "t").insert("x".to_owned(), host(2));
        hosts(mesh, "t").remove("z");
    });
    assert_eq!(sent, ["VHDS t/v t/w t/x -t/z"]);
    // Nothing of it was applied, the removal neither.
    assert_eq!(stream.nack(VirtualHost, "missing ): ("), ["VHDS t/v -t/z"]);
    assert_eq!(stream.ack(VirtualHost), ["VHDS t/w t/x"]);
    assert_eq!(stream.nack(VirtualHost, "missing ): ("), ["VHDS t/w"]);
    assert_eq!(stream.nack(VirtualHost, "missing ): ("), ["VHDS t/x"]);
    assert_eq!(stream.ack(VirtualHost), ["VHDS t/w"], "it may have collided with what x was");
    assert_eq!(stream.nack(VirtualHost, "missing ): ("), NOTHING);
    let status = stream.server.status();
    let [rejection] = &status.types[&VirtualHost].rejected[..] else { panic!("{status:#?}") };
    assert_eq!(&*rejection.resources[0].0, "t/w");
    assert_eq!(status.acknowledged, 2);
    assert_eq!(stream.server.take_rejections().len(), 1, "the search is not worth a word");
    // Others go on without it; it goes alone when it changes.
    let sent = stream.change(|mesh| {
        hosts(mesh, "t").insert("w".to_owned(), host(2));
        hosts(mesh, "t").insert("x".to_owned(), host(1));
    });
    assert_eq!(sent, ["VHDS t/x"]);
    assert_eq!(stream.ack(VirtualHost), ["VHDS t/w"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    assert!(stream.server.status().types[&VirtualHost].rejected.is_empty());
}

#[test]
fn hosts_refused_for_their_header_return_with_a_better_one() {
    let mut stream = told();
    stream.change(|mesh| hosts(mesh, "t").insert("y".to_owned(), host(2)));
    assert_eq!(stream.nack(VirtualHost, "duplicate domain"), NOTHING);
    assert_eq!(stream.change(|mesh| mesh.tables.get_mut("t").unwrap().0 = 2), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/y"]);
}

#[test]
fn a_refused_table_gets_no_hosts_until_a_better_one_is_there() {
    let mut stream = ready(mesh(&["a"], &MANY));
    stream.ask(delta(Route).sub(&["t"]));
    stream.ask(delta(VirtualHost));
    assert_eq!(stream.nack(Route, "no"), NOTHING);
    assert_eq!(stream.change(|mesh| hosts(mesh, "t").insert("y".to_owned(), host(2))), NOTHING);
    assert_eq!(stream.server.status().acknowledged, 2);
    assert_eq!(stream.change(|mesh| mesh.tables.get_mut("t").unwrap().0 = 2), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
}

#[test]
fn a_refused_header_does_not_keep_hosts_from_a_client_that_returns() {
    let old = mesh(&["a"], &MANY).snapshot(1);
    let table = old.routes.get("t").unwrap();
    let mut new = mesh(&["a"], &MANY);
    new.tables.get_mut("t").unwrap().0 = 2;
    hosts(&mut new, "t").insert("y".to_owned(), host(2));
    let mut stream = ready(new);
    assert_eq!(stream.ask(delta(Route).sub(&["t"]).has([table.split()])), ["RDS t"]);
    assert_eq!(stream.ask(delta(VirtualHost).has(table.parts().iter())), NOTHING);
    assert_eq!(stream.nack(Route, "no"), ["VHDS t/y"]);
}

#[test]
fn a_table_held_split_stays_split_when_it_is_gone() {
    let old = mesh(&["a"], &MANY).snapshot(1);
    let table = old.routes.get("t").unwrap();
    let mut gone = mesh(&["a"], &MANY);
    let (_, back) = gone.tables.remove_entry("t").unwrap();
    // Its listener still drains when the stream breaks.
    let mut stream = ready(gone);
    assert_eq!(stream.ask(delta(Route).sub(&["t"]).has([table.split()])), ["RDS t"]);
    assert_eq!(stream.body(Route, "t"), "no hosts in t;split");
    assert_eq!(stream.ask(delta(VirtualHost).has(table.parts().iter())), NOTHING);
    assert_eq!(stream.ack(Route), ["VHDS -t/- -t/x -t/y -t/z"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    // It returns before the listener has drained.
    assert_eq!(stream.change(|mesh| mesh.tables.insert("t".to_owned(), back)), ["RDS t"]);
    assert_eq!(stream.ack(Route), ["VHDS t/x t/y t/z"]);
    assert_eq!(stream.ack(VirtualHost), ["LDS l"]);
    stream.ack(Listener);
    // And goes for good.
    stream.change(|mesh| mesh.tables.remove("t"));
    stream.ack(Listener);
    assert_eq!(stream.ask(delta(Route).unsub(&["t"])), ["VHDS -t/x -t/y -t/z"]);
    assert_eq!(stream.ack(VirtualHost), NOTHING);
    // A listener that asks for it all the same waits for an answer about its hosts.
    assert_eq!(stream.ask(delta(Route).sub(&["t"])), ["RDS t"]);
    assert_eq!(stream.body(Route, "t"), "no hosts in t;split");
    assert_eq!(stream.ack(Route), ["VHDS -t/-"]);
}

#[test]
fn a_table_held_split_stays_split_when_told_to_go_in_one_piece() {
    let old = mesh(&["a"], &MANY).snapshot(1);
    let table = old.routes.get("t").unwrap();
    let options = Options { routes: RouteDelivery::Rds, ..options() };
    let mut changed = mesh(&["a"], &MANY);
    hosts(&mut changed, "t").insert("y".to_owned(), host(2));
    let mut stream = Stream::with(Protocol::Delta, changed, options);
    stream.ask(delta(Cluster));
    stream.ack(Cluster);
    assert_eq!(stream.ask(delta(Route).sub(&["t"]).has([table.split()])), NOTHING);
    assert_eq!(stream.ask(delta(VirtualHost).has(table.parts().iter())), ["VHDS t/y"]);
}
