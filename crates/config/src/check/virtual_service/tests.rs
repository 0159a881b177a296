use std::collections::BTreeMap;
use std::time::Duration;

use pilothouse_base::Percent;
use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, findings, istio};
use crate::virtual_service::{
    Abort, HttpAction, PathRewrite, Redirect, RedirectPort, StringMatch, ValueMatch,
};

fn read(spec: &Value) -> VirtualService {
    match checked(&istio("VirtualService", spec)) {
        Some(Object::VirtualService(object)) => (*object).clone(),
        other => panic!("{other:?}"),
    }
}

/// One HTTP rule besides a good one, so that siblings are seen to live on.
fn with_rule(rule: &Value) -> Value {
    json!({"hosts": ["cart"], "http": [rule, {"route": [{"destination": {"host": "cart"}}]}]})
}

/// A rule that routes, with more fields.
fn routed(more: &Value) -> Value {
    let mut rule =
        json!({"match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": "cart"}}]});
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    with_rule(&rule)
}

#[test]
fn a_whole_object_is_read() {
    let object = read(&json!({
        "hosts": ["cart", "*.example.com"],
        "gateways": ["mesh", "web", "infra/edge", "./own"],
        "exportTo": ["."],
        "http": [{
            "name": "main",
            "match": [{
                "name": "m", "uri": {"regex": "/v[0-9]+"}, "ignoreUriCase": true, "method": {"exact": "GET"}, "scheme": {"exact": "https"},
                "authority": {"prefix": "cart"}, "headers": {"X-User": {}, "x-b": {"prefix": "a"}}, "withoutHeaders": {"x-c": {"regex": "*"}},
                "queryParams": {"q": {"exact": "1"}}, "port": 80, "sourceLabels": {"app": "web"}, "sourceNamespace": "other",
                "gateways": ["mesh"], "statPrefix": "p",
            }],
            "route": [{"destination": {"host": "cart", "subset": "v1", "port": {"number": 80}}, "weight": 90,
                       "headers": {"response": {"set": {"x": "1"}}}},
                      {"destination": {"host": "cart.other.svc.cluster.local"}, "weight": 10}],
            "rewrite": {"uri": "/b", "authority": "b"},
            "timeout": "1.5s",
            "retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx"},
            "fault": {"delay": {"percentage": {"value": 0.1}, "fixedDelay": "5s"}, "abort": {"percentage": {"value": 50}, "grpcStatus": "NOT_FOUND"}},
            "mirror": {"host": "shadow"}, "mirrorPercentage": {"value": 25},
            "corsPolicy": {"allowOrigins": [{"exact": "a"}], "allowMethods": ["GET"], "maxAge": "24h", "allowCredentials": true},
        }, {"redirect": {"uri": "/x", "redirectCode": 302}}],
        "tls": [{"match": [{"sniHosts": ["a.example.com"], "port": 443}], "route": [{"destination": {"host": "cart"}}]}],
        "tcp": [{"match": [{"port": 9000}], "route": [{"destination": {"host": "cart"}, "weight": 1}]}],
    }));
    assert_eq!(
        object.hosts.iter().map(Hostname::as_str).collect::<Vec<_>>(),
        ["cart.shop.svc.cluster.local", "*.example.com"]
    );
    let named = |namespace: &str, name: &str| GatewayRef::Named(namespace.into(), name.into());
    assert_eq!(
        object.gateways,
        [GatewayRef::Mesh, named("shop", "web"), named("infra", "edge"), named("shop", "own")]
    );
    let rule = &object.http[0];
    let one = &rule.matches[0];
    assert_eq!(one.uri, Some(StringMatch::Regex("/v[0-9]+".into())));
    assert_eq!(
        one.headers,
        BTreeMap::from([
            ("x-user".into(), ValueMatch::Present),
            ("x-b".into(), ValueMatch::Text(StringMatch::Prefix("a".into())))
        ])
    );
    assert_eq!(one.without_headers, BTreeMap::from([("x-c".into(), ValueMatch::Present)]));
    assert_eq!((one.port, one.gateways.as_deref()), (Some(80), Some(&[GatewayRef::Mesh][..])));
    let HttpAction::Route(route) = &rule.action else { panic!() };
    assert_eq!(route.iter().map(|one| one.weight).collect::<Vec<_>>(), [90, 10]);
    assert_eq!(route[0].destination.host.as_str(), "cart.shop.svc.cluster.local");
    assert_eq!(rule.rewrite.path, Some(PathRewrite::Prefix("/b".into())));
    assert_eq!(rule.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(rule.fault.delay, Some((Percent::from_percent(0.1).unwrap(), Duration::from_secs(5))));
    assert_eq!(rule.fault.abort, Some((Percent::from_percent(50.0).unwrap(), Abort::Grpc(5))));
    assert_eq!((rule.mirrors[0].index, rule.mirrors[0].share), (None, Percent::from_percent(25.0).unwrap()));
    let path = Some("/x".into());
    let redirect = Redirect { path, authority: None, scheme: None, port: RedirectPort::Default, code: 302 };
    assert_eq!(object.http[1].action, HttpAction::Redirect(redirect));
    assert_eq!(object.tls[0].matches[0].sni_hosts[0].as_str(), "a.example.com");
    assert_eq!(object.tcp[0].matches[0].port, Some(9000));
}

