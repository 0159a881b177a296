//! Outbound listeners and route tables of sidecars: which there are, and what each is made of.
//!
//! HTTP of all services on one port shares the listener of that port on all addresses and the route table named like the
//! port. Everything else has a listener at its own address, where it can be told apart from others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, ObjectKey, Protocol};
use pilothouse_config::mesh::OutboundPolicy;
use pilothouse_config::service::{Cidr, Resolution};
use pilothouse_config::virtual_service::GatewayRef;
use pilothouse_config::{Service, ServicePort};
use pilothouse_world::{ServiceRef, VirtualServiceHeader};

use crate::backends::{backends, ip};
use crate::names;
use crate::plan::CatchAll;
use crate::query::{Client, HostKey, HostSource, ListenerKey, OutboundListener, TableKey, TcpEntry};
use crate::reader::Reader;
use crate::targets::{Target, Targets};

/// Outbound listeners and route tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Listeners, ordered by name.
    pub listeners: Vec<ListenerKey>,
    /// Tables, ordered by name.
    pub tables: Vec<TableKey>,
}

pub(crate) fn outbound(client: &Client, read: &mut Reader<'_>) -> Outbound {
    let mesh = read.mesh();
    let targets = read.targets(&client.namespace);
    let claims = read.claims(&client.namespace);
    let claims: Vec<&VirtualServiceHeader> =
        claims.iter().filter(|header| header.gateways.contains(&GatewayRef::Mesh)).collect();
    let mut ordered: Vec<&Arc<Target>> = targets.by_host.values().collect();
    ordered.sort_by(|a, b| {
        a.service.meta.created.cmp(&b.service.meta.created).then_with(|| a.service.host.cmp(&b.service.host))
    });

    let mut ports = Listeners::new(client);
    let mut http_ports: BTreeSet<u16> = BTreeSet::new();
    let mut sniffed: BTreeMap<Name, (Arc<Target>, u16)> = BTreeMap::new();
    for target in &ordered {
        if matches!(target.service.resolution, Resolution::Alias(_)) {
            continue;
        }
        for port in &target.service.ports {
            if port.protocol.is_http() || port.protocol == Protocol::Auto {
                http_ports.insert(port.number);
            }
            ports.add(target, port, &claims, read);
            let own_table = names::host_port(&target.service.host, port.number);
            if port.protocol == Protocol::Auto && has_own_address(&target.service) {
                sniffed.insert(own_table, ((*target).clone(), port.number));
            }
        }
    }

    let catch_all = Some(match mesh.outbound {
        OutboundPolicy::AllowAny => CatchAll::Passthrough,
        OutboundPolicy::RegistryOnly => CatchAll::Block,
    });
    let listeners = ports.finish();
    // A port whose HTTP is only ever served at the services' own addresses has no shared listener, hence no table.
    let asked: BTreeSet<Name> = listeners
        .iter()
        .filter_map(|key| match key {
            ListenerKey::Outbound(listener) => listener.http.as_ref().map(|(table, _)| table.clone()),
            ListenerKey::Capture { .. } => None,
        })
        .collect();
    let mut tables: Vec<TableKey> = http_ports
        .into_iter()
        .filter(|port| asked.contains(port.to_string().as_str()))
        .map(|port| TableKey {
            name: Name::from(port.to_string()),
            catch_all,
            hosts: hosts(port, client, &targets, &claims, mesh.domain.as_str()),
        })
        .collect();
    tables.extend(sniffed.into_iter().filter(|(name, _)| asked.contains(name)).map(|(name, (target, port))| {
        let mut host = host_of(&target, port, client, &claims);
        host.domains = Arc::from([Name::from("*")]);
        TableKey { name, catch_all: None, hosts: Arc::from([host]) }
    }));
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Outbound { listeners, tables }
}

/// Collects what is served at each address and port.
struct Listeners<'c> {
    client: &'c Client,
    any: IpAddr,
    by_address: BTreeMap<(IpAddr, u16), OutboundListener>,
}

impl<'c> Listeners<'c> {
    fn new(client: &'c Client) -> Self {
        let any = if client.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        Self { client, any, by_address: BTreeMap::new() }
    }

