//! What an Envoy says about itself in the first request of a stream.
//!
//! The id decides which pod a stream is bound to, and even that only together with the token. Metadata is written by
//! the client; it is used for pods that the world does not know, which happens on the loopback port alone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use pilothouse_base::Locality;
use pilothouse_envoy_api::core::{self, node::UserAgentVersionType};
use pilothouse_envoy_api::value::Kind as ValueKind;

/// The oldest Envoy that is served: older ones refuse parts of what we send.
pub(crate) const OLDEST: EnvoyVersion = EnvoyVersion { major: 1, minor: 37, patch: 0 };

/// Longer ids are not looked at.
const MAX_ID: usize = 1024;
/// Entries of metadata maps beyond this are not read.
const MAX_ENTRIES: usize = 256;

/// `Node.id`: `<type>~<ip>~<pod>.<namespace>~<domain>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeId {
    pub(crate) role: NodeRole,
    pub(crate) address: Option<IpAddr>,
    pub(crate) pod: String,
    pub(crate) namespace: String,
}

/// The first part of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeRole {
    Sidecar,
    Router,
}

/// Why a node is not served. The texts go to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("missing node information")]
    Missing,
    #[error("the node id is not of the form <type>~<ip>~<pod>.<namespace>~<domain>")]
    Form,
    #[error("nodes of type {0:?} are not served; expected sidecar or router")]
    Role(String),
    #[error("Envoy {0} is too old: this control plane serves {OLDEST} and newer")]
    TooOld(EnvoyVersion),
}

/// A version as Envoy reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EnvoyVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) patch: u32,
}

impl fmt::Display for EnvoyVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(out, "{major}.{minor}.{patch}")
    }
}

impl NodeId {
    pub(crate) fn parse(id: &str) -> Result<Self, NodeError> {
        if id.is_empty() {
            return Err(NodeError::Missing);
        }
        if id.len() > MAX_ID {
            return Err(NodeError::Form);
        }
        let parts: Vec<&str> = id.split('~').collect();
        let [role, address, name, _domain] = parts[..] else { return Err(NodeError::Form) };
        let role = match role {
            "sidecar" => NodeRole::Sidecar,
            "router" => NodeRole::Router,
            other => return Err(NodeError::Role(other.chars().take(32).collect())),
        };
        // Names of pods may have dots, names of namespaces may not.
        let (pod, namespace) = name.rsplit_once('.').ok_or(NodeError::Form)?;
        if !is_name(pod) || !is_name(namespace) {
            return Err(NodeError::Form);
        }
        let address = match address {
            "" => None,
            text => Some(text.parse().map_err(|_| NodeError::Form)?),
        };
        Ok(Self { role, address, pod: pod.to_owned(), namespace: namespace.to_owned() })
    }
}

fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// The version of a node that is new enough; `None` if it does not say.
pub(crate) fn version(node: &core::Node) -> Result<Option<EnvoyVersion>, NodeError> {
    let Some(UserAgentVersionType::UserAgentBuildVersion(build)) = &node.user_agent_version_type else {
        return Ok(None);
    };
    let Some(version) = &build.version else { return Ok(None) };
    let version =
        EnvoyVersion { major: version.major_number, minor: version.minor_number, patch: version.patch };
    if version < OLDEST { Err(NodeError::TooOld(version)) } else { Ok(Some(version)) }
}

/// A text of the metadata; numbers and booleans are texts there by convention.
pub(crate) fn text<'n>(node: &'n core::Node, key: &str) -> Option<&'n str> {
    match node.metadata.as_ref()?.fields.get(key)?.kind.as_ref()? {
        ValueKind::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A map of texts of the metadata, such as `LABELS`.
pub(crate) fn map(node: &core::Node, key: &str) -> BTreeMap<String, String> {
    let value = node.metadata.as_ref().and_then(|metadata| metadata.fields.get(key));
    let Some(ValueKind::StructValue(map)) = value.and_then(|value| value.kind.as_ref()) else {
        return BTreeMap::new();
    };
    map.fields
        .iter()
        .filter_map(|(key, value)| match &value.kind {
            Some(ValueKind::StringValue(text)) => Some((key.clone(), text.clone())),
            _ => None,
        })
        .take(MAX_ENTRIES)
        .collect()
}

/// The addresses: `INSTANCE_IPS` of the metadata where it is given, else the one of the id.
pub(crate) fn addresses(node: &core::Node, id: &NodeId) -> Vec<IpAddr> {
    let listed: Vec<IpAddr> = text(node, "INSTANCE_IPS")
        .unwrap_or_default()
        .split(',')
        .filter_map(|address| address.trim().parse().ok())
        .take(MAX_ENTRIES)
        .collect();
    if listed.is_empty() { id.address.into_iter().collect() } else { listed }
}

/// Where it runs: the label `istio-locality` (with dots for slashes), else what Envoy's own settings say.
pub(crate) fn locality(node: &core::Node) -> Locality {
    if let Some(text) = map(node, "LABELS").get("istio-locality") {
        return Locality::parse(&text.replace('.', "/"));
    }
    let Some(core::Locality { region, zone, sub_zone }) = &node.locality else { return Locality::default() };
    Locality::parse(&format!("{region}/{zone}/{sub_zone}"))
}

#[cfg(test)]
mod tests;