#[test]
fn gateways_default_to_the_mesh() {
    assert_eq!(
        read(&with_rule(&json!({"directResponse": {"status": 200}, "match": [{"uri": {"exact": "/x"}}]})))
            .gateways,
        [GatewayRef::Mesh]
    );
}

#[test]
fn mistakes_of_the_object() {
    let http = json!([{"route": [{"destination": {"host": "cart"}}]}]);
    for (spec, code, field, effect) in [
        (json!({"http": http}), "PH0006", "spec.hosts", "no effect"),
        (json!({"hosts": ["cart"]}), "PH0101", "spec", "no effect"),
        (json!({"hosts": ["a_b.com", "cart"], "http": http}), "PH0107", "spec.hosts[0]", "other hosts"),
        (json!({"hosts": ["*"], "http": http}), "PH0107", "spec.hosts[0]", "do not apply"),
        (json!({"hosts": ["cart", "cart"], "http": http}), "PH0112", "spec.hosts[1]", "nothing"),
        (json!({"hosts": ["*.a.com", "b.a.com"], "http": http}), "PH0113", "spec.hosts[1]", "more specific"),
        (
            json!({"hosts": ["cart"], "gateways": ["a/b_c", "mesh"], "http": http}),
            "PH0102",
            "spec.gateways[0]",
            "not served there",
        ),
        (
            json!({"hosts": ["cart"], "gateways": ["/x", "mesh"], "http": http}),
            "PH0102",
            "spec.gateways[0]",
            "not served there",
        ),
        (
            json!({"hosts": ["cart"], "gateways": ["web.infra.svc.cluster.local"], "http": http}),
            "PH0111",
            "spec.gateways[0]",
            "",
        ),
        (json!({"hosts": ["cart"], "exportTo": ["~"], "http": http}), "PH0102", "spec.exportTo[0]", "nobody"),
    ] {
        expect_one(&istio("VirtualService", &spec), code, field, effect);
    }
    let legacy = read(&json!({"hosts": ["cart"], "gateways": ["web.infra.svc.cluster.local"], "http": http}));
    assert_eq!(legacy.gateways, [GatewayRef::Named("infra".into(), "web".into())]);
    assert_eq!(read(&json!({"hosts": ["*"], "gateways": ["web"], "http": http})).hosts.len(), 1);
    assert_eq!(checked(&istio("VirtualService", &json!({"hosts": ["a_b"], "http": http}))), None);
}

