//! Pods for workloads that have none.
//!
//! They depend on all pods and workloads of the folder, so they are made anew when one of those changes, and only the difference
//! is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_base::{Kind, Namespace, ObjectKey};
use pilothouse_config::{Object, Pod};
use pilothouse_diag::Origin;

use super::Folder;
use crate::in_force::Wanted;
use crate::objects::pod_key;

impl Folder {
    /// Adds to what is wanted the pods that stand for workloads, and takes away those that no longer do.
    pub(super) fn add_stand_ins(&mut self, wanted: &mut Wanted) {
        let origins: BTreeMap<ObjectKey, Arc<Origin>> =
            self.workloads().map(|(template, origin)| (pod_key(template), Arc::clone(origin))).collect();
        let before = std::mem::take(&mut self.stand_ins);
        if origins.is_empty() && before.is_empty() {
            return;
        }
        let namespaces: BTreeSet<&Namespace> = origins.keys().map(|key| &key.namespace).collect();
        let real = self.real_pods(wanted, &before);
        let near: Vec<&Pod> =
            real.iter().filter(|pod| namespaces.contains(pod.meta.namespace())).map(|pod| &**pod).collect();
        let workloads: Vec<_> = self.workloads().map(|(template, _)| template).collect();
        let mut made = BTreeSet::new();
        for pod in pilothouse_config::stand_ins(&workloads, &near) {
            let key = pod.meta.key.clone();
            if let Some(origin) = origins.get(&key) {
                let object = Object::Pod(Arc::new(pod));
                wanted.insert(key.clone(), Some((object, Some(Arc::clone(origin)))));
                made.insert(key);
            }
        }
        for key in before.difference(&made) {
            wanted.entry(key.clone()).or_insert(None);
        }
        self.stand_ins = made;
    }

    /// The pods that are objects of their own, once what is wanted has come true.
    fn real_pods(&self, wanted: &Wanted, stand_ins: &BTreeSet<ObjectKey>) -> Vec<Arc<Pod>> {
        let pods = |object: &Object| if let Object::Pod(pod) = object { Some(Arc::clone(pod)) } else { None };
        let kept = self
            .in_force
            .of_kind(Kind::Pod)
            .filter(|(key, _)| !stand_ins.contains(key) && !wanted.contains_key(key))
            .filter_map(|(_, object)| pods(object));
        let new = wanted.values().flatten().filter_map(|(object, _)| pods(object));
        kept.chain(new).collect()
    }
}
