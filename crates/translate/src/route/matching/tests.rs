use serde_json::json;

use super::*;

fn text(value: &str) -> ValueMatch {
    ValueMatch::Text(StringMatch::Exact(Name::from(value)))
}

#[test]
fn all_parts_of_a_match_are_there() {
    let matches = HttpMatch {
        uri: Some(StringMatch::Prefix(Name::from("/api"))),
        ignore_uri_case: true,
        method: Some(StringMatch::Exact(Name::from("GET"))),
        authority: Some(StringMatch::Regex(Name::from(".*"))),
        headers: [(Name::from("b"), ValueMatch::Present), (Name::from("a"), text("1"))].into(),
        without_headers: [(Name::from("d"), ValueMatch::Present), (Name::from("c"), text("1"))].into(),
        query: [(Name::from("q"), text("x")), (Name::from("r"), ValueMatch::Present)].into(),
        stat_prefix: Name::from("api"),
        ..HttpMatch::default()
    };
    let plan = RouteMatchPlan::Http(Box::new(matches));
    assert_eq!(stat_prefix(&plan), "api");
    assert_eq!(
        envoy::json::print(&route_match(&plan)).unwrap(),
        json!({
            "prefix": "/api",
            "case_sensitive": false,
            "headers": [
                {"name": "a", "string_match": {"exact": "1"}},
                {"name": "b", "present_match": true},
                {"name": "c", "string_match": {"exact": "1"}, "invert_match": true, "treat_missing_header_as_empty": true},
                {"name": "d", "present_match": true, "invert_match": true},
                {"name": ":method", "string_match": {"exact": "GET"}},
                {"name": ":authority", "string_match": {"safe_regex": {"regex": ".*"}}}
            ],
            "query_parameters": [
                {"name": "q", "string_match": {"exact": "x"}},
                {"name": "r", "present_match": true}
            ]
        })
    );
}

#[test]
fn paths_of_each_kind() {
    for (uri, expected) in [
        (None, json!({"prefix": "/", "case_sensitive": true})),
        (Some(StringMatch::Exact(Name::from("/a"))), json!({"path": "/a", "case_sensitive": true})),
        (
            Some(StringMatch::Regex(Name::from("/a+"))),
            json!({"safe_regex": {"regex": "/a+"}, "case_sensitive": true}),
        ),
    ] {
        let plan = RouteMatchPlan::Http(Box::new(HttpMatch { uri, ..HttpMatch::default() }));
        assert_eq!(envoy::json::print(&route_match(&plan)).unwrap(), expected);
    }
    assert_eq!(envoy::json::print(&route_match(&RouteMatchPlan::All)).unwrap(), json!({"prefix": "/"}));
}
