use super::*;

fn options() -> BootstrapOptions {
    BootstrapOptions {
        node: Node {
            role: Role::Sidecar,
            pod: "cart-0".to_owned(),
            namespace: "shop".to_owned(),
            service_account: "cart".to_owned(),
            domain: "cluster.local".to_owned(),
            address: "10.0.0.7".to_owned(),
            all_addresses: "10.0.0.7".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "cart".to_owned())]),
            cluster_id: "Kubernetes".to_owned(),
            network: String::new(),
            workload: "cart-v1".to_owned(),
            metadata: BTreeMap::from([("MESH_ID".to_owned(), "mesh1".to_owned())]),
        },
        discovery_host: "pilothouse.mesh-system.svc".to_owned(),
        discovery_port: 15012,
        security: Security::Tls {
            server_name: "pilothouse.mesh-system.svc".to_owned(),
            files: Files::in_directory("/var/run/pilothouse/"),
        },
        admin: Admin::Port(15000),
        ready_port: Some(15021),
        metrics_port: Some(15090),
        ipv6: false,
        beside: Beside::default(),
    }
}

fn made(change: impl FnOnce(&mut BootstrapOptions)) -> Value {
    let mut options = options();
    change(&mut options);
    bootstrap(&options).unwrap()
}

fn cluster(bootstrap: &Value, name: &str) -> Value {
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name).unwrap().clone()
}

#[test]
fn the_node_speaks_istio() {
    assert_eq!(
        made(|_| ())["node"],
        json!({
            "id": "sidecar~10.0.0.7~cart-0.shop~shop.svc.cluster.local",
            "cluster": "cart.shop",
            "metadata": {
                "NAME": "cart-0",
                "NAMESPACE": "shop",
                "SERVICE_ACCOUNT": "cart",
                "CLUSTER_ID": "Kubernetes",
                "WORKLOAD_NAME": "cart-v1",
                "INTERCEPTION_MODE": "REDIRECT",
                "INSTANCE_IPS": "10.0.0.7",
                "ENVOY_STATUS_PORT": "15021",
                "ENVOY_PROMETHEUS_PORT": "15090",
                "MESH_ID": "mesh1",
                "LABELS": {"app": "cart"},
            },
        })
    );
    let gateway = made(|options| {
        options.node.role = Role::Router;
        options.node.labels.clear();
        options.node.workload.clear();
        options.node.all_addresses.push_str(",fd00::7");
        options.ipv6 = true;
    });
    assert_eq!(gateway["node"]["id"], "router~10.0.0.7~cart-0.shop~shop.svc.cluster.local");
    assert_eq!(gateway["node"]["cluster"], "cart-0.shop");
    assert_eq!(gateway["node"]["metadata"]["INSTANCE_IPS"], "10.0.0.7,fd00::7");
    let address = &gateway["static_resources"]["listeners"][0]["address"]["socket_address"];
    assert_eq!(*address, json!({"address": "::", "port_value": 15021, "ipv4_compat": true}));
}

#[test]
fn discovery_is_delta_and_waits_for_ever() {
    let dynamic = &made(|_| ())["dynamic_resources"];
    assert_eq!(dynamic["ads_config"]["api_type"], "DELTA_GRPC");
    assert_eq!(
        dynamic["ads_config"]["grpc_services"],
        json!([{
            "envoy_grpc": {"cluster_name": "xds-grpc"},
            "initial_metadata": [{"key": "clusterid", "value": "Kubernetes"}],
        }])
    );
    for source in ["cds_config", "lds_config"] {
        assert_eq!(
            dynamic[source],
            json!({"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"})
        );
    }
}