#[test]
fn a_rule_without_a_usable_action_is_broken_and_its_siblings_live() {
    const BROKEN: &str = "answered with 500";
    let cart = json!({"destination": {"host": "cart"}});
    let conditions = json!([{"uri": {"prefix": "/a"}}]);
    for (rule, code, field) in [
        (json!({}), "PH0110", ""),
        (json!({"delegate": {"name": "x"}}), "PH0006", ".delegate"),
        (json!({"route": [cart], "redirect": {"uri": "/"}}), "PH0106", ""),
        (json!({"route": [{"weight": 1}]}), "PH0101", ".route[0].destination"),
        (json!({"route": [{"destination": {}}]}), "PH0101", ".route[0].destination.host"),
        (json!({"route": [{"destination": {"host": "*"}}]}), "PH0107", ".route[0].destination.host"),
        (
            json!({"route": [{"destination": {"host": "cart", "subset": "v_1"}}]}),
            "PH0102",
            ".route[0].destination.subset",
        ),
        (
            json!({"route": [{"destination": {"host": "cart", "port": {"number": 70000}}}]}),
            "PH0103",
            ".route[0].destination.port.number",
        ),
        (json!({"route": [{"destination": {"host": "cart"}, "weight": -1}]}), "PH0109", ".route[0].weight"),
        (json!({"route": [cart, cart]}), "PH0109", ".route"),
        (json!({"redirect": {}}), "PH0101", ".redirect"),
        (json!({"redirect": {"prefixRewrite": "/"}}), "PH0006", ".redirect.prefixRewrite"),
        (json!({"redirect": {"uri": "/", "redirectCode": 200}}), "PH0103", ".redirect.redirectCode"),
        (json!({"redirect": {"uri": "/", "scheme": "ftp"}}), "PH0102", ".redirect.scheme"),
        (json!({"redirect": {"port": 99999}}), "PH0103", ".redirect.port"),
        (json!({"redirect": {"port": 80, "derivePort": "FROM_REQUEST_PORT"}}), "PH0106", ".redirect"),
        (json!({"redirect": {"derivePort": "FROM_HELL"}}), "PH0102", ".redirect.derivePort"),
        (json!({"directResponse": {}}), "PH0101", ".directResponse.status"),
        (json!({"directResponse": {"status": 600}}), "PH0103", ".directResponse.status"),
        (
            json!({"directResponse": {"status": 200, "body": {"bytes": "!"}}}),
            "PH0102",
            ".directResponse.body.bytes",
        ),
        (
            json!({"directResponse": {"status": 200, "body": {"bytes": "YQ==", "string": "a"}}}),
            "PH0106",
            ".directResponse.body",
        ),
        (
            json!({"route": [cart], "rewrite": {"uri": "/", "uriRegexRewrite": {"match": "a", "rewrite": "b"}}}),
            "PH0106",
            ".rewrite",
        ),
        (
            json!({"route": [cart], "rewrite": {"uriRegexRewrite": {"match": "("  , "rewrite": "b"}}}),
            "PH0105",
            ".rewrite.uriRegexRewrite.match",
        ),
        (
            json!({"route": [cart], "rewrite": {"uriRegexRewrite": {"match": "a"}}}),
            "PH0101",
            ".rewrite.uriRegexRewrite.rewrite",
        ),
        (
            json!({"route": [cart], "rewrite": {"uriRegexRewrite": {"match": "(a)", "rewrite": "\\2"}}}),
            "PH0102",
            ".rewrite.uriRegexRewrite.rewrite",
        ),
    ] {
        let mut rule = rule;
        rule["match"] = conditions.clone();
        let spec = with_rule(&rule);
        expect_one(&istio("VirtualService", &spec), code, &format!("spec.http[0]{field}"), BROKEN);
        let object = read(&spec);
        assert_eq!(object.http[0].action, HttpAction::Broken, "{rule}");
        assert!(matches!(object.http[1].action, HttpAction::Route(_)));
    }
}

