//! The virtual hosts of a port: which there are, what each answers to, and where its routes come from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Protocol};
use pilothouse_config::Service;
use pilothouse_config::service::Resolution;
use pilothouse_world::VirtualServiceHeader;

use crate::names;
use crate::query::{Client, HostKey, HostSource, Otherwise};
use crate::targets::{Target, Targets};

/// The virtual services with HTTP rules, by the hosts they name.
pub(super) struct HttpClaims<'h> {
    /// In order of precedence.
    all: Vec<&'h VirtualServiceHeader>,
    exact: BTreeMap<&'h Hostname, Vec<&'h VirtualServiceHeader>>,
    /// The most specific first, equals in order of precedence.
    wide: Vec<(&'h Hostname, &'h VirtualServiceHeader)>,
}

impl<'h> HttpClaims<'h> {
    pub(super) fn new(claims: &[&'h VirtualServiceHeader]) -> Self {
        let all: Vec<_> = claims.iter().copied().filter(|header| header.http).collect();
        let mut exact: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut wide = Vec::new();
        for header in &all {
            for host in &header.hosts {
                exact.entry(host).or_default().push(*header);
                if host.is_wildcard() {
                    wide.push((host, *header));
                }
            }
        }
        wide.sort_by_key(|(host, _)| host.specificity());
        Self { all, exact, wide }
    }

    /// The ones that may route a host, up to one that does so for every client: those that name it, then those whose wildcard
    /// covers it. The flag tells whether the last one does.
    fn of(&self, host: &Hostname) -> (Vec<&'h VirtualServiceHeader>, bool) {
        let named = self.exact.get(host).into_iter().flatten().copied();
        let covering = self.wide.iter().filter(|(wide, _)| wide.covers(host)).map(|(_, header)| *header);
        let mut found: Vec<&VirtualServiceHeader> = Vec::new();
        for header in named.chain(covering) {
            if found.iter().any(|known| known.meta.key == header.meta.key) {
                continue;
            }
            found.push(header);
            if header.http_for_all {
                return (found, true);
            }
        }
        (found, false)
    }
}

/// Where the routes of a host come from.
fn source(host: &Hostname, target: Option<&Target>, client: &Client, claims: &HttpClaims<'_>) -> HostSource {
    let (found, for_all) = claims.of(host);
    match target {
        Some(target) if found.is_empty() => {
            HostSource::Service { service: target.name(), rules: target.rules.clone() }
        }
        target => HostSource::VirtualServices {
            client: client.clone(),
            objects: found.iter().map(|header| (header.meta.key.clone(), None)).collect(),
            otherwise: match target {
                _ if for_all => Otherwise::Never,
                Some(target) => Otherwise::Service { service: target.name(), rules: target.rules.clone() },
                None => Otherwise::Unknown,
            },
        },
    }
}

/// The virtual host of a host on a port; its domains are filled in by the caller.
pub(super) fn host_of(
    host: &Hostname,
    target: Option<&Target>,
    port: u16,
    client: &Client,
    claims: &HttpClaims<'_>,
) -> HostKey {
    HostKey {
        name: names::host_port(host, port),
        domains: Arc::from([]),
        port,
        source: source(host, target, client, claims),
        require_tls: false,
    }
}

/// A virtual host in the making.
struct Draft<'t> {
    key: HostKey,
    /// The full names that are its own.
    own: Vec<&'t Hostname>,
    domains: Vec<String>,
}

/// The virtual hosts of a port, ordered by name, no domain twice.
pub(super) fn hosts(
    port: u16,
    client: &Client,
    targets: &Targets,
    claims: &HttpClaims<'_>,
    domain: &str,
) -> Arc<[HostKey]> {
    let serves = |service: &Service| {
        service.port(port).is_some_and(|port| port.protocol.is_http() || port.protocol == Protocol::Auto)
    };
    let mut all: Vec<Draft<'_>> = Vec::new();
    // Hosts of virtual services that are no services themselves: on port 80, and where the same object also rules a service
    // of this port.
    let mut extra: BTreeSet<&Hostname> = BTreeSet::new();
    for header in &claims.all {
        let rules_service = |own: &Hostname| {
            if own.is_wildcard() {
                targets
                    .by_host
                    .values()
                    .any(|target| serves(&target.service) && own.covers(&target.service.host))
            } else {
                targets.by_host.get(own).is_some_and(|target| serves(&target.service))
            }
        };
        if port != 80 && !header.hosts.iter().any(rules_service) {
            continue;
        }
        for host in &header.hosts {
            // A wildcard that stands for services is a rule for these and no host of its own.
            let stands_for_others = host.is_wildcard() && rules_service(host);
            if targets.by_host.contains_key(host) || stands_for_others || !extra.insert(host) {
                continue;
            }
            let key = host_of(host, None, port, client, claims);
            all.push(Draft { key, own: vec![host], domains: vec![host.to_string()] });
        }
    }
    let mut aliases: BTreeMap<&Hostname, Vec<&Service>> = BTreeMap::new();
    for target in targets.by_host.values() {
        let alias = &target.service;
        let Resolution::Alias(real) = &alias.resolution else { continue };
        let ruled = claims.exact.contains_key(&alias.host);
        let real_target = targets.by_host.get(real);
        let on_port = if alias.ports.is_empty() {
            port == 80 || real_target.is_some_and(|target| serves(&target.service))
        } else {
            serves(alias)
        };
        if ruled && on_port {
            // It has routes of its own, so it is a host of its own.
            let target = real_target.filter(|target| serves(&target.service)).map(|target| &**target);
            let key = host_of(&alias.host, target, port, client, claims);
            all.push(Draft { key, own: vec![&alias.host], domains: domains(alias, client, domain) });
        } else {
            aliases.entry(real).or_default().push(alias);
        }
    }
    for target in targets.by_host.values() {
        let service = &target.service;
        if matches!(service.resolution, Resolution::Alias(_)) || !serves(service) {
            continue;
        }
        let mut draft = Draft {
            key: host_of(&service.host, Some(target), port, client, claims),
            own: vec![&service.host],
            domains: domains(service, client, domain),
        };
        for alias in aliases.get(&service.host).into_iter().flatten() {
            draft.own.push(&alias.host);
            draft.domains.extend(domains(alias, client, domain));
        }
        all.push(draft);
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut finished: Vec<HostKey> = Vec::new();
    for Draft { mut key, own, domains } in all {
        let free: Vec<Name> = domains
            .into_iter()
            .filter(|one| {
                // A short name that is another service's full name belongs to that one.
                let foreign =
                    targets.by_host.contains_key(one.as_str()) && !own.iter().any(|own| own.as_str() == one);
                !foreign && taken.insert(one.to_ascii_lowercase())
            })
            .map(Name::from)
            .collect();
        if !free.is_empty() {
            key.domains = free.into();
            finished.push(key);
        }
    }
    finished.sort_by(|a, b| a.name.cmp(&b.name));
    finished.into()
}

/// What a service is called by its clients.
fn domains(service: &Service, client: &Client, domain: &str) -> Vec<String> {
    let mut all = vec![service.host.to_string()];
    if service.host.as_str().parse::<IpAddr>().is_err() && !service.host.is_wildcard() {
        all.push(format!("{}.", service.host));
    }
    all.extend(names::short_names(&service.host, &client.namespace, domain));
    if service.resolution == Resolution::Headless {
        all.extend(all.clone().into_iter().map(|name| format!("*.{name}")));
    }
    for address in service.addresses.iter().filter(|range| range.is_host() && !range.address.is_unspecified())
    {
        all.push(match address.address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        });
    }
    all
}
