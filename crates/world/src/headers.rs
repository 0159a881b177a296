//! Headers: the part of an object that decides where it applies, apart from what it says there.
//!
//! They are separate questions to the world so that a changed route weight or connection limit does not make anybody
//! look again at which hosts are ruled by whom.

use std::collections::BTreeSet;

use pilothouse_base::{Hostname, Name, Namespace};
use pilothouse_config::virtual_service::{GatewayRef, HttpMatch};
use pilothouse_config::{DestinationRule, ExportTo, Meta, VirtualService};
use serde::Serialize;

/// Where a virtual service applies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct VirtualServiceHeader {
    /// The object.
    pub meta: Meta,
    /// Its hosts.
    pub hosts: Vec<Hostname>,
    /// Its gateways.
    pub gateways: Vec<GatewayRef>,
    /// Who may see it.
    pub export_to: ExportTo,
    /// Whether it has HTTP rules.
    pub http: bool,
    /// Whether some HTTP rule is for every client, port and gateway. If not, it may say nothing about a host it names.
    pub http_for_all: bool,
    /// Whether it has TCP or TLS rules.
    pub l4: bool,
    /// Names of the labels that its matches ask of the client (`sourceLabels`).
    pub source_labels: BTreeSet<Name>,
}

impl VirtualServiceHeader {
    /// The header of an object.
    pub fn of(object: &VirtualService) -> Self {
        let l4_labels = object
            .tcp
            .iter()
            .flat_map(|rule| &rule.matches)
            .chain(object.tls.iter().flat_map(|rule| &rule.matches))
            .map(|one| &one.source_labels);
        let http_labels = object.http.iter().flat_map(|rule| &rule.matches).map(|one| &one.source_labels);
        Self {
            meta: object.meta.clone(),
            hosts: object.hosts.clone(),
            gateways: object.gateways.clone(),
            export_to: object.export_to.clone(),
            http: !object.http.is_empty(),
            http_for_all: object.http.iter().any(|rule| {
                rule.matches.is_empty() || rule.matches.iter().any(HttpMatch::is_for_every_client)
            }),
            l4: !object.tcp.is_empty() || !object.tls.is_empty(),
            source_labels: l4_labels
                .chain(http_labels)
                .flat_map(|labels| labels.iter().map(|(name, _)| Name::from(name)))
                .collect(),
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.meta.namespace()
    }
}

/// Where a destination rule applies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RuleHeader {
    /// The object.
    pub meta: Meta,
    /// Its host, may be a wildcard.
    pub host: Hostname,
    /// Who may see it.
    pub export_to: ExportTo,
    /// Names of its subsets, in order.
    pub subsets: Vec<Name>,
}

impl RuleHeader {
    /// The header of an object.
    pub fn of(object: &DestinationRule) -> Self {
        Self {
            meta: object.meta.clone(),
            host: object.host.clone(),
            export_to: object.export_to.clone(),
            subsets: object.subsets.iter().map(|subset| subset.name.clone()).collect(),
        }
    }
}
