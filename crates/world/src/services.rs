//! The index of services: by host and namespace, whoever defines them.
//!
//! Two objects of one namespace may define the same host. A Kubernetes Service wins over a ServiceEntry, then the older
//! object, then the name decides; the loser stays known, so that it takes over when the winner goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Hostname, Namespace, ObjectKey};
use pilothouse_config::Service;
use serde::Serialize;

use crate::Key;

/// Names a service: its host, and the namespace of the object that defines it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServiceRef {
    /// The host.
    pub host: Hostname,
    /// The namespace.
    pub namespace: Namespace,
}

impl ServiceRef {
    /// The name of a service.
    pub fn of(service: &Service) -> Self {
        Self { host: service.host.clone(), namespace: service.namespace().clone() }
    }
}

/// All services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    /// Definitions of a service, the one that counts first.
    definitions: BTreeMap<ServiceRef, Vec<Arc<Service>>>,
    /// What each object defines.
    objects: BTreeMap<ObjectKey, Vec<Arc<Service>>>,
    namespaces: BTreeMap<Namespace, BTreeSet<ServiceRef>>,
}

impl Services {
    /// The definition that counts.
    pub(crate) fn get(&self, service: &ServiceRef) -> Option<&Arc<Service>> {
        self.definitions.get(service).and_then(|all| all.first())
    }

    /// Every service, the definitions that count, ordered by host and namespace.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.definitions.values().filter_map(|all| all.first())
    }

    /// Every service of a namespace.
    pub(crate) fn in_namespace(&self, namespace: &Namespace) -> impl Iterator<Item = &Arc<Service>> {
        self.namespaces.get(namespace).into_iter().flatten().filter_map(|service| self.get(service))
    }

    /// What an object defines.
    pub(crate) fn of_object(&self, key: &ObjectKey) -> &[Arc<Service>] {
        self.objects.get(key).map_or(&[], Vec::as_slice)
    }

    /// Replaces what an object defines, and adds the keys that now answer differently.
    pub(crate) fn set(&mut self, key: &ObjectKey, new: Vec<Arc<Service>>, delta: &mut BTreeSet<Key>) {
        let old = self.objects.remove(key).unwrap_or_default();
        let touched: BTreeSet<ServiceRef> =
            old.iter().chain(&new).map(|service| ServiceRef::of(service)).collect();
        let before: Vec<_> = touched.iter().map(|service| self.get(service).cloned()).collect();
        for service in &old {
            let name = ServiceRef::of(service);
            if let Some(all) = self.definitions.get_mut(&name) {
                all.retain(|one| one.meta.key != *key);
                if all.is_empty() {
                    self.definitions.remove(&name);
                    if let Some(names) = self.namespaces.get_mut(&name.namespace) {
                        names.remove(&name);
                        if names.is_empty() {
                            self.namespaces.remove(&name.namespace);
                        }
                    }
                }
            }
        }
        for service in &new {
            let name = ServiceRef::of(service);
            let all = self.definitions.entry(name.clone()).or_default();
            all.push(service.clone());
            all.sort_by(|a, b| {
                b.is_kubernetes().cmp(&a.is_kubernetes()).then_with(|| a.meta.precedence(&b.meta))
            });
            self.namespaces.entry(name.namespace.clone()).or_default().insert(name);
        }
        if !new.is_empty() {
            self.objects.insert(key.clone(), new);
        }
        for (name, before) in touched.into_iter().zip(before) {
            let after = self.get(&name);
            if before.as_ref() == after {
                continue;
            }
            let behind = |service: &Service| {
                (service.meta.key.clone(), service.selector.clone(), service.endpoints.clone())
            };
            if before.as_deref().map(behind) != after.map(|service| behind(service)) {
                delta.insert(Key::Endpoints(name.clone()));
            }
            delta.insert(Key::Services);
            delta.insert(Key::ServicesIn(name.namespace.clone()));
            delta.insert(Key::Service(name));
        }
    }
}
