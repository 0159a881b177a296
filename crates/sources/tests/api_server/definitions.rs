//! The definitions apply, take in what they should and refuse what they should.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use pilothouse_api::schema::definitions;
use pilothouse_sources::load_site;
use serde_json::{Value, json};

use crate::server::ApiServer;
use crate::site::{site, word};

pub(crate) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let definition =
        definitions().iter().find(|one| one.kind == kind).expect("the kind is one of ours").resource();
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let version = definition["spec"]["versions"][0]["name"].as_str().unwrap_or_default();
    json!({
        "apiVersion": format!("{group}/{version}"), "kind": kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": spec
    })
}

/// One object of each kind that is taken in.
pub(crate) fn good() -> Vec<(&'static str, Value)> {
    let tls = json!({"mode": "MUTUAL", "credentialNames": ["a", "b"], "insecureSkipVerify": null});
    vec![
        (
            "VirtualService",
            json!({"hosts": ["a"], "http": [{"timeout": "1h30m", "retries": {"attempts": 2, "retryRemoteLocalities": null}, "mirror_percent": 5, "directResponse": {"status": 200, "body": {"bytes": "aGk="}}}], "tls": [{"match": [{"sniHosts": ["a"]}]}]}),
        ),
        (
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"loadBalancer": {"consistentHash": {"httpCookie": {"name": "c", "ttl": "0s"}}}, "portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]}, "subsets": [{"name": "s", "labels": {"a": "b"}}], "workloadSelector": {"matchLabels": {"a": "b"}}}),
        ),
        (
            "Gateway",
            json!({"selector": {"a": "b"}, "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": tls}]}),
        ),
        (
            "ServiceEntry",
            json!({"hosts": ["a.example"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}, {"address": "unix:///a"}]}),
        ),
        ("WorkloadEntry", json!({"address": "10.0.0.1", "ports": {"http": 8080}})),
        (
            "WorkloadGroup",
            json!({"template": {"serviceAccount": "a"}, "probe": {"httpGet": {"port": 80, "scheme": "HTTP"}}}),
        ),
        (
            "Sidecar",
            json!({"egress": [{"hosts": ["./*"]}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}),
        ),
        (
            "EnvoyFilter",
            json!({"configPatches": [{"applyTo": "CLUSTER", "match": {"context": "ANY", "cluster": {"service": "a"}}, "patch": {"operation": "MERGE", "value": {"any": {"thing": [1, "x"]}}}}]}),
        ),
        ("ProxyConfig", json!({"concurrency": 2, "environmentVariables": {"A": "b"}})),
        (
            "PeerAuthentication",
            json!({"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}, "portLevelMtls": {"8080": {"mode": "DISABLE"}}}),
        ),
        (
            "RequestAuthentication",
            json!({"jwtRules": [{"issuer": "a", "jwks_uri": "https://a.example/keys"}]}),
        ),
        (
            "AuthorizationPolicy",
            json!({"action": "ALLOW", "rules": [{}, {"from": [{"source": {"principals": ["*"]}}], "to": [{"operation": {"paths": ["/a/*"]}}]}]}),
        ),
        (
            "Telemetry",
            json!({"metrics": [{"overrides": [{"match": {"metric": "REQUEST_COUNT"}, "tagOverrides": {"a": {"operation": "REMOVE"}}}]}], "accessLogging": [{}], "tracing": [{"randomSamplingPercentage": 12.5}]}),
        ),
        (
            "WasmPlugin",
            json!({"url": "a.example/plugin:1", "pluginConfig": {"any": ["thing"]}, "match": [{"ports": [{"number": 80}]}], "vmConfig": {"env": [{"name": "A", "valueFrom": "HOST"}]}}),
        ),
        ("TrafficExtension", json!({"lua": {"inlineCode": "x"}})),
    ]
}

/// Objects that are refused, with a part of what is said.
fn bad() -> Vec<(&'static str, Value, &'static str)> {
    let many: Vec<_> = (0..17).map(|index| json!({"kind": "Gateway", "name": format!("g{index}")})).collect();
    let port = |number: u32| json!([{"number": number, "name": "http"}]);
    vec![
        ("VirtualService", json!({"http": [{"timeout": "0s"}]}), "at least 1ms"),
        ("VirtualService", json!({"http": [{"timeout": "soon"}]}), "duration"),
        ("VirtualService", json!({"http": [{"route": [{}]}]}), "destination"),
        ("VirtualService", json!({"http": [{"match": [{"uri": {"exact": "/a", "prefix": "/"}}]}]}), "oneOf"),
        ("VirtualService", json!({"tls": [{}]}), "match"),
        ("DestinationRule", json!({}), "host"),
        (
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"tls": {"mode": "mutual"}}}),
            "ISTIO_MUTUAL",
        ),
        (
            "DestinationRule",
            json!({"host": "a", "subsets": [{"name": "s", "trafficPolicy": {"portLevelSettings": [{"connectionPool": {"tcp": {"connectTimeout": "0s"}}}]}}]}),
            "at least 1ms",
        ),
        (
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"outlierDetection": {"outlierDetectionHttpErrorCodes": [99]}}}),
            "100",
        ),
        (
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"loadBalancer": {"consistentHash": {"maglev": {}, "ringHash": {}}}}}),
            "oneOf",
        ),
        ("Gateway", json!({"servers": [{"hosts": ["*"]}]}), "port"),
        (
            "Gateway",
            json!({"servers": [{"port": {"number": 1, "name": "a", "protocol": "TLS"}, "hosts": ["*"], "tls": {"credentialName": "a", "credentialNames": ["b"]}}]}),
            "cannot both be set",
        ),
        ("ServiceEntry", json!({"hosts": ["*"]}), "* alone"),
        ("ServiceEntry", json!({"hosts": ["a"], "ports": port(0)}), "from 1 to 65535"),
        (
            "ServiceEntry",
            json!({"hosts": ["a"], "resolution": "DNS", "addresses": ["10.0.0.0/8"]}),
            "NONE or STATIC",
        ),
        ("ServiceEntry", json!({"hosts": ["a"], "endpoints": [{"address": "a"}]}), "takes no endpoints"),
        (
            "ServiceEntry",
            json!({"hosts": ["a"], "resolution": "STATIC", "endpoints": [{"address": "unix://a"}]}),
            "absolute path",
        ),
        (
            "ServiceEntry",
            json!({"hosts": ["a"], "ports": [{"number": 80, "name": "a"}, {"number": 80, "name": "b"}]}),
            "used once",
        ),
        ("WorkloadEntry", json!({}), "an address is needed"),
        ("WorkloadEntry", json!({"address": "10.0.0.1", "ports": {"http": 70000}}), "from 1 to 65535"),
        ("WorkloadEntry", json!({"address": "10.0.0.1", "ports": {"not a label": 80}}), "DNS label"),
        ("WorkloadGroup", json!({}), "template"),
        (
            "WorkloadGroup",
            json!({"template": {}, "probe": {"httpGet": {"port": 80}, "exec": {"command": ["a"]}}}),
            "oneOf",
        ),
        ("Sidecar", json!({"egress": [{}]}), "hosts"),
        ("EnvoyFilter", json!({"configPatches": [{"match": {"context": "WAYPOINT"}}]}), "belong together"),
        ("ProxyConfig", json!({"selector": {"matchLabels": {"a": "b*"}}}), "wildcards"),
        ("PeerAuthentication", json!({"portLevelMtls": {"80": {}}}), "needs a selector"),
        (
            "PeerAuthentication",
            json!({"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"http": {}}}),
            "from 1 to 65535",
        ),
        (
            "RequestAuthentication",
            json!({"jwtRules": [{"jwks": "a", "jwksUri": "https://a"}]}),
            "only one of",
        ),
        ("RequestAuthentication", json!({"jwtRules": [{"jwksUri": "ftp://a"}]}), "begins with http"),
        (
            "AuthorizationPolicy",
            json!({"selector": {"matchLabels": {"a": "b"}}, "targetRefs": [{"kind": "Gateway", "name": "a"}]}),
            "only one of",
        ),
        ("AuthorizationPolicy", json!({"targetRefs": many}), "16"),
        (
            "AuthorizationPolicy",
            json!({"targetRef": {"kind": "Gateway", "name": "a", "namespace": "b"}}),
            "another namespace",
        ),
        (
            "AuthorizationPolicy",
            json!({"rules": [{"from": [{"source": {"serviceAccounts": ["a"], "namespaces": ["b"]}}]}]}),
            "cannot be combined",
        ),
        (
            "Telemetry",
            json!({"metrics": [{"overrides": [{"tagOverrides": {"a": {"operation": "UPSERT"}}}]}]}),
            "needs a value",
        ),
        ("Telemetry", json!({"tracing": [{"randomSamplingPercentage": 101}]}), "100"),
        ("WasmPlugin", json!({"url": "ftp://a"}), "oci://"),
        ("WasmPlugin", json!({"url": "a", "sha256": "x"}), "sha256"),
        ("TrafficExtension", json!({}), "one of wasm and lua"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_take_in_what_they_should() -> Result<()> {
    // This one cannot stream lists, so that pages are tried too.
    let server = ApiServer::start(&["--feature-gates=WatchList=false"]).await?;
    for definition in definitions() {
        server.apply(&definition.resource()).await?;
    }
    for (kind, spec) in good() {
        server.apply(&object(kind, "one", &spec)).await.with_context(|| format!("{kind} {spec}"))?;
    }
    let mut wrong = Vec::new();
    for (kind, spec, expected) in bad() {
        let said = match server.try_apply(&object(kind, "wrong", &spec)).await {
            Ok(()) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        if !said.contains(expected) {
            wrong.push(format!("{kind} {spec}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let loaded = load_site(&site(&server)).await?;
    let words: BTreeSet<String> = loaded.changes.iter().map(word).collect();
    // A rule for some workloads alone is refused by the judge, not by the API server.
    for kind in ["VirtualService", "Gateway", "ServiceEntry", "WorkloadEntry", "PeerAuthentication"] {
        assert!(words.contains(&format!("+{kind} default/one")), "{kind} is missing: {words:?}");
    }
    Ok(())
}
