//! Targets: what a host name means to the clients of a namespace.
//!
//! Several namespaces may define one host. The client's own namespace wins, then a Kubernetes Service over a
//! ServiceEntry, then the older object. This is the one place that decides who sees which service.
//!
//! Most of it is the same for everybody, and is found out once. Each namespace keeps only where it differs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Hostname, Name, Namespace, ObjectKey};
use pilothouse_config::service::Resolution;
use pilothouse_config::{ExportTo, Mesh, Service};
use pilothouse_world::{RuleHeader, ServiceRef};

use crate::names;
use crate::query::stranger;
use crate::reader::Reader;

/// What each host means to everybody: to clients of a namespace that no object is in and none is exported to. With it goes
/// what others need to find out where they differ without looking at every service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Public {
    /// By host.
    pub by_host: BTreeMap<Hostname, Arc<Target>>,
    /// Services that not everybody sees.
    limited: Vec<Arc<Service>>,
    /// Destination rules for services of `by_host` that not everybody sees.
    limited_rules: Vec<RuleHeader>,
    /// The hosts that are named after services of a namespace, by this namespace.
    named: BTreeMap<Namespace, Vec<Hostname>>,
    /// Whose an address is.
    addresses: BTreeMap<IpAddr, Vec<Hostname>>,
    /// The other names of a host that are services themselves.
    aliases: BTreeMap<Hostname, Vec<Hostname>>,
}

impl Public {
    /// The hosts that clients of a namespace may call by the bare name of a service.
    pub(crate) fn named(&self, namespace: &Namespace) -> &[Hostname] {
        self.named.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The hosts that have an address.
    pub(crate) fn at(&self, address: IpAddr) -> &[Hostname] {
        self.addresses.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The hosts that are other names of a host.
    pub(crate) fn aliases(&self, host: &Hostname) -> &[Hostname] {
        self.aliases.get(host).map_or(&[], Vec::as_slice)
    }
}

/// The hosts that mean something else to clients of a namespace than to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// By host.
    pub hosts: BTreeMap<Hostname, Differs>,
}

/// A host that means something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// What it means to everybody, if anything.
    pub shared: Option<Arc<Target>>,
    /// What it means here. Whatever everybody sees is seen here too, so there is always something.
    pub own: Arc<Target>,
}

/// What each host means to clients of a namespace: what it means to everybody, save where they differ.
pub(crate) struct View {
    pub(crate) public: Arc<Public>,
    pub(crate) own: Arc<Targets>,
}

impl View {
    pub(crate) fn get(&self, host: &str) -> Option<&Arc<Target>> {
        match self.own.hosts.get(host) {
            Some(differs) => Some(&differs.own),
            None => self.public.by_host.get(host),
        }
    }

    /// Every host, in order. Costs a walk over all there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Hostname, &Arc<Target>)> {
        let mut shared = self.public.by_host.iter().peekable();
        let mut own = self.own.hosts.iter().peekable();
        std::iter::from_fn(move || {
            let own_first = match (shared.peek(), own.peek()) {
                (None, None) => return None,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((a, _)), Some((b, _))) => {
                    if a == b {
                        shared.next();
                    }
                    shared.peek().is_none_or(|(a, _)| b < a)
                }
            };
            if own_first { own.next().map(|(host, differs)| (host, &differs.own)) } else { shared.next() }
        })
    }

    /// Every target, in order of hosts. Costs a walk over all there are.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.iter().map(|(_, target)| target)
    }
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

