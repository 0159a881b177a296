//! Destinations and their weights.

use pilothouse_api as api;
use pilothouse_base::{Hostname, Name};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::Scope;
use super::action::BROKEN;
use crate::check::{fields, header, host};
use crate::virtual_service::{Destination, HttpDestination, L4Destination};

/// A destination; none, with findings, if it names nothing. `effect` is what that means.
pub(super) fn destination(
    raw: &api::Destination,
    at: &FieldPath,
    effect: &str,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Destination> {
    let api::Destination { host, subset, port } = raw;
    let host = fields::required(host.as_ref(), at, "host", effect, out)?;
    let flaw = match host::flaw_of_wildcard(host) {
        None if host == "*" => Some("a destination is one host"),
        flaw => flaw,
    };
    if let Some(flaw) = flaw {
        out.report(catalogue::INVALID_HOST, &at.field("host")).value(host).detail(flaw).effect(effect);
        return None;
    }
    let subset = fields::text(subset.as_ref());
    if let Some(name) = subset.filter(|name| !host::is_label(name)) {
        out.report(catalogue::INVALID_VALUE, &at.field("subset"))
            .value(name)
            .detail("no subset can be called so")
            .effect(effect);
        return None;
    }
    let port = match port.as_ref().map(|api::PortSelector { number }| *number) {
        None => None,
        Some(None) => {
            out.report(catalogue::REQUIRED, &at.field("port").field("number"))
                .effect("the only port of the service is used");
            None
        }
        Some(Some(number)) => Some(fields::port(number, &at.field("port"), "number", effect, out)?),
    };
    let host = Hostname::resolve(host, scope.namespace, scope.domain);
    Some(Destination { host, subset: subset.map(Name::from), port })
}

/// The destinations of an HTTP rule; none if one of them cannot be understood, because the others must not get its share.
pub(super) fn http(
    written: &[api::HttpDestination],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Vec<HttpDestination>> {
    let mut all = true;
    let mut found = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        let api::HttpDestination { destination: raw, weight, headers } = raw;
        let destination = required(raw.as_ref(), &at, BROKEN, scope, out);
        let weight = self::weight(*weight, &at, BROKEN, out);
        let headers = header::changes(headers.as_ref(), &at.field("headers"), out);
        match (destination, weight) {
            (Some(destination), Some(weight)) => {
                found.push(HttpDestination { index, destination, weight, headers });
            }
            _ => all = false,
        }
    }
    let weights: Vec<_> = found.iter().map(|one| one.weight).collect();
    (all && good_sum(&weights, at, BROKEN, out)).then_some(found)
}

/// The destinations of a TCP or TLS rule; none if one of them cannot be understood.
pub(super) fn layer4(
    written: &[api::TcpDestination],
    at: &FieldPath,
    effect: &str,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Vec<L4Destination>> {
    if written.is_empty() {
        out.report(catalogue::EMPTY_ROUTE, at).effect(effect);
        return None;
    }
    let mut all = true;
    let mut found = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        let api::TcpDestination { destination: raw, weight } = raw;
        let destination = required(raw.as_ref(), &at, effect, scope, out);
        let weight = self::weight(*weight, &at, effect, out);
        match (destination, weight) {
            (Some(destination), Some(weight)) => found.push(L4Destination { index, destination, weight }),
            _ => all = false,
        }
    }
    let weights: Vec<_> = found.iter().map(|one| one.weight).collect();
    (all && good_sum(&weights, at, effect, out)).then_some(found)
}

fn required(
    raw: Option<&api::Destination>,
    at: &FieldPath,
    effect: &str,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Destination> {
    let at = at.field("destination");
    if let Some(raw) = raw {
        destination(raw, &at, effect, scope, out)
    } else {
        out.report(catalogue::REQUIRED, &at).effect(effect);
        None
    }
}

fn weight(raw: Option<api::Int>, at: &FieldPath, effect: &str, out: &mut Diagnostics) -> Option<u32> {
    let Some(written) = raw else { return Some(0) };
    let found = u32::try_from(written.0).ok().filter(|weight| *weight <= i32::MAX.unsigned_abs());
    if found.is_none() {
        out.report(catalogue::WEIGHTS, &at.field("weight"))
            .value(written)
            .detail("a weight is from 0 to 2147483647")
            .effect(effect);
    }
    found
}

/// Whether several weights can be shares of something. Envoy adds them up in 32 bits.
fn good_sum(weights: &[u32], at: &FieldPath, effect: &str, out: &mut Diagnostics) -> bool {
    if weights.len() < 2 {
        return true;
    }
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let detail = if sum == 0 {
        "the sum of the weights is zero"
    } else if u32::try_from(sum).is_err() {
        "the sum of the weights is more than 4294967295"
    } else {
        return true;
    };
    out.report(catalogue::WEIGHTS, at).detail(detail).effect(effect);
    false
}
