//! What a site holds, as its watches tell it.
//!
//! The pure half: reports of watches go in, changes to the world come out. Reports of different watches come in any order, so
//! what depends on two objects (where a pod is, whose address an endpoint has) is put together here, and again when either changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Kind, Labels, Locality, Name, Namespace, ObjectKey, Selector};
use pilothouse_config::endpoint::SliceEndpoint;
use pilothouse_config::{
    CheckSettings, EndpointSlice, NamespaceSelector, Object, Outcome, Pod, Sidecar, judge,
};
use pilothouse_diag::{Diagnostic, Diagnostics};
use pilothouse_world::Change;
use serde_json::Value;

use super::Site;
use super::kinds::{Watch, Watched};
use super::mesh::MeshMaps;
use super::watch::Report;
use crate::in_force::InForce;
use crate::objects;

#[cfg(test)]
mod tests;

/// The label of objects that are meant for one control plane among several.
const REVISION: &str = "istio.io/rev";
/// The name of the mesh settings, as the judge knows it.
const SETTINGS: &str = "istio";
/// Types of secrets that hold certificates of gateways.
const SECRET_TYPES: [&str; 2] = ["kubernetes.io/tls", "Opaque"];

/// All objects of a site.
#[derive(Debug)]
pub(super) struct Inventory {
    settings: CheckSettings,
    /// The namespace of the mesh settings.
    home: Namespace,
    revision: String,
    /// The watches of the own mesh settings, and of the shared ones.
    own: Watch,
    shared: Option<Watch>,
    watches: BTreeMap<Watch, Followed>,
    /// Definitions of kinds that exist.
    definitions: BTreeSet<String>,
    mesh: MeshMaps,
    held: BTreeMap<ObjectKey, Held>,
    nodes: BTreeMap<Name, Locality>,
    /// The pods of a node, and the slices that name it for endpoints that are no pods.
    on_node: BTreeMap<Name, BTreeSet<ObjectKey>>,
    /// The slices that name a pod, whether or not it exists.
    naming: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// What gateways pick their pods by, and the pods that some gateway picks.
    pickers: BTreeMap<ObjectKey, Selector>,
    picked: BTreeSet<ObjectKey>,
    findings: BTreeMap<ObjectKey, Vec<Diagnostic>>,
    /// What there is to say about objects of kinds without effect.
    remarks: BTreeMap<(Watched, Namespace, Name), Vec<Diagnostic>>,
    /// Whether findings changed since they were last asked for.
    news: bool,
    /// Whether other watches may be wanted since that was last asked.
    rewatch: bool,
    /// Objects to look at again.
    touched: BTreeSet<ObjectKey>,
    in_force: InForce,
}

/// What one watch has told.
#[derive(Debug, Default)]
struct Followed {
    names: BTreeSet<(Namespace, Name)>,
    /// While it tells everything again: what it has told so far.
    fresh: Option<BTreeSet<(Namespace, Name)>>,
    /// Whether it has told everything once, or has nothing to tell.
    done: bool,
    denied: bool,
}

/// A judged object.
#[derive(Debug)]
struct Held {
    object: Object,
    /// Of a pod: where it runs.
    node: Option<Name>,
}

impl Inventory {
    pub(super) fn new(site: &Site) -> Self {
        let Site { access: _, domain, namespace, revision, shared_mesh_config } = site;
        let home = Namespace::from(namespace.as_str());
        let config_map = |name: &str| Watch::some(Watched::ConfigMap, &home, format!("metadata.name={name}"));
        let own = match revision.as_str() {
            "" | "default" => config_map(SETTINGS),
            revision => config_map(&format!("{SETTINGS}-{revision}")),
        };
        Self {
            settings: CheckSettings { domain: Name::from(domain.as_str()), parse_yaml: objects::parse },
            shared: shared_mesh_config.as_deref().map(config_map).filter(|shared| *shared != own),
            own,
            home,
            revision: revision.clone(),
            watches: BTreeMap::new(),
            definitions: BTreeSet::new(),
            mesh: MeshMaps::default(),
            held: BTreeMap::new(),
            nodes: BTreeMap::new(),
            on_node: BTreeMap::new(),
            naming: BTreeMap::new(),
            pickers: BTreeMap::new(),
            picked: BTreeSet::new(),
            findings: BTreeMap::new(),
            remarks: BTreeMap::new(),
            news: true,
            rewatch: true,
            touched: BTreeSet::new(),
            in_force: InForce::default(),
        }
    }

