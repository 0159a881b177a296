//! Objects as users write them.

use serde_json::{Value, json};

/// A namespace whose pods get sidecars.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled"}}})
}

/// A service with a virtual address, picking pods by `app`, leading to port 8080.
pub fn service(namespace: &str, name: &str, address: &str, ports: &[(&str, u16)]) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|(name, number)| json!({"name": name, "port": number, "targetPort": 8080}))
        .collect();
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": address, "selector": {"app": name}, "ports": ports}})
}

/// A ready pod of an `app` and a `version`.
pub fn pod(namespace: &str, name: &str, address: &str, app: &str, version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app, "version": version}},
        "spec": {"serviceAccountName": app, "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIP": address}})
}

/// A slice of a service's endpoints, one for each address, all ready.
pub fn slice(namespace: &str, name: &str, service: &str, port: (&str, u16), addresses: &[String]) -> Value {
    let endpoints: Vec<Value> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": port.0, "port": port.1, "protocol": "TCP"}]})
}

/// A virtual service that splits a host between two subsets.
pub fn split(namespace: &str, name: &str, host: &str, first: u32) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": [host], "http": [{"route": [
            {"destination": {"host": host, "subset": "v1"}, "weight": first},
            {"destination": {"host": host, "subset": "v2"}, "weight": 100 - first}]}]}})
}

/// A destination rule with the subsets `v1` and `v2` and a limit of connections.
pub fn subsets(namespace: &str, name: &str, host: &str, connections: u32) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"host": host,
            "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": connections}}},
            "subsets": [{"name": "v1", "labels": {"version": "v1"}},
                        {"name": "v2", "labels": {"version": "v2"}}]}})
}

/// The mesh settings.
pub fn mesh(settings: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": settings.to_string()}})
}

/// A peer authentication policy for the workloads of an `app`.
pub fn peer_authentication(namespace: &str, name: &str, app: &str, mode: &str) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}, "mtls": {"mode": mode}}})
}
