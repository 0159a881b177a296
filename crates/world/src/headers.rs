//! Headers: the part of an object that decides where it applies, apart from what it says there.
//!
//! They are separate questions to the world so that a changed route weight or connection limit does not make anybody
//! look again at which hosts are ruled by whom.

use std::collections::BTreeSet;

use pilothouse_base::{Hostname, Name, Namespace};
use pilothouse_config::virtual_service::{GatewayRef, HttpAction, HttpMatch};
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
    /// Whether its matches ask anything of the client: labels, or its namespace.
    pub asks_client: bool,
    /// The hosts it sends to, mirrors included.
    pub destinations: BTreeSet<Hostname>,
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
        let source_labels: BTreeSet<Name> = l4_labels
            .chain(http_labels)
            .flat_map(|labels| labels.iter().map(|(name, _)| Name::from(name)))
            .collect();
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
            asks_client: !source_labels.is_empty() || asks_namespace(object),
            source_labels,
            destinations: destinations(object),
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.meta.namespace()
    }
}

fn asks_namespace(object: &VirtualService) -> bool {
    let http = object.http.iter().flat_map(|rule| &rule.matches).map(|one| &one.source_namespace);
    let tcp = object.tcp.iter().flat_map(|rule| &rule.matches).map(|one| &one.source_namespace);
    let tls = object.tls.iter().flat_map(|rule| &rule.matches).map(|one| &one.source_namespace);
    http.chain(tcp).chain(tls).any(Option::is_some)
}

fn destinations(object: &VirtualService) -> BTreeSet<Hostname> {
    let mut all = BTreeSet::new();
    for rule in &object.http {
        if let HttpAction::Route(to) = &rule.action {
            all.extend(to.iter().map(|one| one.destination.host.clone()));
        }
        all.extend(rule.mirrors.iter().map(|mirror| mirror.destination.host.clone()));
    }
    let l4 = object.tcp.iter().map(|rule| &rule.route).chain(object.tls.iter().map(|rule| &rule.route));
    all.extend(l4.flatten().map(|one| one.destination.host.clone()));
    all
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
