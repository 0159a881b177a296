//! A folder of manifests as a world needs it: which pods to make, what each name resolves to, and the folder the
//! control plane reads.
//!
//! The harness plays the parts of a cluster that the manifests leave out: a Service without `clusterIP` gets one,
//! a Deployment without pods gets one pod of its template. Files that need nothing are copied byte by byte.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pod::{PodSpec, Role};
use super::{certificates, names};

/// The last files of a folder get this prefix, so they are easy to tell from the case's own.
const GENERATED: &str = "zz-e2e-pods.json";

/// A folder's objects and what the harness made of them.
#[derive(Debug, Default)]
pub struct Manifests {
    /// File name below the configuration folder, and text.
    files: Vec<(PathBuf, String)>,
    objects: Vec<Value>,
    /// The pods, by `name.namespace`.
    pub pods: BTreeMap<String, PodSpec>,
    /// Roots of the certificates made for gateways, as PEM, by host.
    pub certificate_roots: BTreeMap<String, String>,
    /// The clients made for gateways that verify them, by the text that asked for them.
    pub clients: BTreeMap<String, certificates::Clients>,
}

impl Manifests {
    /// Reads files, and every YAML and JSON file below folders; the control plane's folder keeps their places below
    /// `root`, those from elsewhere lie at its top.
    pub fn read(root: &Path, paths: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            files.extend(yaml_files(path)?);
        }
        let mut all = Self::default();
        let mut addresses =
            (0_u32..).map(|n| Ipv4Addr::from_bits(Ipv4Addr::new(10, 96, 200, 1).to_bits() + n));
        for path in &files {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut objects = parse(&text).with_context(|| format!("cannot parse {}", path.display()))?;
            let mut changed = false;
            for object in &mut objects {
                changed |= certificates::fill(object, &mut all.certificate_roots)?;
                changed |= certificates::fill_clients(object, &mut all.clients)?;
                let spec = &object["spec"];
                let named = spec["type"] == "ExternalName" || spec.get("clusterIP").is_some();
                if object["kind"] == "Service" && !named {
                    object["spec"]["clusterIP"] =
                        json!(addresses.next().context("addresses end")?.to_string());
                    changed = true;
                }
            }
            let inside = path.strip_prefix(root).ok().or(path.file_name().map(Path::new));
            let name = inside.context("a file has a name")?.to_path_buf();
            if changed {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
                all.files.push((name.with_extension("json"), serde_json::to_string_pretty(&list)?));
            } else {
                all.files.push((name, text));
            }
            all.objects.extend(objects);
        }
        all.stand_in_for_workloads()?;
        for pod in all.objects.iter().filter(|o| o["kind"] == "Pod") {
            let spec = PodSpec::read(pod)?;
            all.pods.insert(spec.key(), spec);
        }
        ensure!(!all.pods.is_empty(), "{} names no pods", root.display());
        Ok(all)
    }

    /// Adds a file of objects that need nothing of the harness.
    pub fn add_file(&mut self, name: &str, text: String) -> Result<()> {
        self.objects.extend(parse(&text).with_context(|| format!("cannot parse {name}"))?);
        self.files.push((name.into(), text));
        Ok(())
    }

    /// Writes the folder for the control plane.
    pub fn write(&self, to: &Path) -> Result<()> {
        for (name, text) in &self.files {
            let path = to.join(name);
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// The `hosts` file of one pod: every service by the names its namespace knows it under.
    pub fn hosts_file(&self, pod: &PodSpec) -> String {
        names::hosts_file(&self.objects, &self.pods, pod)
    }

    /// Makes one pod for each Deployment that has none.
    fn stand_in_for_workloads(&mut self) -> Result<()> {
        let mut made = Vec::new();
        for object in self.objects.iter().filter(|o| o["kind"] == "Deployment" || o["kind"] == "StatefulSet")
        {
            let template = &object["spec"]["template"];
            let labels = &template["metadata"]["labels"];
            let app = labels["app"].as_str().or(object["metadata"]["name"].as_str()).unwrap_or("app");
            let port = template["spec"]["containers"][0]["ports"][0]["containerPort"].as_u64();
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": template["metadata"],
                "spec": template["spec"],
                "status": {"podIP": Ipv4Addr::from_bits(Ipv4Addr::new(10, 100, 0, 10).to_bits() + u32::try_from(made.len())?).to_string(),
                    "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            });
            pod["metadata"]["name"] = object["metadata"]["name"].clone();
            pod["metadata"]["labels"]["security.istio.io/tlsMode"] = json!("istio");
            if let Some(namespace) = object["metadata"]["namespace"].as_str() {
                pod["metadata"]["namespace"] = json!(namespace);
            }
            if let Some(port) = port {
                let version = labels["version"].as_str().unwrap_or("v1");
                pod["metadata"]["annotations"]["e2e.pilothouse.dev/app"] =
                    json!(format!("name={app},version={version},http={port}"));
            }
            made.push(pod);
        }
        if !made.is_empty() {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": made});
            self.files.push((GENERATED.into(), serde_json::to_string_pretty(&list)?));
            self.objects.extend(made);
        }
        Ok(())
    }
}

/// The role a pod plays, from Istio's own label, annotation or gateway template.
pub(super) fn role(pod: &Value) -> Role {
    let meta = &pod["metadata"];
    let word = |name: &str| meta["labels"][name].as_str().or(meta["annotations"][name].as_str());
    if word("inject.istio.io/templates") == Some("gateway") {
        Role::Gateway
    } else if word("sidecar.istio.io/inject") == Some("false") {
        Role::Outside
    } else {
        Role::Sidecar
    }
}

/// Every document of a YAML or JSON text, lists taken apart.
fn parse(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|e| anyhow::anyhow!("{e}"))?;
    let mut objects = Vec::new();
    for document in documents {
        match document["items"].as_array() {
            Some(items) => objects.extend(items.iter().cloned()),
            None if document.is_object() => objects.push(document),
            None => {}
        }
    }
    Ok(objects)
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_file() {
        return Ok(vec![folder.to_path_buf()]);
    }
    let mut files = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [ { port: 80 } ], selector: { app: web } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web-v2 }
spec:
  template:
    metadata: { labels: { app: web, version: v2 } }
    spec: { containers: [ { name: web, image: web, ports: [ { containerPort: 8080 } ] } ] }
";

    #[test]
    fn plays_the_cluster_for_a_repository_of_manifests() {
        let folder = std::env::temp_dir().join(format!("pilothouse-manifests.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("web.yaml"), BARE).unwrap();
        let all = Manifests::read(&folder, std::slice::from_ref(&folder)).unwrap();
        let target = folder.join("out");
        all.write(&target).unwrap();
        let written = fs::read_to_string(target.join("web.json")).unwrap();
        fs::remove_dir_all(&folder).unwrap();

        let pod = &all.pods["web-v2.default"];
        assert_eq!(pod.role, Role::Sidecar);
        let app = pod.app.as_ref().unwrap();
        assert_eq!((app.name.as_str(), app.version.as_str(), &app.http[..]), ("web", "v2", &[8080][..]));
        assert!(written.contains("clusterIP"), "the service got an address");
    }
}
