use std::net::Ipv6Addr;
use std::time::Duration;

use pilothouse_base::{Hostname, Kind, Name, ObjectKey};
use pilothouse_config::mesh::PathNormalization;
use pilothouse_config::service::Cidr;
use pilothouse_testkit::plans;
use pilothouse_view::plan::{
    ChainMatch, ChainPlan, ClientVerificationPlan, HttpPlan, HttpRole, Inspected, Network, Routes,
    ServerTlsPlan, Sniffing, TcpPlan, Transport,
};
use serde_json::{Value, json};

use super::*;

fn tcp() -> TcpPlan {
    plans::tcp("outbound|9000||cart.shop")
}

fn http(role: HttpRole) -> HttpPlan {
    plans::http(role, Routes::Discovered(Name::from("80")))
}

fn chain(network: Network) -> ChainPlan {
    plans::chain("0.0.0.0_80", network)
}

fn plan(chains: Vec<ChainPlan>) -> ListenerPlan {
    plans::listener("0.0.0.0_80", chains)
}

fn shown(plan: &ListenerPlan) -> Value {
    envoy::json::print(&listener(plan)).unwrap()
}

/// The configuration of the last network filter of the first chain.
fn last_filter(plan: ChainPlan) -> Value {
    let listener = shown(&self::plan(vec![plan]));
    let filters = listener["filter_chains"][0]["filters"].as_array().unwrap();
    filters.last().unwrap()["typed_config"].clone()
}

#[test]
fn listeners_behind_capture_open_no_socket() {
    let behind = shown(&plan(vec![chain(Network::Tcp(tcp()))]));
    assert_eq!(behind["bind_to_port"], false);
    assert_eq!(behind.get("max_connections_to_accept_per_socket_event"), None);
    assert_eq!(behind.get("listener_filters"), None);
    assert_eq!(behind.get("continue_on_listener_filters_timeout"), None);
    assert_eq!(behind["traffic_direction"], "OUTBOUND");

    let mut captures = plan(vec![chain(Network::Tcp(tcp()))]);
    captures.port.bound = true;
    captures.port.additional = vec![Ipv6Addr::UNSPECIFIED.into()];
    captures.hands_over = true;
    captures.original_dst = true;
    captures.direction = Direction::Inbound;
    captures.sniffing = Sniffing {
        tls: Some(Inspected::Everywhere),
        http: Some(Inspected::Everywhere),
        timeout: Some(Duration::from_secs(1)),
    };
    let captures = shown(&captures);
    assert_eq!(captures.get("bind_to_port"), None);
    assert_eq!(captures["max_connections_to_accept_per_socket_event"], 1);
    assert_eq!(captures["use_original_dst"], true);
    assert_eq!(captures["listener_filters_timeout"], "1s");
    assert_eq!(captures["continue_on_listener_filters_timeout"], true);
    assert_eq!(
        captures.pointer("/additional_addresses/0/address/socket_address/address"),
        Some(&json!("::"))
    );
    let filters: Vec<_> = captures["listener_filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        filters,
        [
            "envoy.filters.listener.original_dst",
            "envoy.filters.listener.tls_inspector",
            "envoy.filters.listener.http_inspector"
        ]
    );
}

#[test]
fn chains_match_what_they_should() {
    let mut full = chain(Network::Tcp(tcp()));
    full.matches = ChainMatch {
        destination_port: Some(8080),
        prefix_ranges: vec![Cidr::parse("10.0.0.0/8").unwrap()],
        server_names: vec![Hostname::from("a.example")],
        transport: Some(Transport::Tls),
        application_protocols: vec![Name::from("istio")],
    };
    let mut any_name = full.clone();
    any_name.matches.server_names.push(Hostname::from("*"));
    let listener = shown(&plan(vec![full, any_name, chain(Network::Tcp(tcp()))]));
    let chains = listener["filter_chains"].as_array().unwrap();
    assert_eq!(
        chains[0]["filter_chain_match"],
        json!({
            "destination_port": 8080,
            "prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}],
            "server_names": ["a.example"],
            "transport_protocol": "tls",
            "application_protocols": ["istio"]
        })
    );
    assert_eq!(chains[1]["filter_chain_match"].get("server_names"), None);
    assert_eq!(chains[2].get("filter_chain_match"), None);
}

