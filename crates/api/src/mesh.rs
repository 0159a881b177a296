//! MeshConfig, the text under the key `mesh` of the mesh `ConfigMap`.

use serde::Deserialize;

use crate::{List, Map, Retry};

/// The mesh settings we act on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshConfig {
    /// The trust domain of identities.
    pub trust_domain: Option<String>,
    /// Further accepted trust domains.
    pub trust_domain_aliases: List<String>,
    /// Where mesh-wide policies live.
    pub root_namespace: Option<String>,
    /// Time to connect.
    pub connect_timeout: Option<String>,
    /// Time to wait for the first bytes on an undeclared port.
    pub protocol_detection_timeout: Option<String>,
    /// Hosts outside the registry.
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    /// Mutual TLS by itself.
    pub enable_auto_mtls: Option<bool>,
    /// Where requests are logged.
    pub access_log_file: Option<String>,
    /// The format of log lines.
    pub access_log_format: Option<String>,
    /// `TEXT` or `JSON`.
    pub access_log_encoding: Option<String>,
    /// Retries of routes that say nothing.
    pub default_http_retry_policy: Option<Retry>,
    /// Who sees services that say nothing.
    pub default_service_export_to: List<String>,
    /// Who sees virtual services that say nothing.
    pub default_virtual_service_export_to: List<String>,
    /// Who sees destination rules that say nothing.
    pub default_destination_rule_export_to: List<String>,
    /// How paths are normalized.
    pub path_normalization: Option<PathNormalization>,
    /// Which namespaces are looked at; empty: all.
    pub discovery_selectors: List<NamespaceSelector>,
}

/// An entry of `discoverySelectors`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceSelector {
    /// All must hold.
    pub match_labels: Map<String>,
    /// And all of these.
    pub match_expressions: List<SelectorExpression>,
}

/// An entry of `matchExpressions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SelectorExpression {
    /// The label.
    pub key: Option<String>,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: Option<String>,
    /// What the first two compare with.
    pub values: List<String>,
}

/// `outboundTrafficPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OutboundTrafficPolicy {
    /// `REGISTRY_ONLY` or `ALLOW_ANY`.
    pub mode: Option<String>,
}

/// `pathNormalization`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PathNormalization {
    /// `DEFAULT`, `NONE`, `BASE`, `MERGE_SLASHES` or `DECODE_AND_MERGE_SLASHES`.
    pub normalization: Option<String>,
}
