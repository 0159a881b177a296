//! Where something runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Name;

/// Region, zone and sub-zone; empty parts are unknown (Envoy `core.v3.Locality`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Locality {
    /// The region.
    pub region: Name,
    /// The zone within the region.
    pub zone: Name,
    /// The sub-zone within the zone.
    pub sub_zone: Name,
}

impl Locality {
    /// Reads `region/zone/subzone`, each later part optional.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '/');
        let mut next = || Name::from(parts.next().unwrap_or_default());
        Self { region: next(), zone: next(), sub_zone: next() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.region == ""
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.region, self.zone, self.sub_zone)
    }
}