    fn entry(&mut self, address: IpAddr, port: u16) -> &mut OutboundListener {
        self.by_address.entry((address, port)).or_insert_with(|| OutboundListener {
            address,
            additional: Vec::new(),
            port,
            http: None,
            tcp: Vec::new(),
            client: None,
        })
    }

    fn add(
        &mut self,
        target: &Target,
        port: &ServicePort,
        claims: &[&VirtualServiceHeader],
        read: &mut Reader<'_>,
    ) {
        let (any, number) = (self.any, port.number);
        if port.protocol == Protocol::Udp {
            return;
        }
        if port.protocol.is_http() {
            let listener = self.entry(any, number);
            let web = listener.http.as_ref().is_some_and(|(_, web)| *web) || port.protocol == Protocol::GrpcWeb;
            listener.http = Some((Name::from(number.to_string()), web));
            return;
        }
        let ranges: Vec<Cidr> = target.service.addresses.iter().filter(|range| !range.is_host()).copied().collect();
        let addresses = single_addresses(&target.service);
        let entry = TcpEntry {
            service: target.name(),
            port: number,
            protocol: port.protocol,
            rules: target.rules.clone(),
            by_server_name: port.protocol.is_tls() && addresses.is_empty(),
            claims: l4_claims(&target.service.host, claims),
            ranges,
        };
        if let Some((first, rest)) = addresses.split_first() {
            let table = names::host_port(&target.service.host, number);
            self.serve(*first, rest.to_vec(), entry, (port.protocol == Protocol::Auto).then_some(table));
        } else if target.service.resolution == Resolution::Headless {
            // Clients dial the endpoints themselves.
            for one in backends(&target.service, port, read) {
                if let Some(address) = ip(&one.address) {
                    let table = names::host_port(&target.service.host, number);
                    let http = (port.protocol == Protocol::Auto).then_some(table);
                    // Headless services are dialled at the port of the workload.
                    self.serve_at(address, one.port, Vec::new(), entry.clone(), http);
                }
            }
        } else {
            let table = Name::from(number.to_string());
            self.serve(any, Vec::new(), entry, (port.protocol == Protocol::Auto).then_some(table));
        }
    }

    fn serve(&mut self, address: IpAddr, additional: Vec<IpAddr>, entry: TcpEntry, http: Option<Name>) {
        let port = entry.port;
        self.serve_at(address, port, additional, entry, http);
    }

    fn serve_at(
        &mut self,
        address: IpAddr,
        port: u16,
        additional: Vec<IpAddr>,
        entry: TcpEntry,
        http: Option<Name>,
    ) {
        let client = (!entry.claims.is_empty()).then(|| self.client.clone());
        let listener = self.entry(address, port);
        let same_match = |one: &TcpEntry| {
            one.ranges == entry.ranges
                && one.by_server_name == entry.by_server_name
                && (!one.by_server_name || one.service.host == entry.service.host)
        };
        // First come, first served: a later service with the same match would never be reached.
        if listener.tcp.iter().any(same_match) {
            return;
        }
        if listener.http.is_none() {
            listener.http = http.map(|table| (table, false));
        }
        listener.additional.extend(additional);
        listener.client = listener.client.take().or(client);
        listener.tcp.push(entry);
    }

    fn finish(self) -> Vec<ListenerKey> {
        let v6 = self.client.v6;
        std::iter::once(ListenerKey::Capture { v6 })
            .chain(self.by_address.into_values().map(|listener| ListenerKey::Outbound(Arc::new(listener))))
            .collect()
    }
}

/// Single addresses at which a service can be dialled.
fn single_addresses(service: &Service) -> Vec<IpAddr> {
    let singles = service.addresses.iter().filter(|range| range.is_host());
    singles.map(|range| range.address).filter(|address| !address.is_unspecified()).collect()
}

/// Whether connections to a service can be told apart by the dialled address.
fn has_own_address(service: &Service) -> bool {
    !single_addresses(service).is_empty() || service.resolution == Resolution::Headless
}

/// The virtual services with TCP or TLS rules for a host.
fn l4_claims(host: &Hostname, claims: &[&VirtualServiceHeader]) -> Arc<[ObjectKey]> {
    let ruling = claims.iter().filter(|header| header.l4 && header.hosts.iter().any(|own| own.covers(host)));
    ruling.map(|header| header.meta.key.clone()).collect()
}

