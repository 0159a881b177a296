//! Route tables.

use std::collections::BTreeMap;
use std::time::Duration;

use pilothouse_base::{Name, Percent};
use pilothouse_config::traffic_policy::HashKey;
use pilothouse_config::virtual_service::{
    Abort, Cors, DirectResponse, Fault, HeaderChanges, HeaderEdits, HttpMatch, PathRewrite, Redirect,
    RedirectPort, Retry, StringMatch, ValueMatch,
};
use pilothouse_envoy_api as envoy;
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{Delivery, assemble, cluster, listener, route_table, virtual_host};
use pilothouse_view::plan::{
    ActionPlan, CatchAll, HashPlan, HttpPlan, HttpRole, MirrorPlan, Network, RouteMatchPlan, RoutePlan,
    RouteTablePlan, RouteToPlan, Routes, VirtualHostPlan, WeightedPlan,
};

use super::name;
use crate::{cast, process};

/// A listener that finds the routes by name, so that the table is checked as it is delivered.
pub(super) fn check_table(table: envoy::route::RouteConfiguration) {
    let plan =
        HttpPlan { routes: Routes::Discovered(name(&table.name)), ..cast::http(HttpRole::Outbound, vec![]) };
    let plan = cast::listener("0.0.0.0_80", 80, vec![cast::chain("http", Network::Http(Box::new(plan)))]);
    let names = ["PassthroughCluster", "a", "b"];
    process::validate(&bootstrap_static(
        names.map(|cluster_name| cluster(&cast::cluster(cluster_name))),
        [listener(&plan)],
        [table],
        [],
        [],
    ));
}

pub(super) fn whole(host: &VirtualHostPlan) -> envoy::route::RouteConfiguration {
    let plan = RouteTablePlan { name: name("80"), catch_all: None };
    assemble(route_table(&plan, Delivery::Whole), [virtual_host(host)])
}

#[test]
fn tables_of_every_kind() {
    for catch_all in
        [None, Some(CatchAll::Passthrough), Some(CatchAll::Block), Some(CatchAll::NotFound { port: 80 })]
    {
        for delivery in [Delivery::Whole, Delivery::Split] {
            let head = route_table(&RouteTablePlan { name: name("80"), catch_all }, delivery);
            let host = VirtualHostPlan {
                domains: vec![name("cart"), name("*.cart.shop"), name("10.0.0.1"), name("[::1]")],
                require_tls: true,
                ..cast::host(vec![cast::route_to("a")])
            };
            check_table(assemble(head, [virtual_host(&host)]));
        }
    }
}

#[test]
fn routes_of_every_match() {
    let texts = [
        StringMatch::Exact(name("/a")),
        StringMatch::Prefix(name("/a")),
        StringMatch::Prefix(name("")),
        StringMatch::Regex(name("/a.*")),
    ];
    let mut routes = Vec::new();
    for text in &texts {
        let values: BTreeMap<_, _> =
            [(name("x-a"), ValueMatch::Present), (name("x-b"), ValueMatch::Text(text.clone()))].into();
        let matches = HttpMatch {
            uri: Some(text.clone()),
            ignore_uri_case: true,
            scheme: Some(text.clone()),
            method: Some(text.clone()),
            authority: Some(text.clone()),
            headers: values.clone(),
            without_headers: values.clone(),
            query: values,
            stat_prefix: name("counted"),
            ..HttpMatch::default()
        };
        routes.push(RoutePlan { matches: RouteMatchPlan::Http(Box::new(matches)), ..cast::route_to("a") });
    }
    check_table(whole(&cast::host(routes)));
}