#[test]
fn a_match_that_cannot_be_understood_matches_nothing() {
    for (one, code, field) in [
        (json!({"uri": {"exact": "/", "prefix": "/"}}), "PH0106", ".uri"),
        (json!({"uri": {"regex": "("}}), "PH0105", ".uri.regex"),
        (json!({"uri": {"regex": "a(?=b)"}}), "PH0105", ".uri.regex"),
        (json!({"method": {"prefix": ""}}), "PH0102", ".method.prefix"),
        (json!({"headers": {"a b": {}}}), "PH0102", ".headers[\"a b\"]"),
        (json!({"headers": {":status": {}}}), "PH0102", ".headers[\":status\"]"),
        (json!({"headers": {"x-a": {"regex": "*"}}}), "PH0105", ".headers[\"x-a\"].regex"),
        (
            json!({"headers": {"@request.auth.claims.group": {"exact": "a"}}}),
            "PH0006",
            ".headers[\"@request.auth.claims.group\"]",
        ),
        (json!({"queryParams": {"q": {"regex": ""}}}), "PH0105", ".queryParams.q.regex"),
        (json!({"port": 70000}), "PH0103", ".port"),
        (json!({"sourceLabels": {"a": "b*"}}), "PH0102", ".sourceLabels.a"),
        (json!({"sourceNamespace": "a.b"}), "PH0102", ".sourceNamespace"),
    ] {
        let spec = with_rule(
            &json!({"match": [one, {"uri": {"exact": "/b"}}], "route": [{"destination": {"host": "cart"}}]}),
        );
        expect_one(
            &istio("VirtualService", &spec),
            code,
            &format!("spec.http[0].match[0]{field}"),
            "matches nothing",
        );
        let object = read(&spec);
        assert_eq!(object.http[0].matches.iter().map(|one| one.index).collect::<Vec<_>>(), [1], "{one}");
        // Alone it takes its rule with it; nothing is left that would match everything.
        let alone = with_rule(&json!({"match": [one], "route": [{"destination": {"host": "cart"}}]}));
        assert_eq!(read(&alone).http.iter().map(|rule| rule.index).collect::<Vec<_>>(), [1], "{one}");
    }
    let unbound =
        with_rule(&json!({"match": [{"gateways": ["a_b"]}], "route": [{"destination": {"host": "cart"}}]}));
    assert_eq!(read(&unbound).http.len(), 1);
}

