use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Struct, UInt32Value, boolean,
    cluster::{Cluster, cluster::ClusterDiscoveryType, cluster::DiscoveryType},
    core::{Http2ProtocolOptions, Metadata},
    duration,
    hcm::{
        HttpConnectionManager, HttpFilter, http_connection_manager::RouteSpecifier, http_filter::ConfigType,
    },
    listener::{Filter, FilterChain, Listener, filter},
    pack,
    route::{RouteConfiguration, VirtualHost},
    router::Router,
    uint32,
    upstream_http::{HttpProtocolOptions, http_protocol_options},
    value::Kind as Free,
};

fn listener() -> Listener {
    let router = HttpFilter {
        name: "envoy.filters.http.router".into(),
        config_type: Some(ConfigType::TypedConfig(pack(&Router {
            suppress_envoy_headers: true,
            ..Default::default()
        }))),
        ..Default::default()
    };
    let manager = HttpConnectionManager {
        stat_prefix: "inbound".into(),
        stream_idle_timeout: Some(duration(std::time::Duration::from_millis(1500))),
        http_filters: vec![router],
        route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration {
            name: "inbound".into(),
            virtual_hosts: vec![VirtualHost {
                name: "all".into(),
                domains: vec!["*".into()],
                ..Default::default()
            }],
            validate_clusters: Some(boolean(false)),
            ..Default::default()
        })),
        ..Default::default()
    };
    Listener {
        name: "virtualInbound".into(),
        filter_chains: vec![FilterChain {
            filters: vec![Filter {
                name: "envoy.filters.network.http_connection_manager".into(),
                config_type: Some(filter::ConfigType::TypedConfig(pack(&manager))),
            }],
            ..Default::default()
        }],
        per_connection_buffer_limit_bytes: Some(uint32(32768)),
        ..Default::default()
    }
}

fn listener_json() -> Value {
    json!({
        "name": "virtualInbound",
        "per_connection_buffer_limit_bytes": 32768,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "inbound",
                "stream_idle_timeout": "1.500s",
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": true,
                    },
                }],
                "route_config": {
                    "name": "inbound",
                    "virtual_hosts": [{"name": "all", "domains": ["*"]}],
                    "validate_clusters": false,
                },
            },
        }]}],
    })
}

fn cluster() -> Cluster {
    let field = |kind| crate::Value { kind: Some(kind) };
    let metadata = Struct {
        fields: [
            ("port".to_owned(), field(Free::NumberValue(8080.0))),
            ("share".to_owned(), field(Free::NumberValue(0.25))),
            ("none".to_owned(), field(Free::NullValue(0))),
            (
                "services".to_owned(),
                field(Free::ListValue(crate::ListValue {
                    values: vec![field(Free::StringValue("cart".into()))],
                })),
            ),
        ]
        .into(),
    };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(
            http_protocol_options::ExplicitHttpConfig {
                protocol_config: Some(
                    http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
                        Http2ProtocolOptions {
                            max_concurrent_streams: Some(UInt32Value { value: 100 }),
                            ..Default::default()
                        },
                    ),
                ),
            },
        )),
        ..Default::default()
    };
    Cluster {
        name: "outbound|80||cart.shop.svc.cluster.local".into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        connect_timeout: Some(duration(std::time::Duration::from_secs(5))),
        metadata: Some(Metadata {
            filter_metadata: [("istio".to_owned(), metadata)].into(),
            ..Default::default()
        }),
        typed_extension_protocol_options: [(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            pack(&options),
        )]
        .into(),
        ..Default::default()
    }
}

fn problem<M: Name + Default>(value: &Value) -> String {
    parse::<M>(value).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn listener_with_nested_any_both_ways() {
    assert_eq!(print(&listener()).unwrap(), listener_json());
    assert_eq!(parse::<Listener>(&listener_json()).unwrap(), listener());
}

#[test]
fn cluster_with_protocol_options_and_metadata_both_ways() {
    let expected = json!({
        "name": "outbound|80||cart.shop.svc.cluster.local",
        "type": "EDS",
        "connect_timeout": "5s",
        "metadata": {"filter_metadata": {"istio": {
            "none": null, "port": 8080, "services": ["cart"], "share": 0.25,
        }}},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {"max_concurrent_streams": 100}},
        }},
    });
    let printed = print(&cluster()).unwrap();
    assert_eq!(printed, expected);
    assert!(
        printed["metadata"]["filter_metadata"]["istio"]["port"].is_u64(),
        "whole numbers have no fraction"
    );
    assert_eq!(parse::<Cluster>(&printed).unwrap(), cluster());
}