/// Answers for everybody.
pub(crate) fn public(read: &mut Reader<'_>) -> Public {
    let mesh = read.mesh();
    let nobody = stranger();
    let mut all = Public::default();
    let mut picked: BTreeMap<Hostname, Arc<Service>> = BTreeMap::new();
    for service in read.services() {
        if service.export_to.allows(service.namespace(), &nobody, &mesh.service_export) {
            pick(&mut picked, service, &nobody);
        } else {
            all.limited.push(service);
        }
    }
    let mut rules = Rules::new(&nobody, &mesh);
    for (host, service) in picked {
        if let Some(namespace) = names::namespace_of(&host, mesh.domain.as_str()) {
            all.named.entry(namespace).or_default().push(host.clone());
        }
        for range in service.addresses.iter().filter(|range| range.is_host()) {
            all.addresses.entry(range.address).or_default().push(host.clone());
        }
        if let Resolution::Alias(real) = &service.resolution {
            all.aliases.entry(real.clone()).or_default().push(host.clone());
        }
        let (rules, subsets) = rules.of(&service, read);
        all.by_host.insert(host, Arc::new(Target { service, rules, subsets }));
    }
    let limited = |rule: &&RuleHeader| {
        !rule.export_to.allows(rule.meta.namespace(), &nobody, &mesh.destination_rule_export)
    };
    rules.headers(&mesh.root_namespace, read);
    all.limited_rules =
        rules.headers.values().flat_map(|headers| headers.iter()).filter(limited).cloned().collect();
    all
}

/// Answers for clients of a namespace: looks at the services of this namespace, at those that not everybody sees, and at
/// those that a rule covers which not everybody follows.
pub(crate) fn targets(client: &Namespace, read: &mut Reader<'_>) -> Targets {
    if *client == stranger() {
        return Targets::default();
    }
    let mesh = read.mesh();
    let public = read.public();
    let mut picked: BTreeMap<Hostname, Arc<Service>> = BTreeMap::new();
    for service in public.limited.iter().cloned().chain(read.services_in(client)) {
        if service.export_to.allows(service.namespace(), client, &mesh.service_export) {
            pick(&mut picked, service, client);
        }
    }
    for (host, service) in &mut picked {
        if let Some(shared) = public.by_host.get(host)
            && wins(&shared.service, service, client)
        {
            *service = shared.service.clone();
        }
    }
    let mut rules = Rules::new(client, &mesh);
    let own = rules.headers(client, read);
    let visible = |rule: &&RuleHeader| {
        rule.export_to.allows(rule.meta.namespace(), client, &mesh.destination_rule_export)
    };
    for rule in own.iter().chain(public.limited_rules.iter().filter(visible)) {
        let mut shape = |host: &Hostname, target: &Arc<Target>| {
            picked.entry(host.clone()).or_insert_with(|| target.service.clone());
        };
        if rule.host.is_wildcard() {
            let covered = public.by_host.iter().filter(|(host, _)| rule.host.covers(host));
            covered.for_each(|(host, target)| shape(host, target));
        } else if let Some((host, target)) = public.by_host.get_key_value(&rule.host) {
            shape(host, target);
        }
    }
    let mut hosts = BTreeMap::new();
    for (host, service) in picked {
        let (rules, subsets) = rules.of(&service, read);
        let own = Target { service, rules, subsets };
        let shared = public.by_host.get(&host);
        if shared.is_none_or(|shared| **shared != own) {
            hosts.insert(host, Differs { shared: shared.cloned(), own: Arc::new(own) });
        }
    }
    Targets { hosts }
}

/// Answers for one host; a service that is another's alias leads to that one, once.
pub(crate) fn target(client: &Namespace, host: &Hostname, read: &mut Reader<'_>) -> Option<Arc<Target>> {
    let all = read.view(client);
    let found = all.get(host.as_str())?;
    if let Resolution::Alias(real) = &found.service.resolution {
        return all.get(real.as_str()).or(Some(found)).cloned();
    }
    Some(found.clone())
}

/// Lets a service have its host, if it takes it from who has it.
fn pick(picked: &mut BTreeMap<Hostname, Arc<Service>>, service: Arc<Service>, client: &Namespace) {
    match picked.entry(service.host.clone()) {
        Entry::Vacant(free) => {
            free.insert(service);
        }
        Entry::Occupied(mut taken) => {
            if wins(&service, taken.get(), client) {
                taken.insert(service);
            }
        }
    }
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
    fn new(client: &Namespace, mesh: &Mesh) -> Self {
        Self {
            client: client.clone(),
            root: mesh.root_namespace.clone(),
            default: mesh.destination_rule_export.clone(),
            headers: BTreeMap::new(),
        }
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

#[cfg(test)]
mod tests;
