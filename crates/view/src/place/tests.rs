use std::sync::Arc;

use pilothouse_config::endpoint::EndpointAddress;
use pilothouse_config::{Health, Object};
use pilothouse_testkit::{change, objects};
use pilothouse_world::Change;

use TrafficDistribution::{Any, SameNode, SameZone};

use super::*;
use crate::query::Place;

fn at(region: &str, zone: &str, sub_zone: &str, node: &str) -> Reached {
    Reached {
        address: EndpointAddress::Name(Name::default()),
        port: 80,
        labels: pilothouse_base::Labels::default(),
        locality: Locality { region: region.into(), zone: zone.into(), sub_zone: sub_zone.into() },
        node: node.into(),
        weight: 1,
        health: Health::Healthy,
        meshed: false,
        identity: None,
        namespace: "shop".into(),
        workload: Name::default(),
    }
}

fn client() -> Place {
    let locality = Locality { region: "r".into(), zone: "z".into(), sub_zone: "s".into() };
    Place { locality, node: "n".into() }
}

#[test]
fn who_is_first_in_line() {
    let endpoints = [
        at("r", "z", "s", "n"),
        at("r", "z", "s", "other"),
        at("r", "z", "other", "n"),
        at("r", "other", "s", "n"),
        at("other", "z", "s", "n"),
        at("", "", "", ""),
    ];
    let ranks = |preference: Preference| {
        endpoints.iter().map(|one| preference.near(&client()).rank(one)).collect::<Vec<_>>()
    };
    let all = |ranks: [u32; 6]| ranks.map(Some).to_vec();
    assert_eq!(ranks(Preference::Anywhere), all([0; 6]));
    assert_eq!(ranks(Preference::SubZone), all([0, 0, 1, 2, 3, 3]));
    assert_eq!(ranks(Preference::Zone), all([0, 0, 0, 2, 3, 3]));
    assert_eq!(ranks(Preference::Node), all([0, 1, 2, 3, 4, 4]));
    assert_eq!(ranks(Preference::OnlyNode), [Some(0), None, Some(0), Some(0), Some(0), None]);
}

#[test]
fn nothing_is_near_to_a_client_that_is_nowhere() {
    let nowhere = Place::default();
    for preference in [Preference::SubZone, Preference::Zone, Preference::Node] {
        assert_eq!(preference.near(&nowhere), Near::Anywhere, "{preference:?}");
    }
    let unplaced = Preference::OnlyNode.near(&nowhere);
    assert_eq!(unplaced.rank(&at("r", "z", "s", "n")), None);
    assert_eq!(unplaced.rank(&at("", "", "", "")), Some(0), "as in a folder, which knows no nodes");
    let on_a_node = Place { node: "n".into(), ..Place::default() };
    let near = Preference::Node.near(&on_a_node);
    assert_eq!(near.rank(&at("", "", "", "n")), Some(0), "nodes without zones");
}

#[test]
fn what_is_kept_of_a_place() {
    let Place { locality, node } = client();
    let kept = |preferences: &[Preference]| {
        let asks = preferences.iter().map(|one| Asks::of(*one)).fold(Asks::default(), Asks::and);
        asks.place(&locality, &node).map(|place| format!("{} {}", place.locality, place.node))
    };
    assert_eq!(kept(&[]), None);
    assert_eq!(kept(&[Preference::Zone]).as_deref(), Some("r/z/ "));
    assert_eq!(kept(&[Preference::SubZone]).as_deref(), Some("r/z/s "));
    assert_eq!(kept(&[Preference::OnlyNode]).as_deref(), Some("// n"));
    assert_eq!(kept(&[Preference::OnlyNode, Preference::Zone]).as_deref(), Some("r/z/ n"));
    assert_eq!(kept(&[Preference::Node]).as_deref(), Some("r/z/s n"));
}

#[test]
fn a_service_counts_before_its_namespace() {
    let of = |distribution, node_local, namespace| {
        let mut service = service();
        (service.distribution, service.node_local) = (distribution, node_local);
        Preference::of(&service, namespace)
    };
    assert_eq!(of(None, false, None), Preference::Anywhere);
    assert_eq!(of(None, false, Some(SameZone)), Preference::Zone);
    assert_eq!(of(Some(Any), false, Some(SameZone)), Preference::Anywhere);
    assert_eq!(of(Some(SameNode), false, Some(SameZone)), Preference::Node);
    assert_eq!(of(Some(SameNode), true, None), Preference::OnlyNode);
}

fn service() -> Service {
    let value = objects::service("shop", "cart", "10.96.0.1", &[("http", 80)]);
    let Change::Apply { object: Object::Services(mut all), .. } = change(&value) else {
        panic!("a service is one");
    };
    all.pop().map(Arc::unwrap_or_clone).expect("it is one")
}
