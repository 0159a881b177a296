use pilothouse_config::Object;
use proptest::prelude::*;

use super::*;

/// What a batch of changes says, one word per object: `+` applied, `-` removed.
fn update(folder: &mut Folder, files: &[(&str, Option<&str>)]) -> Vec<String> {
    let seen = files.iter().map(|(name, text)| {
        let seen = text.map_or(Seen::Gone, |text| Seen::Content(text.as_bytes().to_vec()));
        ((*name).into(), seen)
    });
    let changes = folder.update(seen.collect::<Vec<_>>());
    changes
        .iter()
        .map(|change| match change {
            Change::Apply { key, .. } => format!("+{key}"),
            Change::Remove { key } => format!("-{key}"),
        })
        .collect()
}

/// The findings: code, place, object.
fn findings(folder: &Folder) -> Vec<String> {
    folder
        .diagnostics()
        .iter()
        .map(|one| {
            let place = one.place.as_ref().map(ToString::to_string).unwrap_or_default();
            let object = one.object.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            format!("{} {place}{object}", one.code.id)
        })
        .collect()
}

fn namespace(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name}, labels: {{ a: {value} }} }}\n")
}

fn folder() -> Folder {
    Folder::new("cluster.local")
}

const BROKEN_NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: [ 1 ] }\n";

fn value_of(folder: &Folder, name: &str) -> Option<String> {
    match folder.in_force.get(&ObjectKey::new(Kind::Namespace, "", name)) {
        Some(Object::Namespace(found)) => found.labels.get("a").map(ToString::to_string),
        _ => None,
    }
}

#[test]
fn objects_come_change_and_go_with_their_file() {
    let mut folder = folder();
    let two = format!("{}---\n{}", namespace("a", "x"), namespace("b", "x"));
    assert_eq!(update(&mut folder, &[("f.yaml", Some(&two))]), ["+Namespace a", "+Namespace b"]);
    assert_eq!(update(&mut folder, &[("f.yaml", Some(&two))]), [""; 0]);
    let changed = format!("{}---\n{}", namespace("a", "x"), namespace("c", "x"));
    assert_eq!(update(&mut folder, &[("f.yaml", Some(&changed))]), ["-Namespace b", "+Namespace c"]);
    assert_eq!(update(&mut folder, &[("f.yaml", None)]), ["-Namespace a", "-Namespace c"]);
    assert_eq!(update(&mut folder, &[("f.yaml", None)]), [""; 0]);
    assert_eq!(folder.objects(), 0);
    assert!(folder.holders.is_empty());
}