#[test]
fn token_and_root_come_from_watched_files() {
    let bootstrap = made(|_| ());
    let cluster = cluster(&bootstrap, "xds-grpc");
    assert_eq!(cluster["type"], "STRICT_DNS");
    let tls = &cluster["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "pilothouse.mesh-system.svc");
    assert_eq!(
        tls["common_tls_context"]["validation_context_sds_secret_config"]["sds_config"]["path_config_source"]
            ["path"],
        "/var/run/pilothouse/root-sds.json"
    );
    let filters =
        cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
            ["http_filters"]
            .as_array()
            .unwrap();
    assert_eq!(filters.last().unwrap()["name"], "envoy.filters.http.upstream_codec");
    let generic = &filters[0]["typed_config"]["credential"]["typed_config"];
    assert_eq!(generic["header_value_prefix"], "Bearer ");
    assert_eq!(
        generic["credential"]["sds_config"]["path_config_source"]["path"],
        "/var/run/pilothouse/token-sds.json"
    );

    let files = Files::in_directory("/var/run/pilothouse");
    assert_eq!(
        token_secret(&files)["resources"][0]["generic_secret"],
        json!({"secret": {
            "filename": "/var/run/pilothouse/istio-token",
            "watched_directory": {"path": "/var/run/pilothouse"},
        }})
    );
    assert_eq!(
        root_secret(&files, "pilothouse.mesh-system.svc")["resources"][0]["validation_context"],
        json!({
            "trusted_ca": {"filename": "/var/run/pilothouse/root-cert.pem"},
            "watched_directory": {"path": "/var/run/pilothouse"},
            "match_typed_subject_alt_names": [
                {"san_type": "DNS", "matcher": {"exact": "pilothouse.mesh-system.svc"}},
            ],
        })
    );
    let by_address = &root_secret(&files, "10.0.0.1")["resources"][0]["validation_context"];
    assert_eq!(by_address["match_typed_subject_alt_names"][0]["san_type"], "IP_ADDRESS");
}

#[test]
fn plain_text_has_neither_token_nor_tls() {
    let bootstrap = made(|options| {
        options.security = Security::Insecure;
        options.discovery_host = "127.0.0.1".to_owned();
        options.discovery_port = 15010;
        options.admin = Admin::Pipe("/tmp/admin.sock".to_owned());
        options.ready_port = None;
        options.metrics_port = None;
        options.node.cluster_id.clear();
    });
    let text = bootstrap.to_string();
    for absent in ["credential_injector", "transport_socket", "sds", "clusterid", "15021", "15090"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert_eq!(cluster(&bootstrap, "xds-grpc")["type"], "STATIC");
    assert_eq!(bootstrap["admin"]["address"], json!({"pipe": {"path": "/tmp/admin.sock"}}));
    assert_eq!(bootstrap["static_resources"]["listeners"], json!([]));
}

#[test]
fn administration_is_reached_by_two_exact_paths_only() {
    let bootstrap = made(|_| ());
    for listener in bootstrap["static_resources"]["listeners"].as_array().unwrap() {
        let config = &listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"];
        let routes = config["virtual_hosts"][0]["routes"].as_array().unwrap();
        assert_eq!(routes.len(), 1);
        assert!(routes[0]["match"]["path"].is_string(), "an exact path");
        assert_eq!(routes[0]["match"]["headers"][0]["string_match"]["exact"], "GET");
    }
}

#[test]
fn all_problems_at_once() {
    let mut options = options();
    options.node.pod = "a~b".to_owned();
    options.node.namespace = "a.b".to_owned();
    options.node.service_account = String::new();
    options.node.address.clear();
    options.discovery_host = "a b".to_owned();
    options.discovery_port = 0;
    options.security = Security::Tls {
        server_name: "?".to_owned(),
        files: Files {
            token: "token".to_owned(),
            root: "/root.pem".to_owned(),
            token_secret: "/token".to_owned(),
            root_secret: "/root.yaml".to_owned(),
        },
    };
    options.ready_port = Some(15000);
    options.metrics_port = Some(0);
    let said: Vec<String> = bootstrap(&options).unwrap_err().to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        said,
        [
            "pod \"a~b\" is not a name",
            "service account \"\" is not a name",
            "namespace \"a.b\" has a dot in it; the node id could not be taken apart again",
            "addresses \"\" must name at least one address of the pod",
            "discovery host \"a b\" is neither a name nor an address",
            "discovery port \"0\" is not a port",
            "server name \"?\" is neither a name nor an address",
            "token file \"token\" is not an absolute path",
            "token secret file \"/token\" must end in .json or .yaml; Envoy tells the format by it",
            "metrics port \"0\" is not a port",
            "port \"15000\" is given to two listeners",
        ]
    );
    for (host, fine) in
        [("127.0.0.1", true), ("::1", true), ("localhost", true), ("10.0.0.1", false), ("a.svc", false)]
    {
        let options = BootstrapOptions {
            discovery_host: host.to_owned(),
            security: Security::Insecure,
            ..self::options()
        };
        assert_eq!(bootstrap(&options).is_ok(), fine, "{host}");
    }
}
