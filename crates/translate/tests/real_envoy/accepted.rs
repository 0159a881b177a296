//! Every feature of every plan is something that both ends of the supported range of Envoy take.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use pilothouse_base::{Hostname, Kind, Locality, Name, ObjectKey, Percent};
use pilothouse_config::mesh::{AccessLog, PathNormalization};
use pilothouse_config::service::Cidr;
use pilothouse_config::traffic_policy::{
    ClientCertificate, ConnectionPool, HashKey, Keepalive, LoadBalancer, OutlierDetection, Roots,
};
use pilothouse_config::virtual_service::{
    Abort, Cors, DirectResponse, Fault, HeaderChanges, HeaderEdits, HttpMatch, PathRewrite, Redirect,
    RedirectPort, Retry, StringMatch, ValueMatch,
};
use pilothouse_envoy_api as envoy;
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{Delivery, assemble, assignment, cluster, listener, route_table, virtual_host};
use pilothouse_view::plan::{
    ActionPlan, CatchAll, ChainMatch, ClusterPlan, Direction, Discovery, DnsEndpoint, HashPlan, HttpPlan,
    HttpRole, ListenerPlan, ListenerPort, MirrorPlan, Network, RouteMatchPlan, RoutePlan, RouteTablePlan,
    RouteToPlan, Routes, ServerTlsPlan, Sniffing, TcpPlan, Transport, UpstreamProtocol, UpstreamTls,
    VirtualHostPlan, WeightedPlan,
};

use crate::{cast, process};

fn name(text: &str) -> Name {
    Name::from(text)
}

fn check_clusters(plans: &[ClusterPlan], secrets: &[&str]) {
    let assignments: Vec<_> =
        plans.iter().map(|plan| assignment(&cast::assignment(plan.name.as_str(), 8080, true))).collect();
    process::validate(&bootstrap_static(
        plans.iter().map(cluster),
        [],
        [],
        assignments,
        cast::secrets(secrets),
    ));
}

fn check_listeners(plans: &[ListenerPlan], secrets: &[&str]) {
    process::validate(&bootstrap_static([], plans.iter().map(listener), [], [], cast::secrets(secrets)));
}

#[test]
fn clusters_of_every_discovery() {
    let dns = |host: &str| DnsEndpoint {
        host: name(host),
        port: 443,
        weight: 1,
        locality: Locality::parse("r"),
        mtls: true,
    };
    let discoveries = [
        Discovery::Endpoints,
        Discovery::StrictDns(vec![dns("a.example"), dns("10.0.0.1")]),
        Discovery::StrictDns(vec![]),
        Discovery::LogicalDns(vec![dns("a.example"), dns("b.example")]),
        Discovery::LogicalDns(vec![]),
        Discovery::OriginalDestination { port: None },
        Discovery::OriginalDestination { port: Some(9000) },
        Discovery::Inbound,
        Discovery::Nothing,
    ];
    let balancers = [
        LoadBalancer::LeastRequest,
        LoadBalancer::RoundRobin,
        LoadBalancer::Random,
        LoadBalancer::Passthrough,
        LoadBalancer::ConsistentHash { key: HashKey::SourceIp, minimum_ring_size: u64::MAX },
    ];
    let mut plans = Vec::new();
    for (d, discovery) in discoveries.iter().enumerate() {
        for (b, load_balancer) in balancers.iter().enumerate() {
            plans.push(ClusterPlan {
                discovery: discovery.clone(),
                load_balancer: load_balancer.clone(),
                ..cast::cluster(&format!("outbound|{d}|{b}|cart.shop"))
            });
        }
    }
    check_clusters(&plans, &[]);
}