#[test]
fn a_moved_comment_only_moves_the_place() {
    let mut folder = folder();
    update(&mut folder, &[("f.yaml", Some(&namespace("a", "x")))]);
    let commented = format!("# hello\n{}", namespace("a", "x"));
    let changes = folder.update([("f.yaml".into(), Seen::Content(commented.into_bytes()))]);
    let [Change::Apply { origin: Some(origin), .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(origin.place(&FieldPath::root().field("kind")).unwrap().to_string(), "f.yaml:3:7");
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_objects() {
    let mut folder = folder();
    update(&mut folder, &[("f.yaml", Some(&namespace("a", "x")))]);
    assert_eq!(update(&mut folder, &[("f.yaml", Some("a: [\n"))]), [""; 0]);
    assert_eq!(findings(&folder), ["PH0001 f.yaml:1:4"]);
    folder.update([("f.yaml".into(), Seen::Unreadable("no permission".into()))]);
    assert_eq!(findings(&folder), ["PH0001 f.yaml:1:1"]);
    assert_eq!(value_of(&folder, "a").as_deref(), Some("x"));
    // The very text from before is read again once it can be.
    assert_eq!(update(&mut folder, &[("f.yaml", Some(&namespace("a", "x")))]), [""; 0]);
    assert_eq!(findings(&folder), [""; 0]);
}

#[test]
fn an_object_that_cannot_be_decoded_keeps_its_last_good_version() {
    let mut folder = folder();
    let both = |first: &str| format!("{first}---\n{}", namespace("other", "z"));
    update(&mut folder, &[("f.yaml", Some(&both(&namespace("shop", "x"))))]);
    let changes = update(&mut folder, &[("f.yaml", Some(&both(BROKEN_NAMESPACE)))]);
    assert_eq!(changes, [""; 0]);
    assert_eq!(value_of(&folder, "shop").as_deref(), Some("x"));
    assert_eq!(findings(&folder), ["PH0004 f.yaml:3:25 Namespace shop"]);
    // Also when it moves to another file at the same time.
    let moved = update(&mut folder, &[("f.yaml", None), ("g.yaml", Some(BROKEN_NAMESPACE))]);
    assert_eq!(moved, ["-Namespace other"]);
    assert_eq!(update(&mut folder, &[("g.yaml", None)]), ["-Namespace shop"]);
}

#[test]
fn at_start_a_bad_object_is_missing_and_the_rest_is_there() {
    let mut folder = folder();
    let text = format!("{BROKEN_NAMESPACE}---\nwords: only\n---\n{}", namespace("other", "z"));
    assert_eq!(update(&mut folder, &[("f.yaml", Some(&text))]), ["+Namespace other"]);
    assert_eq!(findings(&folder), ["PH0002 f.yaml:5:1", "PH0004 f.yaml:3:25 Namespace shop"]);
}

#[test]
fn of_two_definitions_the_first_file_by_name_counts() {
    let mut folder = folder();
    update(&mut folder, &[("b.yaml", Some(&namespace("shop", "from-b")))]);
    assert_eq!(update(&mut folder, &[("a.yaml", Some(&namespace("shop", "from-a")))]), ["+Namespace shop"]);
    assert_eq!(value_of(&folder, "shop").as_deref(), Some("from-a"));
    assert_eq!(findings(&folder), ["PH0007 b.yaml:1:1 Namespace shop"]);
    assert_eq!(update(&mut folder, &[("b.yaml", Some(&namespace("shop", "new")))]), [""; 0]);
    assert_eq!(update(&mut folder, &[("a.yaml", None)]), ["+Namespace shop"]);
    assert_eq!(value_of(&folder, "shop").as_deref(), Some("new"));
    assert_eq!(findings(&folder), [""; 0]);
}

#[test]
fn lists_are_taken_apart() {
    let mut folder = folder();
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: { name: a }
- apiVersion: v1
  kind: Namespace
  metadata: { name: b, nam: c }
---
apiVersion: v1
kind: NamespaceList
items:
- metadata: { name: c }
";
    let changes = update(&mut folder, &[("f.yaml", Some(text))]);
    assert_eq!(changes, ["+Namespace a", "+Namespace b", "+Namespace c"]);
    let one = ObjectKey::new(Kind::Namespace, "", "b");
    let place = folder
        .in_force
        .origin(&one)
        .unwrap()
        .place(&FieldPath::root().field("metadata").field("name"))
        .unwrap();
    assert_eq!(place.to_string(), "f.yaml:9:21");
}

#[test]
fn a_repeated_key_is_reported_where_it_is_repeated() {
    let mut folder = folder();
    let text =
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels: { x: y }\n  labels: { x: z }\n";
    update(&mut folder, &[("f.yaml", Some(text))]);
    assert_eq!(findings(&folder), ["PH0009 f.yaml:6:3 Namespace a"]);
    update(
        &mut folder,
        &[("f.yaml", Some("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, name: a }\n"))],
    );
    assert_eq!(findings(&folder), [""; 0], "nobody reads this kind");
}

#[test]
fn templates_and_kustomizations_are_told_from_manifests() {
    let mut folder = folder();
    update(&mut folder, &[("t.yaml", Some("{{- if .Values.on }}\napiVersion: v1\n"))]);
    let help = folder.diagnostics()[0].help.clone().unwrap();
    assert!(help.contains("rendered"), "{help}");
    let kustomization =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [ a.yaml ]\n";
    update(&mut folder, &[("t.yaml", Some(kustomization))]);
    assert_eq!(findings(&folder), [""; 0]);
}

#[test]
fn text_that_is_not_utf_8_names_the_line() {
    let mut folder = folder();
    folder.update([("f.yaml".into(), Seen::Content(b"a: b\nc: \xff\n".to_vec()))]);
    assert_eq!(findings(&folder), ["PH0001 f.yaml:2:1"]);
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: cart, namespace: shop }
spec:
  selector: { matchLabels: { app: cart } }
  template:
    metadata: { labels: { app: cart } }
    spec: { containers: [ { name: app, image: cart } ] }
";

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: { name: cart-1, namespace: shop, labels: { app: cart, x: z } }
spec: { containers: [ { name: app, image: cart } ] }
";

#[test]
fn a_workload_without_pods_stands_for_one() {
    let mut folder = folder();
    assert_eq!(update(&mut folder, &[("d.yaml", Some(DEPLOYMENT))]), ["+Pod shop/cart"]);
    assert_eq!(update(&mut folder, &[("n.yaml", Some(&namespace("shop", "x")))]), ["+Namespace shop"]);
    assert_eq!(update(&mut folder, &[("p.yaml", Some(POD))]), ["-Pod shop/cart", "+Pod shop/cart-1"]);
    assert_eq!(update(&mut folder, &[("p.yaml", None)]), ["+Pod shop/cart", "-Pod shop/cart-1"]);
    assert_eq!(update(&mut folder, &[("d.yaml", None)]), ["-Pod shop/cart"]);
}

#[test]
fn a_pod_named_like_the_workload_takes_its_place() {
    let mut folder = folder();
    update(&mut folder, &[("d.yaml", Some(DEPLOYMENT))]);
    let named = POD.replace("cart-1", "cart").replace("app: cart, ", "");
    assert_eq!(update(&mut folder, &[("p.yaml", Some(&named))]), ["+Pod shop/cart"]);
    assert_eq!(update(&mut folder, &[("d.yaml", None)]), [""; 0]);
    assert_eq!(findings(&folder), [""; 0]);
}

type Served = BTreeMap<ObjectKey, (Object, Option<Arc<Origin>>)>;

/// What is served and said, without how it came about.
fn state(folder: &Folder) -> (Served, Vec<String>) {
    (folder.in_force.all(), findings(folder))
}

fn text() -> impl Strategy<Value = String> {
    let document = prop_oneof![
        ("[ab]", "[xz]").prop_map(|(name, value)| namespace(&name, &value)),
        Just(DEPLOYMENT.to_owned()),
        Just(POD.to_owned()),
        Just(POD.replace("cart-1", "cart")),
        Just("just: words\n".to_owned()),
    ];
    prop::collection::vec(document, 0..3).prop_map(|documents| documents.join("---\n"))
}

proptest! {
    #[test]
    fn the_order_of_files_does_not_matter(
        files in prop::collection::btree_map("[a-d]\\.yaml", text(), 0..4),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let content = |(name, text): (&String, &String)| {
            (Arc::<str>::from(name.as_str()), Seen::Content(text.clone().into_bytes()))
        };
        let mut at_once = folder();
        at_once.update(files.iter().map(content));
        let mut one_by_one = folder();
        let mut order: Vec<_> = files.iter().collect();
        let turn = if order.is_empty() { 0 } else { shuffle.index(order.len()) };
        order.rotate_left(turn);
        order.reverse();
        for file in order {
            one_by_one.update([content(file)]);
        }
        prop_assert_eq!(state(&at_once), state(&one_by_one));
    }

    #[test]
    fn what_came_before_does_not_matter(
        before in prop::collection::btree_map("[a-d]\\.yaml", text(), 0..4),
        after in prop::collection::btree_map("[a-d]\\.yaml", text(), 0..4),
    ) {
        let mut fresh = folder();
        let content = |(name, text): (&String, &String)| {
            (Arc::<str>::from(name.as_str()), Seen::Content(text.clone().into_bytes()))
        };
        fresh.update(after.iter().map(content));
        let mut used = folder();
        used.update(before.iter().map(content));
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        used.update(gone.map(|name| (name.as_str().into(), Seen::Gone)).collect::<Vec<_>>());
        used.update(after.iter().map(content));
        prop_assert_eq!(state(&fresh), state(&used));
    }

    #[test]
    fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,120}") {
        let mut folder = folder();
        folder.update([("a.yaml".into(), Seen::Content(bytes)), ("b.yaml".into(), Seen::Content(text.into_bytes()))]);
        folder.diagnostics();
    }
}
