//! Sending the probes of applications to the proxy.
//!
//! The kubelet comes without a certificate, and a captured port accepts every connection. So HTTP, TCP and gRPC probes are
//! turned to the readiness listener of the proxy, which asks the application; probes that run a program stay as they are.
//! What they were is kept in an annotation, so that a second injection finds them again.

use serde_json::{Map, Value, json};

use super::problem::Findings;
use super::{PROXY, READY_PORT};
use crate::bootstrap::{AppProbe, Call};

/// Where the handlers of rewritten probes are remembered: a map from path to handler.
pub(super) const REMEMBERED: &str = "pilothouse.dev/app-probers";

/// Field of the container, first part of the path, last part of the path. Hooks are HTTP only: a hook that connects and
/// hangs up says nothing to anybody, and is left alone.
const PLACES: [(&str, &str, &str); 5] = [
    ("/readinessProbe", "app-health", "readyz"),
    ("/livenessProbe", "app-health", "livez"),
    ("/startupProbe", "app-health", "startupz"),
    ("/lifecycle/preStop", "app-lifecycle", "prestopz"),
    ("/lifecycle/postStart", "app-lifecycle", "poststartz"),
];

/// Rewrites all probes of the pod. Returns what the proxy has to answer, and what the probes were.
pub(super) fn rewrite(pod: &mut Value, out: &mut Findings) -> (Vec<AppProbe>, Map<String, Value>) {
    let (mut probes, mut remembered) = (Vec::new(), Map::new());
    for container in applications(pod) {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let ports = container["ports"].clone();
        for (place, first, last) in PLACES {
            let path = format!("/{first}/{name}/{last}");
            let Some(probe) = container.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
            let at = || format!("container {name}, {}", place.trim_start_matches('/').replace('/', "."));
            let Some((kind, call)) = call(probe, &ports, first == "app-lifecycle", &at, out) else {
                continue;
            };
            let number = |field: &str, otherwise: u32| {
                let number =
                    probe.get(field).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
                number.filter(|number| *number > 0).unwrap_or(otherwise)
            };
            // A hook may take as long as the pod has to end.
            let timeout = if first == "app-lifecycle" { 0 } else { number("timeoutSeconds", 1) };
            probes.push(AppProbe { path: path.clone(), call, timeout, period: number("periodSeconds", 10) });
            let handler = probe.remove(kind).unwrap_or_default();
            let mut asked = json!({"path": path, "port": READY_PORT, "scheme": "HTTP"});
            if let Some(headers) = handler.get("httpHeaders") {
                asked["httpHeaders"] = headers.clone();
            }
            probe.insert("httpGet".to_owned(), asked);
            remembered.insert(path, json!({kind: handler}));
        }
    }
    (probes, remembered)
}

/// Puts back what [`rewrite`] changed.
pub(super) fn restore(pod: &mut Value, remembered: &Map<String, Value>) {
    for container in applications(pod) {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        for (place, first, last) in PLACES {
            let path = format!("/{first}/{name}/{last}");
            let Some(probe) = container.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
            let ours =
                probe.get("httpGet").is_some_and(|get| get["path"] == *path && get["port"] == READY_PORT);
            if ours && let Some(Value::Object(handler)) = remembered.get(&path) {
                probe.remove("httpGet");
                probe.extend(handler.clone());
            }
        }
    }
}

/// The containers that have probes of their own: all but the proxy, and init containers only where they keep running.
fn applications(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().into_iter();
    let lists = spec.flat_map(|spec| spec.iter_mut()).filter_map(|(field, list)| match field.as_str() {
        "containers" => Some((false, list.as_array_mut()?)),
        "initContainers" => Some((true, list.as_array_mut()?)),
        _ => None,
    });
    lists
        .flat_map(|(init, list)| list.iter_mut().map(move |container| (init, container)))
        .filter(|(init, container)| !init || container["restartPolicy"] == "Always")
        .map(|(_, container)| container)
        .filter(|container| container["name"] != PROXY)
}

/// What a probe asks, and the field that says so; none if it stays as it is.
fn call(
    probe: &Map<String, Value>,
    ports: &Value,
    hook: bool,
    at: &dyn Fn() -> String,
    out: &mut Findings,
) -> Option<(&'static str, Call)> {
    let (kind, handler) = ["httpGet", "tcpSocket", "grpc"]
        .into_iter()
        .find_map(|kind| Some((kind, probe.get(kind)?.as_object()?)))
        .filter(|(kind, _)| !hook || *kind == "httpGet")?;
    let text = |field: &str| handler.get(field).and_then(Value::as_str).unwrap_or_default();
    if !text("host").is_empty() {
        // It asks somebody else.
        return None;
    }
    let written = handler.get("port").unwrap_or(&Value::Null);
    let Some(port) = port(written, ports) else {
        out.warn(format!(
            "{}: there is no port {written} in this container, so the probe stays as it is and will fail",
            at()
        ));
        return None;
    };
    if port == READY_PORT {
        return None;
    }
    let call = match kind {
        "httpGet" => {
            let headers = handler.get("httpHeaders").and_then(Value::as_array);
            Call::Http {
                tls: text("scheme").eq_ignore_ascii_case("https"),
                port,
                path: text("path").to_owned(),
                own_host: headers.into_iter().flatten().any(|header| {
                    header["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("host"))
                }),
            }
        }
        "tcpSocket" => Call::Tcp { port },
        _ => Call::Grpc { port, service: text("service").to_owned() },
    };
    Some((kind, call))
}

/// A number, or the name of a port of the same container.
fn port(written: &Value, ports: &Value) -> Option<u16> {
    let number = match written.as_str() {
        Some(name) => {
            let named = ports.as_array().into_iter().flatten().find(|port| port["name"] == name);
            named.map_or_else(|| name.parse().ok(), |port| port["containerPort"].as_u64())
        }
        None => written.as_u64(),
    };
    number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
}