    /// The watches that are wanted now; none if they are those of the last time.
    pub(super) fn wanted(&mut self) -> Option<BTreeSet<Watch>> {
        if !std::mem::take(&mut self.rewatch) {
            return None;
        }
        let mut wanted: BTreeSet<Watch> = Watched::ALWAYS.map(Watch::all).into();
        wanted.insert(self.own.clone());
        wanted.extend(self.shared.clone());
        // Who may not look at definitions finds out by asking for the objects.
        let blind = self.watches.get(&definitions()).is_some_and(|watch| watch.denied);
        let known = |kind: &Watched| blind || self.definitions.contains(&kind.definition());
        wanted.extend(Watched::CUSTOM.into_iter().filter(known).map(Watch::all));
        for namespace in self.secret_namespaces() {
            for kind in SECRET_TYPES {
                wanted.insert(Watch::some(Watched::Secret, namespace, format!("type={kind}")));
            }
        }
        for watch in &wanted {
            self.watches.entry(watch.clone()).or_default();
        }
        Some(wanted)
    }

    /// Whether everything that is wanted was told once.
    pub(super) fn is_complete(&self) -> bool {
        !self.rewatch && self.watches.values().all(|watch| watch.done)
    }

    /// What is missing for that.
    pub(super) fn missing(&self) -> Vec<String> {
        self.watches
            .iter()
            .filter(|(_, followed)| !followed.done)
            .map(|(watch, _)| watch.to_string())
            .collect()
    }

    /// What is missing because the API server does not let us read it.
    pub(super) fn refused(&self) -> BTreeSet<Watched> {
        let refused = self.watches.iter().filter(|(_, followed)| followed.denied && !followed.done);
        refused.map(|(watch, _)| watch.kind).collect()
    }

    /// Which namespaces count.
    pub(super) fn selectors(&self) -> &[NamespaceSelector] {
        self.in_force.selectors()
    }

    /// How many objects are in force.
    pub(super) fn objects(&self) -> usize {
        self.in_force.len()
    }

    /// Takes in what a watch told.
    pub(super) fn take(&mut self, watch: &Watch, report: Report) {
        let kind = watch.kind;
        match report {
            Report::Begin => self.followed(watch).fresh = Some(BTreeSet::new()),
            Report::Listed(value) => {
                let name = name_of(&value);
                if let Some(fresh) = &mut self.followed(watch).fresh {
                    fresh.insert(name.clone());
                }
                self.followed(watch).names.insert(name);
                self.apply(watch, value);
            }
            Report::Done => {
                let followed = self.followed(watch);
                followed.done = true;
                followed.denied = false;
                let Some(fresh) = followed.fresh.take() else { return };
                let before = std::mem::replace(&mut followed.names, fresh);
                let gone: Vec<_> = before.difference(&self.followed(watch).names).cloned().collect();
                for name in gone {
                    self.remove(watch, &name);
                }
                self.rewatch |= kind == Watched::CustomResourceDefinition;
            }
            Report::Applied(value) => {
                self.followed(watch).names.insert(name_of(&value));
                self.apply(watch, value);
            }
            Report::Deleted(value) => {
                let name = name_of(&value);
                self.followed(watch).names.remove(&name);
                if let Some(fresh) = &mut self.followed(watch).fresh {
                    fresh.remove(&name);
                }
                self.remove(watch, &name);
            }
            Report::NotThere => {
                // Objects go when their definition goes, not when an answer says so that a sick server may give.
                self.followed(watch).done |= kind.is_custom();
            }
            Report::Denied => {
                let followed = self.followed(watch);
                followed.denied = true;
                followed.done |= can_be_missing(kind);
                self.rewatch |= kind == Watched::CustomResourceDefinition;
            }
        }
    }

    /// A watch ended for good, and what it told is gone.
    pub(super) fn forget(&mut self, watch: &Watch) {
        let Some(followed) = self.watches.remove(watch) else { return };
        for name in followed.names {
            self.remove(watch, &name);
        }
    }

