//! TLS and TCP rules. A rule that cannot be understood is left out.

use pilothouse_api as api;
use pilothouse_base::Hostname;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::matching::{self, Client, LOST, Unusable};
use super::{Scope, destination};
use crate::check::host;
use crate::virtual_service::{L4Match, TcpRule, TlsRule};

/// What a flaw of a whole rule costs.
const RULE_LOST: &str = "the rule is left out";

pub(super) fn tls_rules(
    written: &[api::TlsRule],
    hosts: &[Hostname],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Vec<TlsRule> {
    let mut found = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        let api::TlsRule { matches: conditions, route } = raw;
        let route = destination::layer4(route, &at.field("route"), RULE_LOST, scope, out);
        let match_at = at.field("match");
        if conditions.is_empty() {
            out.report(catalogue::REQUIRED, &match_at).effect(RULE_LOST);
        }
        let matches: Vec<_> = conditions
            .iter()
            .enumerate()
            .filter_map(|(index, raw)| tls_match(raw, index, hosts, &match_at.index(index), scope, out).ok())
            .collect();
        if let (Some(route), false) = (route, matches.is_empty()) {
            found.push(TlsRule { index, matches, route });
        }
    }
    found
}

fn tls_match(
    raw: &api::TlsMatch,
    index: usize,
    hosts: &[Hostname],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<L4Match, Unusable> {
    let api::TlsMatch { sni_hosts, destination_subnets, port, source_labels, gateways, source_namespace } =
        raw;
    let subnets = without_subnets(destination_subnets, at, out);
    let client = matching::client(*port, source_labels, source_namespace.as_ref(), gateways, at, scope, out);
    let names_at = at.field("sniHosts");
    if sni_hosts.is_empty() {
        out.report(catalogue::REQUIRED, &names_at).effect(LOST);
    }
    let mut names = Vec::with_capacity(sni_hosts.len());
    for (index, text) in sni_hosts.iter().enumerate() {
        let flaw = if let Some(flaw) = host::flaw_of_wildcard(text) {
            Some(flaw)
        } else {
            let name = Hostname::parse(text);
            let covered = hosts.iter().any(|host| host.covers(&name));
            (!covered).then_some("spec.hosts does not cover it")
        };
        match flaw {
            None => names.push(Hostname::parse(text)),
            Some(flaw) => {
                out.report(catalogue::INVALID_HOST, &names_at.index(index))
                    .value(text)
                    .detail(flaw)
                    .effect("connections with that server name do not match");
            }
        }
    }
    let Client { port, source_labels, source_namespace, gateways } = client?;
    subnets?;
    if names.is_empty() {
        return Err(Unusable);
    }
    Ok(L4Match { index, sni_hosts: names, port, source_labels, source_namespace, gateways })
}

pub(super) fn tcp_rules(
    written: &[api::TcpRule],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Vec<TcpRule> {
    let mut found = Vec::with_capacity(written.len());
    let mut catch_all: Option<usize> = None;
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        if let Some(first) = catch_all {
            out.report(catalogue::UNREACHABLE_RULE, &at)
                .detail(format_args!("rule {first} before it matches every connection"))
                .effect("the rule has no effect");
        }
        let api::TcpRule { matches: conditions, route } = raw;
        let route = destination::layer4(route, &at.field("route"), RULE_LOST, scope, out);
        let match_at = at.field("match");
        let matches: Vec<_> = conditions
            .iter()
            .enumerate()
            .filter_map(|(index, raw)| tcp_match(raw, index, &match_at.index(index), scope, out).ok())
            .collect();
        let Some(route) = route else { continue };
        if matches.is_empty() && !conditions.is_empty() {
            continue;
        }
        if conditions.is_empty() && catch_all.is_none() {
            catch_all = Some(index);
        }
        found.push(TcpRule { index, matches, route });
    }
    found
}

fn tcp_match(
    raw: &api::TcpMatch,
    index: usize,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<L4Match, Unusable> {
    let api::TcpMatch { destination_subnets, port, source_labels, gateways, source_namespace } = raw;
    let subnets = without_subnets(destination_subnets, at, out);
    let client = matching::client(*port, source_labels, source_namespace.as_ref(), gateways, at, scope, out);
    let Client { port, source_labels, source_namespace, gateways } = client?;
    subnets?;
    Ok(L4Match { index, sni_hosts: Vec::new(), port, source_labels, source_namespace, gateways })
}

/// Destination ranges are not supported; a match that has them would match too much without.
fn without_subnets(written: &[String], at: &FieldPath, out: &mut Diagnostics) -> Result<(), Unusable> {
    if written.is_empty() {
        return Ok(());
    }
    out.report(catalogue::UNSUPPORTED_FIELD, &at.field("destinationSubnets")).effect(LOST);
    Err(Unusable)
}