#[test]
fn smaller_mistakes_cost_only_their_part() {
    for (more, code, field, effect) in [
        (json!({"timeout": "5"}), "PH0104", ".timeout", "no time limit"),
        (json!({"timeout": "0s"}), "PH0113", ".timeout", "no time limit"),
        (
            json!({"retries": {"attempts": 2, "retryOn": "5xx,whatever"}}),
            "PH0102",
            ".retries.retryOn",
            "left out",
        ),
        (json!({"rewrite": {}}), "PH0101", ".rewrite", "nothing is rewritten"),
        (
            json!({"rewrite": {"authority": "a"}, "headers": {"request": {"set": {"host": "b"}}}}),
            "PH0106",
            ".rewrite.authority",
            "rewrite counts",
        ),
        (json!({"fault": {}}), "PH0101", ".fault", "no fault"),
        (
            json!({"fault": {"delay": {"fixedDelay": "5s"}}}),
            "PH0113",
            ".fault.delay.percentage",
            "no request is delayed",
        ),
        (
            json!({"fault": {"delay": {"percentage": {"value": 1}}}}),
            "PH0101",
            ".fault.delay.fixedDelay",
            "no request is delayed",
        ),
        (
            json!({"fault": {"delay": {"percentage": {"value": 0.00001}, "fixedDelay": "5s"}}}),
            "PH0103",
            ".fault.delay.percentage.value",
            "delayed",
        ),
        (
            json!({"fault": {"delay": {"percent": 50, "fixedDelay": "5s"}}}),
            "PH0111",
            ".fault.delay.percent",
            "",
        ),
        (
            json!({"fault": {"abort": {"percentage": {"value": 1}, "httpStatus": 600}}}),
            "PH0103",
            ".fault.abort.httpStatus",
            "aborted",
        ),
        (
            json!({"fault": {"abort": {"percentage": {"value": 1}, "grpcStatus": "NotFound"}}}),
            "PH0102",
            ".fault.abort.grpcStatus",
            "aborted",
        ),
        (json!({"fault": {"abort": {"percentage": {"value": 1}}}}), "PH0113", ".fault.abort", "aborted"),
        (json!({"mirror": {"host": "a_b"}}), "PH0107", ".mirror.host", "not mirrored"),
        (json!({"mirror": {"host": "a"}, "mirrorPercent": 10}), "PH0111", ".mirrorPercent", ""),
        (
            json!({"mirror": {"host": "a"}, "mirrorPercentage": {"value": 101}}),
            "PH0103",
            ".mirrorPercentage.value",
            "not mirrored",
        ),
        (
            json!({"mirrors": [{"percentage": {"value": 1}}]}),
            "PH0101",
            ".mirrors[0].destination",
            "not mirrored",
        ),
        (
            json!({"mirror": {"host": "a"}, "mirrors": [{"destination": {"host": "b"}}]}),
            "PH0106",
            ".mirror",
            "only mirrors",
        ),
        (
            json!({"corsPolicy": {"allowMethods": ["get"]}}),
            "PH0102",
            ".corsPolicy.allowMethods[0]",
            "not allowed",
        ),
        (
            json!({"corsPolicy": {"allowHeaders": ["a b"]}}),
            "PH0102",
            ".corsPolicy.allowHeaders[0]",
            "left out",
        ),
        (
            json!({"corsPolicy": {"allowOrigins": [{"exact": ""}]}}),
            "PH0102",
            ".corsPolicy.allowOrigins[0].exact",
            "no origin",
        ),
        (json!({"corsPolicy": {"allowOrigins": [{}]}}), "PH0101", ".corsPolicy.allowOrigins[0]", "no origin"),
        (json!({"corsPolicy": {"allowOrigin": ["a"]}}), "PH0111", ".corsPolicy.allowOrigin", ""),
        (json!({"corsPolicy": {"maxAge": "1500ms"}}), "PH0104", ".corsPolicy.maxAge", "fraction"),
        (
            json!({"corsPolicy": {"unmatchedPreflights": "DROP"}}),
            "PH0102",
            ".corsPolicy.unmatchedPreflights",
            "FORWARD",
        ),
        (
            json!({"headers": {"request": {"set": {"a": "100%"}}}}),
            "PH0102",
            ".headers.request.set.a",
            "not changed",
        ),
        (
            json!({"headers": {"response": {"remove": [":path"]}}}),
            "PH0102",
            ".headers.response.remove[0]",
            "not changed",
        ),
    ] {
        let spec = routed(&more);
        expect_one(&istio("VirtualService", &spec), code, &format!("spec.http[0]{field}"), effect);
        assert!(matches!(read(&spec).http[0].action, HttpAction::Route(_)), "{spec}");
    }
    let mirrored = read(&routed(&json!({"mirror": {"host": "a"}, "mirrorPercentage": {"value": 0}})));
    assert_eq!(mirrored.http[0].mirrors, []);
}

#[test]
fn answers_without_destination_ignore_what_needs_one() {
    let spec = with_rule(
        &json!({"match": [{"uri": {"exact": "/"}}], "redirect": {"uri": "/x"}, "rewrite": {"uri": "/"},
        "fault": {"delay": {"percentage": {"value": 1}, "fixedDelay": "1s"}}}),
    );
    let found = findings(&istio("VirtualService", &spec));
    assert_eq!(
        found.iter().map(|one| (one.0, one.1.as_str())).collect::<Vec<_>>(),
        [("PH0106", "spec.http[0].fault"), ("PH0106", "spec.http[0].rewrite")]
    );
}

