//! The only door to the content of the world.

use std::sync::Arc;

use pilothouse_base::{Name, Namespace};
use pilothouse_config::{
    DestinationRule, Gateway, Mesh, NamespaceObject, PeerAuthentication, Pod, Secret, Service, VirtualService,
};

use crate::{Key, RuleHeader, ServiceEndpoints, ServiceRef, VirtualServiceHeader, World};

/// Takes down what was read.
pub trait Record {
    /// A key was read.
    fn read(&mut self, key: Key);
}

/// Reads the world and leaves a footprint.
pub struct Reader<'w> {
    world: &'w World,
    seen: &'w mut dyn Record,
}

impl<'w> Reader<'w> {
    /// Reads `world`; every question goes to `seen` first.
    pub fn new(world: &'w World, seen: &'w mut dyn Record) -> Self {
        Self { world, seen }
    }

    /// The mesh settings.
    pub fn mesh(&mut self) -> &'w Arc<Mesh> {
        self.seen.read(Key::Mesh);
        &self.world.mesh
    }

    /// A namespace.
    pub fn namespace(&mut self, namespace: &Namespace) -> Option<&'w Arc<NamespaceObject>> {
        self.seen.read(Key::Namespace(namespace.clone()));
        self.world.namespaces.get(namespace.as_str())
    }

    /// All services, ordered by host and namespace.
    pub fn services(&mut self) -> impl Iterator<Item = &'w Arc<Service>> + use<'w> {
        self.seen.read(Key::Services);
        self.world.services.iter()
    }

    /// The services of a namespace, ordered by host.
    pub fn services_in(&mut self, namespace: &Namespace) -> Vec<&'w Arc<Service>> {
        self.seen.read(Key::ServicesIn(namespace.clone()));
        self.world.services.in_namespace(namespace).collect()
    }

    /// One service.
    pub fn service(&mut self, service: &ServiceRef) -> Option<&'w Arc<Service>> {
        self.seen.read(Key::Service(service.clone()));
        self.world.services.get(service)
    }

    /// What stands behind a service.
    pub fn endpoints(&mut self, service: &ServiceRef) -> ServiceEndpoints {
        self.seen.read(Key::Endpoints(service.clone()));
        self.world.services.get(service).map(|service| self.world.endpoints.of(service)).unwrap_or_default()
    }

    /// One pod.
    pub fn pod(&mut self, namespace: &Namespace, name: &Name) -> Option<&'w Arc<Pod>> {
        self.seen.read(Key::Pod(namespace.clone(), name.clone()));
        self.world.endpoints.pod(namespace, name)
    }

    /// Where all virtual services apply, in order of precedence.
    pub fn virtual_service_headers(&mut self) -> Vec<VirtualServiceHeader> {
        self.seen.read(Key::VirtualServiceHeaders);
        let all = self.world.virtual_services.values().flat_map(|inner| inner.values());
        let mut all: Vec<_> = all.map(|object| VirtualServiceHeader::of(object)).collect();
        all.sort_by(|a, b| a.meta.precedence(&b.meta));
        all
    }

    /// One virtual service.
    pub fn virtual_service(&mut self, namespace: &Namespace, name: &Name) -> Option<&'w Arc<VirtualService>> {
        self.seen.read(Key::VirtualService(namespace.clone(), name.clone()));
        self.world.virtual_services.get(namespace)?.get(name)
    }

    /// Where the destination rules of a namespace apply, in order of precedence.
    pub fn rule_headers(&mut self, namespace: &Namespace) -> Vec<RuleHeader> {
        self.seen.read(Key::RuleHeaders(namespace.clone()));
        let all = self.world.rules.get(namespace).into_iter().flat_map(|inner| inner.values());
        let mut all: Vec<_> = all.map(|object| RuleHeader::of(object)).collect();
        all.sort_by(|a, b| a.meta.precedence(&b.meta));
        all
    }

    /// One destination rule.
    pub fn rule(&mut self, namespace: &Namespace, name: &Name) -> Option<&'w Arc<DestinationRule>> {
        self.seen.read(Key::Rule(namespace.clone(), name.clone()));
        self.world.rules.get(namespace)?.get(name)
    }

    /// All gateways, in order of precedence.
    pub fn gateways(&mut self) -> Vec<&'w Arc<Gateway>> {
        self.seen.read(Key::Gateways);
        let mut all: Vec<_> = self.world.gateways.values().flat_map(|inner| inner.values()).collect();
        all.sort_by(|a, b| a.meta.precedence(&b.meta));
        all
    }

    /// The peer authentication policies of a namespace, in order of precedence.
    pub fn peer_authentications(&mut self, namespace: &Namespace) -> Vec<&'w Arc<PeerAuthentication>> {
        self.seen.read(Key::PeerAuthentications(namespace.clone()));
        let all = self.world.peer_authentications.get(namespace);
        let mut all: Vec<_> = all.into_iter().flat_map(|inner| inner.values()).collect();
        all.sort_by(|a, b| a.meta.precedence(&b.meta));
        all
    }

    /// One secret.
    pub fn secret(&mut self, namespace: &Namespace, name: &Name) -> Option<&'w Arc<Secret>> {
        self.seen.read(Key::Secret(namespace.clone(), name.clone()));
        self.world.secrets.get(namespace)?.get(name)
    }
}
