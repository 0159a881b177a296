//! Reading and compiling a scenario.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilothouse_diag::Diagnostic;
use pilothouse_engine::{Engine, Proxy, Role};
use pilothouse_xds::Snapshot;
use serde_json::Value;

/// A scenario.
pub(crate) struct Case {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What is shown of the result, see `show.rs`.
    pub(crate) show: Vec<Value>,
    proxy: Proxy,
    cast: bool,
    objects: String,
}

/// What becomes of a scenario.
pub(crate) struct Compiled {
    /// What the proxy gets.
    pub(crate) snapshot: Arc<Snapshot>,
    /// What the user hears.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Case {
    /// All scenarios, in order of names.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        let folders = |path: &Path| -> Vec<PathBuf> {
            let items = std::fs::read_dir(path).unwrap().map(|item| item.unwrap().path());
            let mut folders: Vec<_> = items.filter(|path| path.is_dir()).collect();
            folders.sort();
            folders
        };
        folders(&root).iter().flat_map(|area| folders(area)).map(|folder| Self::read(&folder)).collect()
    }

    /// `<area>/<case>`.
    pub(crate) fn name(&self) -> String {
        let area = self.folder.parent().and_then(Path::file_name).unwrap_or_default();
        format!("{}/{}", area.display(), self.folder.file_name().unwrap_or_default().display())
    }

    fn read(folder: &Path) -> Self {
        let file = folder.join("input.yaml");
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let text = String::from_utf8(text).unwrap();
        let (head, objects) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let case: Value =
            serde_saphyr::from_str(head).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let known = ["about", "proxy", "show", "cast"];
        for key in case.as_object().unwrap().keys() {
            assert!(known.contains(&key.as_str()), "{}: a case has no {key:?}", file.display());
        }
        Self {
            folder: folder.to_owned(),
            show: case["show"].as_array().cloned().unwrap_or_default(),
            proxy: proxy(&case["proxy"]),
            cast: case["cast"] != "none",
            // Diagnostics name lines, so what was cut off leaves its lines behind.
            objects: "\n".repeat(head.lines().count() + 1) + objects,
        }
    }

    /// Compiles it.
    pub(crate) fn compile(&self) -> Compiled {
        let mut texts: Vec<(Arc<str>, Vec<u8>)> =
            vec![("input.yaml".into(), self.objects.clone().into_bytes())];
        if self.cast {
            texts.push(("shop.yaml".into(), pilothouse_testkit::SHOP.into()));
        }
        let loaded = pilothouse_sources::load(&[], texts, "cluster.local").unwrap();
        let mut engine = Engine::new();
        engine.apply(loaded.changes);
        let (_, snapshot) = engine.connect(self.proxy.clone());
        let snapshot = snapshot.expect("there is no bug in the way");
        let mut diagnostics = loaded.diagnostics;
        diagnostics.extend(engine.diagnostics());
        Compiled { snapshot, diagnostics }
    }
}

/// `{sidecar: pod.namespace}`, `{gateway: pod.namespace}`, or `{node: {id: …, metadata: {…}}}`.
fn proxy(value: &Value) -> Proxy {
    let of_pod = |role, name: &str| {
        let (pod, namespace) = name.rsplit_once('.').expect("a proxy is named <pod>.<namespace>");
        Proxy::of_pod(role, namespace, pod)
    };
    if let Some(name) = value["sidecar"].as_str() {
        of_pod(Role::Sidecar, name)
    } else if let Some(name) = value["gateway"].as_str() {
        of_pod(Role::Gateway, name)
    } else {
        Proxy::from_node(value["node"]["id"].as_str().unwrap(), &value["node"]["metadata"]).unwrap()
    }
}
