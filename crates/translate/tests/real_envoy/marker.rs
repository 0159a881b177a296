//! The mark reaches the other end exactly where it should.

use pilothouse_base::{Name, Percent};
use pilothouse_config::virtual_service::{DirectResponse, HttpMatch, StringMatch};
use pilothouse_translate::inline::bootstrap_static;
use pilothouse_translate::{assignment, cluster, listener, marker};
use pilothouse_view::plan::{
    ActionPlan, ChainMatch, ClusterPlan, HttpRole, Inspected, MirrorPlan, Network, RouteMatchPlan, RoutePlan,
    Routes, ServerTlsPlan, Sniffing, Transport, UpstreamProtocol, UpstreamTls, WeightedPlan,
};

use crate::{cast, process};

/// A chain behind mutual TLS that answers with its name.
fn answers(name: &str, mark: Option<&str>) -> pilothouse_view::plan::ChainPlan {
    let respond = RoutePlan {
        action: ActionPlan::Respond(DirectResponse { status: 200, body: name.as_bytes().to_vec() }),
        ..cast::route_to("unused")
    };
    let role = HttpRole::Inbound { peer_certificate: true };
    let mut chain = cast::chain(name, Network::Http(Box::new(cast::http(role, vec![respond]))));
    chain.tls = ServerTlsPlan::Mesh { trust_domains: vec![Name::from("cluster.local")] };
    chain.matches = ChainMatch {
        transport: Some(Transport::Tls),
        application_protocols: mark.into_iter().map(Name::from).collect(),
        ..ChainMatch::default()
    };
    chain
}

fn below(prefix: &str, route: RoutePlan) -> RoutePlan {
    let matches = HttpMatch { uri: Some(StringMatch::Prefix(Name::from(prefix))), ..HttpMatch::default() };
    RoutePlan { matches: RouteMatchPlan::Http(Box::new(matches)), ..route }
}

fn foreign(cluster: &str) -> WeightedPlan {
    WeightedPlan { foreign_tls: true, ..cast::weighted(cluster, 1) }
}

fn forward(clusters: Vec<WeightedPlan>) -> RoutePlan {
    RoutePlan { action: ActionPlan::Route(Box::new(cast::to(clusters))), ..cast::route_to("unused") }
}

fn mesh_cluster(name: &str, protocol: UpstreamProtocol) -> ClusterPlan {
    ClusterPlan { protocol, tls: UpstreamTls::Auto(cast::mesh_tls()), ..cast::cluster(name) }
}

#[test]
fn requests_are_marked_unless_the_cluster_does_tls_of_its_own() {
    for version in process::VERSIONS {
        let [client, server, bytes] = process::free_ports();
        let recorder = process::Recorder::start();
        let clusters = [
            cast::cluster("recorder"),
            mesh_cluster("mesh", UpstreamProtocol::Http1),
            mesh_cluster("mesh-as-downstream", UpstreamProtocol::AsDownstream),
            mesh_cluster("mesh-http2", UpstreamProtocol::Http2),
        ];
        let mirrored = RoutePlan {
            action: ActionPlan::Route(Box::new(pilothouse_view::plan::RouteToPlan {
                mirrors: vec![MirrorPlan { cluster: Name::from("mesh"), share: Percent::ALL }],
                ..cast::to(vec![cast::weighted("mesh-as-downstream", 1)])
            })),
            ..cast::route_to("unused")
        };
        let routes = vec![
            below("/one-foreign", forward(vec![foreign("mesh")])),
            below("/all-foreign", forward(vec![foreign("mesh"), foreign("mesh-as-downstream")])),
            below("/weighted", forward(vec![cast::weighted("mesh", 1), cast::weighted("mesh-http2", 1)])),
            below("/http2", forward(vec![cast::weighted("mesh-http2", 1)])),
            below("/mirrored", mirrored),
            cast::route_to("mesh"),
        ];
        let outbound = cast::http(HttpRole::Outbound, routes);
        // Mirrored requests come with the mark of the cluster, and their answers are seen by nobody.
        let mut bytes_chain = answers("bytes", Some(marker::BYTES));
        if let Network::Http(http) = &mut bytes_chain.network
            && let Routes::Inline { name: _, host } = &mut http.routes
        {
            host.routes.insert(0, below("/mirrored", forward(vec![cast::weighted("recorder", 1)])));
        }
        let mut inbound = cast::listener(
            "inbound",
            server,
            vec![answers("marked", Some(marker::HTTP)), bytes_chain, answers("unmarked", None)],
        );
        inbound.sniffing = Sniffing { tls: Some(Inspected::Everywhere), http: None, timeout: None };
        let mut tunnel = cast::tcp("mesh");
        tunnel.mesh_marker = true;
        let bootstrap = bootstrap_static(
            clusters.iter().map(cluster),
            [
                listener(&cast::listener(
                    "outbound",
                    client,
                    vec![cast::chain("http", Network::Http(Box::new(outbound)))],
                )),
                listener(&cast::listener("tunnel", bytes, vec![cast::chain("tcp", Network::Tcp(tunnel))])),
                listener(&inbound),
            ],
            [],
            clusters.iter().map(|plan| {
                let port = if plan.name == "recorder" { recorder.port } else { server };
                assignment(&cast::assignment(plan.name.as_str(), port, true))
            }),
            cast::secrets(&[]),
        );
        let _running = process::start(version, &bootstrap);
        for (port, path, expected) in [
            (client, "/", "marked"),
            (client, "/http2", "marked"),
            (client, "/weighted", "marked"),
            (client, "/mirrored", "marked"),
            // These clusters speak the mesh's TLS after all, so what they offer by themselves is seen.
            (client, "/one-foreign", "bytes"),
            (bytes, "/", "bytes"),
        ] {
            let answer = process::get(port, path, "cart.shop");
            assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{version} {path}: {answer}");
        }
        assert_eq!(recorder.next_request(), ["GET /mirrored HTTP/1.1", "host: cart.shop"], "{version}");
        let answer = process::get(client, "/all-foreign", "cart.shop");
        assert!(answer.starts_with("HTTP/1.1 200"), "{version}: {answer}");
    }
}
