//! Named meshes: realistic inputs of known size, the same for tests, counts and benchmarks.

use serde_json::{Value, json};

use crate::objects;

/// How big a mesh is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Namespaces.
    pub namespaces: usize,
    /// Services in all.
    pub services: usize,
    /// Endpoints of each service.
    pub endpoints: usize,
}

/// 12 services.
pub const SHOP: Size = Size { namespaces: 1, services: 12, endpoints: 2 };
/// 300 services, 2,000 endpoints.
pub const OFFICE: Size = Size { namespaces: 20, services: 300, endpoints: 7 };
/// 5,000 services, 50,000 endpoints.
pub const CITY: Size = Size { namespaces: 100, services: 5_000, endpoints: 10 };

impl Size {
    /// The namespace of a service.
    pub fn namespace_of(&self, service: usize) -> String {
        format!("ns{}", service % self.namespaces)
    }

    /// The pods of a service are named so.
    pub fn pod_of(&self, service: usize, endpoint: usize) -> String {
        format!("svc{service}-{endpoint}")
    }

    /// All objects: namespaces, services with their pods and slices, a route split and a rule for every tenth service.
    pub fn objects(&self) -> Vec<Value> {
        let mut all: Vec<Value> =
            (0..self.namespaces).map(|index| objects::namespace(&format!("ns{index}"))).collect();
        for service in 0..self.services {
            let (namespace, name) = (self.namespace_of(service), format!("svc{service}"));
            let address = format!("10.{}.{}.{}", 96 + service / 60_000, service / 250 % 250, service % 250 + 1);
            all.push(objects::service(&namespace, &name, &address, &[("http", 80)]));
            for endpoint in 0..self.endpoints {
                all.push(self.pod(service, endpoint, 0));
            }
            all.push(self.slice(service, 0));
            if service % 10 == 0 {
                let host = format!("{name}.{namespace}.svc.cluster.local");
                all.push(objects::subsets(&namespace, &name, &host, 100));
                all.push(objects::split(&namespace, &name, &host, 90));
            }
        }
        all
    }

    /// A pod; another generation has another address.
    pub fn pod(&self, service: usize, endpoint: usize, generation: usize) -> Value {
        let (namespace, app) = (self.namespace_of(service), format!("svc{service}"));
        let version = if endpoint.is_multiple_of(2) { "v1" } else { "v2" };
        let address = self.address(service, endpoint, generation);
        objects::pod(&namespace, &self.pod_of(service, endpoint), &address, &app, version)
    }

    /// The slice of a service; in another generation its first endpoint has moved.
    pub fn slice(&self, service: usize, generation: usize) -> Value {
        let name = format!("svc{service}");
        let endpoints: Vec<Value> = (0..self.endpoints)
            .map(|endpoint| {
                let generation = if endpoint == 0 { generation } else { 0 };
                json!({"addresses": [self.address(service, endpoint, generation)], "conditions": {"ready": true},
                    "targetRef": {"kind": "Pod", "name": self.pod_of(service, endpoint)}})
            })
            .collect();
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("{name}-a"), "namespace": self.namespace_of(service),
                "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})
    }

    fn address(&self, service: usize, endpoint: usize, generation: usize) -> String {
        let number = service * self.endpoints + endpoint;
        format!("{}.{}.{}.{}", 11 + generation, number / 62_500 % 250, number / 250 % 250, number % 250 + 1)
    }
}

/// One gateway with routes for many hosts.
pub fn gateway(routes: usize) -> Vec<Value> {
    let mut all = vec![
        objects::namespace("edge"),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "gateway", "namespace": "edge", "labels": {"istio": "ingressgateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "envoy"}]},
            "status": {"phase": "Running", "podIP": "10.1.0.1"}}),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
            "metadata": {"name": "edge", "namespace": "edge"},
            "spec": {"selector": {"istio": "ingressgateway"},
                "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}}),
        objects::service("edge", "shop", "10.96.0.1", &[("http", 80)]),
    ];
    all.extend((0..routes).map(|index| gateway_route(index, "/")));
    all
}

/// One route of that gateway.
pub fn gateway_route(index: usize, prefix: &str) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": format!("route{index}"), "namespace": "edge"},
        "spec": {"hosts": [format!("host{index}.example.com")], "gateways": ["edge"],
            "http": [{"match": [{"uri": {"prefix": prefix}}],
                "route": [{"destination": {"host": "shop", "port": {"number": 80}}}]}]}})
}
