//! What is to be said about an object's references to others: destinations, subsets, gateways, secrets. The object is
//! looked at as its own namespace sees the mesh.

mod entries;
mod servers;

use std::collections::BTreeSet;

use pilothouse_base::{Hostname, Kind, ObjectKey, Protocol, Selector};
use pilothouse_config::service::Resolution;
use pilothouse_config::virtual_service::{Destination, GatewayRef, HttpAction, HttpDestination};
use pilothouse_config::{DestinationRule, Service, VirtualService};
use pilothouse_diag::{Diagnostic, Diagnostics, FieldPath, catalogue};

use crate::backends::backends;
use crate::reader::Reader;

pub(crate) fn findings(object: &ObjectKey, read: &mut Reader<'_>) -> Vec<Diagnostic> {
    let mut out = Diagnostics::about(object.clone());
    match object.kind {
        Kind::VirtualService => virtual_service(object, read, &mut out),
        Kind::DestinationRule => destination_rule(object, read, &mut out),
        Kind::Gateway => servers::gateway(object, read, &mut out),
        Kind::ServiceEntry => entries::service_entry(object, read, &mut out),
        Kind::PeerAuthentication => peer_authentication(object, read, &mut out),
        _ => {}
    }
    out.finish(None)
}

fn virtual_service(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let Some(object) = read.virtual_service(key) else { return };
    let gateways = read.gateways();
    for (index, reference) in object.gateways.iter().enumerate() {
        if let GatewayRef::Named(namespace, name) = reference
            && !gateways.iter().any(|one| one.meta.key.namespace == *namespace && one.meta.key.name == *name)
        {
            out.report(catalogue::UNKNOWN_GATEWAY, &FieldPath::spec().field("gateways").index(index))
                .value(format_args!("{namespace}/{name}"))
                .effect("the rules are not served at that gateway")
                .help_closest(name.as_str(), gateways.iter().map(|one| one.meta.key.name.as_str()));
        }
    }
    let spec = FieldPath::spec();
    overruled(key, &object, read, out);
    let arriving = ports_of(&object, read);
    for rule in &object.http {
        let at = spec.field("http").index(rule.index);
        if let HttpAction::Route(destinations) = &rule.action {
            let total: u64 = destinations.iter().map(|one| u64::from(one.weight)).sum();
            for one in destinations {
                let at = at.field("route").index(one.index).field("destination");
                let share = share(one, destinations.len(), total);
                let effect = format!("{share} of the requests matching this rule fail with 503");
                destination(&one.destination, key, &at, &effect, read, out);
                if !object.hosts.contains(&one.destination.host) {
                    ambiguous(&one.destination, key, &at, &arriving, &share, read, out);
                }
            }
        }
        for mirror in &rule.mirrors {
            let at = match mirror.index {
                Some(index) => at.field("mirrors").index(index).field("destination"),
                None => at.field("mirror"),
            };
            destination(
                &mirror.destination,
                key,
                &at,
                "requests are answered, but not mirrored there",
                read,
                out,
            );
        }
    }
    let effect = "connections that match this rule are closed";
    for rule in &object.tcp {
        for one in &rule.route {
            let at = spec.field("tcp").index(rule.index).field("route").index(one.index).field("destination");
            destination(&one.destination, key, &at, effect, read, out);
        }
    }
    for rule in &object.tls {
        for one in &rule.route {
            let at = spec.field("tls").index(rule.index).field("route").index(one.index).field("destination");
            destination(&one.destination, key, &at, effect, read, out);
        }
    }
}

fn share(one: &HttpDestination, count: usize, total: u64) -> String {
    if count == 1 || total == 0 {
        return "all".to_owned();
    }
    format!("{}%", u64::from(one.weight) * 100 / total)
}

fn destination(
    to: &Destination,
    object: &ObjectKey,
    at: &FieldPath,
    effect: &str,
    read: &mut Reader<'_>,
    out: &mut Diagnostics,
) {
    let Some(target) = read.target(&object.namespace, &to.host) else {
        let view = read.view(&object.namespace);
        let short = |host: &Hostname| host.as_str().split('.').next().unwrap_or_default().to_owned();
        let hosts: Vec<String> = view.iter().map(|(host, _)| short(host)).collect();
        out.report(catalogue::UNKNOWN_DESTINATION, &at.field("host"))
            .value(&to.host)
            .effect(effect)
            .help_closest(&short(&to.host), hosts.iter().map(String::as_str));
        return;
    };
    if let Resolution::Alias(real) = &target.service.resolution {
        out.report(catalogue::UNKNOWN_DESTINATION, &at.field("host"))
            .value(&to.host)
            .read_as(real)
            .effect(effect)
            .help(format_args!("the service is another name for {real}; define that host by a ServiceEntry"));
        return;
    }
    if let Some(port) = to.port
        && target.service.port(port).is_none()
    {
        let ports: Vec<String> = target.service.ports.iter().map(|port| port.number.to_string()).collect();
        out.report(catalogue::UNKNOWN_PORT, &at.field("port").field("number"))
            .value(port)
            .effect(effect)
            .help(format_args!("{} has: {}", target.service.host, ports.join(", ")));
    }
    if let Some(subset) = &to.subset
        && !target.subsets.contains(subset)
    {
        let known = target.subsets.iter().map(pilothouse_base::Name::as_str);
        out.report(catalogue::UNKNOWN_SUBSET, &at.field("subset"))
            .value(subset)
            .effect(effect)
            .help_closest(subset.as_str(), known);
    }
}

