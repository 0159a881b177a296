//! Probes as the kubelet asks them, answered by real Envoys for a real application.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use pilothouse_inject::bootstrap::{
    Admin, AppProbe, Beside, BootstrapOptions, Call, DRAIN_HEADER, DRAIN_PATH, Node, Role, Security,
    bootstrap,
};
use pilothouse_testkit::envoy::{VERSIONS, binary};
use serde_json::json;

/// An application that answers with what it was asked: 302 below `/moved`, 500 below `/broken`, nothing below `/slow`.
fn application() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let from = stream.peer_addr().unwrap().ip();
            let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let Some(first) = head.first() else { continue };
            let host = head
                .iter()
                .find(|line| line.to_lowercase().starts_with("host:"))
                .cloned()
                .unwrap_or_default();
            let status = match first {
                moved if moved.contains(" /moved") => "302 Found\r\nlocation: /elsewhere",
                broken if broken.contains(" /broken") => "500 Internal Server Error",
                slow if slow.contains(" /slow") => {
                    unanswered.push(stream);
                    continue;
                }
                _ => "200 OK",
            };
            let body = format!("{first}|{host}|{from}");
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _hung_up = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An Envoy that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Starts an Envoy from a bootstrap without the control plane, which nobody plays here. Its listeners open soon after.
fn start(version: &str, options: &BootstrapOptions) -> Running {
    let mut bootstrap = bootstrap(options).unwrap();
    bootstrap.as_object_mut().unwrap().remove("dynamic_resources");
    let mut process = Command::new(binary(version))
        .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "info", "--config-yaml"])
        .arg(bootstrap.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let running = Running(process);
    let mut seen = String::new();
    while !seen.contains("starting workers") {
        assert!(log.read_line(&mut seen).is_ok_and(|read| read > 0), "Envoy {version} ends early:\n{seen}");
    }
    // A full pipe would stop it.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    running
}

/// Workers open their sockets a moment after Envoy says that it starts them.
fn connect(port: u16) -> TcpStream {
    const TRIES: usize = 1_000_000;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut tries = (0..TRIES).filter_map(|_| {
        let connected = TcpStream::connect(address).ok();
        if connected.is_none() {
            std::thread::yield_now();
        }
        connected
    });
    tries.next().expect("the listener opens")
}

/// GETs a path; returns the status and the body.
fn get(port: u16, path: &str, headers: &str) -> (u16, String) {
    let mut stream = connect(port);
    let request = format!("GET {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

const HOST: &str = "host: 127.0.0.1\r\n";

fn options(probes: Vec<AppProbe>) -> BootstrapOptions {
    BootstrapOptions {
        node: Node {
            role: Role::Sidecar,
            pod: "cart".to_owned(),
            namespace: "shop".to_owned(),
            service_account: "cart".to_owned(),
            domain: "cluster.local".to_owned(),
            address: "127.0.0.1".to_owned(),
            all_addresses: "127.0.0.1".to_owned(),
            labels: BTreeMap::new(),
            cluster_id: String::new(),
            network: String::new(),
            workload: String::new(),
            metadata: BTreeMap::new(),
        },
        discovery_host: "127.0.0.1".to_owned(),
        discovery_port: closed_port(),
        security: Security::Insecure,
        admin: Admin::Port(closed_port()),
        ready_port: Some(closed_port()),
        metrics_port: None,
        ipv6: false,
        beside: Beside { probes, drain: Some("sesame".to_owned()), ..Beside::default() },
    }
}

#[test]
fn the_kubelet_hears_what_the_application_says() {
    let (app, closed) = (application(), closed_port());
    let http = |path: &str, own_host| Call::Http { tls: false, port: app, path: path.to_owned(), own_host };
    let calls = [
        ("/app-health/a/readyz", http("/ready?deep=1", false)),
        ("/app-health/a/livez", http("/broken", false)),
        ("/app-health/a/startupz", http("/moved", false)),
        ("/app-health/b/readyz", http("/ready", true)),
        ("/app-health/b/livez", http("/slow", false)),
        ("/app-health/c/readyz", Call::Tcp { port: app }),
        ("/app-health/c/livez", Call::Tcp { port: closed }),
        ("/app-health/c/startupz", Call::Grpc { port: closed, service: String::new() }),
        ("/app-lifecycle/a/prestopz", http("/stop", false)),
    ];
    let probes = calls.map(|(path, call)| AppProbe { path: path.to_owned(), call, timeout: 1, period: 1 });
    let asked = |first: &str, host: &str| format!("GET {first} HTTP/1.1|host: {host}|127.0.0.6");
    let address = format!("127.0.0.1:{app}");
    for version in VERSIONS {
        let options = options(probes.to_vec());
        let port = options.ready_port.unwrap();
        let _envoy = start(version, &options);
        let table = [
            ("/app-health/a/readyz", HOST, 200, Some(asked("/ready?deep=1", &address))),
            ("/app-health/a/livez", HOST, 500, None),
            ("/app-health/a/startupz", HOST, 200, Some(asked("/moved", &address))),
            ("/app-health/b/readyz", "host: own.example\r\n", 200, Some(asked("/ready", "own.example"))),
            ("/app-health/b/livez", HOST, 504, None),
            ("/app-health/c/readyz", HOST, 200, None),
            ("/app-health/c/livez", HOST, 503, None),
            ("/app-health/c/startupz", HOST, 503, None),
            ("/app-lifecycle/a/prestopz", HOST, 200, Some(asked("/stop", &address))),
            ("/app-health/a", HOST, 404, None),
            ("/app-health/a/readyz/more", HOST, 404, None),
            ("/quitquitquit", HOST, 404, None),
            ("/healthz/ready", HOST, 200, None),
        ];
        for (path, headers, status, body) in table {
            let answer = get(port, path, headers);
            assert_eq!(answer.0, status, "Envoy {version}, {path}: {}", answer.1);
            if let Some(body) = body {
                assert_eq!(answer.1, body, "Envoy {version}, {path}");
            }
        }
    }
}

#[test]
fn draining_begins_for_those_who_know_the_key() {
    for version in VERSIONS {
        let options = options(Vec::new());
        let port = options.ready_port.unwrap();
        let _envoy = start(version, &options);
        assert_eq!(get(port, DRAIN_PATH, HOST).0, 404);
        assert_eq!(get(port, DRAIN_PATH, &format!("{HOST}{DRAIN_HEADER}: guess\r\n")).0, 404);
        let (status, said) = get(port, DRAIN_PATH, &format!("{HOST}{DRAIN_HEADER}: sesame\r\n"));
        assert!(status == 200 && said.contains("OK"), "Envoy {version}: {status} {said}");
        assert_eq!(get(port, "/healthz/ready", HOST).0, 200, "the kubelet is still answered");
    }
}

#[test]
fn a_bootstrap_with_everything_is_one() {
    let mut options = options(Vec::new());
    options.beside.runtime = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "true".to_owned())].into();
    let layer = bootstrap(&options).unwrap()["layered_runtime"]["layers"][0]["static_layer"].clone();
    assert_eq!(layer, json!({"a": 1, "b": true, "re2.max_program_size.error_level": 32768}));
}
