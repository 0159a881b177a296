//! ServiceEntry: one service for each host.

use std::sync::Arc;

use pilothouse_api as api;
use pilothouse_base::{Hostname, Name, Protocol, Selector};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, endpoint, export, fields, host, labels};
use crate::endpoint::EndpointAddress;
use crate::service::{Cidr, TargetPort, TrafficDistribution};
use crate::{Endpoint, Meta, Resolution, Service, ServicePort};

/// What is lost with an entry that cannot be understood as a whole.
const LOST: &str = "the entry defines no service";

/// None if no host is left or the resolution is unknown.
pub(super) fn check(
    raw: &api::ServiceEntry,
    meta: &Meta,
    distribution: Option<TrafficDistribution>,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Vec<Arc<Service>>> {
    let at = FieldPath::spec();
    let api::ServiceEntry {
        hosts,
        addresses,
        ports,
        location,
        resolution,
        endpoints,
        workload_selector,
        export_to,
        subject_alt_names,
    } = raw;
    let resolution = self::resolution(resolution.as_ref(), &at, out);
    let words = [("MESH_EXTERNAL", true), ("MESH_INTERNAL", false)];
    let external = location.as_ref().is_none_or(|written| {
        let effect = "it is read as MESH_EXTERNAL: no mutual TLS by itself";
        fields::word(written, &words, &at, "location", effect, out).unwrap_or(true)
    });
    let ports = self::ports(ports, &at.field("ports"), out);
    let exports = at.field("exportTo");
    let export_to = export::export_to(
        export_to.iter().map(String::as_str),
        scope.namespace,
        true,
        |index| exports.index(index),
        out,
    );
    let resolution = resolution?;
    let addresses = self::addresses(addresses, &resolution, &at.field("addresses"), out);
    let endpoints = self::endpoints(endpoints, &resolution, &ports, &at.field("endpoints"), out);
    let selector = selector(workload_selector.as_ref(), &resolution, raw.endpoints.is_empty(), &at, out);
    let hosts = self::hosts(hosts, &resolution, raw.endpoints.is_empty(), &at, out);
    if hosts.is_empty() {
        return None;
    }
    let sniffed_or_bytes = |port: &ServicePort| !port.protocol.is_http() && !port.protocol.is_tls();
    if hosts.len() > 1
        && resolution != Resolution::OriginalDestination
        && let Some(port) = ports.iter().find(|port| sniffed_or_bytes(port))
    {
        out.report(catalogue::RISKY_VALUE, &at.field("hosts"))
            .detail(format_args!(
                "connections to port {} name no host, so several hosts cannot be told apart",
                port.number
            ))
            .effect("such connections go to one of the hosts");
    }
    let names = subject_alt_names.iter().map(|name| Name::from(name.as_str())).collect::<Vec<_>>();
    let services = hosts.into_iter().map(|host| {
        Arc::new(Service {
            meta: meta.clone(),
            host,
            ports: ports.clone(),
            addresses: addresses.clone(),
            resolution: resolution.clone(),
            external,
            selector: selector.clone(),
            endpoints: endpoints.clone(),
            subject_alt_names: names.clone(),
            export_to: export_to.clone(),
            publish_not_ready: false,
            distribution,
            node_local: false,
        })
    });
    Some(services.collect())
}

fn resolution(written: Option<&String>, at: &FieldPath, out: &mut Diagnostics) -> Option<Resolution> {
    let Some(written) = written else { return Some(Resolution::OriginalDestination) };
    if written == "DYNAMIC_DNS" {
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field("resolution")).value(written).effect(LOST);
        return None;
    }
    // An index, because a resolution cannot be copied.
    let words = [("NONE", 0), ("STATIC", 1), ("DNS", 2), ("DNS_ROUND_ROBIN", 3)];
    Some(match fields::word(written, &words, at, "resolution", LOST, out)? {
        0 => Resolution::OriginalDestination,
        1 => Resolution::Endpoints,
        2 => Resolution::Dns,
        _ => Resolution::DnsRoundRobin,
    })
}

fn hosts(
    written: &[String],
    resolution: &Resolution,
    without_endpoints: bool,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Vec<Hostname> {
    let at = at.field("hosts");
    if written.is_empty() {
        out.report(catalogue::REQUIRED, &at).effect(LOST);
    }
    let resolved = matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin) && without_endpoints;
    let mut found: Vec<Hostname> = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let flaw = match host::flaw_of_wildcard(text) {
            None if text == "*" => Some("it would take all traffic"),
            None if resolved && text.starts_with('*') => Some("a wildcard has no address to resolve"),
            flaw => flaw,
        };
        if let Some(flaw) = flaw {
            out.report(catalogue::INVALID_HOST, &at.index(index))
                .value(text)
                .detail(flaw)
                .effect("the host is not defined; the other hosts are");
            continue;
        }
        let host = Hostname::parse(text);
        if found.contains(&host) {
            out.report(catalogue::DUPLICATE_ENTRY, &at.index(index)).value(text).effect("it changes nothing");
        } else {
            found.push(host);
        }
    }
    found
}

