//! Gateways: listeners and route tables at the edge.
//!
//! The first server that claims a port, a plain chain or a server name keeps it; a later one that cannot share is left
//! out. A server whose certificate cannot be understood stays closed, alone.

mod termination;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, ObjectKey, Protocol};
use pilothouse_config::gateway::{ServerHost, ServerTls, ServerTlsMode};
use pilothouse_config::virtual_service::GatewayRef;
use pilothouse_config::{Gateway, Mesh, Server};
use pilothouse_world::VirtualServiceHeader;

use crate::plan::{
    CatchAll, ChainMatch, ChainPlan, Direction, HttpPlan, HttpRole, Inspected, ListenerPlan, ListenerPort,
    Network, Routes, ServerTlsPlan, Sniffing, TcpPlan, Transport,
};
use crate::query::{GatewayKey, HostKey, HostSource, Otherwise, SecretKey, TableKey};
use crate::reader::Reader;
use crate::{l4, names};

/// What a gateway serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayLayout {
    /// Its listeners, ordered by name.
    pub listeners: Vec<GatewayListener>,
    /// Its route tables, ordered by name.
    pub tables: Vec<TableKey>,
    /// Secrets its listeners ask for, ordered by name.
    pub secrets: Vec<SecretKey>,
}

/// A listener of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayListener {
    /// What it is.
    pub plan: Arc<ListenerPlan>,
    /// The gateways whose servers are in it, and the virtual services that decide where its bytes go.
    pub origins: Arc<[ObjectKey]>,
}

/// Servers that share a listener.
#[derive(Default)]
struct Shared {
    origins: BTreeSet<ObjectKey>,
    chains: Vec<ChainPlan>,
    plain: Option<ChainPlan>,
    server_names: BTreeSet<Hostname>,
    tls: bool,
}

pub(crate) fn gateway(key: &GatewayKey, read: &mut Reader<'_>) -> GatewayLayout {
    let mesh = read.mesh();
    let gateways: Vec<Arc<Gateway>> =
        read.gateways().into_iter().filter(|one| key.gateways.contains(&one.meta.key)).collect();
    let claims = read.claims(&key.client.namespace);
    let mut listeners: BTreeMap<(IpAddr, u16), Shared> = BTreeMap::new();
    let mut tables: BTreeMap<Name, Vec<(&Server, &ObjectKey)>> = BTreeMap::new();
    let mut secrets = BTreeSet::new();
    for gateway in &gateways {
        for server in &gateway.servers {
            let target =
                key.ports.iter().find(|(port, _)| *port == server.port).map_or(server.port, |(_, to)| *to);
            let address = server.bind.unwrap_or(any(key.client.v6));
            let shared = listeners.entry((address, target)).or_default();
            let at =
                At { key, server, gateway: &gateway.meta.key, target, claims: &claims.visible, mesh: &mesh };
            at.serve(shared, &mut tables, &mut secrets, read);
        }
    }
    upstream::secrets(&key.client.namespace, &mut secrets, read);
    let listeners = listeners
        .into_iter()
        .filter(|(_, shared)| !shared.chains.is_empty() || shared.plain.is_some())
        .map(|((address, port), shared)| {
            let Shared { origins, mut chains, plain, server_names: _, tls } = shared;
            chains.extend(plain);
            let plan = ListenerPlan {
                name: names::listener(address, port),
                port: ListenerPort { address, additional: Vec::new(), port, bound: true },
                direction: Direction::Outbound,
                hands_over: false,
                original_dst: false,
                sniffing: Sniffing { tls: tls.then_some(Inspected::Everywhere), http: None, timeout: None },
                chains,
                default_chain: None,
                access_log: mesh.access_log.clone(),
            };
            GatewayListener { plan: Arc::new(plan), origins: origins.into_iter().collect() }
        })
        .collect();
    let tables =
        tables.into_iter().map(|(name, servers)| table(name, &servers, key, &claims.visible)).collect();
    GatewayLayout { listeners, tables, secrets: secrets.into_iter().collect() }
}

