//! Service entries whose address and port another service of their namespace has.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{ObjectKey, Protocol};
use pilothouse_config::service::Resolution;
use pilothouse_config::{Service, ServicePort};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::reader::Reader;

pub(super) fn service_entry(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let all = read.services_in(&key.namespace);
    let (own, others): (Vec<_>, Vec<_>) = all.iter().partition(|service| service.meta.key == *key);
    for service in own {
        for port in &service.ports {
            ports(service, port, &others, out);
        }
    }
}

/// Names the service that connections to a port of this one arrive at.
fn ports(service: &Service, port: &ServicePort, others: &[&Arc<Service>], out: &mut Diagnostics) {
    // Where HTTP is looked for it is told apart by its host.
    if port.protocol == Protocol::Auto || !arrives_as_bytes(service, port) {
        return;
    }
    let addresses = single_addresses(service);
    let taker = others.iter().filter(|other| is_served_before(other, service)).find(|other| {
        let theirs = single_addresses(other);
        let shares_address = if addresses.is_empty() {
            theirs.is_empty()
        } else {
            addresses.iter().any(|address| theirs.contains(address))
        };
        let shares_ranges = ranges(other).eq(ranges(service));
        // TLS without an address is told apart by the server name, here and there.
        let is_told_apart = |port: &ServicePort| port.protocol.is_tls() && addresses.is_empty();
        let shares_port = other.port(port.number).is_some_and(|theirs| {
            arrives_as_bytes(other, theirs) && !is_told_apart(port) && !is_told_apart(theirs)
        });
        other.host != service.host && shares_address && shares_ranges && shares_port
    });
    if let Some(taker) = taker {
        let at = FieldPath::spec().field(if addresses.is_empty() { "ports" } else { "addresses" });
        out.report(catalogue::PORT_CONFLICT, &at)
            .value(port.number)
            .effect(format_args!(
                "sidecars send connections to port {} {} to {} ({}), none to {}",
                port.number,
                if addresses.is_empty() { "of any address" } else { "of the address" },
                taker.host,
                taker.meta.key,
                service.host,
            ))
            .help("give each its own address in spec.addresses, or its own port");
    }
}

/// The order in which services get their listeners.
fn is_served_before(other: &Service, service: &Service) -> bool {
    let order = other.meta.created.cmp(&service.meta.created).then_with(|| other.host.cmp(&service.host));
    order == Ordering::Less
}

/// Whether connections to a port are told apart by address and port alone.
fn arrives_as_bytes(service: &Service, port: &ServicePort) -> bool {
    !port.protocol.is_http()
        && port.protocol != Protocol::Udp
        && !matches!(service.resolution, Resolution::Headless | Resolution::Alias(_))
}

fn single_addresses(service: &Service) -> Vec<IpAddr> {
    let singles = service.addresses.iter().filter(|range| range.is_host());
    singles.map(|range| range.address).filter(|address| !address.is_unspecified()).collect()
}

fn ranges(service: &Service) -> impl Iterator<Item = &pilothouse_config::service::Cidr> {
    service.addresses.iter().filter(|range| !range.is_host())
}
