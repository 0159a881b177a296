use super::*;

fn parse(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

fn read_all(annotations: &[(&str, &str)]) -> (Wishes, Findings) {
    let mut out = Findings::default();
    let wishes = read(&annotations.iter().copied().collect(), parse, &mut out);
    (wishes, out)
}

/// Annotation, value, and whether it is accepted.
#[test]
fn each_annotation_is_checked() {
    let long =
        format!("{},1", (1..=1024).map(|port| (port + 2000).to_string()).collect::<Vec<_>>().join(","));
    let too_many = ["*", long.as_str()];
    let table: Vec<(&str, &[&str], &[&str])> = vec![
        ("proxy.istio.io/config", &["concurrency: 2", "{}", ""], &["a: [", "[]", "concurrency: 1.5"]),
        ("sidecar.istio.io/interceptionMode", &["REDIRECT", "TPROXY", "NONE", ""], &["redirect"]),
        ("sidecar.istio.io/nativeSidecar", &["true", "F", "0"], &["yes"]),
        ("sidecar.istio.io/rewriteAppHTTPProbers", &["false", "TRUE"], &["off"]),
        ("sidecar.istio.io/capNetBindService", &["true"], &["2"]),
        ("prometheus.istio.io/merge-metrics", &["false"], &["no"]),
        (
            "sidecar.istio.io/proxyCPU",
            &["100m", "2", "0.5", ".5", "1e3", "+1"],
            &["-1", "1.2.3", "m", "1mi", "1e"],
        ),
        ("sidecar.istio.io/proxyMemoryLimit", &["1Gi", "128M", "1E", "1E3"], &["1GB", "1 Gi", "Gi"]),
        ("sidecar.istio.io/logLevel", &["trace", "off"], &["warn", "debug,http:trace"]),
        (
            "sidecar.istio.io/componentLogLevel",
            &["misc:error", "a:info,b:off"],
            &["misc", "misc:loud", ":info"],
        ),
        (
            "sidecar.istio.io/discoveryAddress",
            &["istiod.x.svc:15012", "[fd00::1]:1"],
            &["istiod", ":1", "a:0", "a b:1"],
        ),
        (
            "sidecar.istio.io/userVolume",
            &["[]", r#"[{"name":"a"}]"#, r#"{"a":{"emptyDir":{}}}"#],
            &["x", "[{}]", "{\"a\":1}"],
        ),
        ("sidecar.istio.io/userVolumeMount", &[r#"{"a":{"mountPath":"/x"}}"#], &["1"]),
        ("sidecar.istio.io/statsFlushInterval", &["1s", "1m30s"], &["0s", "5", "soon"]),
        ("sidecar.istio.io/statsEvictionInterval", &["5s", "10s"], &["7s"]),
        (
            "sidecar.istio.io/statsHistogramBuckets",
            &[r#"{"a":[1,2.5]}"#],
            &["{\"a\":[]}", "{\"a\":[0]}", "{\"a\":[2,2]}", "[]"],
        ),
        ("status.sidecar.istio.io/port", &["0", "15020", "65535"], &["65536", "-1", "http"]),
        ("readiness.status.sidecar.istio.io/initialDelaySeconds", &["0", "600"], &["4294967296", "1s"]),
        ("readiness.status.sidecar.istio.io/periodSeconds", &["1"], &["0"]),
        ("readiness.status.sidecar.istio.io/failureThreshold", &["1"], &["0"]),
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges",
            &["*", "", "10.0.0.0/8,fd00::/8"],
            &["10.0.0.0/8,*", "x"],
        ),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", &["", "10.0.0.0/8"], &["*", "10.0.0.0/40"]),
        ("traffic.sidecar.istio.io/includeInboundPorts", &["*", "", "80, 443"], &["http", "65536"]),
        ("traffic.sidecar.istio.io/excludeInboundPorts", &["", "8080,8081"], &too_many),
        ("traffic.sidecar.istio.io/includeOutboundPorts", &["3306"], &["a"]),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", &["3306"], &["3306-3310"]),
        ("traffic.sidecar.istio.io/excludeInterfaces", &["eth1,net+"], &["averyveryverylongname", "a b"]),
        ("istio.io/reroute-virtual-interfaces", &["vm0"], &["vm 0"]),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", &["vm0"], &["vm 0"]),
    ];
    for (key, good, bad) in table {
        for value in good {
            let (wishes, mut out) = read_all(&[(key, value)]);
            crate::ProxyConfig::default().read(&wishes.proxy_config.unwrap_or_default(), "config", &mut out);
            assert_eq!(out.problems, [], "{key}: {value}");
        }
        for value in bad {
            let (wishes, mut out) = read_all(&[(key, value)]);
            crate::ProxyConfig::default().read(&wishes.proxy_config.unwrap_or_default(), "config", &mut out);
            assert_eq!(out.problems.len(), 1, "{key}: {value}");
            assert!(
                out.problems[0].at.contains(key) || out.problems[0].at.starts_with("config"),
                "{:?}",
                out.problems
            );
        }
    }
}

#[test]
fn resources_are_all_or_nothing() {
    assert_eq!(read_all(&[]).0.resources, None);
    let (wishes, _) =
        read_all(&[("sidecar.istio.io/proxyCPU", "1"), ("sidecar.istio.io/proxyMemoryLimit", "1Gi")]);
    assert_eq!(wishes.resources, Some(json!({"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}})));
    assert_eq!(read_all(&[("sidecar.istio.io/proxyCPULimit", "")]).0.resources, Some(json!({})));
}

#[test]
fn what_has_no_effect_is_said() {
    let table = [
        ("sidecar.istio.io/agentLogLevel", "there is no agent"),
        ("sidecar.istio.io/inject", "deprecated"),
        ("sidecar.istio.io/discoveryAddress", "deprecated"),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", "deprecated"),
        (
            "traffic.sidecar.istio.io/excludeOutboundPort",
            "did you mean traffic.sidecar.istio.io/excludeOutboundPorts?",
        ),
        ("sidecar.istio.io/statsInclusionPrefixes", "all statistics are kept"),
    ];
    for (key, expected) in table {
        let (_, out) = read_all(&[(key, "a:1")]);
        assert!(out.warnings.iter().any(|text| text.contains(expected)), "{key}: {:?}", out.warnings);
    }
    for key in ["team", "sidecar.istio.io/status", "prometheus.io/port", "sidecar.istio.io/logLevel"] {
        assert_eq!(read_all(&[(key, "info")]).1.warnings, Vec::<String>::new(), "{key}");
    }
}
