//! How the simulated Envoy takes a response.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::message::{DeltaRequest, Protocol, Request, Response, SotwRequest};
use crate::model::{Bodies, Client, Facts};
use crate::resource::ResourceType;

impl<B: Bodies> Client<B> {
    /// Applies a response and posts the requests that follow from it, the answer last.
    pub fn receive(&mut self, response: &Response) {
        let kind = response.kind;
        let error = match kind {
            ResourceType::Cluster => self.take_clusters(response),
            ResourceType::Listener => self.take_listeners(response),
            ResourceType::VirtualHost => self.take_hosts(response),
            ResourceType::Endpoint | ResourceType::Route | ResourceType::Secret => self.take_named(response),
        };
        if error.is_none() && self.protocol == Protocol::Delta {
            let held = self.held(kind);
            for resource in &response.resources {
                if kind.wildcard()
                    || kind == ResourceType::VirtualHost
                    || held.names.contains(&*resource.name)
                {
                    held.claims.insert(resource.name.to_string(), resource.version.to_string());
                }
            }
            for name in &response.removed {
                held.claims.remove(&**name);
            }
        }
        let nonce = response.nonce.clone();
        match self.protocol {
            Protocol::Delta => {
                let request = DeltaRequest { response_nonce: nonce, error, ..DeltaRequest::new(kind) };
                self.post(Request::Delta(request));
            }
            Protocol::Sotw => {
                let held = self.held(kind);
                held.nonce.clone_from(&nonce);
                let names = held.names.iter().cloned().collect();
                self.post(Request::Sotw(SotwRequest { kind, names, response_nonce: nonce, error }));
            }
        }
        if kind == ResourceType::Cluster {
            // An Envoy asks for listeners when its clusters are ready.
            if self.warming.is_empty() {
                self.start(ResourceType::Listener);
            }
        } else if kind == ResourceType::Endpoint {
            let ready = self.warming.is_empty() && self.held(ResourceType::Cluster).subscribed;
            if ready && (!self.paused.is_empty() || !self.held(ResourceType::Listener).subscribed) {
                self.resume();
                self.start(ResourceType::Listener);
            }
        }
    }

    fn facts(&self, kind: ResourceType, name: &str, body: &Bytes) -> Facts {
        self.bodies.read(kind, name, body)
    }

    /// Names in force that a response takes away.
    fn removed(&mut self, response: &Response) -> Vec<String> {
        match self.protocol {
            Protocol::Delta => response.removed.iter().map(ToString::to_string).collect(),
            Protocol::Sotw => {
                let named: BTreeSet<&str> =
                    response.resources.iter().map(|resource| &*resource.name).collect();
                let bodies = &self.held(response.kind).bodies;
                bodies.keys().filter(|name| !named.contains(name.as_str())).cloned().collect()
            }
        }
    }

    /// Takes what is good of clusters or listeners; returns what is in force anew, and what is wrong with the rest.
    fn take_good(&mut self, response: &Response) -> (Vec<(String, Facts)>, Option<String>) {
        let kind = response.kind;
        let (mut taken, mut errors) = (Vec::new(), Vec::new());
        for resource in &response.resources {
            let facts = self.facts(kind, &resource.name, &resource.body);
            if let Some(words) = facts.refused {
                errors.push(format!("{}: {words}", resource.name));
                continue;
            }
            let old = self.held(kind).bodies.insert(resource.name.to_string(), resource.body.clone());
            if old.as_ref() != Some(&resource.body) {
                taken.push((resource.name.to_string(), facts));
            }
        }
        let error = (!errors.is_empty()).then(|| format!("Error adding/updating {}", errors.join(", ")));
        (taken, error)
    }

