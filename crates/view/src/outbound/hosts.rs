//! The virtual hosts of a port: which there are, what each answers to, and where its routes come from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Protocol};
use pilothouse_config::Service;
use pilothouse_config::service::Resolution;
use pilothouse_world::VirtualServiceHeader;

use super::seen::Seen;
use crate::names;
use crate::query::{Client, HostKey, HostSource, Otherwise};
use crate::targets::Target;

/// Where the routes of a host come from.
fn source(host: &Hostname, target: Option<&Target>, seen: &Seen<'_>) -> HostSource {
    let (found, for_all) = seen.claims.http.of(host);
    match target {
        Some(target) if found.is_empty() => {
            HostSource::Service { service: target.name(), rules: target.rules.clone() }
        }
        target => HostSource::VirtualServices {
            client: seen.asking(found.iter().copied()),
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
pub(super) fn host_of(host: &Hostname, target: Option<&Target>, port: u16, seen: &Seen<'_>) -> HostKey {
    HostKey {
        name: names::host_port(host, port),
        domains: Arc::from([]),
        port,
        source: source(host, target, seen),
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

/// The virtual hosts of a port, ordered by name, no domain twice; those of a number of hosts, or all.
pub(super) fn hosts(port: u16, seen: &Seen<'_>, only: Option<&BTreeSet<Hostname>>) -> Arc<[HostKey]> {
    let Seen { client, view, claims, domain } = seen;
    let claims = &claims.http;
    let serves = |service: &Service| {
        service.port(port).is_some_and(|port| port.protocol.is_http() || port.protocol == Protocol::Auto)
    };
    let wanted = |host: &Hostname| only.is_none_or(|hosts| hosts.contains(host));
    let headers: Vec<&VirtualServiceHeader> = match only {
        None => claims.all.iter().map(|header| &**header).collect(),
        Some(hosts) => {
            let places: BTreeSet<usize> =
                hosts.iter().flat_map(|host| claims.naming(host.as_str())).copied().collect();
            places.into_iter().map(|at| &*claims.all[at]).collect()
        }
    };
    let mut all: Vec<Draft<'_>> = Vec::new();
    // Hosts of virtual services that are no services themselves: on port 80, and where the same object also rules a service
    // of this port.
    let mut extra: BTreeSet<&Hostname> = BTreeSet::new();
    for header in headers {
        let rules_service = |own: &Hostname| {
            if own.is_wildcard() {
                view.targets().any(|target| serves(&target.service) && own.covers(&target.service.host))
            } else {
                view.get(own.as_str()).is_some_and(|target| serves(&target.service))
            }
        };
        if port != 80 && !header.hosts.iter().any(rules_service) {
            continue;
        }
        for host in header.hosts.iter().filter(|host| wanted(host)) {
            // A wildcard that stands for services is a rule for these and no host of its own.
            let stands_for_others = host.is_wildcard() && rules_service(host);
            if view.get(host.as_str()).is_some() || stands_for_others || !extra.insert(host) {
                continue;
            }
            let key = host_of(host, None, port, seen);
            all.push(Draft { key, own: vec![host], domains: vec![host.to_string()] });
        }
    }
    let targets: Vec<&Arc<Target>> = match only {
        None => view.targets().collect(),
        Some(hosts) => hosts.iter().filter_map(|host| view.get(host.as_str())).collect(),
    };
    let mut aliases: BTreeMap<&Hostname, Vec<&Service>> = BTreeMap::new();
    for target in &targets {
        let alias = &target.service;
        let Resolution::Alias(real) = &alias.resolution else { continue };
        let ruled = !claims.naming(alias.host.as_str()).is_empty();
        let real_target = view.get(real.as_str());
        let on_port = if alias.ports.is_empty() {
            port == 80 || real_target.is_some_and(|target| serves(&target.service))
        } else {
            serves(alias)
        };
        if ruled && on_port {
            // It has routes of its own, so it is a host of its own.
            let target = real_target.filter(|target| serves(&target.service)).map(|target| &**target);
            let key = host_of(&alias.host, target, port, seen);
            all.push(Draft { key, own: vec![&alias.host], domains: domains(alias, client, domain) });
        } else {
            aliases.entry(real).or_default().push(alias);
        }
    }
    for target in &targets {
        let service = &target.service;
        if matches!(service.resolution, Resolution::Alias(_)) || !serves(service) {
            continue;
        }
        let mut draft = Draft {
            key: host_of(&service.host, Some(target), port, seen),
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
                let foreign = view.get(one).is_some() && !own.iter().any(|own| own.as_str() == one);
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
pub(super) fn domains(service: &Service, client: &Client, domain: &str) -> Vec<String> {
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
