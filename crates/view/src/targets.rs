//! Targets: what a host name means to the clients of a namespace.
//!
//! Several namespaces may define one host. The client's own namespace wins, then a Kubernetes Service over a
//! ServiceEntry, then the older object. This is the one function that decides who sees which service.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};
use pilothouse_config::service::Resolution;
use pilothouse_config::{ExportTo, Service};
use pilothouse_world::{RuleHeader, ServiceRef};

use crate::reader::Reader;

/// What each host means to clients of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// By host.
    pub by_host: BTreeMap<Hostname, Arc<Target>>,
}

/// A service as clients of a namespace see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: Arc<Service>,
    /// The destination rules that shape it: those of one host pattern in one namespace, in order of precedence.
    pub rules: Arc<[ObjectKey]>,
    /// Subset names of these rules, without repetitions.
    pub subsets: Vec<Name>,
}

impl Target {
    /// The name of the service.
    pub fn name(&self) -> ServiceRef {
        ServiceRef::of(&self.service)
    }
}

/// Answers for all hosts.
pub(crate) fn targets(client: &Namespace, read: &mut Reader<'_>) -> Targets {
    let mesh = read.mesh();
    let mut picked: BTreeMap<Hostname, Arc<Service>> = BTreeMap::new();
    for service in read.services() {
        if !service.export_to.allows(service.namespace(), client, &mesh.service_export) {
            continue;
        }
        match picked.entry(service.host.clone()) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(service);
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                if wins(&service, taken.get(), client) {
                    taken.insert(service);
                }
            }
        }
    }
    let mut rules =
        Rules::new(client.clone(), mesh.root_namespace.clone(), mesh.destination_rule_export.clone());
    let by_host = picked
        .into_iter()
        .map(|(host, service)| {
            let (rules, subsets) = rules.of(&service, read);
            (host, Arc::new(Target { service, rules, subsets }))
        })
        .collect();
    Targets { by_host }
}

/// Answers for one host; a service that is another's alias leads to that one, once.
pub(crate) fn target(client: &Namespace, host: &Hostname, read: &mut Reader<'_>) -> Option<Arc<Target>> {
    let all = read.targets(client);
    let found = all.by_host.get(host)?;
    if let Resolution::Alias(real) = &found.service.resolution {
        return all.by_host.get(real).or(Some(found)).cloned();
    }
    Some(found.clone())
}

/// Whether `new` takes the host from `old`.
fn wins(new: &Service, old: &Service, client: &Namespace) -> bool {
    let rank = |service: &Service| (service.namespace() != client, !service.is_kubernetes());
    rank(new).cmp(&rank(old)).then_with(|| new.meta.precedence(&old.meta)).is_lt()
}

/// A namespace to look in, and which of its rules count there.
type Step<'a> = (&'a Namespace, &'a dyn Fn(&RuleHeader) -> bool);

/// Looks destination rules up for the clients of a namespace: first in that namespace, then in the service's, then in
/// the root namespace; the most specific host of the first place that has one.
struct Rules {
    client: Namespace,
    root: Namespace,
    default: ExportTo,
    headers: BTreeMap<Namespace, Arc<Vec<RuleHeader>>>,
}

impl Rules {
    fn new(client: Namespace, root: Namespace, default: ExportTo) -> Self {
        Self { client, root, default, headers: BTreeMap::new() }
    }

    fn of(&mut self, service: &Service, read: &mut Reader<'_>) -> (Arc<[ObjectKey]>, Vec<Name>) {
        let client = self.client.clone();
        let default = self.default.clone();
        let own: &dyn Fn(&RuleHeader) -> bool = if client == self.root {
            &|rule| match &rule.export_to {
                ExportTo::Namespaces(to) => *to == [rule.meta.namespace().clone()],
                ExportTo::MeshDefault => default == ExportTo::Own,
                ExportTo::Own | ExportTo::All => false,
            }
        } else {
            &|_| true
        };
        let exported = |rule: &RuleHeader| rule.export_to.allows(rule.meta.namespace(), &client, &default);
        let root = self.root.clone();
        let steps: [Step<'_>; 3] = [(&client, own), (service.namespace(), &exported), (&root, &exported)];
        for (namespace, allowed) in steps {
            let headers = self.headers(namespace, read);
            let matching = || headers.iter().filter(|rule| rule.host.covers(&service.host) && allowed(rule));
            let Some(best) = matching().map(|rule| rule.host.specificity()).min() else { continue };
            let chosen: Vec<&RuleHeader> =
                matching().filter(|rule| rule.host.specificity() == best).collect();
            let mut subsets: Vec<Name> = Vec::new();
            for name in chosen.iter().flat_map(|rule| &rule.subsets) {
                if !subsets.contains(name) {
                    subsets.push(name.clone());
                }
            }
            return (chosen.iter().map(|rule| rule.meta.key.clone()).collect(), subsets);
        }
        (Arc::from([]), Vec::new())
    }

    fn headers(&mut self, namespace: &Namespace, read: &mut Reader<'_>) -> Arc<Vec<RuleHeader>> {
        if let Some(known) = self.headers.get(namespace) {
            return known.clone();
        }
        let headers = Arc::new(read.rule_headers(namespace));
        self.headers.insert(namespace.clone(), headers.clone());
        headers
    }
}
