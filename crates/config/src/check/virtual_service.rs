//! VirtualService.

mod action;
mod cors;
mod destination;
mod fault;
mod http;
mod layer4;
mod matching;
mod mirror;
mod reachable;
mod redirect;

use pilothouse_api as api;
use pilothouse_base::{Hostname, Name, Namespace};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, export, host};
use crate::virtual_service::GatewayRef;
use crate::{Meta, VirtualService};

/// None if no host is left.
pub(super) fn check(
    raw: &api::VirtualService,
    meta: Meta,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<VirtualService> {
    const LOST: &str = "the object has no effect";
    let at = FieldPath::spec();
    let api::VirtualService { hosts, gateways, http, tls, tcp, export_to } = raw;
    if hosts.is_empty() {
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field("hosts"))
            .detail("a virtual service without hosts is a delegate of another one, which is not supported")
            .effect(LOST);
        return None;
    }
    let gateways = if gateways.is_empty() {
        vec![GatewayRef::Mesh]
    } else {
        self::gateways(gateways, &at.field("gateways"), scope.namespace, out)
    };
    let for_mesh = gateways.contains(&GatewayRef::Mesh);
    let (host_places, hosts): (Vec<usize>, Vec<Hostname>) =
        self::hosts(hosts, for_mesh, scope, &at.field("hosts"), out).into_iter().unzip();
    let exports = at.field("exportTo");
    let entries = export_to.iter().map(String::as_str);
    let export_to = export::export_to(entries, scope.namespace, false, |index| exports.index(index), out);
    if http.is_empty() && tls.is_empty() && tcp.is_empty() {
        out.report(catalogue::REQUIRED, &at).detail("there is no rule in http, tls or tcp").effect(LOST);
        return None;
    }
    let http = http::rules(http, &at.field("http"), scope, out);
    let tls = layer4::tls_rules(tls, &hosts, &at.field("tls"), scope, out);
    let tcp = layer4::tcp_rules(tcp, &at.field("tcp"), scope, out);
    if hosts.is_empty() {
        return None;
    }
    Some(VirtualService { meta, hosts, host_places, gateways, export_to, http, tls, tcp })
}

fn hosts(
    written: &[String],
    for_mesh: bool,
    scope: &Scope<'_>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Vec<(usize, Hostname)> {
    let mut found: Vec<(usize, Hostname)> = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let flaw = match host::flaw_of_wildcard(text) {
            Some(_) if host::is_ip(text) => None,
            None if text == "*" && for_mesh => {
                Some("within the mesh it would take all traffic; it needs gateways without mesh")
            }
            flaw => flaw,
        };
        if let Some(flaw) = flaw {
            out.report(catalogue::INVALID_HOST, &at.index(index))
                .value(text)
                .detail(flaw)
                .effect("the rules do not apply to it; they apply to the other hosts");
            continue;
        }
        let host = Hostname::resolve(text, scope.namespace, scope.domain);
        if found.iter().any(|(_, other)| *other == host) {
            out.report(catalogue::DUPLICATE_ENTRY, &at.index(index)).value(text).effect("it changes nothing");
            continue;
        }
        if let Some((_, other)) = found.iter().find(|(_, other)| other.overlaps(&host)) {
            out.report(catalogue::RISKY_VALUE, &at.index(index))
                .value(text)
                .detail(format_args!("the host {other} of the same object overlaps with it"))
                .effect("the more specific host counts; its rules are the same");
        }
        found.push((index, host));
    }
    found
}

/// References to gateways; those that cannot be read are left out.
fn gateways(written: &[String], at: &FieldPath, own: &Namespace, out: &mut Diagnostics) -> Vec<GatewayRef> {
    let mut found = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let one = match text.split_once('/') {
            None if text == "mesh" => Some(GatewayRef::Mesh),
            None if text.contains('.') => legacy(text, &at.index(index), out),
            None => host::is_label(text).then(|| GatewayRef::Named(own.clone(), Name::from(text.as_str()))),
            Some((".", name)) => {
                host::is_label(name).then(|| GatewayRef::Named(own.clone(), Name::from(name)))
            }
            Some((namespace, name)) => (host::is_label(namespace) && host::is_label(name))
                .then(|| GatewayRef::Named(Namespace::from(namespace), Name::from(name))),
        };
        match one {
            Some(one) if found.contains(&one) => {}
            Some(one) => found.push(one),
            None => {
                out.report(catalogue::INVALID_VALUE, &at.index(index))
                    .value(text)
                    .detail("it must be mesh, a name or namespace/name")
                    .effect("the rules are not served there");
            }
        }
    }
    found
}

/// The old form `name.namespace.svc.domain`.
fn legacy(text: &str, at: &FieldPath, out: &mut Diagnostics) -> Option<GatewayRef> {
    if !host::is_name(text) {
        return None;
    }
    let mut parts = text.split('.');
    let (name, namespace) = (parts.next()?, parts.next()?);
    out.report(catalogue::DEPRECATED, at).value(text).help(format_args!("write \"{namespace}/{name}\""));
    Some(GatewayRef::Named(Namespace::from(namespace), Name::from(name)))
}

#[cfg(test)]
mod tests;