#[test]
fn routes_of_every_action() {
    let edits = HeaderEdits {
        set: [(name("x-set"), name("100%")), (name("x-empty"), name(""))].into(),
        add: [(name("x-add"), name("%DOWNSTREAM_REMOTE_ADDRESS%"))].into(),
        remove: vec![name("x-gone")],
    };
    let headers =
        HeaderChanges { request: edits.clone(), response: edits, authority: Some(name("other.example")) };
    let retry = Retry {
        attempts: 3,
        per_try_timeout: Some(Duration::from_secs(1)),
        retry_on: name("5xx"),
        status_codes: vec![503],
        remote_localities: true,
        ignore_previous_hosts: None,
        backoff: Some(Duration::from_millis(10)),
    };
    let full = RouteToPlan {
        timeout: Some(Duration::from_secs(1)),
        retry: Some(retry.clone()),
        avoid_previous_hosts: true,
        path: Some(PathRewrite::Prefix(name("/new"))),
        authority: Some(name("new.example")),
        mirrors: vec![
            MirrorPlan { cluster: name("b"), share: Percent::from_percent(0.5).unwrap() },
            MirrorPlan { cluster: name("b"), share: Percent::NONE },
        ],
        hash: vec![
            HashPlan(HashKey::Header(name("x-user"))),
            HashPlan(HashKey::Cookie { name: name("user"), ttl: Some(Duration::ZERO), path: name("/") }),
            HashPlan(HashKey::Cookie { name: name("user"), ttl: None, path: name("") }),
            HashPlan(HashKey::SourceIp),
            HashPlan(HashKey::Query(name("user"))),
        ],
        ..cast::to(vec![
            WeightedPlan { headers: headers.clone(), foreign_tls: true, ..cast::weighted("a", u32::MAX) },
            cast::weighted("b", u32::MAX),
        ])
    };
    let regex = RouteToPlan {
        path: Some(PathRewrite::Regex { pattern: name("^/(.*)$"), substitution: name("/x/\\1") }),
        retry: Some(Retry {
            retry_on: name(""),
            status_codes: vec![],
            remote_localities: false,
            backoff: Some(Duration::from_nanos(1)),
            per_try_timeout: Some(Duration::ZERO),
            ..retry
        }),
        inbound: true,
        ..cast::to(vec![WeightedPlan {
            headers: headers.clone(),
            foreign_tls: true,
            ..cast::weighted("a", 0)
        }])
    };
    let redirect = |port, code, path: Option<&str>| ActionPlan::Redirect {
        redirect: Redirect {
            path: path.map(Name::from),
            authority: Some(name("new.example")),
            scheme: Some(name("https")),
            port,
            code,
        },
        listener_port: 8443,
    };
    let actions = [
        ActionPlan::Route(Box::new(full)),
        ActionPlan::Route(Box::new(regex)),
        redirect(RedirectPort::Default, 301, Some("/x")),
        redirect(RedirectPort::Number(443), 302, Some("")),
        redirect(RedirectPort::OfListener, 303, None),
        redirect(RedirectPort::Number(80), 307, None),
        redirect(RedirectPort::Number(80), 308, None),
        ActionPlan::Respond(DirectResponse { status: 200, body: b"text".to_vec() }),
        ActionPlan::Respond(DirectResponse { status: 503, body: vec![0xff] }),
        ActionPlan::Respond(DirectResponse { status: 503, body: vec![] }),
        ActionPlan::Respond(DirectResponse { status: 200, body: vec![b'x'; 1 << 20] }),
    ];
    let faults = [
        Fault::default(),
        Fault { delay: Some((Percent::ALL, Duration::ZERO)), abort: Some((Percent::NONE, Abort::Http(500))) },
        Fault {
            delay: Some((Percent::ALL, Duration::from_nanos(1))),
            abort: Some((Percent::ALL, Abort::Http(200))),
        },
        Fault { delay: None, abort: Some((Percent::ALL, Abort::Grpc(14))) },
    ];
    let cors = Cors {
        origins: vec![StringMatch::Exact(name("https://a.example")), StringMatch::Regex(name("https://.*"))],
        methods: vec![name("GET"), name("PUT")],
        headers: vec![name("x-a")],
        expose: vec![name("x-b")],
        max_age: Some(Duration::from_hours(24)),
        credentials: Some(true),
        forward_unmatched: false,
    };
    let mut routes = Vec::new();
    for action in &actions {
        for fault in &faults {
            routes.push(RoutePlan {
                action: action.clone(),
                fault: fault.clone(),
                cors: Some(cors.clone()),
                headers: headers.clone(),
                operation: name(""),
                ..cast::route_to("a")
            });
        }
    }
    check_table(whole(&cast::host(routes)));
}
