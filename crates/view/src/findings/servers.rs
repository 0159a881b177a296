//! Servers of gateways: secrets that do not exist, and servers that cannot share a port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pilothouse_base::{Hostname, ObjectKey};
use pilothouse_config::Server;
use pilothouse_config::gateway::ServerTlsMode;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::reader::Reader;

pub(super) fn gateway(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let gateways = read.gateways();
    let Some(object) = gateways.iter().find(|one| one.meta.key == *key) else { return };
    let mut ports = ServedPorts::default();
    for older in
        gateways.iter().take_while(|one| one.meta.key != *key).filter(|one| one.selector == object.selector)
    {
        for server in &older.servers {
            let _ = ports.take(server);
        }
    }
    for server in &object.servers {
        let at = FieldPath::spec().field("servers").index(server.index);
        if let Some(why) = ports.take(server) {
            out.report(catalogue::SERVER_CONFLICT, &at).detail(why).effect("this server is left out");
        }
        let Some(tls) = &server.tls else { continue };
        if let ServerTlsMode::Simple { credential } = &tls.mode
            && read.secret(&key.namespace, credential).and_then(|secret| secret.certificate.clone()).is_none()
        {
            let at = at.field("tls").field("credentialName");
            out.report(catalogue::UNKNOWN_SECRET, &at)
                .value(credential)
                .effect("TLS connections to this server fail until the secret exists where the gateway runs");
        }
    }
}

/// What servers of gateways with the same selector took so far.
#[derive(Default)]
struct ServedPorts {
    plain: BTreeMap<(Option<IpAddr>, u16), bool>,
    server_names: BTreeSet<(Option<IpAddr>, u16, Hostname)>,
}

impl ServedPorts {
    /// Adds a server; says why if it cannot be served beside those before it.
    fn take(&mut self, server: &Server) -> Option<String> {
        let at = (server.bind, server.port);
        match server.tls.as_ref().map(|tls| &tls.mode) {
            Some(ServerTlsMode::Simple { .. } | ServerTlsMode::SimpleFiles { .. }) => {
                let names = server.hosts.iter().map(|host| (at.0, at.1, host.host.clone()));
                if let Some((_, _, taken)) = names.clone().find(|name| self.server_names.contains(name)) {
                    return Some(format!("another server of port {} has the host {taken}", at.1));
                }
                self.server_names.extend(names);
                None
            }
            Some(ServerTlsMode::Closed) => None,
            Some(ServerTlsMode::Passthrough) if server.protocol.is_tls() => None,
            Some(ServerTlsMode::Passthrough) | None => {
                let http = server.protocol.is_http();
                match self.plain.get(&at) {
                    Some(true) if http => None,
                    Some(_) => Some(format!("another server takes all plain connections to port {}", at.1)),
                    None => {
                        self.plain.insert(at, http);
                        None
                    }
                }
            }
        }
    }
}
