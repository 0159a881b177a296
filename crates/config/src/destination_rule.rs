//! DestinationRule: how connections to a host behave, and its subsets.

use std::collections::BTreeMap;

use pilothouse_base::{Hostname, Labels, Name};
use serde::Serialize;

use crate::{ExportTo, Meta, TrafficPolicy};

/// A checked DestinationRule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DestinationRule {
    /// The object.
    pub meta: Meta,
    /// The host, complete; may be a wildcard.
    pub host: Hostname,
    /// `trafficPolicy`.
    pub policy: LayeredPolicy,
    /// `subsets`, names unique.
    pub subsets: Vec<Subset>,
    /// Who may see it.
    pub export_to: ExportTo,
}

/// A traffic policy with its port-level replacements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct LayeredPolicy {
    /// For every port without an own policy.
    pub all: TrafficPolicy,
    /// `portLevelSettings`: replaces the whole policy for that service port.
    pub ports: BTreeMap<u16, TrafficPolicy>,
}

impl LayeredPolicy {
    /// The policy of a service port, if this layer says anything about it.
    pub fn for_port(&self, port: u16) -> &TrafficPolicy {
        self.ports.get(&port).unwrap_or(&self.all)
    }
}

/// A named part of a host's endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Subset {
    /// Its position in `spec.subsets`.
    pub index: usize,
    /// Its name.
    pub name: Name,
    /// What its endpoints are labelled.
    pub labels: Labels,
    /// `trafficPolicy`, laid over that of the rule.
    pub policy: LayeredPolicy,
}