/// One server on its way to a listener.
struct At<'a> {
    key: &'a GatewayKey,
    server: &'a Server,
    gateway: &'a ObjectKey,
    target: u16,
    claims: &'a [Arc<VirtualServiceHeader>],
    mesh: &'a Mesh,
}

impl<'a> At<'a> {
    fn serve(
        &self,
        shared: &mut Shared,
        tables: &mut BTreeMap<Name, Vec<(&'a Server, &'a ObjectKey)>>,
        secrets: &mut BTreeSet<SecretKey>,
        read: &mut Reader<'_>,
    ) {
        let Server { protocol, tls, .. } = self.server;
        let terminated = match tls.as_ref().map(|tls| &tls.mode) {
            Some(ServerTlsMode::Closed) => return,
            None | Some(ServerTlsMode::Passthrough) => None,
            Some(ServerTlsMode::Terminate(how)) => {
                let http = !protocol.is_tcp() || *protocol == Protocol::Https;
                Some(termination::plan(how, &self.key.client.namespace, http, secrets))
            }
        };
        match (terminated, protocol.is_http() || *protocol == Protocol::Auto) {
            (None, true) => self.plain_http(shared, tables),
            (None, false) if protocol.is_tls() => self.by_server_name(shared, read),
            (None, false) => self.plain_tcp(shared, read),
            (Some(tls), _) => self.terminating(tls, shared, tables, read),
        }
    }

    fn plain_http(&self, shared: &mut Shared, tables: &mut BTreeMap<Name, Vec<(&'a Server, &'a ObjectKey)>>) {
        let table = self.bound_table(Name::from(format!("http.{}", self.target)));
        if shared.plain.is_some() && !tables.contains_key(&table) {
            return;
        }
        tables.entry(table.clone()).or_default().push((self.server, self.gateway));
        shared.origins.insert(self.gateway.clone());
        shared.plain.get_or_insert_with(|| ChainPlan {
            name: Name::from(format!("{}_http", self.target)),
            matches: ChainMatch::default(),
            tls: ServerTlsPlan::None,
            network: Network::Http(Box::new(self.http(&table, None))),
        });
    }

    fn terminating(
        &self,
        tls: ServerTlsPlan,
        shared: &mut Shared,
        tables: &mut BTreeMap<Name, Vec<(&'a Server, &'a ObjectKey)>>,
        read: &mut Reader<'_>,
    ) {
        let Some(server_names) = self.claim_server_names(shared) else { return };
        let network = if self.server.protocol == Protocol::Https || self.server.protocol.is_http() {
            let table = names::https_table(self.server.port, &self.server.port_name, self.gateway);
            let table = self.bound_table(table);
            if tables.contains_key(&table) {
                return;
            }
            tables.insert(table.clone(), vec![(self.server, self.gateway)]);
            let prefix = (self.server.name != "").then(|| self.server.name.clone());
            Network::Http(Box::new(self.http(&table, prefix)))
        } else {
            match self.tcp_route(read) {
                Some(to) => Network::Tcp(to),
                None => return,
            }
        };
        shared.tls = true;
        shared.origins.insert(self.gateway.clone());
        if let Network::Tcp(to) = &network {
            shared.origins.extend(to.origin.clone());
        }
        shared.chains.push(ChainPlan {
            name: Name::from(format!(
                "{}.{}.{}",
                self.server.port_name, self.gateway.name, self.gateway.namespace
            )),
            matches: by_names(server_names),
            tls,
            network,
        });
    }

    /// The name of a route table of a server that may listen on one address alone.
    fn bound_table(&self, table: Name) -> Name {
        match self.server.bind {
            Some(bind) => Name::from(format!("{table}.{bind}")),
            None => table,
        }
    }

    /// The server names of this server, if nobody has one of them yet.
    fn claim_server_names(&self, shared: &mut Shared) -> Option<Vec<Hostname>> {
        let mut wanted: Vec<Hostname> = self.server.hosts.iter().map(|host| host.host.clone()).collect();
        wanted.sort();
        wanted.dedup();
        if wanted.iter().any(|name| shared.server_names.contains(name)) {
            return None;
        }
        shared.server_names.extend(wanted.iter().cloned());
        Some(wanted)
    }

