//! The outbound listeners: what is served at each address and port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, ObjectKey, Protocol};
use pilothouse_config::service::{Cidr, Resolution};
use pilothouse_config::{Service, ServicePort};

use super::seen::Seen;
use crate::backends::{backends, ip};
use crate::names;
use crate::query::{Client, ListenerKey, OutboundListener, TcpEntry};
use crate::reader::Reader;
use crate::targets::Target;

/// Collects what is served at each address and port.
///
/// An address and port of a service belongs to the oldest service that has it: two listeners cannot have both, and bytes are not
/// told apart any further. A younger one keeps the addresses that are left to it.
struct Listeners<'a> {
    seen: &'a Seen<'a>,
    any: IpAddr,
    /// The single addresses of services that are spoken for, by listeners of their own or by HTTP, which the listener of all
    /// addresses serves.
    taken: BTreeSet<(IpAddr, u16)>,
    by_address: BTreeMap<(IpAddr, u16), OutboundListener>,
}

/// All outbound listeners: the one that captured connections arrive at, then by address and port.
pub(super) fn listeners(seen: &Seen<'_>, read: &mut Reader<'_>) -> Vec<ListenerKey> {
    let v6 = seen.client.v6;
    let any = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let mut ordered: Vec<&Arc<Target>> = seen.view.targets().collect();
    ordered.sort_by(|a, b| {
        a.service.meta.created.cmp(&b.service.meta.created).then_with(|| a.service.host.cmp(&b.service.host))
    });
    let mut all = Listeners { seen, any, taken: BTreeSet::new(), by_address: BTreeMap::new() };
    for target in ordered {
        if matches!(target.service.resolution, Resolution::Alias(_)) {
            continue;
        }
        for port in &target.service.ports {
            all.add(target, port, read);
        }
    }
    let listeners = all.by_address.into_values();
    std::iter::once(ListenerKey::Capture { v6 })
        .chain(listeners.map(|listener| ListenerKey::Outbound(Arc::new(listener))))
        .collect()
}

impl Listeners<'_> {
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

    fn add(&mut self, target: &Target, port: &ServicePort, read: &mut Reader<'_>) {
        let (any, number) = (self.any, port.number);
        if port.protocol == Protocol::Udp {
            return;
        }
        if port.protocol.is_http() {
            // Any number of them share an address, as a request names its host.
            self.taken.extend(single_addresses(&target.service).into_iter().map(|address| (address, number)));
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
            claims: self.claims(&target.service.host),
            ranges,
        };
        if !addresses.is_empty() {
            let free: Vec<IpAddr> =
                addresses.into_iter().filter(|address| self.taken.insert((*address, number))).collect();
            if let Some((first, rest)) = free.split_first() {
                let table = names::host_port(&target.service.host, number);
                self.serve(*first, rest.to_vec(), entry, (port.protocol == Protocol::Auto).then_some(table));
            }
        } else if target.service.resolution == Resolution::Headless {
            // Clients dial the endpoints themselves.
            for one in backends(&target.service, port, read) {
                if let Some(address) = ip(&one.address)
                    && self.taken.insert((address, one.port))
                {
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
        let client = (!entry.claims.is_empty()).then(|| self.asking(&entry));
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

    /// The virtual services with TCP or TLS rules for a host.
    fn claims(&self, host: &Hostname) -> Arc<[ObjectKey]> {
        let l4 = self.seen.claims.l4.iter();
        let ruling = l4.filter(|header| header.hosts.iter().any(|own| own.covers(host)));
        ruling.map(|header| header.meta.key.clone()).collect()
    }

    /// Whom the rules of an entry are applied for.
    fn asking(&self, entry: &TcpEntry) -> Client {
        let l4 = self.seen.claims.l4.iter();
        self.seen.asking(l4.filter(|header| entry.claims.contains(&header.meta.key)).map(|header| &**header))
    }
}

/// Single addresses at which a service can be dialled.
fn single_addresses(service: &Service) -> Vec<IpAddr> {
    let singles = service.addresses.iter().filter(|range| range.is_host());
    singles.map(|range| range.address).filter(|address| !address.is_unspecified()).collect()
}
