//! Endpoints of service entries, and workload entries.

use std::collections::BTreeMap;

use pilothouse_api as api;
use pilothouse_base::{Labels, Locality, Name};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{fields, host, labels};
use crate::Endpoint;
use crate::endpoint::EndpointAddress;

/// What is lost with an endpoint.
const LOST: &str = "the endpoint gets no traffic";

/// Checks one; `own` are labels of the object itself, which win over those in the spec.
pub(super) fn check(
    raw: &api::Endpoint,
    own: Option<BTreeMap<String, String>>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<Endpoint> {
    let api::Endpoint { address, ports, labels, network, locality, weight, service_account } = raw;
    let address = self::address(address.as_ref(), fields::text(network.as_ref()), at, out);
    let labels = {
        // Labels that nobody can carry are harmless on an endpoint: no selector asks for them.
        let _ = labels::labels(labels, &at.field("labels"), "no selector can pick by it", out);
        let mut all = labels.0.clone();
        all.extend(own.into_iter().flatten());
        Labels::new(all)
    };
    let unix = matches!(address, Some(EndpointAddress::Unix(_)));
    let ports_at = at.field("ports");
    if unix && !ports.is_empty() {
        out.report(catalogue::CONFLICTING_FIELDS, &ports_at)
            .detail("a unix socket has no ports")
            .effect("the ports have no effect");
    }
    let mut numbers = BTreeMap::new();
    for (name, number) in ports.iter() {
        let effect = "connections to that port go to the target port of the service";
        if let Some(number) = fields::port(*number, &ports_at, name, effect, out) {
            numbers.insert(Name::from(name.as_str()), number);
        }
    }
    let weight = match weight {
        Some(weight) if weight.0 != 0 => {
            fields::number(*weight, 1..=u32::MAX, at, "weight", "the endpoint counts once", out).unwrap_or(1)
        }
        _ => 1,
    };
    Some(Endpoint {
        address: address?,
        ports: if unix { BTreeMap::new() } else { numbers },
        labels,
        locality: fields::text(locality.as_ref()).map(Locality::parse).unwrap_or_default(),
        weight,
        network: fields::name(network.as_ref()),
        service_account: fields::text(service_account.as_ref()).map(Name::from),
    })
}

fn address(
    written: Option<&String>,
    network: Option<&str>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<EndpointAddress> {
    let at = at.field("address");
    let Some(written) = fields::text(written) else {
        if network.is_some() {
            out.report(catalogue::UNSUPPORTED_FIELD, &at)
                .detail("an endpoint without an address needs the gateway of its network")
                .effect(LOST);
        } else {
            out.report(catalogue::REQUIRED, &at).effect(LOST);
        }
        return None;
    };
    if let Some(path) = written.strip_prefix("unix://") {
        let good = match path.strip_prefix('@') {
            Some(name) => !name.is_empty(),
            None => path.starts_with('/') && !path.ends_with('/'),
        };
        if good && path.len() <= 107 {
            return Some(EndpointAddress::Unix(Name::from(path)));
        }
        out.report(catalogue::INVALID_VALUE, &at)
            .value(written)
            .detail("a unix socket is unix:///an/absolute/path or unix://@name, at most 107 bytes")
            .effect(LOST);
        return None;
    }
    if let Ok(ip) = written.parse() {
        return Some(EndpointAddress::Ip(ip));
    }
    if host::is_name(written) {
        return Some(EndpointAddress::Name(Name::from(written)));
    }
    out.report(catalogue::INVALID_VALUE, &at)
        .value(written)
        .detail("it is neither an IP address nor a DNS name")
        .effect(LOST);
    None
}

#[cfg(test)]
mod tests;