    /// TLS that is not terminated: a chain for each match of the TLS rules bound here.
    fn by_server_name(&self, shared: &mut Shared, read: &mut Reader<'_>) {
        let through = GatewayRef::Named(self.gateway.namespace.clone(), self.gateway.name.clone());
        for header in self.claims.iter().filter(|header| header.l4) {
            let (object, allowed) = (&header.meta.key, hosts_of(header, self.server, self.gateway));
            if allowed.is_empty() {
                continue;
            }
            let Some(virtual_service) = read.virtual_service(object) else { continue };
            for rule in &virtual_service.tls {
                for one in &rule.matches {
                    let applies = l4::applies(
                        one,
                        &through,
                        &virtual_service.gateways,
                        self.server.port,
                        &self.key.client,
                    );
                    let mut names: Vec<Hostname> = Vec::new();
                    for name in one.sni_hosts.iter().flat_map(|name| narrowed(name, &allowed)) {
                        if !shared.server_names.contains(&name) && !names.contains(&name) {
                            names.push(name);
                        }
                    }
                    if !applies || names.is_empty() {
                        continue;
                    }
                    shared.server_names.extend(names.iter().cloned());
                    let mut to = l4::plan(&rule.route, object, self.server.port, &self.key.client, read);
                    to.access_log.clone_from(&self.mesh.access_log);
                    to.origin = Some(object.clone());
                    shared.tls = true;
                    shared.origins.extend([self.gateway.clone(), object.clone()]);
                    shared.chains.push(ChainPlan {
                        name: to.stat_prefix.clone(),
                        matches: by_names(names),
                        tls: ServerTlsPlan::None,
                        network: Network::Tcp(to),
                    });
                }
            }
        }
    }

    fn plain_tcp(&self, shared: &mut Shared, read: &mut Reader<'_>) {
        if shared.plain.is_some() {
            return;
        }
        if let Some(to) = self.tcp_route(read) {
            shared.origins.insert(self.gateway.clone());
            shared.origins.extend(to.origin.clone());
            shared.plain = Some(ChainPlan {
                name: to.stat_prefix.clone(),
                matches: ChainMatch::default(),
                tls: ServerTlsPlan::None,
                network: Network::Tcp(to),
            });
        }
    }

    /// The first TCP rule bound here that takes connections of this port.
    fn tcp_route(&self, read: &mut Reader<'_>) -> Option<TcpPlan> {
        let through = GatewayRef::Named(self.gateway.namespace.clone(), self.gateway.name.clone());
        for object in self.bound(|header| header.l4) {
            let Some(virtual_service) = read.virtual_service(&object) else { continue };
            let rule = virtual_service.tcp.iter().find(|rule| {
                rule.matches.is_empty()
                    || rule.matches.iter().any(|one| {
                        l4::applies(
                            one,
                            &through,
                            &virtual_service.gateways,
                            self.server.port,
                            &self.key.client,
                        )
                    })
            });
            if let Some(rule) = rule {
                let mut to = l4::plan(&rule.route, &object, self.server.port, &self.key.client, read);
                to.access_log.clone_from(&self.mesh.access_log);
                to.origin = Some(object);
                return Some(to);
            }
        }
        None
    }

    /// Virtual services bound to this server, in order of precedence.
    fn bound(&self, wanted: impl Fn(&VirtualServiceHeader) -> bool) -> Vec<ObjectKey> {
        let bound = self.claims.iter().filter(|header| wanted(header));
        bound
            .filter(|header| !hosts_of(header, self.server, self.gateway).is_empty())
            .map(|header| header.meta.key.clone())
            .collect()
    }

