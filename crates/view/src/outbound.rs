//! Outbound listeners and route tables of sidecars: which there are, and what each is made of.
//!
//! HTTP of all services on one port shares the listener of that port on all addresses and the route table named like the
//! port. Everything else has a listener at its own address, where it can be told apart from others.
//!
//! Most of it is the same for everybody. So there is one answer for a stranger, which is all of it, and for each client there
//! is what differs: what it has that strangers have not, and what they have that it has not.

mod affected;
mod hosts;
mod listeners;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Hostname, Name};
use pilothouse_config::mesh::OutboundPolicy;

use crate::names;
use crate::plan::CatchAll;
use crate::query::{Client, HostKey, ListenerKey, TableKey};
use crate::reader::Reader;
use seen::Seen;

/// Outbound listeners and route tables: all of them (for a stranger), or what a client has instead of some of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// Listeners, ordered by address and port.
    pub listeners: Vec<ListenerKey>,
    /// Tables, ordered by name. The hosts of one that a stranger has too are those that differ.
    pub tables: Vec<TableKey>,
    /// What a stranger has and the client has not.
    pub hidden: Hidden,
}

/// What a stranger has and a client has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Names of listeners.
    pub listeners: BTreeSet<Name>,
    /// Names of tables.
    pub tables: BTreeSet<Name>,
    /// Names of virtual hosts, by table.
    pub hosts: BTreeMap<Name, BTreeSet<Name>>,
}

pub(crate) fn outbound(client: &Client, read: &mut Reader<'_>) -> Outbound {
    let mesh = read.mesh();
    let (view, claims) = (read.view(&client.namespace), read.claims(&client.namespace));
    let seen = Seen { client, view: &view, claims: &claims, domain: mesh.domain.as_str() };
    let catch_all = match mesh.outbound {
        OutboundPolicy::AllowAny => CatchAll::Passthrough,
        OutboundPolicy::RegistryOnly => CatchAll::Block,
    };
    if client.is_stranger() {
        return whole(&seen, catch_all, read);
    }
    let shared = read.outbound(&Client::stranger(client.v6));
    let mut made = Outbound::default();
    let asked = if seen.listens_like_everybody() {
        asked(&shared.listeners)
    } else {
        let own = listeners::listeners(&seen, read);
        let asked = asked(&own);
        made.set_listeners(own, &shared);
        asked
    };
    let affected = seen.affected();
    let shared_tables: BTreeMap<&Name, &TableKey> =
        shared.tables.iter().map(|table| (&table.name, table)).collect();
    made.hidden.tables =
        shared_tables.keys().filter(|name| !asked.contains(**name)).copied().cloned().collect();
    for name in asked {
        let common = shared_tables.get(&name);
        let only = affected.as_ref().filter(|_| common.is_some());
        if only.is_some_and(|hosts| !is_affected(&name, hosts, &seen)) {
            continue;
        }
        match (table(name, only, catch_all, &seen), common) {
            (Some(own), Some(common)) => made.set_table(own, common, only),
            (Some(own), None) => made.tables.push(own),
            (None, _) => {}
        }
    }
    made
}

/// All that a client has.
fn whole(seen: &Seen<'_>, catch_all: CatchAll, read: &mut Reader<'_>) -> Outbound {
    let listeners = listeners::listeners(seen, read);
    let asked = asked(&listeners);
    let tables = asked.into_iter().filter_map(|name| table(name, None, catch_all, seen)).collect();
    Outbound { listeners, tables, hidden: Hidden::default() }
}

/// The tables that listeners ask for. A port whose HTTP is only ever served at the services' own addresses has no shared
/// listener, hence no table.
fn asked(listeners: &[ListenerKey]) -> BTreeSet<Name> {
    let tables = listeners.iter().filter_map(|key| match key {
        ListenerKey::Outbound(listener) => listener.http.as_ref().map(|(table, _)| table.clone()),
        ListenerKey::Capture { .. } => None,
    });
    tables.collect()
}

/// The port of a table that all services on this port share.
fn shared_port(table: &Name) -> Option<u16> {
    table.as_str().parse().ok()
}

/// Whether a table holds, for somebody, one of these hosts.
fn is_affected(table: &Name, hosts: &BTreeSet<Hostname>, seen: &Seen<'_>) -> bool {
    match shared_port(table) {
        Some(port) => {
            // Hosts that are no services are on port 80, and on ports of services that are of the number themselves.
            port == 80 && !hosts.is_empty()
                || hosts
                    .iter()
                    .any(|host| seen.meanings(host.as_str()).any(|one| one.service.port(port).is_some()))
        }
        None => table.as_str().rsplit_once(':').is_some_and(|(host, _)| hosts.contains(host)),
    }
}

/// A table with all its hosts, or with those of a number of hosts.
fn table(
    name: Name,
    only: Option<&BTreeSet<Hostname>>,
    catch_all: CatchAll,
    seen: &Seen<'_>,
) -> Option<TableKey> {
    if let Some(port) = shared_port(&name) {
        return Some(TableKey { name, catch_all: Some(catch_all), hosts: hosts::hosts(port, seen, only) });
    }
    // The table of one service whose protocol is found out at its own address.
    let (host, port) = name.as_str().rsplit_once(':')?;
    let target = seen.view.get(host)?;
    let mut host = hosts::host_of(&target.service.host, Some(target), port.parse().ok()?, seen);
    host.domains = Arc::from([Name::from("*")]);
    Some(TableKey { name, catch_all: None, hosts: Arc::from([host]) })
}

impl Outbound {
    fn set_listeners(&mut self, own: Vec<ListenerKey>, shared: &Self) {
        let mut others: BTreeMap<Name, &ListenerKey> =
            shared.listeners.iter().map(|key| (key.name(), key)).collect();
        self.listeners = own.into_iter().filter(|key| others.remove(&key.name()) != Some(key)).collect();
        self.hidden.listeners = others.into_keys().collect();
    }

    /// Takes what differs of a table that strangers have too. `only` are the hosts that `own` was made for, if not for all.
    fn set_table(&mut self, own: TableKey, shared: &TableKey, only: Option<&BTreeSet<Hostname>>) {
        let common = |name: &Name| -> Option<&HostKey> {
            let at = shared.hosts.binary_search_by(|host| host.name.cmp(name)).ok()?;
            shared.hosts.get(at)
        };
        let has = |name: &Name| own.hosts.binary_search_by(|host| host.name.cmp(name)).is_ok();
        let hidden: BTreeSet<Name> = match (only, shared_port(&own.name)) {
            (Some(hosts), Some(port)) => {
                let names = hosts.iter().map(|host| names::host_port(host, port));
                names.filter(|name| !has(name) && common(name).is_some()).collect()
            }
            _ => shared.hosts.iter().map(|host| &host.name).filter(|name| !has(name)).cloned().collect(),
        };
        let hosts: Arc<[HostKey]> =
            own.hosts.iter().filter(|host| common(&host.name) != Some(host)).cloned().collect();
        if hosts.is_empty() && hidden.is_empty() {
            return;
        }
        if !hidden.is_empty() {
            self.hidden.hosts.insert(own.name.clone(), hidden);
        }
        self.tables.push(TableKey { hosts, ..own });
    }
}

#[cfg(test)]
mod tests;
