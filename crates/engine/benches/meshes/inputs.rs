//! The meshes and the questions asked of each.

use pilothouse_engine::{Change, Proxy, Role};
use pilothouse_testkit::meshes::{CITY, OFFICE, SHOP, Size, gateway, gateway_route};
use pilothouse_testkit::{change, objects};
use serde_json::{Value, json};

/// Routes of the mesh *gateway*.
const ROUTES: usize = 5_000;

/// What a question changes: each call is another round, and two in a row differ.
pub(crate) type Rounds = Box<dyn Fn(usize) -> Vec<Change>>;

/// A mesh to measure.
pub(crate) struct Mesh {
    pub(crate) name: &'static str,
    /// What one unit of size is.
    pub(crate) unit: &'static str,
    /// How many of them.
    pub(crate) units: usize,
    /// Who connects.
    pub(crate) proxies: Vec<Proxy>,
    size: Option<Size>,
    pub(crate) questions: Vec<(&'static str, Rounds)>,
}

impl Mesh {
    /// All there are. *town* is *city* with the clients of *office*: what differs between these two is the number of services.
    pub(crate) const NAMES: [&'static str; 5] = ["shop", "office", "town", "city", "gateway"];

    /// The mesh of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "shop" => Self::of("shop", SHOP, (24, 1, 12)),
            "office" => Self::of("office", OFFICE, (1_000, 20, 300)),
            "town" => Self::of("town", CITY, (1_000, 20, 300)),
            "city" => Self::of("city", CITY, (10_000, 100, 5_000)),
            "gateway" => Self::gateway(),
            _ => return None,
        })
    }

    /// Hands out its objects one by one, as they would be written.
    pub(crate) fn each(&self, take: &mut impl FnMut(Value)) {
        match self.size {
            Some(size) => size.each(take),
            None => gateway(ROUTES).into_iter().for_each(take),
        }
    }

    fn of(name: &'static str, size: Size, (count, namespaces, services): (usize, usize, usize)) -> Self {
        let proxies = size.proxies(count, namespaces, services);
        let proxies =
            proxies.into_iter().map(|(namespace, pod)| Proxy::of_pod(Role::Sidecar, namespace, pod));
        Self {
            name,
            unit: "service",
            units: size.services,
            proxies: proxies.collect(),
            size: Some(size),
            questions: questions(size),
        }
    }

    fn gateway() -> Self {
        let path = |round: usize| if round.is_multiple_of(2) { "/a" } else { "/b" };
        let questions: Vec<(&'static str, Rounds)> = vec![
            ("a route changes", Box::new(move |round| vec![change(&gateway_route(5, path(round)))])),
            (
                "a route comes or goes",
                Box::new(|round| {
                    let there = change(&gateway_route(ROUTES, "/"));
                    let key = there.key().clone();
                    vec![if round.is_multiple_of(2) { there } else { Change::Remove { key } }]
                }),
            ),
        ];
        let proxies = vec![Proxy::of_pod(Role::Gateway, "edge", "gateway")];
        Self { name: "gateway", unit: "route", units: ROUTES, proxies, size: None, questions }
    }
}

fn questions(size: Size) -> Vec<(&'static str, Rounds)> {
    let flip = |round: usize| round % 2;
    vec![
        ("an endpoint moves", Box::new(move |round| vec![change(&size.slice(5, 1 - flip(round)))])),
        ("a route weight", Box::new(move |round| vec![change(&size.split(0, 50 + flip(round) as u32))])),
        ("a limit of a rule", Box::new(move |round| vec![change(&size.rule(0, 7 + flip(round) as u32))])),
        (
            "mutual TLS of a workload",
            Box::new(move |round| {
                let mode = if flip(round) == 0 { "STRICT" } else { "PERMISSIVE" };
                vec![change(&objects::peer_authentication(&size.namespace_of(1), "one", "svc1", mode))]
            }),
        ),
        (
            "a service comes or goes",
            Box::new(move |round| {
                let there = change(&size.service(size.services));
                let key = there.key().clone();
                vec![if flip(round) == 0 { there } else { Change::Remove { key } }]
            }),
        ),
        (
            "a label nobody selects",
            Box::new(move |round| {
                let mut pod = size.pod(4, 0, 0);
                pod["metadata"]["labels"]["build"] = json!(round.to_string());
                vec![change(&pod)]
            }),
        ),
        (
            "100 services roll out",
            Box::new(move |round| {
                let services = size.services.min(100);
                (0..services).map(|service| change(&size.slice(service, 1 + flip(round)))).collect()
            }),
        ),
        (
            "mesh setting, seen by none",
            Box::new(move |round| vec![mesh(&json!({"rootNamespace": format!("root{round}")}))]),
        ),
        (
            "mesh setting, in all clusters",
            Box::new(move |round| vec![mesh(&json!({"connectTimeout": format!("{}s", 3 + flip(round))}))]),
        ),
    ]
}

fn mesh(settings: &Value) -> Change {
    change(&objects::mesh(settings))
}
