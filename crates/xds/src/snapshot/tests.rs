use super::*;

fn map(entries: &[(&str, &str)]) -> NameMap<Resource> {
    entries.iter().map(|(name, body)| Arc::new(Resource::new(*name, body.as_bytes().to_vec(), []))).collect()
}

fn changed(old: &Layers<Resource>, new: &Layers<Resource>) -> Vec<(String, bool, bool)> {
    Layers::diff(old, new)
        .into_iter()
        .map(|change| (change.name.to_string(), change.old.is_some(), change.new.is_some()))
        .collect()
}

#[test]
fn layers_are_looked_up_in_order() {
    let layers = Layers::from(vec![map(&[("a", "own")]), map(&[("b", "shared")])]);
    assert_eq!(layers.get("a").unwrap().body, "own");
    assert_eq!(layers.get("b").unwrap().body, "shared");
    assert!(layers.get("c").is_none());
    assert_eq!(layers.len(), 2);
    assert_eq!(layers.sorted_iter().map(|r| &*r.name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(Layers::<Resource>::default().is_empty());
}

#[test]
fn a_name_that_moves_between_layers_does_not_differ() {
    let old = Layers::from(vec![map(&[("a", "1"), ("x", "1")]), map(&[("b", "1")])]);
    let new = Layers::from(vec![map(&[("x", "2")]), map(&[("b", "1"), ("a", "1")]), map(&[("c", "1")])]);
    assert_eq!(changed(&old, &new), [("c".into(), false, true), ("x".into(), true, true)]);
    assert_eq!(changed(&new, &old), [("c".into(), true, false), ("x".into(), true, true)]);
    assert_eq!(changed(&new, &new), []);
}

#[test]
fn a_snapshot_tells_what_differs_per_type() {
    let old = Snapshot { clusters: map(&[("c", "1")]).into(), ..Snapshot::default() };
    let new = Snapshot { endpoints: map(&[("c", "1")]).into(), ..old.clone() };
    let changes = Snapshot::diff(&old, &new);
    assert!(changes.clusters.is_empty());
    assert_eq!(changes.endpoints.len(), 1);
    assert!(!changes.is_empty());
    assert!(Snapshot::diff(&new, &new).is_empty());
}