/// The virtual service that routes HTTP of a host: the first one that names it, else the one whose wildcard is the most
/// specific.
fn http_claim<'h>(host: &Hostname, claims: &[&'h VirtualServiceHeader]) -> Option<&'h VirtualServiceHeader> {
    let http = || claims.iter().copied().filter(|header| header.http);
    http().find(|header| header.hosts.contains(host)).or_else(|| {
        http()
            .filter_map(|header| {
                let best = header.hosts.iter().filter(|own| own.covers(host)).map(Hostname::specificity).min();
                best.map(|best| (best, header))
            })
            // Stable: the first one in order of precedence wins among equals.
            .min_by_key(|(best, _)| *best)
            .map(|(_, header)| header)
    })
}

/// The virtual host of a service port; its domains are filled in by the caller.
fn host_of(target: &Target, port: u16, client: &Client, claims: &[&VirtualServiceHeader]) -> HostKey {
    let service = &target.service;
    HostKey {
        name: names::host_port(&service.host, port),
        domains: Arc::from([]),
        port,
        source: match http_claim(&service.host, claims) {
            Some(header) => HostSource::VirtualServices {
                client: client.clone(),
                objects: Arc::from([(header.meta.key.clone(), None)]),
            },
            None => HostSource::Service { service: ServiceRef::of(service), rules: target.rules.clone() },
        },
        require_tls: false,
    }
}

/// The virtual hosts of a port, ordered by name, no domain twice.
fn hosts(
    port: u16,
    client: &Client,
    targets: &Targets,
    claims: &[&VirtualServiceHeader],
    domain: &str,
) -> Arc<[HostKey]> {
    let serves = |service: &Service| {
        service.port(port).is_some_and(|port| port.protocol.is_http() || port.protocol == Protocol::Auto)
    };
    let mut all: Vec<(HostKey, Vec<String>)> = Vec::new();
    // Hosts of virtual services that are no services themselves: on port 80, and where the same object also rules a service
    // of this port.
    let mut extra: BTreeSet<&Hostname> = BTreeSet::new();
    for header in claims.iter().filter(|header| header.http) {
        let rules_service = || {
            targets
                .by_host
                .values()
                .any(|target| serves(&target.service) && header.hosts.iter().any(|own| own.covers(&target.service.host)))
        };
        if port != 80 && !rules_service() {
            continue;
        }
        for host in &header.hosts {
            if targets.by_host.contains_key(host) || !extra.insert(host) {
                continue;
            }
            let key = HostKey {
                name: names::host_port(host, port),
                domains: Arc::from([]),
                port,
                source: HostSource::VirtualServices {
                    client: client.clone(),
                    objects: Arc::from([(header.meta.key.clone(), None)]),
                },
                require_tls: false,
            };
            all.push((key, vec![host.to_string()]));
        }
    }
    let mut aliases: BTreeMap<&Hostname, Vec<&Service>> = BTreeMap::new();
    for target in targets.by_host.values() {
        if let Resolution::Alias(real) = &target.service.resolution {
            aliases.entry(real).or_default().push(&target.service);
        }
    }
    for target in targets.by_host.values() {
        let service = &target.service;
        if matches!(service.resolution, Resolution::Alias(_)) || !serves(service) {
            continue;
        }
        let mut domains = domains(service, client, domain);
        for alias in aliases.get(&service.host).into_iter().flatten() {
            domains.extend(self::domains(alias, client, domain));
        }
        all.push((host_of(target, port, client, claims), domains));
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut finished: Vec<HostKey> = Vec::new();
    for (mut key, domains) in all {
        let full = key.name.as_str().rsplit_once(':').map_or("", |(host, _)| host).to_owned();
        let free: Vec<Name> = domains
            .into_iter()
            .filter(|one| {
                // A short name that is another service's full name belongs to that one.
                let foreign = *one != full && targets.by_host.contains_key(one.as_str());
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
    for address in service.addresses.iter().filter(|range| range.is_host() && !range.address.is_unspecified()) {
        all.push(match address.address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        });
    }
    all
}
