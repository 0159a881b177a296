//! A small mesh to push: resources whose bodies are texts, and tables in the wire form of protobuf.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::composite::{Composite, Headers};
use crate::map::NameMap;
use crate::model::{Bodies, Facts};
use crate::options::{Bounds, Defaults, Options, RouteDelivery};
use crate::resource::{Resource, ResourceType};
use crate::snapshot::Snapshot;

/// Tables of more hosts than this are delivered split.
pub(super) const OVER: usize = 2;

pub(super) fn defaults() -> Defaults {
    Defaults {
        empty_assignment: |name| format!("nobody in {name}").into(),
        empty_route: |name| format!("no hosts in {name}").into(),
        empty_split_route: |name| format!("no hosts in {name};split").into(),
    }
}

pub(super) fn options() -> Options {
    Options { bounds: Bounds::default(), routes: RouteDelivery::Auto { over: OVER }, defaults: defaults() }
}

/// Content and cluster of hosts, by name.
pub(super) type Hosts = BTreeMap<String, (u8, String)>;

/// What there is. Bodies are made from it; references that lead nowhere are left out of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Mesh {
    /// Content and whether there is an assignment, by name.
    pub(super) clusters: BTreeMap<String, (u8, bool)>,
    /// Content by cluster.
    pub(super) endpoints: BTreeMap<String, u8>,
    /// Content, tables and clusters by name.
    pub(super) listeners: BTreeMap<String, (u8, Vec<String>, Vec<String>)>,
    /// Content of the header, and hosts, by table.
    pub(super) tables: BTreeMap<String, (u8, Hosts)>,
    /// Shared secrets.
    pub(super) secrets: BTreeMap<String, u8>,
    /// Names whose resources the client refuses, unless their content is 0.
    pub(super) refused: BTreeSet<String>,
}

impl Mesh {
    pub(super) fn snapshot(&self, revision: u64) -> Arc<Snapshot> {
        let Self { clusters, endpoints, listeners, tables, secrets, refused } = self;
        let word = |name: &str, content: u8| {
            let refused = if content > 0 && refused.contains(name) { ";refused" } else { "" };
            format!("{content}{refused}")
        };
        let resource = |name: &str, body: String| -> Arc<Resource> {
            Arc::new(Resource::new(name, body.into_bytes(), []))
        };
        let known = |names: &[String]| -> String {
            let known: BTreeSet<&str> =
                names.iter().map(String::as_str).filter(|name| clusters.contains_key(*name)).collect();
            known.into_iter().collect::<Vec<_>>().join(",")
        };
        let listener = |name: &String, (content, tables_of, clusters_of): &(u8, Vec<String>, Vec<String>)| {
            let tables_of: BTreeSet<&str> =
                tables_of.iter().map(String::as_str).filter(|name| tables.contains_key(*name)).collect();
            let tables_of = tables_of.into_iter().collect::<Vec<_>>().join(",");
            let text = word(name, *content);
            resource(
                name,
                format!("{text};tables={tables_of};clusters={};secrets=default,shared", known(clusters_of)),
            )
        };
        let table = |name: &String, (content, hosts): &(u8, Hosts)| {
            let parts = hosts.iter().map(|(host, (content, cluster))| {
                let full = format!("{name}/{host}");
                let text =
                    format!("{};clusters={}", word(&full, *content), known(std::slice::from_ref(cluster)));
                Composite::part(name, host, &field(3, text.as_bytes()), [])
            });
            let whole = [field(1, name.as_bytes()), field(3, word(name, *content).as_bytes())].concat();
            let split = [&*whole, &field(9, b"")].concat();
            let headers = Headers { whole: whole.into(), split: split.into(), part_field: 2 };
            Arc::new(Composite::new(name.as_str(), headers, parts.collect(), []))
        };
        let assigned =
            |(name, _): &(&String, &u8)| clusters.get(*name).is_some_and(|(_, assigned)| *assigned);
        Arc::new(Snapshot {
            revision,
            clusters: clusters
                .iter()
                .map(|(name, (content, assigned))| {
                    let kind = if *assigned { "assigned" } else { "static" };
                    resource(name, format!("{};{kind}", word(name, *content)))
                })
                .collect(),
            endpoints: endpoints
                .iter()
                .filter(assigned)
                .map(|(name, content)| {
                    resource(name, format!("endpoints {}", word(&format!("e:{name}"), *content)))
                })
                .collect(),
            listeners: listeners.iter().map(|(name, content)| listener(name, content)).collect(),
            routes: tables.iter().map(|(name, content)| table(name, content)).collect::<NameMap<_>>().into(),
            secrets: secrets
                .iter()
                .map(|(name, content)| resource(name, format!("secret {content}")))
                .collect(),
        })
    }
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128 && number < 16, "of one byte each");
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

/// Reads what [`Mesh`] writes.
#[derive(Debug)]
pub(super) struct Texts;

impl Bodies for Texts {
    fn read(&self, kind: ResourceType, name: &str, body: &Bytes) -> Facts {
        let mut facts = Facts::default();
        match kind {
            ResourceType::Route if !body.starts_with(b"no hosts") => table(body, &mut facts),
            ResourceType::VirtualHost => {
                assert_eq!(fields(body)[0], (1, name.as_bytes()), "the name of the resource is the host's");
                table(body, &mut facts);
            }
            _ => words(body, &mut facts),
        }
        facts
    }
}

fn table(body: &[u8], facts: &mut Facts) {
    for (number, content) in fields(body) {
        match number {
            2 => table(content, facts),
            3 => words(content, facts),
            9 => facts.split = true,
            _ => {}
        }
    }
}

fn fields(mut body: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let [tag, length, rest @ ..] = body {
        let (content, rest) = rest.split_at(*length as usize);
        all.push((tag >> 3, content));
        body = rest;
    }
    all
}

fn list(names: &str) -> impl Iterator<Item = String> {
    names.split(',').filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}

fn words(text: &[u8], facts: &mut Facts) {
    for word in std::str::from_utf8(text).unwrap().split(';') {
        match word.split_once('=') {
            Some(("tables", names)) => facts.tables.extend(list(names)),
            Some(("clusters", names)) => facts.clusters.extend(list(names)),
            Some(("secrets", names)) => facts.secrets.extend(list(names)),
            _ if word == "split" => facts.split = true,
            _ if word == "assigned" => facts.wants_assignment = true,
            _ if word == "refused" => facts.refused = Some("not this one".to_owned()),
            _ => {}
        }
    }
}
