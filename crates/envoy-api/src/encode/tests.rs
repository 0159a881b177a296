use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::{Any, Struct, Value, cluster::Cluster, core::Metadata, listener, pack, route, value::Kind};

fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.into())) }
}

/// A struct whose maps have many keys on three levels.
fn nested(keys: &[&str]) -> Struct {
    let leaf = Struct { fields: keys.iter().map(|key| ((*key).into(), text(key))).collect() };
    let level = |inner: &Struct| Struct {
        fields: keys
            .iter()
            .map(|key| ((*key).into(), Value { kind: Some(Kind::StructValue(inner.clone())) }))
            .collect(),
    };
    level(&level(&leaf))
}

fn metadata(keys: &[&str]) -> Metadata {
    Metadata {
        filter_metadata: keys.iter().map(|key| ((*key).into(), nested(keys))).collect(),
        ..Default::default()
    }
}

const KEYS: [&str; 7] = ["", "a", "b", "ba", "istio", "z", "é"];

#[test]
fn equal_messages_give_equal_bytes() {
    let reversed: Vec<&str> = KEYS.iter().rev().copied().collect();
    let first = Cluster { metadata: Some(metadata(&KEYS)), name: "a".into(), ..Default::default() };
    let second = Cluster { metadata: Some(metadata(&reversed)), ..first.clone() };
    assert_eq!(encode(&first), encode(&second));
    assert_eq!(Cluster::decode(encode(&first).as_slice()).unwrap(), first);
}

#[test]
fn entries_stand_in_order_of_their_keys() {
    let fields = ["c", "a", "b"].into_iter().map(|key| (key.to_owned(), text("x"))).collect();
    let bytes = encode(&Struct { fields });
    let keys: Vec<char> =
        bytes.iter().map(|byte| char::from(*byte)).filter(|letter| "abc".contains(*letter)).collect();
    assert_eq!(keys, ['a', 'b', 'c']);
}

#[test]
fn reaches_maps_below_repeated_and_oneof_fields() {
    let listener = || {
        let chain = listener::FilterChain { metadata: Some(metadata(&KEYS)), ..Default::default() };
        listener::Listener { filter_chains: vec![chain.clone(), chain], ..Default::default() }
    };
    let table = || {
        let configs = || KEYS.iter().map(|key| ((*key).to_owned(), Any::default())).collect();
        let weighted = route::weighted_cluster::ClusterWeight {
            typed_per_filter_config: configs(),
            ..Default::default()
        };
        let action = route::RouteAction {
            cluster_specifier: Some(route::route_action::ClusterSpecifier::WeightedClusters(
                route::WeightedCluster { clusters: vec![weighted], ..Default::default() },
            )),
            ..Default::default()
        };
        let route = route::Route {
            action: Some(route::route::Action::Route(action)),
            typed_per_filter_config: configs(),
            ..Default::default()
        };
        let host = route::VirtualHost {
            routes: vec![route],
            typed_per_filter_config: configs(),
            ..Default::default()
        };
        route::RouteConfiguration { virtual_hosts: vec![host], ..Default::default() }
    };
    for _ in 0..8 {
        assert_eq!(pack(&listener()), pack(&listener()));
        assert_eq!(encode(&table()), encode(&table()));
    }
}

#[test]
fn table_is_sorted_and_closed() {
    assert!(table::HOLDERS.is_sorted_by(|a, b| a.name < b.name));
    for field in table::HOLDERS.iter().flat_map(|holder| holder.fields) {
        assert!(field.inside.is_none_or(|inside| inside < table::HOLDERS.len()));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        arrange("envoy.config.cluster.v3.Cluster", &mut bytes);
        arrange("google.protobuf.Struct", &mut bytes);
    }

    #[test]
    fn decodes_to_the_same(keys in proptest::collection::vec("[a-c]{0,2}", 0..6)) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let message = metadata(&keys);
        prop_assert_eq!(Metadata::decode(encode(&message).as_slice()).unwrap(), message);
    }
}
