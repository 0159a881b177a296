//! ServiceEntry and WorkloadEntry (`networking.istio.io`).

use serde::Deserialize;

use crate::{Int, List, Map};

/// `spec` of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntry {
    /// Host names; each defines a service.
    pub hosts: List<String>,
    /// Addresses or ranges clients dial.
    pub addresses: List<String>,
    /// Ports.
    pub ports: List<Port>,
    /// `MESH_EXTERNAL` or `MESH_INTERNAL`.
    pub location: Option<String>,
    /// `NONE`, `STATIC`, `DNS`, `DNS_ROUND_ROBIN` or `DYNAMIC_DNS`.
    pub resolution: Option<String>,
    /// Endpoints.
    pub endpoints: List<Endpoint>,
    /// Picks pods and workload entries instead.
    pub workload_selector: Option<WorkloadSelector>,
    /// Who may see it.
    pub export_to: List<String>,
    /// What its certificates may be named.
    pub subject_alt_names: List<String>,
}

/// A port of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    /// What clients dial.
    pub number: Option<Int>,
    /// `HTTP`, `TLS`, …; sniffed if empty.
    pub protocol: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Where it leads on endpoints.
    pub target_port: Option<Int>,
}

/// The older form of a selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WorkloadSelector {
    /// All must hold.
    pub labels: Map<String>,
}

/// An endpoint of a ServiceEntry; also `spec` of a WorkloadEntry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// IP address, DNS name or `unix://…`.
    pub address: Option<String>,
    /// Port numbers by port name of the service.
    pub ports: Map<Int>,
    /// Labels.
    pub labels: Map<String>,
    /// Its network.
    pub network: Option<String>,
    /// `region/zone/subzone`.
    pub locality: Option<String>,
    /// Its share.
    pub weight: Option<Int>,
    /// Its service account.
    pub service_account: Option<String>,
}