/// Hosts that an older virtual service rules in the mesh.
fn overruled(key: &ObjectKey, object: &VirtualService, read: &mut Reader<'_>, out: &mut Diagnostics) {
    if object.http.is_empty() || !object.gateways.contains(&GatewayRef::Mesh) {
        return;
    }
    let claims = read.claims(&key.namespace);
    let before: Vec<_> = claims
        .visible
        .iter()
        .take_while(|header| header.meta.key != *key)
        .filter(|header| header.http_for_all && header.gateways.contains(&GatewayRef::Mesh))
        .collect();
    for (host, index) in object.hosts.iter().zip(&object.host_places) {
        if let Some(other) = before.iter().find(|header| header.hosts.contains(host)) {
            out.report(catalogue::RULE_CONFLICT, &FieldPath::spec().field("hosts").index(*index))
                .value(host)
                .effect(format_args!("sidecars follow {} for this host", other.meta.key))
                .help("put the rules of a host into one virtual service");
        }
    }
}

/// The ports at which requests for the hosts of a virtual service arrive.
fn ports_of(object: &VirtualService, read: &mut Reader<'_>) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for gateway in &object.gateways {
        match gateway {
            GatewayRef::Mesh => {
                let view = read.view(object.meta.namespace());
                for host in &object.hosts {
                    match view.get(host.as_str()) {
                        Some(target) => ports.extend(
                            target
                                .service
                                .ports
                                .iter()
                                .filter(|port| !port.protocol.is_tcp())
                                .map(|port| port.number),
                        ),
                        None => {
                            ports.insert(80);
                        }
                    }
                }
            }
            GatewayRef::Named(namespace, name) => {
                let gateways = read.gateways();
                let found = gateways
                    .iter()
                    .find(|one| one.meta.key.namespace == *namespace && one.meta.key.name == *name);
                let servers = found.iter().flat_map(|gateway| &gateway.servers);
                ports.extend(
                    servers.filter(|server| server.protocol != Protocol::Tcp).map(|server| server.port),
                );
            }
        }
    }
    ports
}

/// A destination without a port whose service has several, none of them the one at which requests arrive.
fn ambiguous(
    to: &Destination,
    object: &ObjectKey,
    at: &FieldPath,
    arriving: &BTreeSet<u16>,
    share: &str,
    read: &mut Reader<'_>,
    out: &mut Diagnostics,
) {
    let Some(target) = read.target(&object.namespace, &to.host) else { return };
    if to.port.is_some() || target.service.ports.len() < 2 {
        return;
    }
    let Some(missing) = arriving.iter().find(|port| target.service.port(**port).is_none()) else { return };
    let ports: Vec<String> = target.service.ports.iter().map(|port| port.number.to_string()).collect();
    out.report(catalogue::AMBIGUOUS_PORT, at)
        .value(&to.host)
        .effect(format_args!("{share} of the requests that arrive at port {missing} fail with 503"))
        .help(format_args!("set port.number to one of: {}", ports.join(", ")));
}

fn destination_rule(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let Some(object) = read.rule(key) else { return };
    let view = read.view(&key.namespace);
    let known = if object.host.is_wildcard() {
        view.iter().any(|(host, _)| object.host.covers(host))
    } else {
        view.get(object.host.as_str()).is_some()
    };
    if !known {
        out.report(catalogue::UNUSED_RULE, &FieldPath::spec().field("host"))
            .value(&object.host)
            .effect("none until such a service appears");
    }
    if let Some(target) = view.get(object.host.as_str()) {
        empty_subsets(&object, &target.service, read, out);
    }
    if object.policy == Default::default() {
        return;
    }
    let headers = read.rule_headers(&key.namespace);
    let older = headers
        .iter()
        .take_while(|header| header.meta.key != *key)
        .filter(|header| header.host == object.host);
    for header in older {
        if read.rule(&header.meta.key).is_some_and(|rule| rule.policy != Default::default()) {
            out.report(catalogue::RULE_CONFLICT, &FieldPath::spec().field("trafficPolicy")).effect(
                format_args!(
                    "none: that of {} counts for the host; only subsets are put together",
                    header.meta.key
                ),
            );
            return;
        }
    }
}

/// Subsets that none of the endpoints belongs to; nothing is said of a service without any.
fn empty_subsets(rule: &DestinationRule, service: &Service, read: &mut Reader<'_>, out: &mut Diagnostics) {
    if rule.subsets.iter().all(|subset| subset.labels.is_empty()) {
        return;
    }
    let reached: Vec<_> = service.ports.iter().flat_map(|port| backends(service, port, read)).collect();
    if reached.is_empty() {
        return;
    }
    for subset in &rule.subsets {
        let wanted = Selector::new(subset.labels.clone());
        if !reached.iter().any(|one| wanted.matches(&one.labels)) {
            let at = FieldPath::spec().field("subsets").index(subset.index);
            out.report(catalogue::EMPTY_SUBSET, &at.field("labels"))
                .value(&subset.name)
                .effect("requests to the subset fail with 503 until such an endpoint appears");
        }
    }
}

fn peer_authentication(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let root = read.mesh().root_namespace.clone();
    let all = read.peer_authentications(&key.namespace);
    let Some(object) = all.iter().find(|one| one.meta.key == *key) else { return };
    if object.selector.is_some() && key.namespace == root {
        out.report(catalogue::IGNORED_PEER_AUTHENTICATION, &FieldPath::spec().field("selector"))
            .effect("none: policies with a selector do not count in the root namespace");
        return;
    }
    let older = all.iter().take_while(|one| one.meta.key != *key).find(|one| one.selector == object.selector);
    if let Some(older) = older {
        out.report(catalogue::IGNORED_PEER_AUTHENTICATION, &FieldPath::spec())
            .effect(format_args!("none: {} is older and has the same scope", older.meta.key));
    }
}
