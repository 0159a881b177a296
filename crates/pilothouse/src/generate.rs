//! `generate`: what a proxy would be sent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use pilothouse_config::{Object, Pod};
use pilothouse_diag::{Diagnostic, Diagnostics, render, render::summary};
use pilothouse_engine::{Engine, Proxy, Role};
use pilothouse_envoy_api::{json, type_url};
use pilothouse_sources::Loaded;
use pilothouse_world::Change;
use pilothouse_xds::{Resource, Snapshot};
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure, with_causes};
use crate::output::{Form, Output};
use crate::pods;
use crate::source::{self, SourceArguments};
use crate::units::{Workload, workload};

mod fixed;
#[cfg(test)]
mod tests;

/// Prints exactly what a proxy would be sent.
///
/// One document with the lists clusters, listeners, routes, endpoints and secrets, each sorted by name, in the JSON form of Envoy's
/// messages. Of secrets only the names are printed. Findings go to standard error. The same manifests give the same bytes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse generate --config manifests/ --proxy web-1.shop\n  \
    pilothouse generate --config manifests/ --proxy web-1.shop --type rds -o yaml\n  \
    pilothouse generate --kubeconfig ~/.kube/config --proxy web-7c4d.shop\n  \
    pilothouse generate --config manifests/ --proxy web-1.shop --static > envoy.json && envoy --mode validate -c envoy.json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    proxy: ProxyArguments,
    /// What to print
    #[arg(long = "type", value_enum, default_value_t, value_name = "TYPE")]
    kind: Kind,
    /// The form of the document
    #[arg(long, short, value_enum, default_value = "json", value_name = "FORM")]
    output: Printed,
    /// Print a bootstrap with everything inside, which runs without a control plane
    #[arg(long = "static", conflicts_with = "kind")]
    fixed: bool,
    /// What the proxy is [default: what the manifests say]
    #[arg(long, value_enum, value_name = "ROLE", conflicts_with = "node")]
    role: Option<AsRole>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct ProxyArguments {
    /// The proxy of this pod; a workload without pods has one of its own name
    #[arg(long, value_parser = workload, value_name = "POD.NAMESPACE")]
    proxy: Option<Workload>,
    /// A file with an Envoy node as JSON or YAML, with Istio's id and metadata; - is standard input
    #[arg(long, value_name = "FILE")]
    node: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Clusters.
    Cds,
    /// Listeners.
    Lds,
    /// Route tables.
    Rds,
    /// Endpoints.
    Eds,
    /// Names of secrets.
    Sds,
    /// Everything.
    #[default]
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Printed {
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AsRole {
    /// Beside one workload.
    Sidecar,
    /// At the edge of the mesh.
    Gateway,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { source, proxy, kind, output: printed, fixed, role } = arguments;
    let mut loaded = source::read(&source.source()?)?;
    let proxy = match (&proxy.proxy, &proxy.node) {
        (Some(workload), _) => {
            let pod = pods::find(&loaded, workload)?;
            let role = role.unwrap_or_else(|| role_of(&pod, &loaded));
            let role = if role == AsRole::Gateway { Role::Gateway } else { Role::Sidecar };
            Proxy::of_pod(role, workload.namespace.as_str(), workload.pod.as_str())
        }
        (None, Some(node)) => of_node(node)?,
        (None, None) => return Err(Failure::usage("one of --proxy and --node is needed")),
    };
    let name = format!("{}.{}", proxy.name, proxy.namespace);
    let mut engine = Engine::new();
    engine.apply(std::mem::take(&mut loaded.changes));
    let (_, snapshot) = engine.connect(proxy);
    let findings = together(loaded.diagnostics, engine.diagnostics());
    for finding in &findings {
        output.remark(&render::text(finding));
    }
    if !findings.is_empty() {
        output.remark(&format!("{}\n", summary(&findings)));
    }
    let Some(snapshot) = snapshot else {
        return Err(Failure::bug(
            "a bug stands in the way of what this proxy is sent (PH0601); please report it",
        ));
    };
    let document = Document::of(&snapshot)?;
    let form = if *printed == Printed::Yaml { Form::Yaml } else { Form::Json };
    if *fixed {
        output.value(form, &fixed::bootstrap(&name, document, &snapshot)?)?;
    } else {
        output.value(form, &document.lists(*kind))?;
    }
    Ok(Exit::Fine)
}

/// What a proxy is sent, readable.
#[derive(Debug)]
struct Document {
    clusters: Vec<Value>,
    listeners: Vec<Value>,
    routes: Vec<Value>,
    endpoints: Vec<Value>,
    /// The names that the others refer to.
    secrets: BTreeSet<SecretName>,
}

/// Sorted without regard to case, as people look things up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SecretName(String, String);

impl SecretName {
    fn new(name: &str) -> Self {
        Self(name.to_lowercase(), name.to_owned())
    }

    fn as_str(&self) -> &str {
        &self.1
    }
}

impl Document {
    fn of(snapshot: &Snapshot) -> Result<Self, Failure> {
        let clusters = all(type_url::CLUSTER, snapshot.clusters.sorted_iter())?;
        let listeners = all(type_url::LISTENER, snapshot.listeners.sorted_iter())?;
        let routes = all(type_url::ROUTES, snapshot.routes.sorted_iter().map(|table| table.assembled()))?;
        let endpoints = all(type_url::ENDPOINTS, snapshot.endpoints.sorted_iter())?;
        let mut secrets = BTreeSet::new();
        for value in clusters.iter().chain(&listeners) {
            name_secrets(value, &mut secrets);
        }
        Ok(Self { clusters, listeners, routes, endpoints, secrets })
    }

    fn lists(self, kind: Kind) -> Value {
        let Self { clusters, listeners, routes, endpoints, secrets } = self;
        let secrets = secrets.iter().map(|name| Value::from(name.as_str())).collect();
        let lists = [
            (Kind::Cds, "clusters", clusters),
            (Kind::Lds, "listeners", listeners),
            (Kind::Rds, "routes", routes),
            (Kind::Eds, "endpoints", endpoints),
            (Kind::Sds, "secrets", secrets),
        ];
        let wanted = lists.into_iter().filter(|(own, ..)| kind == Kind::All || kind == *own);
        let document: Map<String, Value> =
            wanted.map(|(_, name, list)| (name.to_owned(), Value::Array(list))).collect();
        Value::Object(document)
    }
}

fn all<'r>(url: &str, resources: impl Iterator<Item = &'r Arc<Resource>>) -> Result<Vec<Value>, Failure> {
    resources
        .map(|resource| {
            json::to_json(url, &resource.body)
                .map_err(|error| Failure::bug(format_args!("{}: {}", resource.name, with_causes(&error))))
        })
        .collect()
}

/// Collects the names of secrets that come by discovery.
fn name_secrets(value: &Value, names: &mut BTreeSet<SecretName>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| name_secrets(inner, names)),
        Value::Object(map) => {
            if let (Some(name), true) =
                (map.get("name").and_then(Value::as_str), map.contains_key("sds_config"))
            {
                names.insert(SecretName::new(name));
            }
            map.values().for_each(|inner| name_secrets(inner, names));
        }
        _ => {}
    }
}