fn addresses(
    written: &[String],
    resolution: &Resolution,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Vec<Cidr> {
    let mut found = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let flaw = match Cidr::parse(text) {
            None => "it is neither an IP address nor a range",
            Some(cidr)
                if !cidr.is_host() && matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin) =>
            {
                "a range cannot be combined with DNS"
            }
            Some(cidr) => {
                if !found.contains(&cidr) {
                    found.push(cidr);
                }
                continue;
            }
        };
        out.report(catalogue::INVALID_VALUE, &at.index(index))
            .value(text)
            .detail(flaw)
            .effect("connections to it are not taken for this host");
    }
    found
}

fn ports(written: &[api::Port], at: &FieldPath, out: &mut Diagnostics) -> Vec<ServicePort> {
    const LOST: &str = "the port is left out";
    let mut found: Vec<ServicePort> = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        let api::Port { number, protocol, name, target_port } = raw;
        let Some(number) = number else {
            out.report(catalogue::REQUIRED, &at.field("number")).effect(LOST);
            continue;
        };
        let Some(number) = fields::port(*number, &at, "number", LOST, out) else { continue };
        let Some(name) = fields::required(name.as_ref(), &at, "name", LOST, out) else { continue };
        if !host::is_label(name) {
            out.report(catalogue::INVALID_VALUE, &at.field("name"))
                .value(name)
                .detail("letters, digits and dashes are allowed")
                .effect("endpoints can name the port all the same");
        }
        let duplicate = found.iter().any(|other| other.number == number || other.name == name);
        if duplicate {
            out.report(catalogue::DUPLICATE_ENTRY, &at)
                .value(format_args!("{name} {number}"))
                .effect("the first port of that name or number counts");
            continue;
        }
        let protocol = fields::text(protocol.as_ref()).map_or(Protocol::Auto, |text| {
            Protocol::parse(text).unwrap_or_else(|| {
                out.report(catalogue::INVALID_VALUE, &at.field("protocol"))
                    .value(text)
                    .effect("the protocol is told from the first bytes")
                    .help_closest(&text.to_ascii_uppercase(), PROTOCOLS);
                Protocol::Auto
            })
        });
        let target = target_port
            .filter(|target| target.0 != 0)
            .and_then(|target| fields::port(target, &at, "targetPort", "the port's own number is used", out));
        let target = TargetPort::Number(target.unwrap_or(number));
        found.push(ServicePort { name: Name::from(name), number, protocol, target });
    }
    found
}

/// The words of `protocol`, for suggestions.
pub(super) const PROTOCOLS: [&str; 10] =
    ["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO", "REDIS", "MYSQL"];

fn endpoints(
    written: &[api::Endpoint],
    resolution: &Resolution,
    ports: &[ServicePort],
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Vec<Endpoint> {
    if *resolution == Resolution::OriginalDestination {
        if !written.is_empty() {
            out.report(catalogue::CONFLICTING_FIELDS, at)
                .detail("resolution NONE sends connections where they were dialled")
                .effect("the endpoints have no effect")
                .help("set spec.resolution to STATIC or DNS");
        }
        return Vec::new();
    }
    if *resolution == Resolution::DnsRoundRobin && written.len() > 1 {
        out.report(catalogue::CONFLICTING_FIELDS, at)
            .detail("DNS_ROUND_ROBIN takes one endpoint")
            .effect("only the first endpoint counts");
    }
    let most = if *resolution == Resolution::DnsRoundRobin { 1 } else { written.len() };
    let mut found = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate().take(most) {
        let at = at.index(index);
        let Some(one) = endpoint::check(raw, None, &at, out) else { continue };
        let flaw = match (&one.address, resolution) {
            (EndpointAddress::Name(_), Resolution::Endpoints) => "resolution STATIC takes IP addresses only",
            (EndpointAddress::Unix(_), Resolution::Dns | Resolution::DnsRoundRobin) => {
                "a unix socket needs resolution STATIC"
            }
            (EndpointAddress::Unix(_), _) if ports.len() != 1 => {
                "a unix socket serves one port, so the entry must have exactly one"
            }
            _ => {
                for name in one.ports.keys().filter(|name| ports.iter().all(|port| port.name != **name)) {
                    out.report(catalogue::INVALID_VALUE, &at.field("ports").key(name.as_str()))
                        .detail("spec.ports has no port of that name")
                        .effect("it has no effect")
                        .help_closest(name.as_str(), ports.iter().map(|port| port.name.as_str()));
                }
                found.push(one);
                continue;
            }
        };
        out.report(catalogue::INVALID_VALUE, &at.field("address"))
            .value(raw.address.as_deref().unwrap_or_default())
            .detail(flaw)
            .effect("the endpoint gets no traffic");
    }
    found
}

fn selector(
    raw: Option<&api::WorkloadSelector>,
    resolution: &Resolution,
    without_endpoints: bool,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<Selector> {
    let api::WorkloadSelector { labels } = raw?;
    let at = at.field("workloadSelector");
    if !without_endpoints {
        out.report(catalogue::CONFLICTING_FIELDS, &at)
            .detail("endpoints are written too")
            .effect("the selector has no effect");
        return None;
    }
    if labels.is_empty() {
        out.report(catalogue::SELECTS_NOTHING, &at).effect("the entry has no endpoints");
        return None;
    }
    if *resolution == Resolution::OriginalDestination {
        out.report(catalogue::RISKY_VALUE, &at)
            .detail("resolution NONE sends connections where they were dialled")
            .effect("the selector has no effect");
        return None;
    }
    labels::selector(labels, &at.field("labels"), "the selector picks nothing", out)
}

#[cfg(test)]
mod tests;