#[test]
fn same_text_and_bytes_every_time() {
    let text = print(&cluster()).unwrap().to_string();
    for _ in 0..8 {
        assert_eq!(print(&cluster()).unwrap().to_string(), text);
        assert_eq!(from_json(type_url::CLUSTER, &print(&cluster()).unwrap()).unwrap(), encode(&cluster()));
    }
}

#[test]
fn an_any_alone_both_ways() {
    let any = pack(&listener());
    let printed = any_to_json(&any).unwrap();
    assert_eq!(printed["@type"], type_url::LISTENER);
    assert_eq!(printed["name"], "virtualInbound");
    assert_eq!(any_from_json(&printed).unwrap(), any);
    assert_eq!(any_from_json(&json!({})).unwrap(), Any::default());
    let wrapped = pack(&duration(std::time::Duration::from_secs(1)));
    let printed = any_to_json(&wrapped).unwrap();
    assert_eq!(printed, json!({"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}));
    assert_eq!(any_from_json(&printed).unwrap(), wrapped);
}

#[test]
fn an_any_of_an_unknown_type_keeps_its_bytes() {
    let any = Any {
        type_url: "type.googleapis.com/istio.networking.nds.v1.NameTable".into(),
        value: vec![1, 2, 255],
    };
    let printed = any_to_json(&any).unwrap();
    assert_eq!(printed, json!({"@type": any.type_url, "value": "AQL/"}));
    assert_eq!(any_from_json(&printed).unwrap(), any);
    let with_fields = json!({"@type": any.type_url, "table": {}});
    assert!(
        any_from_json(&with_fields).unwrap_err().to_string().contains("istio.networking.nds.v1.NameTable")
    );
}

#[test]
fn reads_camel_case_names_enum_numbers_and_strings_for_numbers() {
    let cluster: Cluster = parse(&json!({
        "connectTimeout": "0.250s", "type": 3, "per_connection_buffer_limit_bytes": "7", "altStatName": null,
    }))
    .unwrap();
    assert_eq!(cluster.connect_timeout, Some(duration(std::time::Duration::from_millis(250))));
    assert_eq!(cluster.cluster_discovery_type, Some(ClusterDiscoveryType::Type(3)));
    assert_eq!(cluster.per_connection_buffer_limit_bytes, Some(uint32(7)));
}

#[test]
fn numbers_of_every_width() {
    use crate::{DoubleValue, FloatValue, UInt64Value, types::Percent};
    assert_eq!(print(&Percent { value: 50.0 }).unwrap(), json!({"value": 50}));
    assert_eq!(print(&UInt64Value { value: u64::MAX }).unwrap(), json!("18446744073709551615"));
    assert_eq!(parse::<UInt64Value>(&json!("18446744073709551615")).unwrap().value, u64::MAX);
    assert_eq!(print(&FloatValue { value: 0.1 }).unwrap().to_string(), "0.1");
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5, 1e300, 9_007_199_254_740_993.0] {
        let printed = print(&DoubleValue { value: odd }).unwrap();
        assert_eq!(parse::<DoubleValue>(&printed).unwrap().value.to_bits(), odd.to_bits(), "{printed}");
    }
}

#[test]
fn errors_name_the_field() {
    let mut wrong = listener_json();
    wrong["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0]["nmae"] = json!("router");
    assert_eq!(
        problem::<Listener>(&wrong),
        "filter_chains[0].filters[0].typed_config.http_filters[0].nmae: unknown field of \
         envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
    );
    let cases = [
        (json!([]), "must be an object"),
        (json!({"name": 3}), "name: invalid type"),
        (
            json!({"type": "EDDS"}),
            "type: \"EDDS\" is not a value of envoy.config.cluster.v3.Cluster.DiscoveryType",
        ),
        (json!({"connect_timeout": "5"}), "connect_timeout: "),
        (json!({"connect_timeout": "5s", "connectTimeout": "5s"}), "connect_timeout: given twice"),
        (json!({"type": "EDS", "cluster_type": {}}), "type: cannot stand beside cluster_type"),
        (json!({"per_connection_buffer_limit_bytes": -1}), "per_connection_buffer_limit_bytes: "),
        (json!({"filters": {}}), "filters: must be a list"),
        (
            json!({"typed_extension_protocol_options": {"a.b": {"x": 1}}}),
            "typed_extension_protocol_options[\"a.b\"]: needs \"@type\"",
        ),
        (
            json!({"typed_extension_protocol_options": {"a": {"@type": "envoy.config.core.v3.Node"}}}),
            "typed_extension_protocol_options[\"a\"]: @type \"envoy.config.core.v3.Node\" is not a type URL",
        ),
    ];
    for (value, expected) in cases {
        let problem = problem::<Cluster>(&value);
        assert!(problem.starts_with(expected), "{value} gave {problem}");
    }
    assert!(matches!(to_json("a.B", &[]), Err(JsonError::UnknownType(_))));
    assert!(matches!(to_json(type_url::CLUSTER, &[0xff]), Err(JsonError::Bytes { .. })));
}

#[test]
fn a_broken_any_says_where() {
    let broken = Any { type_url: type_url::CLUSTER.into(), value: vec![0xff] };
    let filter = Filter { config_type: Some(filter::ConfigType::TypedConfig(broken)), ..Default::default() };
    let problem =
        print(&FilterChain { filters: vec![filter], ..Default::default() }).unwrap_err().to_string();
    assert!(
        problem.starts_with("filters[0].typed_config: not a valid envoy.config.cluster.v3.Cluster"),
        "{problem}"
    );
}

#[test]
fn endless_nesting_is_an_error() {
    let mut any = pack(&Cluster::default());
    for _ in 0..5_000 {
        any = pack(&any);
    }
    assert!(any_to_json(&any).unwrap_err().to_string().contains("deep"));

    let mut value = json!({"@type": type_url::CLUSTER});
    for _ in 0..400 {
        value = json!({"@type": "type.googleapis.com/google.protobuf.Any", "value": value});
    }
    assert!(any_from_json(&value).unwrap_err().to_string().contains("deep"));

    let mut value = json!(1);
    for _ in 0..400 {
        value = json!([value]);
    }
    let metadata = json!({"filter_metadata": {"a": {"b": value}}});
    assert!(problem::<Metadata>(&metadata).starts_with("filter_metadata[\"a\"]: lies more than"));
}

#[test]
fn every_message_of_the_table_of_contents_is_known() {
    let known = |name: String| assert!(pool::get().get_message_by_name(&name).is_some(), "{name}");
    known(crate::bootstrap::Bootstrap::full_name());
    known(crate::admin::ConfigDump::full_name());
    known(crate::discovery::DeltaDiscoveryResponse::full_name());
    known(crate::status::ClientConfig::full_name());
    known(crate::tls::Secret::full_name());
    known(crate::stats_access_log::Config::full_name());
    known(crate::http_set_filter_state::Config::full_name());
    known(crate::previous_hosts::PreviousHostsPredicate::full_name());
    known(crate::credential_injector::CredentialInjector::full_name());
    known(crate::xds_matcher::Matcher::full_name());
    known(crate::rpc::Status::full_name());
}

fn free_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9.]{0,6}".prop_map(Value::from),
        Just(json!(type_url::CLUSTER)),
        Just(json!("5s")),
    ];
    let key = prop_oneof![
        Just("@type".to_owned()),
        Just("value".to_owned()),
        Just("name".to_owned()),
        Just("metadata".to_owned()),
        Just("filter_metadata".to_owned()),
        Just("load_assignment".to_owned()),
        Just("connect_timeout".to_owned()),
        Just("typed_extension_protocol_options".to_owned()),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for url in [type_url::CLUSTER, type_url::LISTENER, "google.protobuf.Struct", "google.protobuf.Any"] {
            let _ = to_json(url, &bytes);
        }
        let _ = any_to_json(&Any { type_url: type_url::CLUSTER.into(), value: bytes });
    }

    #[test]
    fn damaged_messages_never_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&listener());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = to_json(type_url::LISTENER, &bytes);
    }

    #[test]
    fn random_json_never_panics_and_what_is_read_prints(value in free_json()) {
        for url in [type_url::CLUSTER, "google.protobuf.Any", "google.protobuf.Struct"] {
            if let Ok(bytes) = from_json(url, &value) {
                let printed = to_json(url, &bytes).unwrap();
                prop_assert_eq!(from_json(url, &printed).unwrap(), bytes);
            }
        }
    }
}
