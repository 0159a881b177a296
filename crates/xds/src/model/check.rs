//! What must hold for a simulated Envoy.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::message::Protocol;
use crate::model::{Bodies, Client};
use crate::options::Defaults;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Layers, Snapshot};

impl<B: Bodies> Client<B> {
    /// Clusters that a listener or a table in use names and that are not there.
    pub fn missing_clusters(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for kind in [ResourceType::Listener, ResourceType::Route] {
            for (name, body) in self.held.get(&kind).iter().flat_map(|held| &held.bodies) {
                if kind == ResourceType::Listener || !self.draining.contains(name) {
                    named.extend(self.bodies.read(kind, name, body).clusters);
                }
            }
        }
        for (table, hosts) in &self.hosts {
            for (name, body) in hosts.iter().filter(|_| !self.draining.contains(table)) {
                named.extend(self.bodies.read(ResourceType::VirtualHost, name, body).clusters);
            }
        }
        named.retain(|name| self.body(ResourceType::Cluster, name).is_none());
        named
    }

    /// Compares what is in force with a snapshot, when nothing is on its way any more. What this Envoy refuses is
    /// left out. Secrets are compared if the snapshot holds them.
    pub fn check(&self, snapshot: &Snapshot, defaults: Defaults) -> Result<(), String> {
        if let Some(words) = &self.deadly {
            return Err(format!("a real Envoy would have ended: {words}"));
        }
        if !self.paused.is_empty() || !self.warming.is_empty() || !self.waiting.is_empty() {
            let (warming, waiting) = (&self.warming, &self.waiting);
            return Err(format!("clusters {warming:?} or tables {waiting:?} still wait"));
        }
        self.check_all(ResourceType::Cluster, &snapshot.clusters)?;
        self.check_all(ResourceType::Listener, &snapshot.listeners)?;
        for name in self.names(ResourceType::Endpoint) {
            let wanted = snapshot.endpoints.get(&name).map(|found| found.body.clone());
            let wanted = wanted.unwrap_or_else(|| (defaults.empty_assignment)(&name));
            self.compare(ResourceType::Endpoint, &name, &wanted)?;
        }
        for name in self.names(ResourceType::Secret) {
            if let Some(wanted) = snapshot.secrets.get(&name) {
                self.compare(ResourceType::Secret, &name, &wanted.body)?;
            }
        }
        for name in self.names(ResourceType::Route) {
            if !self.draining.contains(&name) {
                self.check_table(&name, snapshot)?;
            }
        }
        self.check_claims()
    }

    fn check_all(&self, kind: ResourceType, wanted: &Layers<Resource>) -> Result<(), String> {
        for resource in wanted.iter() {
            self.compare(kind, &resource.name, &resource.body)?;
        }
        for name in self.held.get(&kind).iter().flat_map(|held| held.bodies.keys()) {
            if wanted.get(name).is_none() {
                return Err(format!("{kind} {name} is still there"));
            }
        }
        Ok(())
    }

    fn check_table(&self, name: &str, snapshot: &Snapshot) -> Result<(), String> {
        let Some(table) = snapshot.routes.get(name) else {
            // Named by a listener that should be gone but was not replaced, as its successor was refused. It keeps
            // what it had; there must be something, or it waits for ever.
            let found = self.body(ResourceType::Route, name).is_some();
            return if found { Ok(()) } else { Err(format!("{name} was never answered")) };
        };
        let Some(hosts) = self.hosts.get(name) else {
            if self.body(ResourceType::Route, name) == Some(&table.split().body) {
                return Err(format!("{name} is split and has no hosts"));
            }
            let refused = self.refuses(ResourceType::Route, name, &table.split().body);
            let body = &table.assembled().body;
            return if refused { Ok(()) } else { self.compare(ResourceType::Route, name, body) };
        };
        self.compare(ResourceType::Route, name, &table.split().body)?;
        for part in table.parts().iter() {
            self.compare(ResourceType::VirtualHost, &part.name, &part.body)?;
        }
        match hosts.keys().find(|host| table.parts().get(host).is_none()) {
            Some(host) => Err(format!("{host} is still there")),
            None => Ok(()),
        }
    }

    /// A claim of a host that is not in force makes the server believe it is. Wrong only when nothing is refused.
    fn check_claims(&self) -> Result<(), String> {
        if self.protocol == Protocol::Sotw {
            return Ok(());
        }
        let claims = self.held.get(&ResourceType::VirtualHost).map(|held| held.claims.keys());
        for host in claims.into_iter().flatten() {
            if self.body(ResourceType::VirtualHost, host).is_none() {
                return Err(format!("{host} is claimed and not there"));
            }
        }
        Ok(())
    }

    fn refuses(&self, kind: ResourceType, name: &str, body: &Bytes) -> bool {
        self.bodies.read(kind, name, body).refused.is_some()
    }

    fn compare(&self, kind: ResourceType, name: &str, wanted: &Bytes) -> Result<(), String> {
        let found = self.body(kind, name);
        if found == Some(wanted) || self.refuses(kind, name, wanted) {
            return Ok(());
        }
        Err(format!("{kind} {name}: {found:?} instead of {wanted:?}"))
    }
}
