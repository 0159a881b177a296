//! Reads the world and asks questions of lower layers; both leave a footprint.

use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};
use pilothouse_config::{
    DestinationRule, Gateway, Mesh, NamespaceObject, PeerAuthentication, Pod, Secret, Service,
    TrafficDistribution, VirtualService,
};
use pilothouse_world::{RuleHeader, ServiceEndpoints, ServiceRef, VirtualServiceHeader};

use crate::accounts::Accounts;
use crate::answer::Answer;
use crate::claims::{ClaimList, Claims};
use crate::cluster::Clusters;
use crate::outbound::Outbound;
use crate::place::Placed;
use crate::query::{Client, ClusterKey, Query, Role};
use crate::targets::{Public, Target, Targets, View};

/// Answers questions; whoever implements it takes down that they were asked.
pub trait Ask {
    /// The answer to a question of a lower layer.
    fn ask(&mut self, query: Query) -> Answer;
    /// A door to the world.
    fn world(&mut self) -> pilothouse_world::Reader<'_>;
}

/// What resolving functions read from.
pub struct Reader<'a> {
    ask: &'a mut dyn Ask,
}

impl<'a> Reader<'a> {
    /// Reads through `ask`.
    pub fn new(ask: &'a mut dyn Ask) -> Self {
        Self { ask }
    }

    pub(crate) fn public(&mut self) -> Arc<Public> {
        match self.ask.ask(Query::Public) {
            Answer::Public(answer) => answer,
            _ => unreachable!("a question about public targets is answered with these"),
        }
    }

    /// What each host means to clients of a namespace.
    pub(crate) fn view(&mut self, namespace: &Namespace) -> View {
        View { public: self.public(), own: self.targets(namespace) }
    }

    pub(crate) fn targets(&mut self, namespace: &Namespace) -> Arc<Targets> {
        match self.ask.ask(Query::Targets(namespace.clone())) {
            Answer::Targets(answer) => answer,
            _ => unreachable!("a question about targets is answered with targets"),
        }
    }

    pub(crate) fn target(&mut self, namespace: &Namespace, host: &Hostname) -> Option<Arc<Target>> {
        match self.ask.ask(Query::Target(namespace.clone(), host.clone())) {
            Answer::Target(answer) => answer,
            _ => unreachable!("a question about a target is answered with one"),
        }
    }

    pub(crate) fn claims(&mut self, namespace: &Namespace) -> Arc<ClaimList> {
        self.answer_about_claims(namespace).list.clone()
    }

    pub(crate) fn answer_about_claims(&mut self, namespace: &Namespace) -> Arc<Claims> {
        match self.ask.ask(Query::Claims(namespace.clone())) {
            Answer::Claims(answer) => answer,
            _ => unreachable!("a question about claims is answered with claims"),
        }
    }

    pub(crate) fn accounts(&mut self, service: &ServiceRef) -> Arc<Accounts> {
        match self.ask.ask(Query::Accounts(service.clone())) {
            Answer::Accounts(answer) => answer,
            _ => unreachable!("a question about accounts is answered with accounts"),
        }
    }

    pub(crate) fn clusters(&mut self, namespace: &Namespace, role: Role) -> Arc<Clusters> {
        match self.ask.ask(Query::Clusters(namespace.clone(), role)) {
            Answer::Clusters(answer) => answer,
            _ => unreachable!("a question about clusters is answered with clusters"),
        }
    }

    pub(crate) fn outbound(&mut self, client: &Client) -> Arc<Outbound> {
        match self.ask.ask(Query::Outbound(client.clone())) {
            Answer::Outbound(answer) => answer,
            _ => unreachable!("a question about outbound listeners is answered with them"),
        }
    }

    /// A cluster that no rule shapes never does, so that is not asked for.
    pub(crate) fn fails_over(&mut self, cluster: &ClusterKey) -> bool {
        if cluster.rules.is_empty() {
            return false;
        }
        match self.ask.ask(Query::FailsOver(cluster.clone())) {
            Answer::FailsOver(answer) => answer,
            _ => unreachable!("a yes or no question is answered with yes or no"),
        }
    }

    pub(crate) fn placed(&mut self, namespace: &Namespace, role: Role) -> Arc<Placed> {
        match self.ask.ask(Query::Placed(namespace.clone(), role)) {
            Answer::Placed(answer) => answer,
            _ => unreachable!("a question about places is answered with clusters that ask for them"),
        }
    }

    pub(crate) fn distribution(&mut self, namespace: &Namespace) -> Option<TrafficDistribution> {
        match self.ask.ask(Query::Distribution(namespace.clone())) {
            Answer::Distribution(answer) => answer,
            _ => unreachable!("a question about a preference is answered with one"),
        }
    }

    pub(crate) fn mesh(&mut self) -> Arc<Mesh> {
        self.ask.world().mesh().clone()
    }

    pub(crate) fn namespace(&mut self, namespace: &Namespace) -> Option<Arc<NamespaceObject>> {
        self.ask.world().namespace(namespace).cloned()
    }

    pub(crate) fn services(&mut self) -> Vec<Arc<Service>> {
        self.ask.world().services().cloned().collect()
    }

    pub(crate) fn services_in(&mut self, namespace: &Namespace) -> Vec<Arc<Service>> {
        self.ask.world().services_in(namespace).into_iter().cloned().collect()
    }

    pub(crate) fn service(&mut self, service: &ServiceRef) -> Option<Arc<Service>> {
        self.ask.world().service(service).cloned()
    }

    pub(crate) fn endpoints(&mut self, service: &ServiceRef) -> ServiceEndpoints {
        self.ask.world().endpoints(service)
    }

    pub(crate) fn pod(&mut self, namespace: &Namespace, name: &Name) -> Option<Arc<Pod>> {
        self.ask.world().pod(namespace, name).cloned()
    }

    pub(crate) fn virtual_service_headers(&mut self) -> Vec<VirtualServiceHeader> {
        self.ask.world().virtual_service_headers()
    }

    pub(crate) fn virtual_service(&mut self, key: &ObjectKey) -> Option<Arc<VirtualService>> {
        self.ask.world().virtual_service(&key.namespace, &key.name).cloned()
    }

    pub(crate) fn rule_headers(&mut self, namespace: &Namespace) -> Vec<RuleHeader> {
        self.ask.world().rule_headers(namespace)
    }

    pub(crate) fn rule(&mut self, key: &ObjectKey) -> Option<Arc<DestinationRule>> {
        self.ask.world().rule(&key.namespace, &key.name).cloned()
    }

    pub(crate) fn gateways(&mut self) -> Vec<Arc<Gateway>> {
        self.ask.world().gateways().into_iter().cloned().collect()
    }

    pub(crate) fn peer_authentications(&mut self, namespace: &Namespace) -> Vec<Arc<PeerAuthentication>> {
        self.ask.world().peer_authentications(namespace).into_iter().cloned().collect()
    }

    pub(crate) fn secret(&mut self, namespace: &Namespace, name: &Name) -> Option<Arc<Secret>> {
        self.ask.world().secret(namespace, name).cloned()
    }
}