    /// What changed since this was last asked.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let touched = std::mem::take(&mut self.touched);
        let wanted = touched
            .into_iter()
            .map(|key| {
                let now = self.now(&key).map(|object| (object, None));
                (key, now)
            })
            .collect();
        self.in_force.update(wanted)
    }

    /// Everything there is to say about the objects, if that changed since it was last asked.
    pub(super) fn news(&mut self) -> Option<Vec<Diagnostic>> {
        if !std::mem::take(&mut self.news) {
            return None;
        }
        let mut all = Diagnostics::default();
        all.extend(self.findings.values().chain(self.remarks.values()).flatten().cloned());
        Some(all.finish(None))
    }

    fn followed(&mut self, watch: &Watch) -> &mut Followed {
        self.watches.entry(watch.clone()).or_default()
    }

    fn apply(&mut self, watch: &Watch, mut value: Value) {
        let kind = watch.kind;
        if let Some(map) = value.as_object_mut() {
            // Objects of a list do not say what they are.
            map.insert("apiVersion".to_owned(), kind.api_version().into());
            map.insert("kind".to_owned(), kind.kind().into());
        }
        match kind {
            Watched::CustomResourceDefinition => {
                self.rewatch |= self.definitions.insert(name_of(&value).1.to_string());
            }
            Watched::Node => {
                let name = name_of(&value).1;
                let locality = locality_of_node(&labels_of(&value));
                if self.nodes.get(&name) != Some(&locality) {
                    self.touched.extend(self.on_node.get(&name).into_iter().flatten().cloned());
                    self.nodes.insert(name, locality);
                }
            }
            Watched::ConfigMap => self.set_mesh(watch, Some(value)),
            _ if kind.is_custom() && !self.is_ours(&value) => self.remove(watch, &name_of(&value)),
            _ if !kind.has_effect() => {
                let (namespace, name) = name_of(&value);
                let remarks = judge(&value, &self.settings).diagnostics.finish(None);
                let before = self.remarks.insert((kind, namespace, name), remarks.clone());
                self.news |= before != Some(remarks);
            }
            _ => self.judge(&value),
        }
    }

    fn remove(&mut self, watch: &Watch, name: &(Namespace, Name)) {
        let (namespace, name) = name;
        match watch.kind {
            Watched::CustomResourceDefinition => self.rewatch |= self.definitions.remove(name.as_str()),
            Watched::Node => {
                self.touched.extend(self.on_node.get(name).into_iter().flatten().cloned());
                self.nodes.remove(name);
            }
            Watched::ConfigMap => self.set_mesh(watch, None),
            kind if !kind.has_effect() => {
                self.news |= self.remarks.remove(&(kind, namespace.clone(), name.clone())).is_some();
            }
            kind => {
                let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind.kind()) else {
                    return;
                };
                let key = ObjectKey::new(kind, namespace.clone(), name.clone());
                self.release(&key);
                self.say(&key, Vec::new());
            }
        }
    }

    /// Whether an object is meant for this control plane.
    fn is_ours(&self, value: &Value) -> bool {
        let label = value.pointer("/metadata/labels").and_then(|labels| labels.get(REVISION));
        self.revision.is_empty() || label.is_none_or(|label| label == self.revision.as_str())
    }

    fn set_mesh(&mut self, watch: &Watch, value: Option<Value>) {
        let place = if *watch == self.own { &mut self.mesh.own } else { &mut self.mesh.shared };
        *place = value;
        let key = ObjectKey::new(Kind::MeshConfig, self.home.clone(), SETTINGS);
        let Some(mut merged) = self.mesh.merged() else {
            self.release(&key);
            self.say(&key, Vec::new());
            return;
        };
        // The judge knows the settings by one name; what is said about them names the object there is.
        let real = name_of(&merged).1;
        merged["metadata"]["name"] = SETTINGS.into();
        self.judge(&merged);
        for finding in self.findings.get_mut(&key).into_iter().flatten() {
            finding.object = Some(ObjectKey { name: real.clone(), ..key.clone() });
        }
    }

    fn judge(&mut self, value: &Value) {
        let judgement = judge(value, &self.settings);
        let findings = judgement.diagnostics.finish(None);
        let key = match judgement.outcome {
            Outcome::Object(key, object) => {
                self.hold(&key, object, value);
                key
            }
            Outcome::Nothing(key) => {
                self.release(&key);
                key
            }
            // The last good version stays.
            Outcome::Undecodable(key) => key,
            Outcome::Workload(_) => return,
            Outcome::Foreign => {
                let (namespace, name) = name_of(value);
                let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
                let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) else { return };
                ObjectKey::new(kind, namespace, name)
            }
        };
        self.say(&key, findings);
    }

    /// Keeps what there is to say about an object.
    fn say(&mut self, key: &ObjectKey, mut findings: Vec<Diagnostic>) {
        for finding in &mut findings {
            finding.object.get_or_insert_with(|| key.clone());
        }
        self.news |= if findings.is_empty() {
            self.findings.remove(key).is_some()
        } else {
            self.findings.get(key) != Some(&findings) && {
                self.findings.insert(key.clone(), findings);
                true
            }
        };
    }

    fn hold(&mut self, key: &ObjectKey, object: Object, value: &Value) {
        self.unlink(key);
        let mut object = object;
        let mut node = None;
        match &mut object {
            Object::Pod(pod) => {
                node = value.pointer("/spec/nodeName").and_then(Value::as_str).map(Name::from);
                if let Some(node) = &node {
                    self.on_node.entry(node.clone()).or_default().insert(key.clone());
                }
                settle_sidecar(pod, value);
                if self.pickers.values().any(|picker| picks(picker, pod)) {
                    self.rewatch |= self.picked.insert(key.clone());
                } else {
                    self.rewatch |= self.picked.remove(key);
                }
                if !self.held.contains_key(key) {
                    self.touched.extend(self.naming.get(key).into_iter().flatten().cloned());
                }
            }
            Object::EndpointSlice(slice) => {
                for pod in pods_of(slice) {
                    self.naming.entry(pod).or_default().insert(key.clone());
                }
                for node in nodes_of(slice) {
                    self.on_node.entry(node.clone()).or_default().insert(key.clone());
                }
            }
            Object::Gateway(gateway) if self.pickers.get(key) != Some(&gateway.selector) => {
                self.pickers.insert(key.clone(), gateway.selector.clone());
                self.pick();
            }
            _ => {}
        }
        self.held.insert(key.clone(), Held { object, node });
        self.touched.insert(key.clone());
    }

    fn release(&mut self, key: &ObjectKey) {
        self.unlink(key);
        if self.held.remove(key).is_none() {
            return;
        }
        self.touched.insert(key.clone());
        match key.kind {
            Kind::Pod => {
                self.rewatch |= self.picked.remove(key);
                self.touched.extend(self.naming.get(key).into_iter().flatten().cloned());
            }
            Kind::Gateway if self.pickers.remove(key).is_some() => self.pick(),
            _ => {}
        }
    }

    /// Takes an object out of the indices that its content put it into.
    fn unlink(&mut self, key: &ObjectKey) {
        match self.held.get(key) {
            Some(Held { node: Some(node), .. }) => take_out(&mut self.on_node, node, key),
            Some(Held { object: Object::EndpointSlice(slice), .. }) => {
                for pod in pods_of(slice) {
                    take_out(&mut self.naming, &pod, key);
                }
                for node in nodes_of(slice) {
                    take_out(&mut self.on_node, node, key);
                }
            }
            _ => {}
        }
    }

    /// Looks anew for the pods that gateways pick.
    fn pick(&mut self) {
        let pods = self.held.range(ObjectKey::new(Kind::Pod, "", "")..);
        let pods = pods.take_while(|(key, _)| key.kind == Kind::Pod);
        self.picked = pods
            .filter(|(_, held)| match &held.object {
                Object::Pod(pod) => self.pickers.values().any(|picker| picks(picker, pod)),
                _ => false,
            })
            .map(|(key, _)| key.clone())
            .collect();
        self.rewatch = true;
    }

    /// Where gateways run, so that their certificates are there. A gateway that picks by nothing is one for all; its own namespace is
    /// looked at.
    fn secret_namespaces(&self) -> BTreeSet<&Namespace> {
        let own = self.pickers.iter().filter(|(_, picker)| picker.is_empty()).map(|(key, _)| &key.namespace);
        self.picked.iter().map(|key| &key.namespace).chain(own).collect()
    }

    /// What an object is, all things considered.
    fn now(&self, key: &ObjectKey) -> Option<Object> {
        let Held { object, node } = self.held.get(key)?;
        Some(match object {
            Object::Pod(pod) => Object::Pod(self.placed(pod, node.as_ref())),
            Object::EndpointSlice(slice) => Object::EndpointSlice(self.completed(slice)),
            other => other.clone(),
        })
    }

    /// A pod that does not say where it is is where its node is.
    fn placed(&self, pod: &Arc<Pod>, node: Option<&Name>) -> Arc<Pod> {
        match node.and_then(|node| self.nodes.get(node)) {
            Some(locality) if pod.locality.is_empty() && pod.locality != *locality => {
                Arc::new(Pod { locality: locality.clone(), ..Pod::clone(pod) })
            }
            _ => Arc::clone(pod),
        }
    }

    /// An endpoint whose pod is not known waits for it: without it nobody could tell who answers there, nor how to speak to it.
    /// One without a pod is where its node is; the slice itself says no more than the zone.
    fn completed(&self, slice: &Arc<EndpointSlice>) -> Arc<EndpointSlice> {
        let endpoints = slice
            .endpoints
            .iter()
            .filter(|one| one.pod.as_ref().is_none_or(|pod| self.held.contains_key(&pod_of(slice, pod))));
        let endpoints: Vec<SliceEndpoint> = endpoints
            .map(|one| match self.nodes.get(&one.node) {
                Some(locality) if one.pod.is_none() && !locality.is_empty() => {
                    SliceEndpoint { locality: locality.clone(), ..one.clone() }
                }
                _ => one.clone(),
            })
            .collect();
        if endpoints == slice.endpoints {
            return Arc::clone(slice);
        }
        Arc::new(EndpointSlice { endpoints, ..EndpointSlice::clone(slice) })
    }
}

