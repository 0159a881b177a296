//! Scenarios: a folder with a manifest, what injection makes of it, and what it says.
//!
//! Adding one needs no Rust: make `scenarios/<case>/input.yaml` and run `make golden`. The first document is the case itself
//! (see `Case`), the others are objects. The bootstrap, one long argument, is shown in the parts that the case asks for; every
//! bootstrap is given whole to real Envoys.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "scenarios/real_envoy.rs"]
mod real_envoy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pilothouse_inject::manifest::{Manifest, inject_object};
use pilothouse_inject::{Settings, patch};
use serde::Deserialize;
use serde_json::{Value, json};

/// The first document of an input.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    /// MeshConfig.
    mesh: Value,
    /// Whether the proxy is a native sidecar.
    native: Option<bool>,
    /// The revision that injects.
    revision: Option<String>,
    /// Whether pods have IPv6 addresses.
    ipv6: bool,
    /// Templates that pods can choose.
    templates: BTreeMap<String, Value>,
    /// Names for several templates.
    aliases: BTreeMap<String, Vec<String>>,
    /// Secrets for the images.
    pull_secrets: Vec<String>,
    /// JSON pointers into the bootstrap of each injected pod.
    show: Vec<String>,
}

/// A case with its objects.
struct Scenario {
    name: String,
    folder: PathBuf,
    case: Case,
    objects: Vec<Value>,
}

fn parse(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

impl Scenario {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
        folders.sort();
        assert!(!folders.is_empty());
        folders.into_iter().map(Self::read).collect()
    }

    fn read(folder: PathBuf) -> Self {
        let text = String::from_utf8(std::fs::read(folder.join("input.yaml")).unwrap()).unwrap();
        let mut documents = text.split("\n---\n");
        let case = serde_saphyr::from_str(documents.next().unwrap()).unwrap();
        let objects = documents.map(|text| parse(text).unwrap()).collect();
        Self { name: folder.file_name().unwrap().to_str().unwrap().to_owned(), folder, case, objects }
    }

    fn settings(&self) -> (Settings, Vec<String>) {
        let Case { mesh, native, revision, ipv6, templates, aliases, pull_secrets, show: _ } = &self.case;
        let mut settings = Settings::new(parse);
        let remarks = settings.read_mesh(mesh);
        settings.native_sidecars = native.unwrap_or(true);
        settings.ipv6 = *ipv6;
        if let Some(revision) = revision {
            settings.revision.clone_from(revision);
        }
        settings.templates.clone_from(templates);
        settings.aliases.clone_from(aliases);
        settings.pull_secrets.clone_from(pull_secrets);
        "envoyproxy/envoy:v0".clone_into(&mut settings.proxy_image);
        "pilothouse:v0".clone_into(&mut settings.capture_image);
        (settings, remarks)
    }

    fn inject(&self) -> (Vec<Manifest>, Vec<String>) {
        let (settings, mut said) = self.settings();
        let done: Vec<Manifest> = self
            .objects
            .iter()
            .map(|object| inject_object(object, "shop", &settings, Some("secret")))
            .collect();
        for one in &done {
            said.extend(one.remarks.iter().map(ToString::to_string));
            said.extend(one.refused.iter().map(|(about, refused)| format!("{about}: refused\n{refused}")));
        }
        (done, said)
    }
}

/// All proxies below a value.
fn proxies(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            if map.get("name") == Some(&json!("istio-proxy")) && map.contains_key("args") {
                found.push(value.clone());
            }
            map.values().for_each(|value| proxies(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| proxies(value, found)),
        _ => {}
    }
}

fn bootstrap_of(proxy: &Value) -> String {
    let args = proxy["args"].as_array().unwrap();
    let at = args.iter().position(|arg| arg == "--config-yaml").unwrap();
    args[at + 1].as_str().unwrap().to_owned()
}

/// Long texts stand in the snapshot once, not in every object.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("{\"admin\":") => "(the bootstrap)".clone_into(text),
        Value::Object(map) => {
            for (key, value) in map {
                if key == "pilothouse.dev/token-sds" || key == "pilothouse.dev/root-sds" {
                    *value = json!("(an SDS file)");
                } else {
                    shorten(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(shorten),
        _ => {}
    }
}

#[test]
fn every_scenario_gives_what_is_written_beside_it() {
    for scenario in Scenario::all() {
        let (done, said) = scenario.inject();
        let mut objects: Vec<Value> = done.iter().map(|one| one.object.clone()).collect();
        let mut found = Vec::new();
        for object in &objects {
            proxies(object, &mut found);
        }
        let shown: Vec<BTreeMap<&str, Value>> = found
            .iter()
            .map(|proxy| {
                let bootstrap = parse(&bootstrap_of(proxy)).unwrap();
                let part = |pointer| bootstrap.pointer(pointer).cloned().unwrap_or(Value::Null);
                scenario.case.show.iter().map(|pointer| (pointer.as_str(), part(pointer))).collect()
            })
            .collect();
        objects.iter_mut().for_each(shorten);
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(&scenario.folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.remove_input_file();
        settings.bind(|| {
            insta::assert_yaml_snapshot!("output", objects);
            for (name, content) in [
                ("bootstrap", if scenario.case.show.is_empty() { None } else { Some(yaml(&shown)) }),
                ("diagnostics", if said.is_empty() { None } else { Some(said.join("\n")) }),
            ] {
                let file = scenario.folder.join(format!("{name}.snap"));
                match content {
                    Some(content) => insta::assert_snapshot!(name, content),
                    None => assert!(!file.exists(), "nothing makes it any more; remove {}", file.display()),
                }
            }
        });
    }
}

fn yaml(value: &impl serde::Serialize) -> String {
    serde_saphyr::to_string(value).unwrap()
}

#[test]
fn injecting_again_changes_nothing() {
    for scenario in Scenario::all() {
        let (settings, _) = scenario.settings();
        for (first, object) in scenario.inject().0.into_iter().zip(&scenario.objects) {
            // Another time the secret is another one; the pod keeps its own.
            let second = inject_object(&first.object, "shop", &settings, Some("another"));
            assert_eq!(patch::diff(&first.object, &second.object), Vec::<Value>::new(), "{}", scenario.name);
            assert_eq!(second.object, first.object, "{}", scenario.name);
            assert_eq!(first.changed, first.object != *object, "{}", scenario.name);
        }
    }
}

#[test]
fn both_ends_of_the_supported_range_of_envoy_accept_every_bootstrap() {
    for scenario in Scenario::all() {
        let mut found = Vec::new();
        for one in scenario.inject().0 {
            proxies(&one.object, &mut found);
        }
        for proxy in found {
            real_envoy::validate(&scenario.name, &bootstrap_of(&proxy));
        }
    }
}