/// A pod that a gateway picks by its labels is one; every other has a sidecar.
fn role_of(pod: &Pod, loaded: &Loaded) -> AsRole {
    let picked = loaded.changes.iter().any(|change| match change {
        Change::Apply { object: Object::Gateway(gateway), .. } => {
            !gateway.selector.is_empty() && gateway.selector.matches(&pod.labels)
        }
        _ => false,
    });
    if picked { AsRole::Gateway } else { AsRole::Sidecar }
}

/// The findings of both judges in one stable order.
pub(crate) fn together(files: Vec<Diagnostic>, references: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut all = Diagnostics::default();
    all.extend(files);
    all.extend(references);
    all.finish(None)
}

fn of_node(path: &Path) -> Result<Proxy, Failure> {
    let name = path.display();
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::stdin(), &mut text).map(|_| text)
    } else {
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = text.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format_args!("{name}: no such file")),
        _ => Failure::bad_input(format_args!("cannot read {name}: {error}")),
    })?;
    let node: Value = serde_saphyr::from_str(&text)
        .map_err(|error| Failure::bad_input(format_args!("{name} is neither JSON nor YAML: {error}")))?;
    let id = node.get("id").and_then(Value::as_str).unwrap_or_default();
    Proxy::from_node(id, node.get("metadata").unwrap_or(&Value::Null))
        .map_err(|error| Failure::bad_input(format_args!("{name}: {error}")))
}
