//! What stands behind a service.
//!
//! Endpoint slices count if there are any; otherwise the pods and workload entries that the selector picks. Endpoints
//! written in a service entry are part of the service itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Labels, Name, Namespace, ObjectKey};
use pilothouse_config::{EndpointSlice, Pod, Service, WorkloadEntry};

use crate::Key;
use crate::services::{ServiceRef, Services};

/// What stands behind a service, in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEndpoints {
    /// From slices: if there are any, they alone count.
    pub slices: Vec<SliceWithPods>,
    /// Picked by the selector.
    pub backends: Vec<Backend>,
}

/// A slice with the pods behind its endpoints, in the order of these.
pub type SliceWithPods = (Arc<EndpointSlice>, Vec<Option<Arc<Pod>>>);

/// A workload picked by the selector of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A pod.
    Pod(Arc<Pod>),
    /// A workload entry.
    Entry(Arc<WorkloadEntry>),
}

/// Slices, pods and workload entries.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    /// By namespace and service name, then by slice name.
    slices: BTreeMap<(Namespace, Name), BTreeMap<Name, Arc<EndpointSlice>>>,
    /// Which service a slice belongs to.
    slice_service: BTreeMap<ObjectKey, Name>,
    /// Which services have a slice that names a pod.
    pod_services: BTreeMap<(Namespace, Name), BTreeMap<Name, usize>>,
    pods: BTreeMap<Namespace, BTreeMap<Name, Arc<Pod>>>,
    entries: BTreeMap<Namespace, BTreeMap<Name, Arc<WorkloadEntry>>>,
}

impl Endpoints {
    pub(crate) fn pod(&self, namespace: &Namespace, name: &Name) -> Option<&Arc<Pod>> {
        self.pods.get(namespace)?.get(name)
    }

    pub(crate) fn set_pod(
        &mut self,
        namespace: &Namespace,
        name: &Name,
        new: Option<&Arc<Pod>>,
        services: &Services,
        delta: &mut BTreeSet<Key>,
    ) {
        let old = replace(&mut self.pods, namespace, name, new.cloned());
        if old.as_ref() == new {
            return;
        }
        delta.insert(Key::Pod(namespace.clone(), name.clone()));
        for labels in old.iter().chain(new).map(|pod| &pod.labels) {
            touch_selecting(services, namespace, labels, delta);
        }
        for service in
            self.pod_services.get(&(namespace.clone(), name.clone())).into_iter().flat_map(BTreeMap::keys)
        {
            touch_named(services, namespace, service, delta);
        }
    }

    pub(crate) fn set_entry(
        &mut self,
        namespace: &Namespace,
        name: &Name,
        new: Option<&Arc<WorkloadEntry>>,
        services: &Services,
        delta: &mut BTreeSet<Key>,
    ) {
        let old = replace(&mut self.entries, namespace, name, new.cloned());
        if old.as_ref() == new {
            return;
        }
        for labels in old.iter().chain(new).map(|entry| &entry.endpoint.labels) {
            touch_selecting(services, namespace, labels, delta);
        }
    }

    pub(crate) fn set_slice(
        &mut self,
        key: &ObjectKey,
        new: Option<Arc<EndpointSlice>>,
        services: &Services,
        delta: &mut BTreeSet<Key>,
    ) {
        let old = self.slice_service.get(key).and_then(|service| {
            self.slices.get(&(key.namespace.clone(), service.clone()))?.get(&key.name).cloned()
        });
        if old == new {
            return;
        }
        if let Some(old) = &old {
            self.count_pods(old, false);
            let of = (key.namespace.clone(), old.service.clone());
            if let Some(all) = self.slices.get_mut(&of) {
                all.remove(&key.name);
                if all.is_empty() {
                    self.slices.remove(&of);
                }
            }
            self.slice_service.remove(key);
            touch_named(services, &key.namespace, &old.service, delta);
        }
        if let Some(new) = new {
            self.count_pods(&new, true);
            self.slice_service.insert(key.clone(), new.service.clone());
            touch_named(services, &key.namespace, &new.service, delta);
            let of = (key.namespace.clone(), new.service.clone());
            self.slices.entry(of).or_default().insert(key.name.clone(), new);
        }
    }

    /// Keeps count of which services' slices name which pods.
    fn count_pods(&mut self, slice: &EndpointSlice, add: bool) {
        for pod in slice.endpoints.iter().filter_map(|one| one.pod.as_ref()) {
            let of = (slice.meta.namespace().clone(), pod.clone());
            let counts = self.pod_services.entry(of.clone()).or_default();
            if add {
                *counts.entry(slice.service.clone()).or_default() += 1;
            } else if let Some(count) = counts.get_mut(&slice.service) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&slice.service);
                }
            }
            if counts.is_empty() {
                self.pod_services.remove(&of);
            }
        }
    }

    /// What stands behind a service now.
    pub(crate) fn of(&self, service: &Service) -> ServiceEndpoints {
        let namespace = service.namespace();
        if service.is_kubernetes()
            && let Some(slices) = self.slices.get(&(namespace.clone(), service.meta.key.name.clone()))
        {
            let with_pods = |slice: &Arc<EndpointSlice>| {
                let pods = slice.endpoints.iter();
                let pods = pods.map(|one| one.pod.as_ref().and_then(|pod| self.pod(namespace, pod)).cloned());
                (slice.clone(), pods.collect())
            };
            return ServiceEndpoints {
                slices: slices.values().map(with_pods).collect(),
                backends: Vec::new(),
            };
        }
        let Some(selector) = service.selector.as_ref().filter(|selector| !selector.is_empty()) else {
            return ServiceEndpoints::default();
        };
        let pods = self.pods.get(namespace).into_iter().flat_map(BTreeMap::values);
        let pods = pods.filter(|pod| selector.matches(&pod.labels)).cloned().map(Backend::Pod);
        let entries = self.entries.get(namespace).into_iter().flat_map(BTreeMap::values);
        let entries =
            entries.filter(|entry| selector.matches(&entry.endpoint.labels)).cloned().map(Backend::Entry);
        ServiceEndpoints { slices: Vec::new(), backends: pods.chain(entries).collect() }
    }
}

/// Puts a value into a two-level map, or takes it out, and returns what was there.
fn replace<T>(
    map: &mut BTreeMap<Namespace, BTreeMap<Name, T>>,
    namespace: &Namespace,
    name: &Name,
    new: Option<T>,
) -> Option<T> {
    if let Some(new) = new {
        return map.entry(namespace.clone()).or_default().insert(name.clone(), new);
    }
    let inner = map.get_mut(namespace)?;
    let old = inner.remove(name);
    if inner.is_empty() {
        map.remove(namespace);
    }
    old
}

/// Touches the services of a namespace whose selector picks the labels.
fn touch_selecting(services: &Services, namespace: &Namespace, labels: &Labels, delta: &mut BTreeSet<Key>) {
    for service in services.in_namespace(namespace) {
        if service.selector.as_ref().is_some_and(|selector| selector.matches(labels)) {
            delta.insert(Key::Endpoints(ServiceRef::of(service)));
        }
    }
}

/// Touches the Kubernetes service of a name.
fn touch_named(services: &Services, namespace: &Namespace, name: &Name, delta: &mut BTreeSet<Key>) {
    let key = ObjectKey::new(pilothouse_base::Kind::Service, namespace.clone(), name.clone());
    for service in services.of_object(&key) {
        delta.insert(Key::Endpoints(ServiceRef::of(service)));
    }
}
