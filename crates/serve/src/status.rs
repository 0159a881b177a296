//! How proxies stand, as the admin port tells it and `pilothouse proxy-status` reads it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use pilothouse_base::ObjectKey;
use pilothouse_xds::{Protocol, Status, TypeState};
use serde::{Deserialize, Serialize};

/// The path of the admin port that answers with a [`Report`].
pub const REPORT_PATH: &str = "/debug/syncz";

/// All connected proxies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The newest revision.
    pub revision: u64,
    /// The time of the answer, in seconds since 1970.
    pub at: u64,
    /// Each stream, sorted by proxy and then by stream.
    pub proxies: Vec<ProxyStatus>,
    /// Proxies that were connected a short while ago and are not now, sorted by proxy.
    pub gone: Vec<Gone>,
}

/// A proxy that went and did not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// How it stood when its last stream ended.
    pub last: ProxyStatus,
    /// When that was, in seconds since 1970.
    pub since: u64,
    /// Why its stream ended.
    pub reason: String,
}

/// One stream of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// `POD.NAMESPACE`.
    pub proxy: String,
    /// `sidecar` or `gateway`.
    pub role: String,
    /// `delta` or `sotw`.
    pub protocol: String,
    /// The version of Envoy, if it says.
    pub envoy: Option<String>,
    /// The SPIFFE identity of its workload.
    pub identity: String,
    /// Whether a token proved that; only on the loopback port it did not.
    pub authenticated: bool,
    /// Where the connection comes from.
    pub peer: String,
    /// The number of the stream; grows.
    pub stream: u64,
    /// When it connected, in seconds since 1970.
    pub connected: u64,
    /// The newest revision that concerned the proxy.
    pub revision: u64,
    /// The newest revision of which the proxy has answered all that concerns it.
    pub acknowledged: u64,
    /// Each type that the proxy subscribed, by its short name such as `CDS`.
    pub types: BTreeMap<String, TypeReport>,
    /// The leaf it holds, if it was issued on this stream or recognised.
    pub certificate: Option<Certificate>,
}

/// How a proxy stands in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeReport {
    /// In one word.
    pub state: State,
    /// The revision that waits for an answer.
    pub pending_revision: Option<u64>,
    /// Since when, in seconds since 1970.
    pub pending_since: Option<u64>,
    /// Names subscribed, not counting what comes without being named.
    pub names: usize,
    /// What the proxy refused.
    pub rejected: Vec<Refused>,
}

/// How a proxy stands in one type, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has all there is.
    Synced,
    /// Something is on the way.
    Pending,
    /// It refused something and keeps what it had.
    Rejected,
}

/// An update that a proxy refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The resources; several if Envoy's words do not tell which one it was.
    pub resources: Vec<String>,
    /// Envoy's words.
    pub message: String,
    /// The objects that made the resources.
    pub objects: Vec<ObjectKey>,
    /// The revision they were made from.
    pub revision: u64,
    /// The how-manieth refusal of this type on this stream.
    pub count: u64,
}

/// A leaf without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Serial number in hexadecimal; unknown for a leaf of an earlier stream.
    pub serial: Option<String>,
    /// When it expires, in seconds since 1970.
    pub not_after: u64,
    /// When it is renewed, in seconds since 1970.
    pub renews: u64,
}

/// Seconds since 1970.
pub(crate) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `delta` or `sotw`.
pub(crate) fn protocol_name(protocol: Protocol) -> String {
    match protocol {
        Protocol::Delta => "delta".to_owned(),
        Protocol::Sotw => "sotw".to_owned(),
    }
}

/// Renders the types of a stream. `since` tells when the stream got a revision.
pub(crate) fn types(status: &Status, since: impl Fn(u64) -> Option<u64>) -> BTreeMap<String, TypeReport> {
    let render = |one: &pilothouse_xds::TypeStatus| {
        let pending = match one.state {
            TypeState::Synced => None,
            TypeState::Pending { since } => Some(since),
        };
        let state = match (one.rejected.is_empty(), pending) {
            (false, _) => State::Rejected,
            (true, Some(_)) => State::Pending,
            (true, None) => State::Synced,
        };
        let rejected = one.rejected.iter().map(|rejection| Refused {
            resources: rejection.resources.iter().map(|(name, _)| name.to_string()).collect(),
            message: rejection.message.to_string(),
            objects: rejection.origins.to_vec(),
            revision: rejection.revision,
            count: rejection.count,
        });
        TypeReport {
            state,
            pending_revision: pending,
            pending_since: pending.and_then(&since),
            names: one.names,
            rejected: rejected.collect(),
        }
    };
    status.types.iter().map(|(kind, one)| (kind.short().to_owned(), render(one))).collect()
}
