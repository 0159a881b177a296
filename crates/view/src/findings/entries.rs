//! Service entries that have an address and port in common with another service.
//!
//! They are looked at as clients of their own namespace see the mesh: services of other namespaces count as far as they are
//! exported to it. Clients elsewhere, who may see one of the two only, may be served otherwise.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Kind, ObjectKey, Protocol};
use pilothouse_config::service::Resolution;
use pilothouse_config::{Service, ServicePort};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::reader::Reader;
use crate::targets::{Target, View};

pub(super) fn service_entry(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let mut own = read.services_in(&key.namespace);
    own.retain(|service| service.meta.key == *key);
    if !own.iter().any(|service| service.ports.iter().any(|port| port.protocol != Protocol::Udp)) {
        return;
    }
    let view = read.view(&key.namespace);
    for service in &own {
        let is_seen = view.get(service.host.as_str()).is_some_and(|seen| seen.service == *service);
        if !is_seen {
            // Another object stands for the host here.
            continue;
        }
        let addresses = single_addresses(service);
        for port in service.ports.iter().filter(|port| is_served(service, port)) {
            if addresses.is_empty() {
                at_any_address(service, port, &view, out);
            } else {
                at_addresses(service, port, &addresses, &view, out);
            }
        }
    }
}

/// Names the service that bytes without an address of their own arrive at.
fn at_any_address(service: &Service, port: &ServicePort, view: &View, out: &mut Diagnostics) {
    // Where HTTP is looked for it is told apart by its host; TLS is by the server name.
    let is_bytes = |port: &ServicePort| !port.protocol.is_http() && !port.protocol.is_tls();
    if port.protocol == Protocol::Auto || !is_bytes(port) {
        return;
    }
    let mut others = view.targets().map(|target| &target.service).filter(|other| {
        let theirs = other.port(port.number);
        is_before(other, service)
            && theirs.is_some_and(|theirs| is_served(other, theirs) && is_bytes(theirs))
            && single_addresses(other).is_empty()
            && ranges(other).eq(ranges(service))
    });
    if let Some(taker) = others.next() {
        out.report(catalogue::PORT_CONFLICT, &FieldPath::spec().field("ports"))
            .value(port.number)
            .effect(format_args!(
                "sidecars send connections to port {} of any address to {} ({}), none to {}",
                port.number, taker.host, taker.meta.key, service.host,
            ))
            .help("give each its own address in spec.addresses, or its own port");
    }
}

/// Names the services that connections to addresses of this one arrive at, and Kubernetes services that get none because of it: it
/// is the service entry that can be given another address.
fn at_addresses(
    service: &Service,
    port: &ServicePort,
    addresses: &[IpAddr],
    view: &View,
    out: &mut Diagnostics,
) {
    for address in addresses {
        let mut others: Vec<&Arc<Service>> = at(*address, view)
            .map(|target| &target.service)
            .filter(|other| {
                let theirs = other.port(port.number).filter(|theirs| is_served(other, theirs));
                other.host != service.host
                    && theirs.is_some_and(|theirs| !(theirs.protocol.is_http() && port.protocol.is_http()))
            })
            .collect();
        others.sort_by(|a, b| order(a, b));
        let before = others.iter().find(|other| is_before(other, service));
        let (served, lost) = match before {
            Some(taker) => (&***taker, service),
            None => match others.iter().find(|other| other.meta.key.kind == Kind::Service) {
                Some(loser) => (service, &***loser),
                None => continue,
            },
        };
        out.report(catalogue::PORT_CONFLICT, &FieldPath::spec().field("addresses"))
            .value(format_args!("{address}:{}", port.number))
            .effect(format_args!(
                "sidecars send connections to {address} port {} to {} ({}), none to {} ({})",
                port.number, served.host, served.meta.key, lost.host, lost.meta.key,
            ))
            .help("give each its own address in spec.addresses, or its own port");
    }
}

/// The services that have an address of their own, as clients of a namespace see them.
fn at(address: IpAddr, view: &View) -> impl Iterator<Item = &Arc<Target>> {
    let has = move |target: &&Arc<Target>| single_addresses(&target.service).contains(&address);
    let shared = view.public.at(address).iter();
    let shared =
        shared.filter(|host| !view.own.hosts.contains_key(*host)).filter_map(|host| view.get(host.as_str()));
    shared.chain(view.own.hosts.values().map(|differs| &differs.own).filter(has))
}

/// The order in which services get their listeners.
fn order(one: &Service, other: &Service) -> Ordering {
    one.meta.created.cmp(&other.meta.created).then_with(|| one.host.cmp(&other.host))
}

fn is_before(other: &Service, service: &Service) -> bool {
    order(other, service) == Ordering::Less
}

/// Whether connections to a port arrive by the addresses of the service, or at any.
fn is_served(service: &Service, port: &ServicePort) -> bool {
    port.protocol != Protocol::Udp
        && !matches!(service.resolution, Resolution::Headless | Resolution::Alias(_))
}

fn single_addresses(service: &Service) -> Vec<IpAddr> {
    let singles = service.addresses.iter().filter(|range| range.is_host());
    singles.map(|range| range.address).filter(|address| !address.is_unspecified()).collect()
}

fn ranges(service: &Service) -> impl Iterator<Item = &pilothouse_config::service::Cidr> {
    service.addresses.iter().filter(|range| !range.is_host())
}
