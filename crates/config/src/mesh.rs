//! Mesh settings (the mesh `ConfigMap`).

use std::time::Duration;

use pilothouse_base::{Name, Namespace};
use serde::Serialize;

use crate::virtual_service::Retry;
use crate::{ExportTo, NamespaceSelector};

/// The part of MeshConfig that shapes what proxies get, with Istio's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Mesh {
    /// `trustDomain`: the trust domain of all identities issued here.
    pub trust_domain: Name,
    /// `trustDomainAliases`: further trust domains whose identities are accepted.
    pub trust_domain_aliases: Vec<Name>,
    /// `rootNamespace`: where mesh-wide policies live.
    pub root_namespace: Namespace,
    /// The DNS domain of services, `cluster.local`.
    pub domain: Name,
    /// `connectTimeout` of upstream connections.
    pub connect_timeout: Duration,
    /// `protocolDetectionTimeout`: how long an undeclared port waits for the first bytes. Istio's default of zero waits for
    /// ever and starves server-first protocols; zero is read as the default of one second.
    pub protocol_detection_timeout: Duration,
    /// `outboundTrafficPolicy.mode`: whether hosts outside the registry may be reached.
    pub outbound: OutboundPolicy,
    /// `enableAutoMtls`.
    pub auto_mtls: bool,
    /// `accessLogFile` and its format, if switched on.
    pub access_log: Option<AccessLog>,
    /// `defaultHttpRetryPolicy`.
    pub default_retry: Option<Retry>,
    /// `defaultServiceExportTo`.
    pub service_export: ExportTo,
    /// `defaultVirtualServiceExportTo`.
    pub virtual_service_export: ExportTo,
    /// `defaultDestinationRuleExportTo`.
    pub destination_rule_export: ExportTo,
    /// `pathNormalization.normalization`.
    pub path_normalization: PathNormalization,
    /// `discoverySelectors`: namespaces that none of these picks are not looked at; if there are none, all are.
    pub discovery: Vec<NamespaceSelector>,
}

/// `outboundTrafficPolicy.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum OutboundPolicy {
    /// Unknown destinations are passed through.
    AllowAny,
    /// Unknown destinations are refused: 502 for HTTP, a closed connection otherwise.
    RegistryOnly,
}

/// `pathNormalization.normalization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum PathNormalization {
    /// As received.
    None,
    /// RFC 3986 normalization.
    Base,
    /// Also merges slashes.
    MergeSlashes,
    /// Also decodes escaped slashes.
    DecodeAndMergeSlashes,
}

/// Where requests are logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AccessLog {
    /// The file; `/dev/stdout` and `/dev/stderr` mean the streams.
    pub path: String,
    /// `accessLogFormat`, else Istio's.
    pub format: Option<String>,
    /// Whether lines are JSON.
    pub json: bool,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            trust_domain: Name::from("cluster.local"),
            trust_domain_aliases: Vec::new(),
            root_namespace: Namespace::from("istio-system"),
            domain: Name::from("cluster.local"),
            connect_timeout: Duration::from_secs(10),
            protocol_detection_timeout: Duration::from_secs(1),
            outbound: OutboundPolicy::AllowAny,
            auto_mtls: true,
            access_log: None,
            default_retry: None,
            service_export: ExportTo::MeshDefault,
            virtual_service_export: ExportTo::MeshDefault,
            destination_rule_export: ExportTo::MeshDefault,
            path_normalization: PathNormalization::Base,
            discovery: Vec::new(),
        }
    }
}
