use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use pilothouse_base::Selector;

use super::*;

fn namespace(name: &str, going: bool) -> Namespace {
    Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            deletion_timestamp: going
                .then(|| serde_json::from_value::<Time>(json!("2026-11-01T00:00:00Z")).unwrap()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

fn map(namespace: &str, content: Option<&str>) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { namespace: Some(namespace.to_owned()), ..ObjectMeta::default() },
        data: content.map(|content| BTreeMap::from([(KEY.to_owned(), content.to_owned())])),
        ..ConfigMap::default()
    }
}

#[test]
fn what_is_written_where() {
    let mut seen = Seen::default();
    assert!(seen.lacking("new", &[]).is_empty(), "nothing before both lists are known");
    let names = ["default", "kube-public", "shop", "stale", "emptied", "right"];
    seen.namespace(Event::All(names.iter().map(|name| namespace(name, false)).collect()));
    assert!(seen.lacking("new", &[]).is_empty());
    seen.config_map(Event::All(vec![
        map("stale", Some("old")),
        map("emptied", None),
        map("right", Some("new")),
        map("of-no-namespace", Some("old")),
    ]));
    assert_eq!(seen.lacking("new", &[]), ["default", "emptied", "shop", "stale"]);

    seen.namespace(Event::Applied(namespace("shop", true)));
    seen.namespace(Event::Deleted(namespace("default", false)));
    seen.config_map(Event::Applied(map("stale", Some("new"))));
    assert_eq!(seen.lacking("new", &[]), ["emptied"]);
    // Somebody takes it away, and a namespace is new.
    seen.config_map(Event::Deleted(map("right", Some("new"))));
    seen.namespace(Event::Applied(namespace("fresh", false)));
    assert_eq!(seen.lacking("new", &[]), ["emptied", "fresh", "right"]);
    // Other roots: everywhere.
    assert_eq!(seen.lacking("newer", &[]), ["emptied", "fresh", "right", "stale"]);
    // A list that is told again says what is gone.
    seen.namespace(Event::All(vec![namespace("fresh", false)]));
    assert_eq!(seen.lacking("newer", &[]), ["fresh"]);
}

#[test]
fn only_where_the_mesh_settings_select() {
    let labelled = |name: &str, value: &str| {
        let mut namespace = namespace(name, false);
        namespace.metadata.labels = Some(BTreeMap::from([("mesh".to_owned(), value.to_owned())]));
        namespace
    };
    let mut seen = Seen::default();
    seen.config_map(Event::All(Vec::new()));
    seen.namespace(Event::All(vec![labelled("one", "a"), labelled("two", "b"), namespace("three", false)]));
    let selector = |value: &str| NamespaceSelector {
        labels: Selector::new([("mesh", value)].into_iter().collect()),
        expressions: Vec::new(),
    };
    assert_eq!(seen.lacking("new", &[]), ["one", "three", "two"]);
    assert_eq!(seen.lacking("new", &[selector("a")]), ["one"]);
    assert_eq!(seen.lacking("new", &[selector("a"), selector("b")]), ["one", "two"]);
    seen.namespace(Event::Applied(labelled("three", "a")));
    seen.namespace(Event::Applied(labelled("one", "none")));
    assert_eq!(seen.lacking("new", &[selector("a")]), ["three"]);
}
