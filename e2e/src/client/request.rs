//! A request as a test describes it, and the answer as a test judges it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a request travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// A gRPC call over HTTP/2; the answer's status is the HTTP one, `grpc-status` is among its headers.
    Grpc,
    /// One line over TCP; the answer's body is the first line that comes back.
    Tcp,
}

/// TLS of the client's own, below HTTP or TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Server name to ask for; the host of the URL if absent.
    pub sni: Option<String>,
    /// Protocols to offer.
    pub alpn: Vec<String>,
    /// PEM of the roots to trust; anything is trusted if absent.
    pub roots: Option<String>,
    /// PEM of a client certificate and its key.
    pub identity: Option<(String, String)>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Method; GET if not set.
    pub method: String,
    /// `http://host[:port]/path?query`, or `tcp://host:port` for TCP.
    pub url: String,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
    /// Body to send, or the line for TCP.
    pub body: String,
    /// How it travels.
    pub protocol: Protocol,
    /// TLS below it.
    pub tls: Option<Tls>,
    /// Dial this `address:port` instead of the URL's host.
    pub connect: Option<String>,
    /// Give up after so many milliseconds.
    pub timeout_ms: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".into(),
            url: String::new(),
            headers: BTreeMap::new(),
            body: String::new(),
            protocol: Protocol::Http1,
            tls: None,
            connect: None,
            timeout_ms: 10_000,
        }
    }
}

impl Request {
    /// A GET of `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// One line to `host:port` over TCP; an empty line only listens.
    pub fn tcp(to: &str, line: &str) -> Self {
        Self { url: format!("tcp://{to}"), body: line.into(), protocol: Protocol::Tcp, ..Self::default() }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The same by another protocol.
    #[must_use]
    pub fn over(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The same to another address.
    #[must_use]
    pub fn connect(self, address: impl Into<String>) -> Self {
        Self { connect: Some(address.into()), ..self }
    }

    /// The same with TLS below.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The same with another limit in milliseconds.
    #[must_use]
    pub fn timeout(self, timeout_ms: u64) -> Self {
        Self { timeout_ms, ..self }
    }
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// HTTP status; 200 for a TCP line that came back; 0 when nothing did.
    pub status: u16,
    /// Response headers and trailers; of repeated ones all, joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// Response body.
    pub body: String,
    /// From dialling to the last byte, in milliseconds.
    pub ms: u64,
    /// What went wrong below HTTP.
    pub error: Option<String>,
}

impl Answer {
    /// A field of the test application's JSON, as text; empty when there is none.
    pub fn field(&self, name: &str) -> String {
        match self.json()[name].clone() {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A header as the application saw it; repeated ones joined by a comma.
    pub fn seen(&self, header: &str) -> Option<String> {
        let json = self.json();
        let all = json["headers"].get(header)?.as_array()?.clone();
        Some(all.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(","))
    }

    /// Who answered, as `name-version`; `status 503` and the like when the application did not.
    pub fn who(&self) -> String {
        let json = self.json();
        match (json["name"].as_str(), json["version"].as_str()) {
            (Some(name), Some(version)) => format!("{name}-{version}"),
            _ => self.error.clone().unwrap_or_else(|| format!("status {}", self.status)),
        }
    }
}
