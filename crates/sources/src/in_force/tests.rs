use pilothouse_base::Name;
use pilothouse_config::{CheckSettings, LabelExpression, Mesh, Meta, NamespaceObject, Outcome, judge};
use serde_json::json;

use super::*;
use crate::objects;

fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new(kind, namespace, name)
}

fn namespace(name: &str, labels: &[(&str, &str)]) -> (ObjectKey, Option<Object>) {
    let key = key(Kind::Namespace, "", name);
    let meta = Meta { key: key.clone(), created: 0 };
    let labels = labels.iter().copied().collect();
    (key, Some(Object::Namespace(Arc::new(NamespaceObject { meta, labels, distribution: None }))))
}

fn pod(namespace: &str, uid: &str) -> (ObjectKey, Option<Object>) {
    let written = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": "web", "uid": uid},
        "spec": {"containers": []}
    });
    let settings = CheckSettings { domain: Name::from("cluster.local"), parse_yaml: objects::parse };
    match judge(&written, &settings).outcome {
        Outcome::Object(key, object) => (key, Some(object)),
        other => panic!("{other:?}"),
    }
}

fn mesh(discovery: Vec<NamespaceSelector>) -> (ObjectKey, Option<Object>) {
    let mesh = Mesh { discovery, ..Mesh::default() };
    (key(Kind::MeshConfig, "istio-system", "istio"), Some(Object::Mesh(Arc::new(mesh))))
}

fn labelled(label: &str) -> Vec<NamespaceSelector> {
    let expressions = vec![LabelExpression::Exists(Name::from(label))];
    vec![NamespaceSelector { labels: Default::default(), expressions }]
}

/// What a batch of changes says, one word per object: `+` applied, `-` removed.
fn update<const N: usize>(state: &mut InForce, wanted: [(ObjectKey, Option<Object>); N]) -> Vec<String> {
    let wanted = wanted.into_iter().map(|(key, object)| (key, object.map(|object| (object, None)))).collect();
    let changes = state.update(wanted);
    let word = |change: &Change| match change {
        Change::Apply { key, .. } => format!("+{key}"),
        Change::Remove { key } => format!("-{key}"),
    };
    changes.iter().map(word).collect()
}

#[test]
fn only_differences_are_told() {
    let mut state = InForce::default();
    assert_eq!(update(&mut state, [pod("a", "1"), namespace("a", &[])]), ["+Namespace a", "+Pod a/web"]);
    assert_eq!(update(&mut state, [pod("a", "1"), namespace("a", &[])]), [""; 0]);
    assert_eq!(update(&mut state, [pod("a", "2")]), ["+Pod a/web"]);
    let gone = (key(Kind::Pod, "a", "web"), None);
    assert_eq!(update(&mut state, [gone.clone()]), ["-Pod a/web"]);
    assert_eq!(update(&mut state, [gone]), [""; 0]);
}

#[test]
fn a_namespace_enters_and_leaves_the_selection() {
    let mut state = InForce::default();
    update(&mut state, [namespace("a", &[("mesh", "")]), namespace("b", &[]), pod("a", "1"), pod("b", "1")]);
    assert_eq!(
        update(&mut state, [mesh(labelled("mesh"))]),
        ["+MeshConfig istio-system/istio", "-Pod b/web"],
        "the settings themselves are always in force"
    );
    assert_eq!(update(&mut state, [pod("b", "2")]), [""; 0], "not selected, so nobody is told");
    assert_eq!(
        update(&mut state, [namespace("b", &[("mesh", "")])]),
        ["+Namespace b", "+Pod b/web"],
        "the newest version comes to life"
    );
    assert_eq!(update(&mut state, [namespace("a", &[])]), ["+Namespace a", "-Pod a/web"]);
    assert_eq!(update(&mut state, [(key(Kind::Pod, "a", "web"), None)]), [""; 0], "its end was told already");
    assert_eq!(update(&mut state, [(key(Kind::Namespace, "", "b"), None)]), ["-Namespace b", "-Pod b/web"]);
    assert_eq!(
        update(&mut state, [mesh(Vec::new())]),
        ["+MeshConfig istio-system/istio", "+Pod b/web"],
        "without selectors every namespace counts, known or not"
    );
    assert_eq!(state.len(), 3);
}
