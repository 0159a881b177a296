//! What an application counts, and how it was told to behave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Behaviour set from outside the request path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mode {
    /// Answer every HTTP request with this status.
    pub status: Option<u16>,
    /// Wait this many milliseconds before every answer.
    pub delay_ms: u64,
}

/// What was seen since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// HTTP requests.
    pub requests: u64,
    /// HTTP requests by their `key` query parameter, else by path.
    pub by_key: BTreeMap<String, u64>,
    /// TCP connections on `tcp` and `banner` ports.
    pub connections: u64,
    /// HTTP requests in work now.
    pub in_flight: u64,
    /// HTTP answers that are ready, but not out yet.
    pub leaving: u64,
    /// The most HTTP requests in work at one time.
    pub most_in_flight: u64,
    /// How the application is told to behave.
    pub mode: Mode,
}

impl Counts {
    /// Notes a request; returns how often its key was seen before.
    pub(super) fn enter(&mut self, key: &str) -> u64 {
        self.requests += 1;
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        let seen = self.by_key.entry(key.to_owned()).or_default();
        *seen += 1;
        *seen - 1
    }

    /// Forgets the past, keeps the mode and what is in work.
    pub(super) fn reset(&mut self) {
        let (mode, in_flight, leaving) = (self.mode.clone(), self.in_flight, self.leaving);
        *self = Self { mode, in_flight, leaving, most_in_flight: in_flight, ..Self::default() };
    }
}