    fn http(&self, table: &Name, stat_prefix: Option<Name>) -> HttpPlan {
        let listener = names::listener(self.server.bind.unwrap_or(any(self.key.client.v6)), self.target);
        HttpPlan {
            stat_prefix: stat_prefix.unwrap_or_else(|| Name::from(format!("outbound_{listener}"))),
            routes: Routes::Discovered(table.clone()),
            role: HttpRole::Gateway,
            grpc_web: self.server.protocol == Protocol::GrpcWeb,
            path_normalization: self.mesh.path_normalization,
            access_log: self.mesh.access_log.clone(),
        }
    }
}

/// Connections whose TLS hello names one of these; with `*` among them every TLS connection, so that a plain chain fits beside it.
fn by_names(server_names: Vec<Hostname>) -> ChainMatch {
    if server_names.iter().any(|name| name.as_str() == "*") {
        ChainMatch { transport: Some(Transport::Tls), ..ChainMatch::default() }
    } else {
        ChainMatch { server_names, ..ChainMatch::default() }
    }
}

/// What a server name stands for among the hosts that its virtual service has at a server.
fn narrowed(name: &Hostname, allowed: &[Hostname]) -> Vec<Hostname> {
    if allowed.iter().any(|host| host.covers(name)) {
        return vec![name.clone()];
    }
    allowed.iter().filter(|host| name.covers(host)).cloned().collect()
}

/// Every address.
fn any(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// The hosts that a virtual service has at a server: what both name, the narrower form of each. None if it is not bound.
fn hosts_of(header: &VirtualServiceHeader, server: &Server, gateway: &ObjectKey) -> Vec<Hostname> {
    let through = GatewayRef::Named(gateway.namespace.clone(), gateway.name.clone());
    if !header.gateways.contains(&through) {
        return Vec::new();
    }
    let mut hosts = BTreeSet::new();
    for own in &header.hosts {
        for ServerHost { namespace, host } in &server.hosts {
            if namespace.as_ref().is_some_and(|namespace| namespace != header.namespace()) {
                continue;
            }
            if host.covers(own) {
                hosts.insert(own.clone());
            } else if own.covers(host) {
                hosts.insert(host.clone());
            }
        }
    }
    hosts.into_iter().collect()
}

fn table(
    name: Name,
    servers: &[(&Server, &ObjectKey)],
    key: &GatewayKey,
    claims: &[Arc<VirtualServiceHeader>],
) -> TableKey {
    /// What is known of one host so far.
    type Claimed = (u16, bool, Vec<(ObjectKey, Option<ObjectKey>)>);
    let mut hosts: BTreeMap<Hostname, Claimed> = BTreeMap::new();
    for (server, gateway) in servers {
        let redirect = matches!(&server.tls, Some(ServerTls { https_redirect: true, .. }));
        if redirect {
            for host in &server.hosts {
                hosts.entry(host.host.clone()).or_insert_with(|| (server.port, true, Vec::new())).1 = true;
            }
        }
        for header in claims.iter().filter(|header| header.http) {
            for host in hosts_of(header, server, gateway) {
                let entry = hosts.entry(host).or_insert_with(|| (server.port, redirect, Vec::new()));
                // One server that asks for HTTPS is enough, however many serve the host in plain text.
                entry.1 |= redirect;
                let bound = (header.meta.key.clone(), Some((*gateway).clone()));
                if !entry.2.contains(&bound) {
                    entry.2.push(bound);
                }
            }
        }
    }
    let port = servers.first().map_or(0, |(server, _)| server.port);
    let catch_all = hosts.is_empty().then_some(CatchAll::NotFound { port });
    let mut hosts: Vec<HostKey> = hosts
        .into_iter()
        .map(|(host, (port, require_tls, objects))| HostKey {
            name: names::host_port(&host, port),
            domains: Arc::from([Name::from(host.as_str())]),
            port,
            source: if objects.is_empty() {
                HostSource::Nothing
            } else {
                HostSource::VirtualServices {
                    client: key.client.clone(),
                    objects: objects.into(),
                    otherwise: Otherwise::Never,
                }
            },
            require_tls,
        })
        .collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    TableKey { name, catch_all, hosts: hosts.into() }
}
