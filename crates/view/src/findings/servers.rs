//! Servers of gateways: secrets that do not exist, and servers that cannot share a port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};
use pilothouse_config::Server;
use pilothouse_config::gateway::{
    ClientRoots, ClientVerification, ServerCertificate, ServerTlsMode, Termination,
};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::names;
use crate::query::SecretKey;
use crate::reader::Reader;
use crate::secret::secret;

pub(super) fn gateway(key: &ObjectKey, read: &mut Reader<'_>, out: &mut Diagnostics) {
    let gateways = read.gateways();
    let Some(object) = gateways.iter().find(|one| one.meta.key == *key) else { return };
    let older: Vec<_> = gateways.iter().take_while(|one| one.meta.key != *key).collect();
    let mut everywhere = ServedPorts::default();
    let mut somewhere = ServedPorts::default();
    for older in older {
        // One that picks all the workloads of this Gateway takes the port from it; one that picks some of them, there.
        let wide = older.selector.covers(&object.selector);
        if wide || object.selector.covers(&older.selector) {
            for server in &older.servers {
                let _ = if wide { &mut everywhere } else { &mut somewhere }.take(server);
            }
        }
    }
    for server in &object.servers {
        let at = FieldPath::spec().field("servers").index(server.index);
        if let Some(why) = everywhere.take(server) {
            out.report(catalogue::SERVER_CONFLICT, &at).detail(why).effect("this server is left out");
        } else if let Some(why) = somewhere.clash(server) {
            out.report(catalogue::SERVER_CONFLICT, &at).detail(why).effect(
                "this server is left out where an older Gateway with a narrower selector picks the workload",
            );
        }
        let Some(tls) = &server.tls else { continue };
        if let ServerTlsMode::Terminate(termination) = &tls.mode {
            secrets(termination, &key.namespace, &at.field("tls"), read, out);
        }
    }
}

/// Names secrets that a server needs and that do not exist.
fn secrets(
    termination: &Termination,
    namespace: &Namespace,
    at: &FieldPath,
    read: &mut Reader<'_>,
    out: &mut Diagnostics,
) {
    let Termination { certificates, clients } = termination;
    let names: Vec<&Name> = certificates
        .iter()
        .filter_map(|one| match one {
            ServerCertificate::Secret(name) => Some(name),
            ServerCertificate::Files { .. } => None,
        })
        .collect();
    let mut missing = false;
    for (index, name) in names.iter().enumerate() {
        if read.secret(namespace, name).and_then(|secret| secret.certificate.clone()).is_none() {
            let at = if names.len() > 1 {
                at.field("credentialNames").index(index)
            } else {
                at.field("credentialName")
            };
            out.report(catalogue::UNKNOWN_SECRET, &at)
                .value(name)
                .effect("TLS connections to this server fail until the secret exists where the gateway runs");
            missing = true;
        }
    }
    let Some(ClientVerification { roots: ClientRoots::Secret(name), .. }) = clients else { return };
    let shared = names.contains(&name);
    let key = SecretKey::roots(namespace, name);
    // A secret that is missing altogether is named once.
    if secret(&key, read).is_none() && !(shared && missing) {
        let field = if shared { "credentialName" } else { "caCertCredentialName" };
        let base = name.as_str().strip_suffix(names::ROOTS).unwrap_or(name.as_str());
        out.report(catalogue::UNKNOWN_SECRET, &at.field(field))
            .value(name)
            .detail(format_args!("neither {base}{} nor {base} has ca.crt or cacert", names::ROOTS))
            .effect("TLS connections to this server fail until there are roots to verify clients against")
            .help("add the roots of the clients to one of the secrets, where the gateway runs");
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
        let why = self.clash(server);
        if why.is_none() {
            let at = (server.bind, server.port);
            match claim(server) {
                Claim::Nothing => {}
                Claim::ServerNames => {
                    self.server_names.extend(server.hosts.iter().map(|host| (at.0, at.1, host.host.clone())));
                }
                Claim::Plain { http } => {
                    self.plain.entry(at).or_insert(http);
                }
            }
        }
        why
    }

    /// Why a server cannot be served beside those that are there.
    fn clash(&self, server: &Server) -> Option<String> {
        let at = (server.bind, server.port);
        match claim(server) {
            Claim::Nothing => None,
            Claim::ServerNames => {
                let mut names = server.hosts.iter().map(|host| (at.0, at.1, host.host.clone()));
                let (_, port, taken) = names.find(|name| self.server_names.contains(name))?;
                Some(format!("another server of port {port} has the host {taken}"))
            }
            Claim::Plain { http } => match self.plain.get(&at) {
                None => None,
                Some(true) if http => None,
                Some(_) => Some(format!("another server takes all plain connections to port {}", at.1)),
            },
        }
    }
}

/// What of a port a server takes for itself.
enum Claim {
    Nothing,
    /// TLS connections to its hosts.
    ServerNames,
    /// Plain connections; those of HTTP are shared.
    Plain {
        http: bool,
    },
}

fn claim(server: &Server) -> Claim {
    match server.tls.as_ref().map(|tls| &tls.mode) {
        Some(ServerTlsMode::Terminate(_)) => Claim::ServerNames,
        Some(ServerTlsMode::Closed) => Claim::Nothing,
        Some(ServerTlsMode::Passthrough) if server.protocol.is_tls() => Claim::Nothing,
        Some(ServerTlsMode::Passthrough) | None => Claim::Plain { http: server.protocol.is_http() },
    }
}
