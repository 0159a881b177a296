//! The world: all objects, and the one function that changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
use pilothouse_config::{
    DestinationRule, Gateway, Mesh, NamespaceObject, Object, PeerAuthentication, Pod, Secret, VirtualService,
};
use pilothouse_diag::Origin;

use crate::endpoints::Endpoints;
use crate::services::Services;
use crate::{Change, Key, RuleHeader, VirtualServiceHeader};

/// The keys that answer differently after a batch.
pub type Delta = BTreeSet<Key>;

/// All inputs, indexed.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) mesh: Arc<Mesh>,
    /// The objects that hold mesh settings; the first one by name counts.
    meshes: BTreeMap<ObjectKey, Arc<Mesh>>,
    pub(crate) namespaces: BTreeMap<Name, Arc<NamespaceObject>>,
    pub(crate) services: Services,
    pub(crate) endpoints: Endpoints,
    pub(crate) virtual_services: ByNamespace<VirtualService>,
    pub(crate) rules: ByNamespace<DestinationRule>,
    pub(crate) gateways: ByNamespace<Gateway>,
    pub(crate) peer_authentications: ByNamespace<PeerAuthentication>,
    pub(crate) secrets: ByNamespace<Secret>,
    origins: BTreeMap<ObjectKey, Arc<Origin>>,
}

/// Objects of one kind by namespace and name.
pub(crate) type ByNamespace<T> = BTreeMap<Namespace, BTreeMap<Name, Arc<T>>>;

impl World {
    /// Applies a batch and names the keys that now answer differently. Equal content touches nothing.
    pub fn apply(&mut self, batch: impl IntoIterator<Item = Change>) -> Delta {
        let mut delta = Delta::new();
        for change in batch {
            match change {
                Change::Apply { key, object, origin } => {
                    match origin {
                        Some(origin) => self.origins.insert(key.clone(), origin),
                        None => self.origins.remove(&key),
                    };
                    self.set(&key, Some(object), &mut delta);
                }
                Change::Remove { key } => {
                    self.origins.remove(&key);
                    self.set(&key, None, &mut delta);
                }
            }
        }
        delta
    }

    /// Where an object was written, if in a file. Positions never shape what proxies get, so they are no key.
    pub fn origin(&self, key: &ObjectKey) -> Option<&Arc<Origin>> {
        self.origins.get(key)
    }

    /// The pod of a name, for those that bind streams to pods rather than resolve views.
    pub fn pod(&self, namespace: &Namespace, name: &Name) -> Option<&Arc<Pod>> {
        self.endpoints.pod(namespace, name)
    }

    /// The object that defines a service, for telling whose fault a rejection is.
    pub fn definition(&self, service: &crate::ServiceRef) -> Option<&ObjectKey> {
        self.services.get(service).map(|service| &service.meta.key)
    }

    /// The mesh settings, for those that do not resolve views.
    pub fn mesh(&self) -> &Arc<Mesh> {
        &self.mesh
    }

    fn set(&mut self, key: &ObjectKey, object: Option<Object>, delta: &mut Delta) {
        let (namespace, name) = (&key.namespace, &key.name);
        // A value of the wrong variant cannot come from `check`; it is read as "gone" rather than trusted.
        let object = object.filter(|object| object.fits(key.kind));
        match key.kind {
            Kind::MeshConfig => {
                match object {
                    Some(Object::Mesh(mesh)) => self.meshes.insert(key.clone(), mesh),
                    _ => self.meshes.remove(key),
                };
                let mesh = self.meshes.values().next().cloned().unwrap_or_default();
                if self.mesh != mesh {
                    self.mesh = mesh;
                    delta.insert(Key::Mesh);
                }
            }
            Kind::Namespace => {
                let new = if let Some(Object::Namespace(new)) = object { Some(new) } else { None };
                let old = match new.clone() {
                    Some(new) => self.namespaces.insert(name.clone(), new),
                    None => self.namespaces.remove(name),
                };
                if old != new {
                    delta.insert(Key::Namespace(Namespace::from(name.as_str())));
                }
            }
            Kind::Service | Kind::ServiceEntry => {
                let new = if let Some(Object::Services(new)) = object { new } else { Vec::new() };
                self.services.set(key, new, delta);
            }
            Kind::EndpointSlice => {
                let new = if let Some(Object::EndpointSlice(new)) = object { Some(new) } else { None };
                self.endpoints.set_slice(key, new, &self.services, delta);
            }
            Kind::Pod => {
                let new = if let Some(Object::Pod(new)) = object { Some(new) } else { None };
                self.endpoints.set_pod(namespace, name, new.as_ref(), &self.services, delta);
            }
            Kind::WorkloadEntry => {
                let new = if let Some(Object::WorkloadEntry(new)) = object { Some(new) } else { None };
                self.endpoints.set_entry(namespace, name, new.as_ref(), &self.services, delta);
            }
            Kind::ServiceAccount => {}
            Kind::Secret => {
                let new = if let Some(Object::Secret(new)) = object { Some(new) } else { None };
                if put(&mut self.secrets, key, new).is_some() {
                    delta.insert(Key::Secret(namespace.clone(), name.clone()));
                }
            }
            Kind::VirtualService => {
                let new = if let Some(Object::VirtualService(new)) = object { Some(new) } else { None };
                if let Some((old, new)) = put(&mut self.virtual_services, key, new) {
                    let header = |object: &Arc<VirtualService>| VirtualServiceHeader::of(object);
                    if old.as_ref().map(header) != new.as_ref().map(header) {
                        delta.insert(Key::VirtualServiceHeaders);
                    }
                    delta.insert(Key::VirtualService(namespace.clone(), name.clone()));
                }
            }
            Kind::DestinationRule => {
                let new = if let Some(Object::DestinationRule(new)) = object { Some(new) } else { None };
                if let Some((old, new)) = put(&mut self.rules, key, new) {
                    let header = |object: &Arc<DestinationRule>| RuleHeader::of(object);
                    if old.as_ref().map(header) != new.as_ref().map(header) {
                        delta.insert(Key::RuleHeaders(namespace.clone()));
                    }
                    delta.insert(Key::Rule(namespace.clone(), name.clone()));
                }
            }
            Kind::Gateway => {
                let new = if let Some(Object::Gateway(new)) = object { Some(new) } else { None };
                if put(&mut self.gateways, key, new).is_some() {
                    delta.insert(Key::Gateways);
                }
            }
            Kind::PeerAuthentication => {
                let new = if let Some(Object::PeerAuthentication(new)) = object { Some(new) } else { None };
                if put(&mut self.peer_authentications, key, new).is_some() {
                    delta.insert(Key::PeerAuthentications(namespace.clone()));
                }
            }
        }
    }
}

/// What an object was before and is now.
type Replaced<T> = (Option<Arc<T>>, Option<Arc<T>>);

/// Replaces an object; none if it is as before.
fn put<T: PartialEq>(map: &mut ByNamespace<T>, key: &ObjectKey, new: Option<Arc<T>>) -> Option<Replaced<T>> {
    let old = match new.clone() {
        Some(new) => map.entry(key.namespace.clone()).or_default().insert(key.name.clone(), new),
        None => map.get_mut(&key.namespace).and_then(|inner| inner.remove(&key.name)),
    };
    if map.get(&key.namespace).is_some_and(BTreeMap::is_empty) {
        map.remove(&key.namespace);
    }
    (old != new).then_some((old, new))
}