#[test]
fn clusters_of_every_protocol_and_limit() {
    let day = Duration::from_hours(24);
    let full = ConnectionPool {
        max_connections: Some(1),
        connect_timeout: Some(Duration::from_millis(1)),
        keepalive: Some(Keepalive {
            probes: Some(3),
            time: Some(day),
            interval: Some(Duration::from_millis(1)),
        }),
        tcp_idle_timeout: Some(day),
        max_connection_duration: Some(day),
        max_pending_requests: Some(u32::MAX),
        max_requests: Some(0),
        max_requests_per_connection: Some(1),
        max_retries: Some(1),
        http_idle_timeout: Some(Duration::ZERO),
        h2_upgrade: true,
    };
    let zero = ConnectionPool {
        connect_timeout: Some(Duration::ZERO),
        max_connection_duration: Some(Duration::ZERO),
        keepalive: Some(Keepalive { probes: None, time: None, interval: None }),
        max_requests_per_connection: Some(0),
        ..ConnectionPool::default()
    };
    let outliers = [
        None,
        Some(OutlierDetection::default()),
        Some(OutlierDetection {
            consecutive_5xx: Some(0),
            consecutive_gateway: Some(0),
            local_origin: Some(0),
            split_local_origin: true,
            interval: Some(Duration::ZERO),
            base_ejection_time: Some(Duration::ZERO),
            max_ejection_percent: Some(1000),
            min_health_percent: 1000,
        }),
        Some(OutlierDetection {
            consecutive_5xx: Some(u32::MAX),
            consecutive_gateway: Some(5),
            local_origin: Some(5),
            split_local_origin: true,
            interval: Some(Duration::from_millis(1)),
            base_ejection_time: Some(day),
            max_ejection_percent: Some(100),
            min_health_percent: 50,
        }),
    ];
    let mut plans = Vec::new();
    for (o, outlier) in outliers.iter().enumerate() {
        for (p, pool) in [ConnectionPool::default(), full.clone(), zero.clone()].iter().enumerate() {
            for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2, UpstreamProtocol::AsDownstream]
            {
                plans.push(ClusterPlan {
                    outlier: outlier.clone(),
                    pool: pool.clone(),
                    protocol,
                    external: true,
                    subset: Some(name("v1")),
                    ..cast::cluster(&format!("{o} {p} {protocol:?}"))
                });
            }
        }
    }
    check_clusters(&plans, &[]);
}

#[test]
fn clusters_of_every_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = cast::certificate();
    let file = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        Name::from(path.to_str().unwrap())
    };
    let files =
        ClientCertificate::Files { certificate: file("chain.pem", &chain), key: file("key.pem", &key) };
    let roots = file("roots.pem", &chain);
    let mut tls = vec![
        UpstreamTls::None,
        UpstreamTls::Auto(cast::mesh_tls()),
        UpstreamTls::Mesh(cast::mesh_tls()),
        UpstreamTls::Mesh(pilothouse_view::plan::MeshTls { subject_alt_names: vec![], ..cast::mesh_tls() }),
        UpstreamTls::Closed,
    ];
    for sni in [None, Some(name("cart.example"))] {
        for subject_alt_names in [vec![], vec![name("cart.example"), name("10.0.0.1"), name(cast::IDENTITY)]]
        {
            for roots in [Roots::File(roots.clone()), Roots::Secret(name("cart")), Roots::Unverified] {
                for certificate in [None, Some(files.clone()), Some(ClientCertificate::Secret(name("cart")))]
                {
                    tls.push(UpstreamTls::Origination {
                        sni: sni.clone(),
                        subject_alt_names: subject_alt_names.clone(),
                        roots: roots.clone(),
                        certificate,
                    });
                }
            }
        }
    }
    let mut plans = Vec::new();
    for (at, tls) in tls.iter().enumerate() {
        for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2, UpstreamProtocol::AsDownstream] {
            plans.push(ClusterPlan {
                tls: tls.clone(),
                protocol,
                ..cast::cluster(&format!("{at} {protocol:?}"))
            });
        }
    }
    check_clusters(&plans, &["kubernetes://cart", "kubernetes://cart-cacert"]);
}

#[test]
fn clusters_whose_secrets_are_missing_are_closed() {
    let plan = ClusterPlan { tls: UpstreamTls::Mesh(cast::mesh_tls()), ..cast::cluster("a") };
    process::validate(&bootstrap_static([cluster(&plan)], [], [], [], []));
}

fn mesh_server() -> ServerTlsPlan {
    ServerTlsPlan::Mesh { trust_domains: vec![name("cluster.local"), name("old.example")] }
}

