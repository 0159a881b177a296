use std::time::Duration;

use pilothouse_base::{Kind, ObjectKey, Percent};
use pilothouse_config::virtual_service::{
    Abort, Cors, Fault, HeaderChanges, HeaderEdits, Redirect, RedirectPort, Retry, StringMatch,
};
use pilothouse_testkit::plans::{forward, route as plan, to, weighted};
use pilothouse_view::plan::{MirrorPlan, RouteToPlan, WeightedPlan};
use serde_json::{Value, json};

use super::*;
use crate::marker;

fn shown(plan: &RoutePlan) -> Value {
    envoy::json::print(&route(plan)).unwrap()
}

fn set(name: &str, value: &str) -> HeaderChanges {
    HeaderChanges {
        request: HeaderEdits {
            set: [(Name::from(name), Name::from(value))].into(),
            ..HeaderEdits::default()
        },
        ..HeaderChanges::default()
    }
}

fn added(route: &Value) -> Vec<&str> {
    let headers = route["request_headers_to_add"].as_array().map(Vec::as_slice).unwrap_or_default();
    headers.iter().filter_map(|header| header["header"]["value"].as_str()).collect()
}

#[test]
fn a_default_route_has_no_limits() {
    let route = RoutePlan {
        origin: Some(ObjectKey::new(Kind::VirtualService, "shop", "cart")),
        operation: Name::from("cart.shop:80/*"),
        ..forward(to(vec![weighted("a", 5)]))
    };
    assert_eq!(
        shown(&route),
        json!({
            "name": "default",
            "match": {"prefix": "/"},
            "metadata": {"filter_metadata": {"istio": {
                "config": "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart"
            }}},
            "decorator": {"operation": "cart.shop:80/*"},
            "route": {"cluster": "a", "timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}}
        })
    );
    let inbound = shown(&forward(RouteToPlan { inbound: true, ..to(vec![weighted("a", 1)]) }));
    assert_eq!(
        inbound["route"]["max_stream_duration"],
        json!({"max_stream_duration": "0s", "grpc_timeout_header_max": "0s"})
    );
    let limited = RouteToPlan { timeout: Some(Duration::from_secs(2)), ..to(vec![weighted("a", 1)]) };
    let limited = shown(&forward(limited));
    assert_eq!(limited.pointer("/route/timeout"), Some(&json!("2s")));
    assert_eq!(limited.pointer("/route/max_grpc_timeout"), Some(&json!("2s")));
    assert_eq!(limited.pointer("/route/max_stream_duration"), None, "it would switch the timeout off");
}

#[test]
fn one_cluster_speaks_through_its_route_and_several_for_themselves() {
    let change = |cluster: &str| WeightedPlan {
        headers: HeaderChanges { authority: Some(Name::from("own")), ..set("x", "cluster") },
        foreign_tls: true,
        ..weighted(cluster, 1)
    };
    let one = shown(&RoutePlan { headers: set("x", "route"), ..forward(to(vec![change("a")])) });
    assert_eq!(added(&one), ["route", "cluster"]);
    assert_eq!(one["route"]["host_rewrite_literal"], "own");
    assert_eq!(one["typed_per_filter_config"][marker::HTTP_FILTER]["disabled"], true);

    let two =
        shown(&RoutePlan { headers: set("x", "route"), ..forward(to(vec![change("a"), weighted("b", 9)])) });
    assert_eq!(added(&two), ["route"]);
    assert_eq!(two.get("typed_per_filter_config"), None);
    let clusters = two["route"]["weighted_clusters"]["clusters"].as_array().unwrap();
    assert_eq!(added(&clusters[0]), ["cluster"]);
    assert_eq!(clusters[0]["host_rewrite_literal"], "own");
    assert_eq!(clusters[0]["typed_per_filter_config"][marker::HTTP_FILTER]["disabled"], true);
    assert_eq!(clusters[1], json!({"name": "b", "weight": 9}));
}

#[test]
fn a_rewrite_of_the_authority_goes_before_header_changes() {
    let own = WeightedPlan {
        headers: HeaderChanges { authority: Some(Name::from("cluster")), ..HeaderChanges::default() },
        ..weighted("a", 1)
    };
    for (rewrite, header, expected) in [
        (Some("rewrite"), Some("header"), "rewrite"),
        (None, Some("header"), "header"),
        (None, None, "cluster"),
    ] {
        let to = RouteToPlan { authority: rewrite.map(Name::from), ..to(vec![own.clone()]) };
        let headers = HeaderChanges { authority: header.map(Name::from), ..HeaderChanges::default() };
        let built = shown(&RoutePlan { headers, ..forward(to) });
        assert_eq!(built["route"]["host_rewrite_literal"], expected);
    }
}

#[test]
fn header_values_that_are_no_formats_stay_what_they_say() {
    let changes = HeaderChanges {
        response: HeaderEdits {
            set: [(Name::from("a"), Name::from("100%"))].into(),
            add: [(Name::from("b"), Name::from(""))].into(),
            remove: vec![Name::from("c")],
        },
        ..HeaderChanges::default()
    };
    let built = shown(&RoutePlan { headers: changes, ..forward(to(vec![weighted("x", 1)])) });
    assert_eq!(
        built["response_headers_to_add"],
        json!([
            {"header": {"key": "a", "value": "100%%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
            {"header": {"key": "b"}, "keep_empty_value": true}
        ])
    );
    assert_eq!(built["response_headers_to_remove"], json!(["c"]));
}

#[test]
fn retries_add_what_status_codes_need() {
    let retry = |on: &str, codes: &[u32]| Retry {
        attempts: 2,
        per_try_timeout: None,
        retry_on: Name::from(on),
        status_codes: codes.to_vec(),
        remote_localities: false,
        ignore_previous_hosts: None,
        backoff: None,
    };
    let default = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
    for (retry, expected) in [
        (retry("", &[]), default),
        (retry("5xx", &[]), "5xx"),
        (retry("5xx", &[503]), "5xx,retriable-status-codes"),
        (retry("", &[503]), "retriable-status-codes"),
        (retry("retriable-status-codes", &[503]), "retriable-status-codes"),
    ] {
        let built = retry::policy(&retry, true).unwrap();
        assert_eq!(built.retry_on, expected);
        assert_eq!(built.retry_host_predicate.len(), 1);
        assert_eq!(built.host_selection_retry_max_attempts, 5);
    }
    assert_eq!(retry::policy(&Retry { attempts: 0, ..retry("", &[]) }, true), None);
    assert!(retry::policy(&retry("", &[]), false).unwrap().retry_host_predicate.is_empty());
}

#[test]
fn redirects_write_only_ports_that_are_not_implied() {
    for (scheme, port, expected) in [
        (None, RedirectPort::Default, None),
        (Some("https"), RedirectPort::Number(443), None),
        (Some("https"), RedirectPort::Number(8443), Some(8443)),
        (Some("http"), RedirectPort::Number(443), Some(443)),
        (None, RedirectPort::OfListener, Some(8080)),
    ] {
        let redirect = Redirect {
            path: Some(Name::from("/x")),
            authority: None,
            scheme: scheme.map(Name::from),
            port,
            code: 308,
        };
        let built = shown(&plan(ActionPlan::Redirect { redirect, listener_port: 8080 }));
        assert_eq!(built["redirect"]["port_redirect"].as_u64(), expected, "{scheme:?} {port:?}");
        assert_eq!(built["redirect"]["response_code"], "PERMANENT_REDIRECT");
        assert_eq!(built["redirect"]["path_redirect"], "/x");
    }
}

#[test]
fn mirrors_faults_and_cors_have_their_places() {
    let to = RouteToPlan {
        mirrors: vec![
            MirrorPlan { cluster: Name::from("m"), share: Percent::from_percent(0.5).unwrap() },
            MirrorPlan { cluster: Name::from("never"), share: Percent::NONE },
        ],
        ..to(vec![weighted("a", 1)])
    };
    let route = RoutePlan {
        fault: Fault {
            delay: Some((Percent::ALL, Duration::from_secs(5))),
            abort: Some((Percent::from_percent(10.0).unwrap(), Abort::Grpc(14))),
        },
        cors: Some(Cors {
            origins: vec![StringMatch::Exact(Name::from("https://a.example"))],
            methods: vec![Name::from("GET"), Name::from("PUT")],
            max_age: Some(Duration::from_hours(1)),
            forward_unmatched: true,
            ..Cors::default()
        }),
        ..forward(to)
    };
    let built = shown(&route);
    assert_eq!(
        built["route"]["request_mirror_policies"],
        json!([{
            "cluster": "m",
            "runtime_fraction": {"default_value": {"numerator": 5000, "denominator": "MILLION"}},
            "trace_sampled": false,
            "disable_shadow_host_suffix_append": true
        }])
    );
    let settings = &built["typed_per_filter_config"];
    let all = json!({"numerator": 1_000_000, "denominator": "MILLION"});
    assert_eq!(settings[FAULT_FILTER]["delay"], json!({"fixed_delay": "5s", "percentage": all}));
    assert_eq!(settings[FAULT_FILTER]["abort"]["grpc_status"], 14);
    assert_eq!(settings[CORS_FILTER]["allow_methods"], "GET,PUT");
    assert_eq!(settings[CORS_FILTER]["max_age"], "3600");
    assert_eq!(settings[CORS_FILTER]["forward_not_matching_preflights"], true);

    let first = envoy::encode(&super::route(&route));
    for _ in 0..20 {
        assert_eq!(envoy::encode(&super::route(&route)), first, "equal plans give equal bytes");
    }
}

#[test]
fn a_host_that_redirects_to_https_says_so() {
    let plan = VirtualHostPlan {
        name: Name::from("cart.shop:80"),
        domains: vec![Name::from("cart.shop")],
        routes: vec![],
        require_tls: true,
        attempt_count: true,
    };
    assert_eq!(virtual_host(&plan).require_tls(), envoy::route::virtual_host::TlsRequirementType::All);
}
