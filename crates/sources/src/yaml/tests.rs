use std::fmt::Write as _;

use pilothouse_diag::{FieldPath, Origin};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read_all(text: &str) -> Result<Vec<Read>, YamlError> {
    let mut budget = Budget::of(text.len());
    documents(text)?.iter().map(|node| node.read(&mut budget)).collect()
}

fn read(text: &str) -> Read {
    let mut all = read_all(text).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn error(text: &str) -> String {
    read_all(text).unwrap_err().to_string()
}

/// Where a path was written, as `line:column`.
fn place(read: &Read, path: &str) -> String {
    let origin = Origin { file: "f".into(), places: read.places.clone() };
    let place = origin.place(&FieldPath::root().field(path)).unwrap();
    format!("{}:{}", place.line, place.column)
}

#[test]
fn every_value_knows_its_place() {
    let read = read(
        "\
# a comment
apiVersion: v1
spec:
  hosts: [ reviews, \"*.shop\" ]
  http:
  - match:
    - headers:
        x-user: { exact: jason }
    timeout: 5s
    empty:
  - note: |
      many
      lines
",
    );
    for (path, expected) in [
        ("", "2:1"),
        ("apiVersion", "2:13"),
        ("spec", "3:1"),
        ("spec.hosts", "4:3"),
        ("spec.hosts[0]", "4:12"),
        ("spec.hosts[1]", "4:21"),
        ("spec.http[0]", "6:5"),
        ("spec.http[0].match[0].headers[\"x-user\"]", "8:9"),
        ("spec.http[0].match[0].headers[\"x-user\"].exact", "8:26"),
        ("spec.http[0].timeout", "9:14"),
        ("spec.http[0].empty", "10:5"),
        ("spec.http[1].note", "12:7"),
        // A field that is absent points at what would hold it.
        ("spec.http[0].retries.attempts", "6:5"),
    ] {
        assert_eq!(place(&read, path), expected, "{path}");
    }
    assert_eq!(
        read.value,
        json!({
            "apiVersion": "v1",
            "spec": {
                "hosts": ["reviews", "*.shop"],
                "http": [
                    { "match": [{ "headers": { "x-user": { "exact": "jason" } } }], "timeout": "5s", "empty": null },
                    { "note": "many\nlines\n" },
                ],
            },
        })
    );
}

#[test]
fn mesh_settings_have_places_inside_of_their_block() {
    let read = read(
        "\
kind: ConfigMap
data:
  mesh: |
    # settings
    trustDomain: example.org
    outboundTrafficPolicy:
      mode: REGISTRY_ONLY
",
    );
    assert_eq!(read.value["data"]["mesh"].as_str().unwrap().lines().count(), 4);
    for (path, expected) in [
        ("data.mesh", "4:5"),
        ("data.mesh.trustDomain", "5:18"),
        ("data.mesh.outboundTrafficPolicy", "6:5"),
        ("data.mesh.outboundTrafficPolicy.mode", "7:13"),
        ("data.mesh.rootNamespace", "4:5"),
    ] {
        assert_eq!(place(&read, path), expected, "{path}");
    }
    // A text that cannot be read is a text all the same.
    assert!(read_all("data:\n  mesh: |\n    a: [\n").is_ok());
}

#[test]
fn json_is_read_too() {
    let read = read(
        "{\n\t\"a\": [1, 2.5, true, null, \"x\\u00e9\\ud83d\\ude00\\/\"],\n\t\"b\": {\"c\": \"d\"}\n}\n",
    );
    assert_eq!(read.value, json!({ "a": [1, 2.5, true, null, "xé😀/"], "b": { "c": "d" } }));
    assert_eq!(place(&read, "b.c"), "3:13");
}

#[test]
fn documents_are_told_apart_and_empty_ones_skipped() {
    let texts = [
        ("", 0),
        ("---\n---\n", 0),
        ("# only words\n", 0),
        ("a: 1\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n", 3),
        ("\u{feff}a: 1\r\nb: 2\r\n", 1),
    ];
    for (text, expected) in texts {
        assert_eq!(read_all(text).unwrap().len(), expected, "{text:?}");
    }
    let second = read_all("a: 1\n---\nb: 2\n").unwrap().remove(1);
    assert_eq!(place(&second, "b"), "3:4");
}

#[test]
fn aliases_and_merge_keys() {
    let read = read(
        "\
base: &base { timeout: 5s, retries: 3 }
other: &other { retries: 7, host: a }
one:
  <<: *base
  timeout: 9s
two:
  <<: [ *base, *other ]
list: &list [ 1, 2 ]
same: *list
&k key: x
",
    );
    assert_eq!(read.value["one"], json!({ "timeout": "9s", "retries": 3 }));
    assert_eq!(read.value["two"], json!({ "timeout": "5s", "retries": 3, "host": "a" }));
    assert_eq!(read.value["same"], json!([1, 2]));
    assert_eq!(place(&read, "same"), "9:1");
    assert_eq!(place(&read, "same[1]"), "8:18");
    assert_eq!(place(&read, "one.retries"), "1:37");
    assert_eq!(error("a: &a [ *a ]"), "1:9: the alias stands inside of what it names");
    assert!(error("a: *nobody").starts_with("1:4: "), "{}", error("a: *nobody"));
    assert!(error("a: { <<: 5 }").contains("merge key"));
}

#[test]
fn a_repeated_key_counts_last_and_is_named() {
    let read = read("a: { b: 1, c: 2, b: 3 }\n");
    assert_eq!(read.value, json!({ "a": { "b": 3, "c": 2 } }));
    assert_eq!(read.repeated, [("a.b".to_owned(), Position { line: 1, column: 18 })]);
}

#[test]
fn keys_are_text() {
    assert_eq!(
        read("{ 80: a, true: b, yes: c, \"no\": d, 1.5: e }").value,
        json!({ "80": "a", "true": "c", "no": "d", "1.5": "e" })
    );
    assert_eq!(error("? [ a ]\n: b\n"), "1:3: a key must be a text");
    assert_eq!(error("~: b\n"), "1:1: a key must be a text");
}

#[test]
fn broken_text_names_its_place() {
    for (text, at) in [
        ("a: b\n c: d\n", "2:"),
        ("a: [ 1, 2\nb: 3\n", "2:"),
        ("a: \"x\n", "2:"),
        ("a: 1\n\tb: 2\n", "1:"),
        ("{{ if .Values.x }}\na: b\n", "1:"),
        ("a: b: c\n", "1:"),
        ("a: !!int x\n", "1:10"),
    ] {
        let error = error(text);
        assert!(error.starts_with(at), "{text:?}: {error}");
    }
}

#[test]
fn bombs_are_refused() {
    let mut laughs = String::from("a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n");
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        writeln!(laughs, "a{n}: &a{n} [ {} ]", before.trim_end_matches(", ")).unwrap();
    }
    assert!(error(&laughs).contains("aliases repeat"));

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(50_000));
    assert!(error(&long).contains("aliases repeat"));

    let many = (0..2000).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join(", ");
    let merges = format!("a: &a {{ {many} }}\nb:\n{}", "  - { <<: *a }\n".repeat(100));
    assert!(error(&merges).contains("merge keys copy"));

    assert!(read_all(&"[".repeat(100_000)).is_err());
    assert!(read_all(&"- ".repeat(100_000)).is_err());
    assert!(read_all(&format!("{}1{}", "[".repeat(80), "]".repeat(80))).is_err());
}

#[test]
fn long_lists_are_not_bombs() {
    let list = format!("{{\"deep\":{{\"deeper\":{{\"deepest\":[{}1]}}}}}}", "1,".repeat(300_000));
    assert_eq!(read(&list).value["deep"]["deeper"]["deepest"].as_array().unwrap().len(), 300_001);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = read_all(&text);
    }

    #[test]
    fn no_yaml_like_text_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "a", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "&x ", "*x", "<<: ", "!!int ", "!t ",
        "|\n", ">-\n", "\"", "'", "#", "---\n", "...\n", "%YAML 1.2\n", "\t", "1", "é", "\u{feff}", "\\u12", "\r\n",
    ]), 0..60)) {
        let _ = read_all(&parts.concat());
    }

    #[test]
    fn json_comes_back(value in json_value()) {
        let compact = value.to_string();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assume!(!value.is_null());
        prop_assert_eq!(&read(&compact).value, &value);
        prop_assert_eq!(&read(&pretty).value, &value);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        "\\PC{0,12}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