/// The inbound listener of a workload with one undeclared port, permissive.
fn virtual_inbound() -> ListenerPlan {
    let mut chains = Vec::new();
    let mut push = |transport, protocols: &[&str], tls: ServerTlsPlan, network: Network| {
        chains.push(pilothouse_view::plan::ChainPlan {
            name: name("0.0.0.0_8080"),
            matches: ChainMatch {
                destination_port: Some(8080),
                transport,
                application_protocols: protocols.iter().map(|p| name(p)).collect(),
                ..ChainMatch::default()
            },
            tls,
            network,
        });
    };
    let http = |peer_certificate| {
        let mut route = cast::route_to("inbound|8080||");
        if let ActionPlan::Route(to) = &mut route.action {
            to.inbound = true;
        }
        Network::Http(Box::new(cast::http(HttpRole::Inbound { peer_certificate }, vec![route])))
    };
    let bytes = |after_handshake| Network::Tcp(TcpPlan { after_handshake, ..cast::tcp("inbound|8080||") });
    push(Some(Transport::Tls), &["istio-http/1.0", "istio-http/1.1", "istio-h2"], mesh_server(), http(true));
    push(Some(Transport::RawBuffer), &["http/1.1", "h2c"], ServerTlsPlan::None, http(false));
    push(Some(Transport::Tls), &["istio-peer-exchange", "istio"], mesh_server(), bytes(true));
    push(Some(Transport::RawBuffer), &[], ServerTlsPlan::None, bytes(false));
    push(Some(Transport::Tls), &[], ServerTlsPlan::None, bytes(true));
    ListenerPlan {
        direction: Direction::Inbound,
        original_dst: true,
        sniffing: Sniffing {
            tls: Some(vec![8080]),
            http: Some(vec![8080, 8081]),
            timeout: Some(Duration::from_secs(1)),
        },
        ..cast::listener("virtualInbound", 15006, chains)
    }
}

#[test]
fn listeners_of_every_kind() {
    let mut outbound = cast::listener("virtualOutbound", 15001, vec![]);
    outbound.hands_over = true;
    outbound.default_chain =
        Some(cast::chain("virtualOutbound-catchall-tcp", Network::Tcp(cast::tcp("PassthroughCluster"))));
    outbound.chains =
        vec![cast::chain("virtualOutbound-blackhole", Network::Tcp(cast::tcp("BlackHoleCluster")))];
    outbound.chains[0].matches.destination_port = Some(15001);

    let subnets = cast::chain(
        "subnets",
        Network::Tcp(TcpPlan {
            clusters: vec![(name("a"), u32::MAX), (name("b"), u32::MAX), (name("c"), 0)],
            idle_timeout: Some(Duration::ZERO),
            max_duration: Some(Duration::from_nanos(1)),
            hash_source_ip: true,
            mesh_marker: true,
            origin: Some(ObjectKey::new(Kind::VirtualService, "shop", "cart")),
            ..cast::tcp("a")
        }),
    );
    let mut vip = cast::listener("10.96.0.10_80", 80, vec![subnets]);
    vip.chains[0].matches.prefix_ranges =
        vec![Cidr::parse("10.0.0.0/8").unwrap(), Cidr::parse("::/0").unwrap()];
    vip.port = ListenerPort {
        address: Ipv4Addr::new(10, 96, 0, 10).into(),
        additional: vec![Ipv6Addr::LOCALHOST.into()],
        port: 80,
        bound: false,
    };
    vip.default_chain = Some(cast::chain(
        "http",
        Network::Http(Box::new(HttpPlan {
            routes: Routes::Discovered(name("80")),
            grpc_web: true,
            path_normalization: PathNormalization::DecodeAndMergeSlashes,
            ..cast::http(HttpRole::Outbound, vec![])
        })),
    ));
    let ready = cast::listener("ready", 15021, vec![cast::chain("ready", Network::Ready)]);
    check_listeners(&[outbound, vip, virtual_inbound(), ready], &[]);
}

#[test]
fn gateway_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = cast::certificate();
    let file = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        Name::from(path.to_str().unwrap())
    };
    let certificate = file("chain.pem", &chain);
    let key = file("key.pem", &key);
    let mut chains = Vec::new();
    for (server_names, tls) in [
        (
            vec!["a.example", "*.b.example"],
            ServerTlsPlan::Credential { secret: name("kubernetes://shop"), http: true },
        ),
        (vec!["c.example"], ServerTlsPlan::Credential { secret: name("kubernetes://missing"), http: true }),
        (vec!["*", "d.example"], ServerTlsPlan::Files { certificate, key, http: false }),
    ] {
        let mut chain = cast::chain("server", Network::Http(Box::new(cast::http(HttpRole::Gateway, vec![]))));
        chain.matches.server_names = server_names.into_iter().map(Hostname::from).collect();
        chain.tls = tls;
        chains.push(chain);
    }
    let mut plan = cast::listener("0.0.0.0_8443", 8443, chains);
    plan.sniffing.tls = Some(vec![]);
    check_listeners(&[plan], &["kubernetes://shop"]);
}

