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
        let mut all = Vec::new();
        self.each(&mut |object| all.push(object));
        all
    }

    /// The same objects one by one: whoever measures memory does not want to hold them all.
    pub fn each(&self, take: &mut impl FnMut(Value)) {
        for index in 0..self.namespaces {
            take(objects::namespace(&format!("ns{index}")));
        }
        for service in 0..self.services {
            take(self.service(service));
            for endpoint in 0..self.endpoints {
                take(self.pod(service, endpoint, 0));
            }
            take(self.slice(service, 0));
            if service % 10 == 0 {
                take(self.rule(service, 100));
                take(self.split(service, 90));
            }
        }
    }

    /// Pods whose proxies connect: of `services` services in the first `namespaces` namespaces, first one pod of each, then a
    /// second one of each and so on. So meshes of different size can have the same clients.
    pub fn proxies(&self, count: usize, namespaces: usize, services: usize) -> Vec<(String, String)> {
        let chosen: Vec<usize> = (0..self.services)
            .filter(|service| service % self.namespaces < namespaces)
            .take(services)
            .collect();
        let pods = (0..self.endpoints).flat_map(|endpoint| {
            chosen.iter().map(move |&service| (self.namespace_of(service), self.pod_of(service, endpoint)))
        });
        pods.take(count).collect()
    }

    /// The host of a service.
    pub fn host(&self, service: usize) -> String {
        format!("svc{service}.{}.svc.cluster.local", self.namespace_of(service))
    }

    /// A service; a number beyond those of the mesh is a new one.
    pub fn service(&self, service: usize) -> Value {
        let address = format!("10.{}.{}.{}", 96 + service / 60_000, service / 250 % 250, service % 250 + 1);
        objects::service(&self.namespace_of(service), &format!("svc{service}"), &address, &[("http", 80)])
    }

    /// The route split of a service.
    pub fn split(&self, service: usize, first: u32) -> Value {
        objects::split(&self.namespace_of(service), &format!("svc{service}"), &self.host(service), first)
    }

    /// The destination rule of a service.
    pub fn rule(&self, service: usize, connections: u32) -> Value {
        objects::subsets(
            &self.namespace_of(service),
            &format!("svc{service}"),
            &self.host(service),
            connections,
        )
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
