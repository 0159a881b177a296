use super::*;
use serde_json::json;

/// A graph of the given `(package, dependency, kind)` edges.
fn graph(edges: &[(&str, &str, Option<&str>)]) -> Graph {
    let mut packages: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (from, on, kind) in edges {
        packages.entry(from).or_default().push(json!({ "name": on, "kind": kind }));
    }
    let packages: Vec<Value> = packages
        .into_iter()
        .map(|(name, dependencies)| json!({ "name": name, "dependencies": dependencies }))
        .collect();
    read(&json!({ "packages": packages })).unwrap()
}

fn says(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
    check(&graph(edges)).into_iter().map(|finding| finding.to_string()).collect()
}

#[test]
fn the_arrows_of_the_table_are_accepted() {
    let edges: Vec<_> = TABLE
        .iter()
        .flat_map(|rule| rule.may_use.iter().map(|on| (rule.package, *on, None)))
        .filter(|(_, on, _)| on.starts_with("pilothouse-"))
        .collect();
    assert_eq!(says(&edges), Vec::<String>::new());
}

#[test]
fn an_arrow_that_points_up_is_refused() {
    let says = says(&[("pilothouse-translate", "pilothouse-world", None)]);
    assert_eq!(says.len(), 1);
    assert!(says[0].starts_with("pilothouse-translate: depends on pilothouse-world;"), "{says:?}");
}

#[test]
fn build_scripts_keep_the_same_arrows() {
    assert_eq!(says(&[("pilothouse-base", "pilothouse-diag", Some("build"))]).len(), 1);
}

#[test]
fn a_crate_without_a_line_in_the_table_is_refused() {
    let says = says(&[("pilothouse-shiny", "serde", None)]);
    assert!(says[0].starts_with("pilothouse-shiny: is not in the table"), "{says:?}");
}

#[test]
fn nothing_that_waits_is_named_below_the_line_not_even_by_tests() {
    for banned in [
        "tokio",
        "tokio-stream",
        "tonic",
        "tonic-prost",
        "kube",
        "kube-runtime",
        "rustls",
        "notify",
        "hyper-util",
        "tracing",
    ] {
        assert_eq!(says(&[("pilothouse-view", banned, None)]).len(), 1, "{banned}");
        assert_eq!(says(&[("pilothouse-view", banned, Some("dev"))]).len(), 1, "{banned} in tests");
        assert_eq!(
            says(&[("pilothouse-serve", banned, None)]),
            Vec::<String>::new(),
            "{banned} above the line"
        );
    }
    assert_eq!(
        says(&[("pilothouse-envoy-api", "envoy-types", None), ("pilothouse-envoy-api", "prost", None)]),
        Vec::<String>::new()
    );
}

#[test]
fn the_engine_may_open_spans_and_nobody_else_below_the_line() {
    assert_eq!(says(&[("pilothouse-engine", "tracing", None)]), Vec::<String>::new());
    assert_eq!(says(&[("pilothouse-engine", "tokio", None)]).len(), 1);
}

#[test]
fn the_test_kit_is_for_tests() {
    assert_eq!(says(&[("pilothouse-engine", "pilothouse-testkit", Some("dev"))]), Vec::<String>::new());
    assert_eq!(says(&[("pilothouse-engine", "pilothouse-testkit", None)]).len(), 1);
    assert_eq!(says(&[("pilothouse", "pilothouse-testkit", None)]).len(), 1);
}

#[test]
fn tests_reach_what_the_crate_could_reach_and_no_further() {
    assert_eq!(says(&[("pilothouse-engine", "pilothouse-config", Some("dev"))]), Vec::<String>::new());
    assert_eq!(says(&[("pilothouse-config", "pilothouse-engine", Some("dev"))]).len(), 1);
}

#[test]
fn the_table_has_no_circle() {
    for rule in TABLE {
        for on in rule.may_use {
            if let Some(below) = TABLE.iter().find(|other| other.package == *on) {
                assert!(
                    !table::reach(below).contains(rule.package),
                    "{} and {on} reach each other",
                    rule.package
                );
            }
        }
    }
}

#[test]
fn tests_of_a_pure_crate_may_look_at_files() {
    assert_eq!(says(&[("pilothouse-translate", "tempfile", Some("dev"))]), Vec::<String>::new());
    assert_eq!(says(&[("pilothouse-translate", "tempfile", None)]).len(), 1);
}
