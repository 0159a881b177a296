use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn resource(name: &str, body: u8) -> Arc<Resource> {
    Arc::new(Resource::new(name, vec![body], []))
}

fn content(map: &ResourceMap) -> Vec<(String, u8)> {
    map.sorted_iter().map(|r| (r.name.to_string(), r.body[0])).collect()
}

proptest! {
    #[test]
    fn behaves_like_an_ordered_map(steps in prop::collection::vec((0u16..200, 0u8..4, any::<bool>()), 0..600)) {
        let (mut map, mut expected) = (ResourceMap::new(), BTreeMap::new());
        for (key, body, insert) in steps {
            let name = key.to_string();
            let old = if insert {
                let old = map.insert(resource(&name, body));
                prop_assert_eq!(old.map(|r| r.body[0]), expected.insert(name, body));
                continue;
            } else {
                map.remove(&name)
            };
            prop_assert_eq!(old.map(|r| r.body[0]), expected.remove(&name));
        }
        prop_assert_eq!(map.len(), expected.len());
        prop_assert_eq!(map.is_empty(), expected.is_empty());
        prop_assert_eq!(content(&map), expected.clone().into_iter().collect::<Vec<_>>());
        // Shape, and with it the order of iteration, and the digest depend on the content alone.
        let fresh: ResourceMap = expected.iter().map(|(name, body)| resource(name, *body)).collect();
        prop_assert_eq!(
            fresh.iter().map(|r| &r.name).collect::<Vec<_>>(),
            map.iter().map(|r| &r.name).collect::<Vec<_>>()
        );
        prop_assert_eq!(fresh.digest(), map.digest());
    }

    #[test]
    fn a_rebased_map_follows_save_for_what_it_keeps(
        start in prop::collection::btree_map(0u16..150, 0u8..3, 0..150),
        own in prop::collection::btree_map(0u16..180, prop::option::of(3u8..6), 0..20),
        rounds in prop::collection::vec(prop::collection::btree_map(0u16..150, prop::option::of(0u8..3), 0..100), 1..4),
    ) {
        let mut base: ResourceMap = start.iter().map(|(key, body)| resource(&key.to_string(), *body)).collect();
        let over = |base: &ResourceMap| {
            let mut map = base.clone();
            for (key, body) in &own {
                match body {
                    Some(body) => map.insert(resource(&key.to_string(), *body)),
                    None => map.remove(&key.to_string()),
                };
            }
            map
        };
        let mut map = over(&base);
        for round in rounds {
            let old = base.clone();
            for (key, body) in round {
                match body {
                    Some(body) => base.insert(resource(&key.to_string(), body)),
                    None => base.remove(&key.to_string()),
                };
            }
            map.rebase(&old, &base, &|name| own.contains_key(&name.parse::<u16>().unwrap()));
            let expected = over(&base);
            prop_assert_eq!(content(&map), content(&expected));
            prop_assert_eq!(map.digest(), expected.digest());
            prop_assert_eq!(
                map.iter().map(|r| &r.name).collect::<Vec<_>>(),
                expected.iter().map(|r| &r.name).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn diff_names_what_differs(
        start in prop::collection::btree_map(0u16..120, 0u8..3, 0..100),
        steps in prop::collection::vec((0u16..120, 0u8..3, any::<bool>()), 0..60),
    ) {
        let old: ResourceMap = start.iter().map(|(key, body)| resource(&key.to_string(), *body)).collect();
        let mut new = old.clone();
        let mut expected = start.clone();
        for (key, body, insert) in steps {
            if insert {
                new.insert(resource(&key.to_string(), body));
                expected.insert(key, body);
            } else {
                new.remove(&key.to_string());
                expected.remove(&key);
            }
        }
        let mut reported = BTreeMap::new();
        ResourceMap::diff(&old, &new, &mut |before, after| {
            let name: u16 = before.or(after).unwrap().name.parse().unwrap();
            assert!(reported.insert(name, (before.map(|r| r.body[0]), after.map(|r| r.body[0]))).is_none());
        });
        let all: BTreeMap<_, _> = start.keys().chain(expected.keys())
            .map(|key| (*key, (start.get(key).copied(), expected.get(key).copied())))
            .filter(|(_, (before, after))| before != after)
            .collect();
        prop_assert_eq!(reported, all);
        prop_assert_eq!(old == new, start == expected);
    }
}

#[test]
fn a_change_copies_one_path() {
    let old: ResourceMap = (0..10_000).map(|i| resource(&i.to_string(), 0)).collect();
    let mut new = old.clone();
    assert!(new.ptr_eq(&old));
    new.insert(resource("77", 1));
    let shared = |a: &Node<Resource>, b: &Node<Resource>| -> (usize, usize) {
        fn walk(a: &Node<Resource>, b: &Node<Resource>, seen: &mut (usize, usize)) {
            if a.ptr_eq(b) {
                seen.0 += 1;
            } else if let (Node::Branch(a), Node::Branch(b)) = (a, b) {
                a.children.iter().zip(&b.children).for_each(|(a, b)| walk(a, b, seen));
            } else {
                seen.1 += 1;
            }
        }
        let mut seen = (0, 0);
        walk(a, b, &mut seen);
        seen
    };
    let (same, copied) = shared(&old.root, &new.root);
    assert_eq!(copied, 1, "one bucket");
    assert!(same < 16 * 5, "the rest is skipped high up: {same}");
}