#[test]
fn a_rule_behind_a_catch_all_is_named() {
    let route = json!([{"destination": {"host": "cart"}}]);
    for first in [json!({"route": route}), json!({"route": route, "match": [{"uri": {"prefix": "/"}}]})] {
        let spec = json!({"hosts": ["cart"], "http": [first, {"route": route, "match": [{"uri": {"prefix": "/a"}}]}]});
        expect_one(&istio("VirtualService", &spec), "PH0108", "spec.http[1]", "no effect");
    }
    for first in [
        json!({"headers": {"a": {}}}),
        json!({"port": 80}),
        json!({"gateways": ["mesh"]}),
        json!({"sourceLabels": {"a": "b"}}),
    ] {
        let spec = json!({"hosts": ["cart"], "http": [{"route": route, "match": [first]}, {"route": route}]});
        assert_eq!(findings(&istio("VirtualService", &spec)), []);
    }
    for (earlier, later, hidden) in [
        (
            json!([{"uri": {"prefix": "/a"}}]),
            json!([{"uri": {"exact": "/a/b"}}, {"uri": {"prefix": "/ab"}, "port": 80}]),
            true,
        ),
        (
            json!([{"uri": {"prefix": "/a"}}]),
            json!([{"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}]),
            false,
        ),
        (
            json!([{"uri": {"prefix": "/a"}}]),
            json!([{"uri": {"prefix": "/A"}, "ignoreUriCase": true}]),
            false,
        ),
        (
            json!([{"name": "x", "uri": {"regex": "/a.*"}}]),
            json!([{"name": "y", "uri": {"regex": "/a.*"}}]),
            true,
        ),
        (
            json!([{"uri": {"regex": ".*"}}]),
            json!([{"uri": {"exact": "/a"}, "method": {"exact": "GET"}}]),
            true,
        ),
        (json!([{"uri": {"prefix": "/"}, "port": 80}]), json!([{"uri": {"exact": "/a"}}]), false),
        (json!([{"uri": {"prefix": "/a"}, "headers": {"x": {}}}]), json!([{"uri": {"prefix": "/a"}}]), false),
        (
            json!([{"uri": {"exact": "/a"}}]),
            json!([{"uri": {"exact": "/a"}, "method": {"exact": "GET"}}]),
            false,
        ),
    ] {
        let spec = json!({"hosts": ["cart"], "http": [{"route": route, "match": earlier}, {"route": route, "match": later}]});
        let found = findings(&istio("VirtualService", &spec));
        assert_eq!(
            found.iter().map(|one| one.0).collect::<Vec<_>>(),
            if hidden { vec!["PH0108"] } else { vec![] },
            "{spec}"
        );
    }
    let tcp = json!({"hosts": ["cart"], "tcp": [{"route": route}, {"route": route}]});
    expect_one(&istio("VirtualService", &tcp), "PH0108", "spec.tcp[1]", "no effect");
}

#[test]
fn layer_4_rules_that_cannot_be_understood_are_left_out() {
    let route = json!([{"destination": {"host": "cart"}}]);
    let good = json!({"match": [{"sniHosts": ["a.example.com"]}], "route": route});
    for (rule, code, field) in [
        (json!({"route": route}), "PH0101", ".match"),
        (json!({"match": [{}], "route": route}), "PH0101", ".match[0].sniHosts"),
        (json!({"match": [{"sniHosts": ["other.com"]}], "route": route}), "PH0107", ".match[0].sniHosts[0]"),
        (
            json!({"match": [{"sniHosts": ["a.example.com"], "destinationSubnets": ["10.0.0.0/8"]}], "route": route}),
            "PH0006",
            ".match[0].destinationSubnets",
        ),
        (json!({"match": [{"sniHosts": ["a.example.com"]}]}), "PH0110", ".route"),
        (
            json!({"match": [{"sniHosts": ["a.example.com"]}], "route": [{"destination": {"host": "*"}}]}),
            "PH0107",
            ".route[0].destination.host",
        ),
    ] {
        let spec = json!({"hosts": ["*.example.com"], "tls": [rule, good]});
        expect_one(&istio("VirtualService", &spec), code, &format!("spec.tls[0]{field}"), "");
        assert_eq!(read(&spec).tls.iter().map(|rule| rule.index).collect::<Vec<_>>(), [1]);
    }
    let spec = json!({"hosts": ["cart"], "tcp": [{"match": [{"port": 0, "destinationSubnets": ["10.0.0.0/8"]}], "route": route}]});
    expect_one(
        &istio("VirtualService", &spec),
        "PH0006",
        "spec.tcp[0].match[0].destinationSubnets",
        "matches nothing",
    );
    assert_eq!(read(&spec).tcp, []);
}