#[test]
fn servers_of_the_mesh_verify_peers_and_negotiate_nothing() {
    for (domains, expected) in [
        (
            vec!["cluster.local", "old"],
            json!([
                {"san_type": "URI", "matcher": {"prefix": "spiffe://cluster.local/"}},
                {"san_type": "URI", "matcher": {"prefix": "spiffe://old/"}}
            ]),
        ),
        (vec![], json!([{"san_type": "URI", "matcher": {"exact": "spiffe://nobody.invalid/"}}])),
    ] {
        let mut server = chain(Network::Tcp(tcp()));
        server.tls = ServerTlsPlan::Mesh { trust_domains: domains.into_iter().map(Name::from).collect() };
        let listener = shown(&plan(vec![server]));
        let chain = &listener["filter_chains"][0];
        assert_eq!(chain["transport_socket_connect_timeout"], "15s");
        let context = &chain["transport_socket"]["typed_config"];
        assert_eq!(context["require_client_certificate"], true);
        let common = &context["common_tls_context"];
        assert_eq!(common.get("alpn_protocols"), None);
        assert_eq!(common["tls_params"]["tls_maximum_protocol_version"], "TLSv1_3");
        let validation = &common["combined_validation_context"];
        assert_eq!(validation["default_validation_context"]["match_typed_subject_alt_names"], expected);
        assert_eq!(validation["validation_context_sds_secret_config"]["name"], "ROOTCA");
        assert_eq!(common["tls_certificate_sds_secret_configs"][0]["name"], "default");
    }
}

#[test]
fn public_servers_offer_http2_only_for_http() {
    for (http, alpn) in [(true, json!(["h2", "http/1.1"])), (false, Value::Null)] {
        let mut server = chain(Network::Tcp(tcp()));
        let certificates = vec![Name::from("kubernetes://rsa"), Name::from("kubernetes://ecdsa")];
        server.tls = ServerTlsPlan::Terminate { certificates, clients: None, http };
        let listener = shown(&plan(vec![server]));
        let context = &listener["filter_chains"][0]["transport_socket"]["typed_config"];
        let common = &context["common_tls_context"];
        assert_eq!(common["alpn_protocols"], alpn);
        assert_eq!(context["require_client_certificate"], false);
        assert_eq!(common.get("combined_validation_context"), None);
        let secrets = common["tls_certificate_sds_secret_configs"].as_array().unwrap();
        assert_eq!(secrets.len(), 2);
        for secret in secrets {
            // A credential that nobody has made must not hold the listener back for ever.
            assert_eq!(secret["sds_config"].get("initial_fetch_timeout"), None);
        }
    }
}

#[test]
fn clients_are_verified_as_the_plan_says() {
    for required in [true, false] {
        let mut server = chain(Network::Tcp(tcp()));
        let clients = ClientVerificationPlan {
            required,
            roots: Name::from("kubernetes://shop-cacert"),
            subject_alt_names: vec![Name::from("spiffe://a/b"), Name::from("client.example")],
            public_keys: vec![Name::from("key")],
            fingerprints: vec![Name::from("print")],
        };
        server.tls = ServerTlsPlan::Terminate {
            certificates: vec![Name::from("kubernetes://shop")],
            clients: Some(Box::new(clients)),
            http: true,
        };
        let listener = shown(&plan(vec![server]));
        let context = &listener["filter_chains"][0]["transport_socket"]["typed_config"];
        assert_eq!(context["require_client_certificate"], required);
        let validation = &context["common_tls_context"]["combined_validation_context"];
        assert_eq!(validation["validation_context_sds_secret_config"]["name"], "kubernetes://shop-cacert");
        let own = &validation["default_validation_context"];
        let names = own["match_typed_subject_alt_names"].as_array().unwrap();
        let kinds: Vec<_> = names.iter().map(|name| (&name["san_type"], &name["matcher"]["exact"])).collect();
        assert_eq!(
            kinds,
            [(&json!("URI"), &json!("spiffe://a/b")), (&json!("DNS"), &json!("client.example"))]
        );
        assert_eq!(own["verify_certificate_spki"], json!(["key"]));
        assert_eq!(own["verify_certificate_hash"], json!(["print"]));
    }
}

