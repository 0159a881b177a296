//! Outbound listeners and route tables of sidecars: which there are, and what each is made of.
//!
//! HTTP of all services on one port shares the listener of that port on all addresses and the route table named like the
//! port. Everything else has a listener at its own address, where it can be told apart from others.

mod hosts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, ObjectKey, Protocol};
use pilothouse_config::mesh::OutboundPolicy;
use pilothouse_config::service::{Cidr, Resolution};
use pilothouse_config::virtual_service::GatewayRef;
use pilothouse_config::{Service, ServicePort};
use pilothouse_world::VirtualServiceHeader;

use crate::backends::{backends, ip};
use crate::names;
use crate::plan::CatchAll;
use crate::query::{Client, ListenerKey, OutboundListener, TableKey, TcpEntry};
use crate::reader::Reader;
use crate::targets::Target;

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

    let http_claims = hosts::HttpClaims::new(&claims);
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
            hosts: hosts::hosts(port, client, &targets, &http_claims, mesh.domain.as_str()),
        })
        .collect();
    tables.extend(sniffed.into_iter().filter(|(name, _)| asked.contains(name)).map(
        |(name, (target, port))| {
            let mut host = hosts::host_of(&target.service.host, Some(&target), port, client, &http_claims);
            host.domains = Arc::from([Name::from("*")]);
            TableKey { name, catch_all: None, hosts: Arc::from([host]) }
        },
    ));
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
            let web =
                listener.http.as_ref().is_some_and(|(_, web)| *web) || port.protocol == Protocol::GrpcWeb;
            listener.http = Some((Name::from(number.to_string()), web));
            return;
        }
        let ranges: Vec<Cidr> =
            target.service.addresses.iter().filter(|range| !range.is_host()).copied().collect();
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
        if listener.http.is_none() {
            listener.http = http.map(|table| (table, false));
        }
        // First come, first served: a later service with the same match would never be reached.
        if listener.tcp.iter().any(same_match) {
            return;
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
