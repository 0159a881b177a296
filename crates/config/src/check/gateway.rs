//! Gateway.

use pilothouse_api as api;
use pilothouse_base::{Hostname, Name, Namespace, Protocol, Selector};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, fields, host, labels, server_tls, service_entry};
use crate::gateway::ServerHost;
use crate::{Gateway, Meta, Server};

/// What is lost with a server.
const LOST: &str = "the server is left out; the other servers are served";

/// A selector that no workload can carry selects nothing; a gateway without usable servers serves nothing.
pub(super) fn check(raw: &api::Gateway, meta: Meta, scope: &Scope<'_>, out: &mut Diagnostics) -> Gateway {
    let at = FieldPath::spec();
    let api::Gateway { servers: written, selector } = raw;
    let effect = "the gateway applies to no workload";
    let picked = labels::selector(selector, &at.field("selector"), effect, out);
    // As written it selects nothing, because no workload carries such labels.
    let written_pairs = || selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if written.is_empty() {
        out.report(catalogue::REQUIRED, &at.field("servers")).effect("the gateway serves nothing");
    }
    let mut servers: Vec<Server> = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.field("servers").index(index);
        let Some(server) = server(raw, index, scope, &at, out) else { continue };
        if servers.iter().any(|other| other.port_name == server.port_name) {
            out.report(catalogue::DUPLICATE_ENTRY, &at.field("port").field("name"))
                .value(&server.port_name)
                .effect(LOST)
                .help("give each server a port name of its own");
            continue;
        }
        servers.push(server);
    }
    Gateway { meta, selector: picked.unwrap_or_else(|| Selector::new(written_pairs())), servers }
}

fn server(
    raw: &api::Server,
    index: usize,
    scope: &Scope<'_>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<Server> {
    let api::Server { port, bind, hosts, tls, name } = raw;
    let Some(port) = port else {
        out.report(catalogue::REQUIRED, &at.field("port")).effect(LOST);
        return None;
    };
    let port_at = at.field("port");
    let api::ServerPort { number, protocol, name: port_name } = port;
    let bind = match fields::text(bind.as_ref()) {
        None => None,
        Some(text) if text.starts_with("unix://") => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("bind")).value(text).effect(LOST);
            return None;
        }
        Some(text) => {
            if let Ok(address) = text.parse() {
                Some(address)
            } else {
                out.report(catalogue::INVALID_VALUE, &at.field("bind"))
                    .value(text)
                    .detail("it is no IP address")
                    .effect(LOST);
                return None;
            }
        }
    };
    let number = if let Some(number) = number {
        fields::port(*number, &port_at, "number", LOST, out)
    } else {
        out.report(catalogue::REQUIRED, &port_at.field("number")).effect(LOST);
        None
    };
    let port_name = fields::required(port_name.as_ref(), &port_at, "name", LOST, out);
    let protocol = fields::required(protocol.as_ref(), &port_at, "protocol", LOST, out).and_then(|text| {
        let found = Protocol::parse(text).filter(|protocol| *protocol != Protocol::Udp);
        if found.is_none() {
            out.report(catalogue::INVALID_VALUE, &port_at.field("protocol"))
                .value(text)
                .effect(LOST)
                .help_closest(&text.to_ascii_uppercase(), service_entry::PROTOCOLS);
        }
        found
    });
    let hosts = self::hosts(hosts, scope.namespace, &at.field("hosts"), out);
    let (number, port_name, protocol) = (number?, port_name?, protocol?);
    if hosts.is_empty() {
        return None;
    }
    Some(Server {
        index,
        name: fields::name(name.as_ref()),
        port: number,
        port_name: Name::from(port_name),
        protocol,
        bind,
        hosts,
        tls: server_tls::check(tls.as_ref(), protocol, at, out),
    })
}

fn hosts(written: &[String], own: &Namespace, at: &FieldPath, out: &mut Diagnostics) -> Vec<ServerHost> {
    if written.is_empty() {
        out.report(catalogue::REQUIRED, at).effect(LOST);
    }
    let mut found = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let (namespace, name) = match text.split_once('/') {
            None => (Ok(None), text.as_str()),
            Some(("*", name)) => (Ok(None), name),
            Some((".", name)) => (Ok(Some(own.clone())), name),
            Some((namespace, name)) if host::is_label(namespace) => {
                (Ok(Some(Namespace::from(namespace))), name)
            }
            Some((_, name)) => (Err("what stands before the slash is no namespace"), name),
        };
        let flaw = match (&namespace, host::flaw_of_wildcard(name)) {
            (Err(flaw), _) => Some(*flaw),
            (_, Some(_)) if host::is_ip(name) => None,
            (_, Some(flaw)) => Some(flaw),
            (_, None) if name != "*" && !name.contains('.') => Some("it needs a dot, or to be *"),
            _ => None,
        };
        match (flaw, namespace) {
            (None, Ok(namespace)) => found.push(ServerHost { namespace, host: Hostname::parse(name) }),
            (flaw, _) => {
                out.report(catalogue::INVALID_HOST, &at.index(index))
                    .value(text)
                    .detail(flaw.unwrap_or("it cannot be read"))
                    .effect("requests for it are answered with 404");
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
