//! Listeners.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use pilothouse_base::{Hostname, Kind, ObjectKey};
use pilothouse_config::mesh::{AccessLog, PathNormalization};
use pilothouse_config::service::Cidr;
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::listener;
use pilothouse_view::plan::{
    ActionPlan, ChainMatch, ClientVerificationPlan, Direction, HttpPlan, HttpRole, Inspected, ListenerPlan,
    ListenerPort, Network, Routes, ServerTlsPlan, Sniffing, TcpPlan, Transport,
};

use super::name;
use crate::{cast, process};

pub(super) fn check_listeners(plans: &[ListenerPlan], secrets: &[&str]) {
    process::validate(&bootstrap_static([], plans.iter().map(listener), [], [], cast::secrets(secrets)));
}

fn mesh_server() -> ServerTlsPlan {
    ServerTlsPlan::Mesh { trust_domains: vec![name("cluster.local"), name("old.example")] }
}

/// The inbound listener of a workload with one undeclared port, permissive.
pub(super) fn virtual_inbound() -> ListenerPlan {
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
            tls: Some(Inspected::Only(vec![8080])),
            http: Some(Inspected::Except(vec![8080, 8081])),
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
    let server = |certificates: &[&str], clients| ServerTlsPlan::Terminate {
        certificates: certificates.iter().map(|one| name(one)).collect(),
        clients,
        http: true,
    };
    let verified = Box::new(ClientVerificationPlan {
        required: true,
        roots: name("kubernetes://shop-cacert"),
        subject_alt_names: vec![name("spiffe://a/b"), name("10.0.0.1"), name("client.example")],
        public_keys: vec![name("NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=")],
        fingerprints: vec![name(&"0a".repeat(32)), name(&["0A"; 32].join(":"))],
    });
    let mut chains = Vec::new();
    for (server_names, tls) in [
        (vec!["a.example", "*.b.example"], server(&["kubernetes://shop"], None)),
        (vec!["c.example"], server(&["kubernetes://missing"], None)),
        (vec!["*", "d.example"], server(&["kubernetes://shop", "kubernetes://web"], Some(verified))),
    ] {
        let mut chain = cast::chain("server", Network::Http(Box::new(cast::http(HttpRole::Gateway, vec![]))));
        chain.matches.server_names = server_names.into_iter().map(Hostname::from).collect();
        chain.tls = tls;
        chains.push(chain);
    }
    let mut plan = cast::listener("0.0.0.0_8443", 8443, chains);
    plan.sniffing.tls = Some(Inspected::Everywhere);
    check_listeners(&[plan], &["kubernetes://shop", "kubernetes://web", "kubernetes://shop-cacert"]);
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