#[test]
fn access_logs_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log").to_str().unwrap().to_owned();
    let mut plans = Vec::new();
    let mut port = 15_100;
    for path in ["/dev/stdout", "/dev/stderr", &file] {
        for json in [false, true] {
            for format in [
                None,
                Some("%PROTOCOL%"),
                Some("%NOPE%"),
                Some("100%"),
                Some(r#"{"a": {"b": "%REQ(:PATH):5%"}}"#),
                Some(r#"{"a": 1}"#),
            ] {
                let log = AccessLog { path: path.into(), format: format.map(str::to_owned), json };
                port += 1;
                let mut tcp = cast::tcp("a");
                tcp.access_log = Some(log.clone());
                let mut plan =
                    cast::listener(&port.to_string(), port, vec![cast::chain("x", Network::Tcp(tcp))]);
                plan.access_log = Some(log);
                plans.push(plan);
            }
        }
    }
    check_listeners(&plans, &[]);
}

/// A listener that finds the routes by name, so that the table is checked as it is delivered.
fn check_table(table: envoy::route::RouteConfiguration) {
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

fn whole(host: &VirtualHostPlan) -> envoy::route::RouteConfiguration {
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

#[test]
fn durations_without_measure() {
    let longest = Some(Duration::MAX);
    let pool = ConnectionPool {
        connect_timeout: longest,
        tcp_idle_timeout: longest,
        max_connection_duration: longest,
        keepalive: Some(Keepalive { probes: Some(u32::MAX), time: longest, interval: longest }),
        ..ConnectionPool::default()
    };
    let outlier =
        OutlierDetection { interval: longest, base_ejection_time: longest, ..OutlierDetection::default() };
    check_clusters(&[ClusterPlan { pool, outlier: Some(outlier), ..cast::cluster("a") }], &[]);

    let retry = Retry {
        attempts: u32::MAX,
        per_try_timeout: longest,
        retry_on: name(""),
        status_codes: vec![],
        remote_localities: false,
        ignore_previous_hosts: None,
        backoff: longest,
    };
    let to = RouteToPlan { timeout: longest, retry: Some(retry), ..cast::to(vec![cast::weighted("a", 1)]) };
    let delay = Fault { delay: Some((Percent::ALL, Duration::MAX)), abort: None };
    let action = ActionPlan::Route(Box::new(to));
    check_table(whole(&cast::host(vec![RoutePlan { fault: delay, action, ..cast::route_to("a") }])));

    let mut plan = cast::listener("a", 80, vec![]);
    let tcp = TcpPlan { idle_timeout: longest, max_duration: longest, ..cast::tcp("a") };
    plan.chains = vec![cast::chain("a", Network::Tcp(tcp))];
    plan.sniffing.timeout = longest;
    check_listeners(&[plan], &[]);
}

#[test]
fn json_says_the_same() {
    let ready = cast::listener("ready", 15021, vec![cast::chain("ready", Network::Ready)]);
    let plan = ClusterPlan { tls: UpstreamTls::Auto(cast::mesh_tls()), ..cast::cluster("a") };
    let bootstrap = bootstrap_static(
        [cluster(&plan)],
        [listener(&ready), listener(&virtual_inbound())],
        [],
        [assignment(&cast::assignment("a", 8080, true))],
        cast::secrets(&[]),
    );
    let json = envoy::json::print(&bootstrap).unwrap().to_string();
    for version in process::VERSIONS {
        process::judged_by_json(version, &json).unwrap();
    }
}

#[test]
fn a_refusal_is_seen() {
    let mut bad = cluster(&cast::cluster("a"));
    bad.connect_timeout = Some(envoy::Duration { seconds: -1, nanos: 0 });
    for version in process::VERSIONS {
        let bootstrap = bootstrap_static([bad.clone()], [], [], [], []);
        assert!(process::judged_by(version, &bootstrap).unwrap_err().contains("duration"), "{version}");
    }
}
