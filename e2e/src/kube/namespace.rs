//! A namespace for one test.

use std::ops::Deref;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Cluster, Kubectl, Pod, report};
use crate::mesh::until;

/// Tests run side by side, but for those that take away what all of them need.
static ORDER: RwLock<()> = RwLock::new(());

/// A namespace that belongs to one test. Calls of `kubectl` through it are about this namespace.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The cluster it is in.
    pub cluster: &'static Cluster,
    kubectl: Kubectl,
}

impl Deref for Namespace {
    type Target = Kubectl;

    fn deref(&self) -> &Kubectl {
        &self.kubectl
    }
}

impl Namespace {
    /// Runs a test in a namespace of this name, which is new to it. When the test fails, the error tells what the
    /// cluster says, and the namespace stays as long as the cluster does.
    pub fn with(name: &str, labels: &[(&str, &str)], test: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let _beside_others = ORDER.read().unwrap_or_else(PoisonError::into_inner);
        Self::run_in(name, labels, test)
    }

    /// The same for a test during which no other runs, as it disturbs the whole cluster.
    pub fn alone(name: &str, labels: &[(&str, &str)], test: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let _alone = ORDER.write().unwrap_or_else(PoisonError::into_inner);
        Self::run_in(name, labels, test)
    }

    /// Another namespace for the same test.
    pub fn beside(name: &str, labels: &[(&str, &str)], test: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let namespace = Self::create(name, labels)?;
        test(&namespace)?;
        namespace.delete()
    }

    fn run_in(name: &str, labels: &[(&str, &str)], test: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let namespace = Self::create(name, labels)?;
        if let Err(error) = test(&namespace) {
            return Err(report::explain(&namespace, &error));
        }
        namespace.delete()
    }

    /// A namespace that is there, or will be.
    pub fn of(cluster: &'static Cluster, name: &str) -> Self {
        Self { name: name.to_owned(), cluster, kubectl: cluster.kubectl.namespaced(name) }
    }

    fn create(name: &str, labels: &[(&str, &str)]) -> Result<Self> {
        let cluster = Cluster::shared()?;
        let admin = &cluster.kubectl;
        // What a failed run left in a cluster that outlived it.
        admin.run(&["delete", "namespace", name, "--ignore-not-found", "--timeout=60s"])?;
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        let manifest =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        admin.apply(&manifest.to_string())?;
        let namespace = Self::of(cluster, name);
        // Pods are refused until it is there.
        namespace.wait("create", "serviceaccount/default", 30)?;
        Ok(namespace)
    }

    /// Ends it without waiting for the end.
    fn delete(&self) -> Result<()> {
        self.cluster.kubectl.run(&["delete", "namespace", &self.name, "--wait=false"]).map(drop)
    }

    /// Applies objects.
    pub fn apply_all(&self, objects: &[Value]) -> Result<()> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.apply(&list.to_string()).map(drop)
    }

    /// The pods with these labels that are not on their way out.
    pub fn pods(&self, labels: &str) -> Result<Vec<Value>> {
        let list = self.get(&["pods", "--selector", labels])?;
        let items = list["items"].as_array().context("a list has items")?;
        Ok(items.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect())
    }

    /// The one pod with these labels, ready to send and to be asked.
    pub fn pod(&self, labels: &str) -> Result<Pod> {
        until(&format!("a ready pod {labels}"), Duration::from_mins(1), || {
            let pods = self.pods(labels)?;
            ensure!(pods.len() == 1, "there are {}", pods.len());
            self.reach(&pods[0])
        })
    }

    /// Reaches into a pod, if it is ready.
    pub fn reach(&self, pod: &Value) -> Result<Pod> {
        Pod::reach(self.cluster, pod)
    }
}
