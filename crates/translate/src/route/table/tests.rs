use super::*;

fn head(catch_all: Option<CatchAll>, delivery: Delivery) -> envoy::route::RouteConfiguration {
    route_table(&RouteTablePlan { name: Name::from("80"), catch_all }, delivery)
}

fn host(name: &str) -> envoy::route::VirtualHost {
    envoy::route::VirtualHost { name: name.into(), domains: vec![name.into()], ..Default::default() }
}

#[test]
fn unknown_hosts_are_passed_refused_or_not_found() {
    for (plan, name, shown) in [
        (
            CatchAll::Passthrough,
            "allow_any",
            serde_json::json!({"name": "allow_any", "match": {"prefix": "/"}, "route": {
                "cluster": "PassthroughCluster", "timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}
            }}),
        ),
        (
            CatchAll::Block,
            "block_all",
            serde_json::json!({"name": "block_all", "match": {"prefix": "/"}, "direct_response": {"status": 502}}),
        ),
        (CatchAll::NotFound { port: 80 }, "blackhole:80", serde_json::Value::Null),
    ] {
        let built = head(Some(plan), Delivery::Whole);
        let [host] = built.virtual_hosts.as_slice() else { panic!("one host") };
        assert_eq!((host.name.as_str(), host.domains.as_slice()), (name, &["*".to_owned()][..]));
        let json = envoy::json::print(host).unwrap();
        assert_eq!(json["routes"].get(0).cloned().unwrap_or_default(), shown);
    }
    assert!(head(None, Delivery::Whole).virtual_hosts.is_empty());
}

#[test]
fn split_tables_wait_for_their_hosts() {
    let split = envoy::json::print(&head(Some(CatchAll::Block), Delivery::Split)).unwrap();
    assert_eq!(
        split["vhds"]["config_source"],
        serde_json::json!({"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"})
    );
    assert_eq!(head(None, Delivery::Whole).vhds, None);
    assert_eq!(split["validate_clusters"], false);
    assert_eq!(split["ignore_port_in_host_matching"], true);
    assert_eq!(split["max_direct_response_body_size_bytes"], 1_048_576);
}

#[test]
fn assembled_tables_are_sorted_and_end_with_the_catch_all() {
    let built = assemble(head(Some(CatchAll::Block), Delivery::Split), ["c", "a", "b"].map(host));
    let names: Vec<_> = built.virtual_hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "block_all"]);
    assert_eq!(built.vhds, None);
}

#[test]
fn an_empty_table_is_an_answer() {
    let built = empty_route_table(&Name::from("9"), Delivery::Whole);
    assert_eq!(built.name, "9");
    assert_eq!(built.validate_clusters, Some(envoy::boolean(false)));
    assert!(built.virtual_hosts.is_empty());
    assert_eq!(built.vhds, None);
    let split = empty_route_table(&Name::from("9"), Delivery::Split);
    assert_eq!(split.vhds, head(None, Delivery::Split).vhds, "as of a table that is there");
    assert_eq!(envoy::route::RouteConfiguration { vhds: None, ..split }, built);
}
