//! Kinds of which somebody may expect an effect, and which have none here.

use pilothouse_diag::{Code, Diagnostics, FieldPath, catalogue};

/// A kind without effect: group, kind, how it is reported, and what happens to traffic.
type Without = (&'static str, &'static str, &'static Code, &'static str);

const KINDS: &[Without] = &[
    (
        "security.istio.io",
        "AuthorizationPolicy",
        catalogue::NOT_ENFORCED,
        "nobody is refused by it: requests that it forbids reach the workloads it selects",
    ),
    (
        "security.istio.io",
        "RequestAuthentication",
        catalogue::NOT_ENFORCED,
        "tokens are not looked at: requests with a forged or expired one reach the workloads it selects",
    ),
    (
        "networking.istio.io",
        "Sidecar",
        catalogue::UNKNOWN_KIND,
        "its workloads see every service that is exported to them, and its listeners do not exist",
    ),
    (
        "networking.istio.io",
        "EnvoyFilter",
        catalogue::UNKNOWN_KIND,
        "proxies get no patches, nor the limits and checks that some add",
    ),
    (
        "networking.istio.io",
        "WorkloadGroup",
        catalogue::UNKNOWN_KIND,
        "no workload registers by it; write a WorkloadEntry for each",
    ),
    (
        "networking.istio.io",
        "ProxyConfig",
        catalogue::UNKNOWN_KIND,
        "proxies run with the settings that they have without it",
    ),
    (
        "extensions.istio.io",
        "WasmPlugin",
        catalogue::UNKNOWN_KIND,
        "requests do not pass the plugin; what it checks is not checked",
    ),
    (
        "extensions.istio.io",
        "TrafficExtension",
        catalogue::UNKNOWN_KIND,
        "requests do not pass the extension; what it checks is not checked",
    ),
    (
        "telemetry.istio.io",
        "Telemetry",
        catalogue::UNKNOWN_KIND,
        "traffic is the same; metrics, traces and access logs are those without it",
    ),
    ("networking.k8s.io", "Ingress", catalogue::UNKNOWN_KIND, "no gateway takes traffic by it"),
];

/// What is said of every other kind of these groups.
const OTHERS: &[(&str, &str)] = &[
    ("gateway.networking.k8s.io", "no gateway and no proxy takes or routes traffic by it"),
    ("gateway.networking.x-k8s.io", "no gateway and no proxy takes or routes traffic by it"),
    (".istio.io", "the object has no effect on traffic"),
];

/// Says what an object of a kind that is not read would have done. Manifests hold many kinds that are nobody's business here.
pub(super) fn report(api_version: &str, kind: &str, namespace: &str, name: &str, out: &mut Diagnostics) {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let known = KINDS.iter().find(|(of, one, ..)| *of == group && *one == kind);
    let (code, effect) = match known {
        Some((_, _, code, effect)) => (*code, *effect),
        None => match OTHERS.iter().find(|(of, _)| group.ends_with(of)) {
            Some((_, effect)) => (catalogue::UNKNOWN_KIND, *effect),
            None => return,
        },
    };
    let at = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    out.report(code, &FieldPath::parse("kind"))
        .detail(format_args!("{kind} of {api_version} is not supported yet"))
        .value(format_args!("{kind} {at}{name}"))
        .effect(effect);
}