    fn take_clusters(&mut self, response: &Response) -> Option<String> {
        let (taken, error) = self.take_good(response);
        for (name, facts) in taken {
            if facts.wants_assignment {
                self.warming.insert(name.clone());
                self.subscribe(ResourceType::Endpoint, &name);
            } else {
                self.warming.remove(&name);
                self.unsubscribe(ResourceType::Endpoint, &name);
            }
        }
        for name in self.removed(response) {
            self.held(ResourceType::Cluster).bodies.remove(&name);
            self.warming.remove(&name);
            self.unsubscribe(ResourceType::Endpoint, &name);
        }
        self.resume();
        error
    }

    fn take_listeners(&mut self, response: &Response) -> Option<String> {
        let (_, error) = self.take_good(response);
        for name in self.removed(response) {
            self.held(ResourceType::Listener).bodies.remove(&name);
        }
        let (mut tables, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        let bodies = self.held(ResourceType::Listener).bodies.clone();
        for (name, body) in &bodies {
            let facts = self.facts(ResourceType::Listener, name, body);
            tables.extend(facts.tables);
            secrets.extend(facts.secrets);
        }
        let known = self.names(ResourceType::Route);
        self.draining = known.difference(&tables).cloned().collect();
        for table in tables.difference(&known) {
            self.subscribe(ResourceType::Route, table);
        }
        for secret in secrets.difference(&self.names(ResourceType::Secret)) {
            self.subscribe(ResourceType::Secret, secret);
        }
        error
    }

    /// Takes resources up to the first that is wrong; the others of the response are lost with it.
    fn take_named(&mut self, response: &Response) -> Option<String> {
        let kind = response.kind;
        for resource in &response.resources {
            let name = &*resource.name;
            if !self.held(kind).names.contains(name) {
                continue;
            }
            let facts = self.facts(kind, name, &resource.body);
            if let Some(words) = facts.refused {
                // A cluster does not wait for a better assignment than the one it refused.
                self.warming.retain(|cluster| kind != ResourceType::Endpoint || cluster != name);
                return Some(words);
            }
            self.held(kind).bodies.insert(name.to_owned(), resource.body.clone());
            match kind {
                ResourceType::Endpoint => {
                    self.warming.remove(name);
                }
                ResourceType::Route => self.take_table(name, facts.split),
                _ => {}
            }
        }
        None
    }

    fn take_table(&mut self, name: &str, split: bool) {
        if !split {
            if self.hosts.remove(name).is_some() {
                // Envoy 1.37 keeps the subscription for the hosts, and with it a way to where the table was.
                let words = format!("table {name} asked for its hosts and was replaced by one that does not");
                self.deadly.get_or_insert(words);
            }
            self.waiting.remove(name);
        } else if !self.hosts.contains_key(name) {
            self.hosts.insert(name.to_owned(), BTreeMap::new());
            self.waiting.insert(name.to_owned());
            self.start(ResourceType::VirtualHost);
        }
    }

    /// Takes hosts table by table.
    fn take_hosts(&mut self, response: &Response) -> Option<String> {
        let mut error = None;
        let mut tables: BTreeMap<&str, Vec<(&str, Option<&Bytes>)>> = BTreeMap::new();
        let added = response.resources.iter().map(|resource| (&*resource.name, Some(&resource.body)));
        for (name, body) in added.chain(response.removed.iter().map(|name| (&**name, None))) {
            let table = name.rsplit_once('/').map_or("", |(table, _)| table);
            tables.entry(table).or_default().push((name, body));
        }
        for (table, changes) in tables {
            if !self.hosts.contains_key(table) {
                continue;
            }
            let wrong = changes
                .iter()
                .find_map(|(name, body)| self.facts(ResourceType::VirtualHost, name, (*body)?).refused);
            if wrong.is_some() {
                error = wrong;
                continue;
            }
            self.waiting.remove(table);
            let hosts = self.hosts.entry(table.to_owned()).or_default();
            for (name, body) in changes {
                match body {
                    Some(body) => hosts.insert(name.to_owned(), body.clone()),
                    None => hosts.remove(name),
                };
            }
        }
        error
    }
}