/// Whether a mesh can be served by one who may not read a kind.
fn can_be_missing(kind: Watched) -> bool {
    matches!(kind, Watched::CustomResourceDefinition | Watched::Node | Watched::Secret) || !kind.has_effect()
}

/// The watch of definitions.
fn definitions() -> Watch {
    Watch::all(Watched::CustomResourceDefinition)
}

fn name_of(value: &Value) -> (Namespace, Name) {
    let text = |field: &str| {
        value.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_str).unwrap_or_default()
    };
    (Namespace::from(text("namespace")), Name::from(text("name")))
}

fn labels_of(value: &Value) -> Labels {
    let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.into_iter().flatten().filter_map(text).collect()
}

fn locality_of_node(labels: &Labels) -> Locality {
    // The second name is the one that Kubernetes gave up.
    let label = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| labels.get(name));
        Name::from(found.unwrap_or_default())
    };
    Locality {
        region: label(["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"]),
        zone: label(["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"]),
        sub_zone: Name::from(labels.get("topology.istio.io/subzone").unwrap_or_default()),
    }
}

/// The containers of a pod that an API server holds are final: whoever was to add one has had the chance.
fn settle_sidecar(pod: &mut Arc<Pod>, value: &Value) {
    let containers = ["/spec/containers", "/spec/initContainers"].into_iter();
    let mut containers = containers.filter_map(|path| value.pointer(path)?.as_array()).flatten();
    let has_proxy = containers.any(|one| one.get("name").is_some_and(|name| name == "istio-proxy"));
    let says_so = pod.labels.get("security.istio.io/tlsMode") == Some("istio");
    if !has_proxy && !says_so && pod.sidecar != Sidecar::Absent {
        *pod = Arc::new(Pod { sidecar: Sidecar::Absent, ..Pod::clone(pod) });
    }
}

fn picks(picker: &Selector, pod: &Pod) -> bool {
    !picker.is_empty() && picker.matches(&pod.labels)
}

/// The pods that a slice names, each once.
fn pods_of(slice: &EndpointSlice) -> BTreeSet<ObjectKey> {
    slice.endpoints.iter().filter_map(|one| one.pod.as_ref()).map(|pod| pod_of(slice, pod)).collect()
}

/// The nodes that a slice names for endpoints that are no pods, each once.
fn nodes_of(slice: &EndpointSlice) -> BTreeSet<&Name> {
    let endpoints = slice.endpoints.iter().filter(|one| one.pod.is_none());
    endpoints.map(|one| &one.node).filter(|node| !node.as_str().is_empty()).collect()
}

fn pod_of(slice: &EndpointSlice, pod: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Pod, slice.meta.namespace().clone(), pod.clone())
}

fn take_out<K: Ord>(index: &mut BTreeMap<K, BTreeSet<ObjectKey>>, from: &K, key: &ObjectKey) {
    if let Some(keys) = index.get_mut(from) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(from);
        }
    }
}
