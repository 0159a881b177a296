use proptest::prelude::*;

use super::*;

/// Applies a patch as RFC 6902 says, for `add`, `remove` and `replace`.
pub(crate) fn apply(value: &Value, patch: &[Value]) -> Value {
    let mut value = value.clone();
    for operation in patch {
        let path = operation["path"].as_str().unwrap();
        if path.is_empty() {
            value = operation["value"].clone();
            continue;
        }
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/").replace("~0", "~");
        let new = operation.get("value").cloned();
        match (value.pointer_mut(parent).unwrap(), operation["op"].as_str().unwrap()) {
            (Value::Object(map), "remove") => {
                map.remove(&last).unwrap();
            }
            (Value::Object(map), "replace") => {
                map.insert(last, new.unwrap()).unwrap();
            }
            (Value::Object(map), "add") => assert_eq!(map.insert(last, new.unwrap()), None),
            (Value::Array(list), "remove") => {
                list.remove(last.parse().unwrap());
            }
            (Value::Array(list), "replace") => list[last.parse::<usize>().unwrap()] = new.unwrap(),
            (Value::Array(list), "add") => list.insert(last.parse().unwrap(), new.unwrap()),
            (place, operation) => panic!("{operation} at {path} in {place}"),
        }
    }
    value
}

#[test]
fn the_smallest_changes() {
    let table = [
        (json!({"a": 1}), json!({"a": 1}), json!([])),
        (
            json!({"a": 1}),
            json!({"b": 2}),
            json!([
                {"op": "remove", "path": "/a"}, {"op": "add", "path": "/b", "value": 2},
            ]),
        ),
        (
            json!({"m": {"x/y~z": 1}}),
            json!({"m": {"x/y~z": 2}}),
            json!([
                {"op": "replace", "path": "/m/x~1y~0z", "value": 2},
            ]),
        ),
        (json!([1, 2, 3]), json!([0, 1, 2, 3]), json!([{"op": "add", "path": "/0", "value": 0}])),
        (
            json!([1, 2, 3, 4]),
            json!([1, 4]),
            json!([
                {"op": "remove", "path": "/2"}, {"op": "remove", "path": "/1"},
            ]),
        ),
        (json!(1), json!([]), json!([{"op": "replace", "path": "", "value": []}])),
    ];
    for (old, new, expected) in table {
        assert_eq!(json!(diff(&old, &new)), expected, "{old} to {new}");
    }
}

/// Any JSON, with keys that need escaping.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_u8).prop_map(Value::from),
        "[ab/~]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[ab/~]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_patch_leads_from_old_to_new(old in any_json(), new in any_json()) {
        prop_assert_eq!(apply(&old, &diff(&old, &new)), new);
    }
}
