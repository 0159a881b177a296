use pilothouse_base::{Labels, Namespace};
use pilothouse_testkit::script::{NAMESPACES, scripts};
use proptest::prelude::*;

use super::*;
use crate::fresh::{Fresh, Nothing, world};
use crate::query::{HostSource, OutboundListener, Query, Role};
use crate::resolve;

type Tables = BTreeMap<Name, (Option<CatchAll>, BTreeMap<Name, HostKey>)>;

fn named(outbound: &Outbound) -> (BTreeMap<Name, ListenerKey>, Tables) {
    let hosts = |table: &TableKey| table.hosts.iter().map(|host| (host.name.clone(), host.clone())).collect();
    (
        outbound.listeners.iter().map(|key| (key.name(), key.clone())).collect(),
        outbound.tables.iter().map(|table| (table.name.clone(), (table.catch_all, hosts(table)))).collect(),
    )
}

/// Lays what differs over what everybody has.
fn together(shared: &Outbound, own: &Outbound) -> (BTreeMap<Name, ListenerKey>, Tables) {
    let ((mut listeners, mut tables), (more_listeners, more_tables)) = (named(shared), named(own));
    listeners.retain(|name, _| !own.hidden.listeners.contains(name));
    listeners.extend(more_listeners);
    tables.retain(|name, _| !own.hidden.tables.contains(name));
    for (table, hidden) in &own.hidden.hosts {
        if let Some((_, hosts)) = tables.get_mut(table) {
            hosts.retain(|name, _| !hidden.contains(name));
        }
    }
    for (name, (catch_all, hosts)) in more_tables {
        let (known, all) = tables.entry(name).or_default();
        *known = catch_all;
        all.extend(hosts);
    }
    (listeners, tables)
}

fn clients() -> Vec<Client> {
    let namespaces = NAMESPACES.into_iter().chain(["empty"]).map(Namespace::from);
    let labels = [None, Some("red")].map(|color| {
        Labels::new(color.map(|color| ("color".to_owned(), color.to_owned())).into_iter().collect())
    });
    let both = namespaces.flat_map(|namespace| {
        labels.clone().map(|labels| Client {
            role: Role::Sidecar,
            namespace: namespace.clone(),
            labels,
            v6: false,
        })
    });
    both.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_differs_over_what_everybody_has_is_what_a_client_has(script in scripts(60)) {
        let world = world(&script);
        let mut fresh = Fresh(&world, Nothing);
        let read = &mut Reader::new(&mut fresh);
        let shared = read.outbound(&Client::stranger(false));
        let mesh = read.mesh();
        for client in clients() {
            let own = read.outbound(&client);
            let (view, claims) = (read.view(&client.namespace), read.claims(&client.namespace));
            let seen = Seen { client: &client, view: &view, claims: &claims, domain: mesh.domain.as_str() };
            let catch_all = match mesh.outbound {
                OutboundPolicy::AllowAny => CatchAll::Passthrough,
                OutboundPolicy::RegistryOnly => CatchAll::Block,
            };
            let all = whole(&seen, catch_all, read);
            let (listeners, tables) = together(&shared, &own);
            let (all_listeners, all_tables) = named(&all);
            prop_assert_eq!(&listeners, &all_listeners, "for {:?}", &client);
            prop_assert_eq!(&tables, &all_tables, "for {:?}", &client);
            // Nothing is listed that everybody has.
            let (of_all, tables_of_all) = named(&shared);
            for (name, listener) in named(&own).0 {
                prop_assert_ne!(of_all.get(&name), Some(&listener));
            }
            for (name, (_, hosts)) in named(&own).1 {
                for host in hosts.values() {
                    prop_assert_ne!(tables_of_all.get(&name).and_then(|(_, all)| all.get(&host.name)), Some(host));
                }
            }
            // What is made for nobody in particular is the same for this client.
            for host in all_tables.values().flat_map(|(_, hosts)| hosts.values()) {
                let mut own = host.clone();
                if let HostSource::VirtualServices { client: asking, .. } = &mut own.source {
                    *asking = client.clone();
                }
                prop_assert_eq!(resolve(&Query::Host(host.clone()), read), resolve(&Query::Host(own), read));
            }
            let mut taken = BTreeSet::new();
            for listener in all_listeners.values() {
                let ListenerKey::Outbound(key) = listener else { continue };
                // Envoy refuses a second listener at an address and port.
                for address in key.additional.iter().chain([&key.address]) {
                    prop_assert!(taken.insert((*address, key.port)), "two listeners at {}:{}", address, key.port);
                }
                let asking = key.client.is_some().then(|| client.clone());
                let own = ListenerKey::Outbound(Arc::new(OutboundListener { client: asking, ..(**key).clone() }));
                prop_assert_eq!(resolve(&Query::Listener(listener.clone()), read), resolve(&Query::Listener(own), read));
            }
        }
    }
}
