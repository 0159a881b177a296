//! Real Envoys, and what speaks to them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pilothouse_envoy_api as envoy;
pub(crate) use pilothouse_testkit::envoy::VERSIONS;
use pilothouse_testkit::envoy::{Form, Running};

/// Has both versions check a configuration; panics with what they say against it.
pub(crate) fn validate(bootstrap: &envoy::bootstrap::Bootstrap) {
    for version in VERSIONS {
        if let Err(why) = judged_by(version, bootstrap) {
            panic!("Envoy {version} refuses:\n{why}");
        }
    }
}

/// What one version says against a configuration.
pub(crate) fn judged_by(version: &str, bootstrap: &envoy::bootstrap::Bootstrap) -> Result<(), String> {
    pilothouse_testkit::envoy::judged_by(version, Form::Binary, &envoy::encode(bootstrap))
}

/// The same of a configuration in JSON.
pub(crate) fn judged_by_json(version: &str, bootstrap: &str) -> Result<(), String> {
    pilothouse_testkit::envoy::judged_by(version, Form::Json, bootstrap.as_bytes())
}

/// Starts an Envoy; returns once its listeners are open.
pub(crate) fn start(version: &str, bootstrap: &envoy::bootstrap::Bootstrap) -> Running {
    Running::start(version, &envoy::encode(bootstrap))
}

/// Ports that were free just now, all different.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// The whole answer to one request.
pub(crate) fn get(port: u16, path: &str, host: &str) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A server that remembers what it is asked.
pub(crate) struct Recorder {
    /// Where it listens.
    pub(crate) port: u16,
    requests: Receiver<Vec<String>>,
}

impl Recorder {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
                let head = lines.take_while(|line| !line.is_empty()).collect();
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                if sender.send(head).is_err() {
                    break;
                }
            }
        });
        Self { port, requests }
    }

    /// The next request: its first two lines.
    pub(crate) fn next_request(&self) -> Vec<String> {
        let mut lines = self.requests.recv_timeout(Duration::from_secs(20)).unwrap();
        lines.truncate(2);
        lines
    }
}