#[test]
fn bytes_go_where_the_plan_says() {
    let plan = TcpPlan {
        clusters: vec![(Name::from("a"), 9), (Name::from("b"), 1)],
        idle_timeout: Some(Duration::from_secs(3)),
        hash_source_ip: true,
        mesh_marker: true,
        after_handshake: true,
        origin: Some(ObjectKey::new(Kind::VirtualService, "shop", "cart")),
        ..tcp()
    };
    let listener = shown(&self::plan(vec![chain(Network::Tcp(plan.clone()))]));
    let built = &listener["filter_chains"][0];
    assert_eq!(
        built.pointer("/metadata/filter_metadata/istio/config"),
        Some(&json!("/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart"))
    );
    let filters = built["filters"].as_array().unwrap();
    assert_eq!(
        filters[0]["typed_config"]["on_new_connection"],
        json!([{
            "object_key": "envoy.network.application_protocols",
            "shared_with_upstream": "ONCE",
            "format_string": {"text_format_source": {"inline_string": "istio"}}
        }])
    );
    let proxy = &filters[1]["typed_config"];
    assert_eq!(
        proxy["weighted_clusters"],
        json!({"clusters": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]})
    );
    assert_eq!(proxy["idle_timeout"], "3s");
    assert_eq!(proxy["hash_policy"], json!([{"source_ip": {}}]));
    // Without TLS there is no handshake to wait for.
    assert_eq!(proxy.get("upstream_connect_mode"), None);

    let mut secured = chain(Network::Tcp(plan));
    secured.tls = ServerTlsPlan::Mesh { trust_domains: vec![] };
    let proxy = last_filter(secured);
    assert_eq!(proxy["upstream_connect_mode"], "ON_DOWNSTREAM_TLS_HANDSHAKE");
    assert_eq!(proxy["max_early_data_bytes"], 65_536);

    let proxy = last_filter(chain(Network::Tcp(tcp())));
    assert_eq!(proxy["cluster"], "outbound|9000||cart.shop");
    assert_eq!(proxy["stat_prefix"], "outbound|9000||cart.shop");
}

#[test]
fn roles_differ_in_whom_they_believe() {
    for (role, details, uri, server, remote) in [
        (HttpRole::Inbound { peer_certificate: true }, "SANITIZE_SET", Some(true), "istio-envoy", false),
        (HttpRole::Inbound { peer_certificate: false }, "SANITIZE", None, "istio-envoy", false),
        (HttpRole::Outbound, "SANITIZE", None, "envoy", false),
        (HttpRole::Gateway, "SANITIZE_SET", Some(true), "istio-envoy", true),
    ] {
        let manager = last_filter(chain(Network::Http(Box::new(http(role)))));
        // `SANITIZE` is the default of the field and may be left out.
        let shown = manager["forward_client_cert_details"].as_str().unwrap_or("SANITIZE");
        assert_eq!(shown, details, "{role:?}");
        assert_eq!(manager["set_current_client_cert_details"]["uri"].as_bool(), uri, "{role:?}");
        assert_eq!(manager["server_name"], server, "{role:?}");
        assert_eq!(manager["use_remote_address"], remote, "{role:?}");
        assert_eq!(manager["stat_prefix"], "outbound_0.0.0.0_80;");
        assert_eq!(manager["upgrade_configs"], json!([{"upgrade_type": "websocket"}]));
        assert_eq!(
            manager["rds"],
            json!({
                "route_config_name": "80",
                "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
            })
        );
    }
}

#[test]
fn paths_are_normalized_as_the_mesh_says() {
    for (how, normalize, merge, escaped) in [
        (PathNormalization::None, false, false, "KEEP_UNCHANGED"),
        (PathNormalization::Base, true, false, "KEEP_UNCHANGED"),
        (PathNormalization::MergeSlashes, true, true, "KEEP_UNCHANGED"),
        (PathNormalization::DecodeAndMergeSlashes, true, true, "UNESCAPE_AND_FORWARD"),
    ] {
        let plan = HttpPlan { path_normalization: how, ..http(HttpRole::Outbound) };
        let manager = last_filter(chain(Network::Http(Box::new(plan))));
        assert_eq!(manager["normalize_path"], normalize, "{how:?}");
        assert_eq!(manager["merge_slashes"].as_bool().unwrap_or_default(), merge, "{how:?}");
        assert_eq!(manager["path_with_escaped_slashes_action"], escaped, "{how:?}");
    }
}

#[test]
fn the_ready_probe_answers_one_path() {
    let manager = last_filter(chain(Network::Ready));
    assert_eq!(
        manager.pointer("/route_config/virtual_hosts/0/routes"),
        Some(&json!([{
            "name": "ready", "match": {"path": "/healthz/ready"}, "direct_response": {"status": 200}
        }]))
    );
}

#[test]
fn equal_plans_give_equal_bytes() {
    let plan = plan(vec![chain(Network::Http(Box::new(http(HttpRole::Outbound))))]);
    let first = envoy::encode(&listener(&plan));
    for _ in 0..20 {
        assert_eq!(envoy::encode(&listener(&plan)), first);
    }
}
