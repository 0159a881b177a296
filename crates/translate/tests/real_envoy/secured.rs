//! Connections succeed with the peers they should, and with no others.

use pilothouse_base::Name;
use pilothouse_config::traffic_policy::Roots;
use pilothouse_config::virtual_service::{DirectResponse, HttpMatch, StringMatch};
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{assignment, cluster, listener};
use pilothouse_view::plan::{
    ActionPlan, ClusterPlan, HttpRole, ListenerPlan, MeshTls, Network, RouteMatchPlan, RoutePlan,
    ServerTlsPlan, TcpPlan, UpstreamTls,
};

use crate::{cast, process};

/// A listener with one chain that answers 200.
fn server(name: &str, port: u16, tls: ServerTlsPlan) -> ListenerPlan {
    let respond = RoutePlan {
        action: ActionPlan::Respond(DirectResponse { status: 200, body: name.as_bytes().to_vec() }),
        ..cast::route_to("unused")
    };
    let role = HttpRole::Inbound { peer_certificate: tls != ServerTlsPlan::None };
    let mut chain = cast::chain(name, Network::Http(Box::new(cast::http(role, vec![respond]))));
    chain.tls = tls;
    cast::listener(name, port, vec![chain])
}

fn mesh_server(trust_domains: &[&str]) -> ServerTlsPlan {
    ServerTlsPlan::Mesh { trust_domains: trust_domains.iter().map(|domain| Name::from(*domain)).collect() }
}

fn originated(sni: Option<&str>, names: &[&str], roots: Roots) -> UpstreamTls {
    UpstreamTls::Origination {
        sni: sni.map(Name::from),
        subject_alt_names: names.iter().map(|name| Name::from(*name)).collect(),
        roots,
        certificate: None,
    }
}

fn below(prefix: &str, cluster: &str) -> RoutePlan {
    let matches = HttpMatch { uri: Some(StringMatch::Prefix(Name::from(prefix))), ..HttpMatch::default() };
    RoutePlan { matches: RouteMatchPlan::Http(Box::new(matches)), ..cast::route_to(cluster) }
}

#[test]
fn only_the_right_peers_connect() {
    for version in process::VERSIONS {
        let [client, plain, mesh, other_domain, no_domain, public, bytes, tunnel] = process::free_ports();
        let given = Roots::Secret(Name::from("cart"));
        let other_name = MeshTls {
            subject_alt_names: vec![Name::from("spiffe://cluster.local/ns/x/sa/y")],
            ..cast::mesh_tls()
        };
        let open = MeshTls { subject_alt_names: vec![], ..cast::mesh_tls() };
        let cases = [
            ("plain-to-plain", UpstreamTls::None, plain, "cart.example", true),
            ("auto-to-plain", UpstreamTls::Auto(cast::mesh_tls()), plain, "cart.example", false),
            ("mesh-to-mesh", UpstreamTls::Mesh(cast::mesh_tls()), mesh, "cart.example", true),
            ("auto-to-mesh", UpstreamTls::Auto(open), mesh, "cart.example", true),
            ("another-name", UpstreamTls::Mesh(other_name), mesh, "cart.example", false),
            ("another-domain", UpstreamTls::Mesh(cast::mesh_tls()), other_domain, "cart.example", false),
            ("no-domain", UpstreamTls::Mesh(cast::mesh_tls()), no_domain, "cart.example", false),
            ("plain-to-mesh", UpstreamTls::None, mesh, "cart.example", false),
            ("no-certificate", originated(None, &[], Roots::Unverified), mesh, "cart.example", false),
            ("closed-to-plain", UpstreamTls::Closed, plain, "cart.example", false),
            ("closed-to-public", UpstreamTls::Closed, public, "cart.example", false),
            ("closed-to-mesh", UpstreamTls::Closed, mesh, "cart.example", false),
            ("by-request", originated(None, &[], given.clone()), public, "cart.example", true),
            ("by-wrong-request", originated(None, &[], given.clone()), public, "other.example", false),
            ("by-sni", originated(Some("cart.example"), &[], given.clone()), public, "other.example", true),
            (
                "by-wrong-sni",
                originated(Some("other.example"), &[], given.clone()),
                public,
                "cart.example",
                false,
            ),
            ("by-name", originated(Some("x.example"), &["cart.example"], given.clone()), public, "x", true),
            (
                "by-identity",
                originated(None, &["a", cast::IDENTITY], given.clone()),
                public,
                "x.example",
                true,
            ),
            ("by-wrong-name", originated(None, &["other.example"], given), public, "cart.example", false),
            ("unverified", originated(None, &[], Roots::Unverified), public, "other.example", true),
        ];
        let mut clusters: Vec<ClusterPlan> = cases
            .iter()
            .map(|(name, tls, ..)| ClusterPlan { tls: tls.clone(), ..cast::cluster(name) })
            .collect();
        let mut assignments: Vec<_> =
            cases.iter().map(|(name, _, port, ..)| cast::assignment(name, *port, true)).collect();
        clusters.push(cast::cluster("workload"));
        assignments.push(cast::assignment("workload", plain, false));
        clusters.push(ClusterPlan { tls: UpstreamTls::Mesh(cast::mesh_tls()), ..cast::cluster("tunnel") });
        assignments.push(cast::assignment("tunnel", bytes, true));

        let routes = cases.iter().map(|(name, ..)| below(&format!("/{name}/"), name)).collect();
        let outbound = Network::Http(Box::new(cast::http(HttpRole::Outbound, routes)));
        // Bytes in mutual TLS, on to the workload once the peer is known.
        let after_handshake = TcpPlan { after_handshake: true, ..cast::tcp("workload") };
        let mut inbound = cast::chain("bytes", Network::Tcp(after_handshake));
        inbound.tls = mesh_server(&["cluster.local"]);
        let marked = TcpPlan { mesh_marker: true, ..cast::tcp("tunnel") };
        let listeners = [
            cast::listener("client", client, vec![cast::chain("http", outbound)]),
            server("plain", plain, ServerTlsPlan::None),
            server("mesh", mesh, mesh_server(&["other.example", "cluster.local"])),
            server("other-domain", other_domain, mesh_server(&["cluster.loca", "cluster.local.example"])),
            server("no-domain", no_domain, mesh_server(&[])),
            server(
                "public",
                public,
                ServerTlsPlan::Terminate {
                    certificates: vec![Name::from("kubernetes://cart")],
                    clients: None,
                    http: true,
                },
            ),
            cast::listener("bytes", bytes, vec![inbound]),
            cast::listener("tunnel", tunnel, vec![cast::chain("tcp", Network::Tcp(marked))]),
        ];
        let bootstrap = bootstrap_static(
            clusters.iter().map(cluster),
            listeners.iter().map(listener),
            [],
            assignments.iter().map(assignment),
            cast::secrets(&["kubernetes://cart", "kubernetes://cart-cacert"]),
        );
        let _running = process::start(version, &bootstrap);
        let mut wrong = Vec::new();
        for (name, _, _, host, succeeds) in &cases {
            let answer = process::get(client, &format!("/{name}/"), host);
            if answer.starts_with("HTTP/1.1 200") != *succeeds {
                wrong.push(format!("{version} {name}: {answer}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(process::get(tunnel, "/", "cart.example").starts_with("HTTP/1.1 200"), "{version}");
    }
}
