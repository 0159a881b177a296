//! From a pod to the pod with its proxy.
//!
//! The order of the work: decide whether at all; take back what an earlier injection did; read what the pod asks for; make
//! the proxy, lay templates over it and then what the pod says about its own `istio-proxy`; put everything in its place;
//! write down what was added. Because an earlier injection is taken back first, injecting twice gives the same pod.

mod again;
mod decide;
mod duration;
mod image;
pub(crate) mod labels;
mod merge;
mod owner;
mod place;
mod probes;
mod problem;
mod proxy;
mod proxy_config;
mod settings;
mod shape;
mod template;
mod wishes;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use decide::SYSTEM_NAMESPACES;
pub use decide::Skip;
pub use owner::Owner;
pub use problem::{Problem, Refused};
pub use proxy_config::{Interception, ProxyConfig, ProxyConfigObject};
pub use settings::Settings;
pub use wishes::{heeded, ignored};

use crate::bootstrap::Role;
use labels::{Labels, texts};
use merge::merge;
use problem::{Findings, annotation};
use proxy::Plan;
use template::Templates;
use wishes::Wishes;

/// Name of the proxy's container. Other software looks for it.
const PROXY: &str = "istio-proxy";
/// Name of the container that sets the rules.
const INIT: &str = "istio-init";
/// The port on which the proxy answers the kubelet.
const READY_PORT: u16 = 15021;
/// What was added, by name.
const STATUS: &str = "sidecar.istio.io/status";
/// What the user wrote about containers that we add.
const OVERRIDES: &str = "proxy.istio.io/overrides";
/// The SDS files of the proxy; a volume makes files of them.
const TOKEN_SDS: &str = "pilothouse.dev/token-sds";
const ROOT_SDS: &str = "pilothouse.dev/root-sds";
/// By which Prometheus finds the proxy's metrics.
const SCRAPE: [(&str, &str); 3] = [
    ("prometheus.io/scrape", "true"),
    ("prometheus.io/port", "15090"),
    ("prometheus.io/path", "/stats/prometheus"),
];

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The pod, or the template of pods. Fields that we do not know stay as they are.
    pub pod: &'r Value,
    /// Its namespace; the pod itself may leave it out.
    pub namespace: &'r str,
    /// The workload, where it is known otherwise than by the controller of the pod.
    pub workload: Option<Owner>,
    /// A text that nobody can guess: who knows it can make the proxy of this pod drain. Without one the proxy is not
    /// drained before the pod ends.
    pub drain: Option<&'r str>,
}

/// What became of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It stays as it is.
    Skipped(Skip),
    /// It has a proxy.
    Injected(Box<Injected>),
}

/// A pod with its proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// The pod.
    pub pod: Value,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Injects a pod, or says why not.
pub fn inject(request: &Request<'_>, settings: &Settings) -> Result<Outcome, Refused> {
    let mut out = Findings::default();
    shape::check(request.pod, &mut out);
    if !out.problems.is_empty() {
        return Err(Refused { problems: out.problems });
    }
    let (labels, annotations) = (texts(request.pod, "labels"), texts(request.pod, "annotations"));
    if let Some(skip) = decide::skip(request.pod, request.namespace, &labels, &annotations, settings) {
        return Ok(Outcome::Skipped(skip));
    }
    match injected(request, settings, &mut out) {
        Some(pod) if out.problems.is_empty() => {
            Ok(Outcome::Injected(Box::new(Injected { pod, warnings: out.warnings })))
        }
        _ => Err(Refused { problems: out.problems }),
    }
}

/// `None` only beside problems.
fn injected(request: &Request<'_>, settings: &Settings, out: &mut Findings) -> Option<Value> {
    let mut pod = request.pod.clone();
    shape::normalize(&mut pod);
    let memory = again::undo(&mut pod);
    let before = pod.clone();
    let templates =
        Templates::choose(texts(&before, "annotations").get(wishes::TEMPLATES).copied(), settings, out);
    // What templates say about all but our containers comes first: it may name the pod, or bring probes.
    for patch in &templates.patches {
        merge(&mut pod, &template::around(patch));
    }
    let laid = pod.clone();
    let (labels, annotations) = (texts(&laid, "labels"), texts(&laid, "annotations"));

    let wishes = wishes::read(&annotations, settings.parse_yaml, out);
    let at = annotation(wishes::PROXY_CONFIG);
    let config = proxy_config::effective(
        &settings.proxy,
        &settings.proxy_configs,
        &settings.root_namespace,
        request.namespace,
        &labels,
        wishes.proxy_config.as_ref().map(|raw| (raw, at.as_str())),
        out,
    );
    let workload = request.workload.clone().unwrap_or_else(|| owner::owner(&laid, &labels));
    let workload_name =
        labels.get("service.istio.io/workload-name").map_or(&*workload.name, |name| name).to_owned();
    advise(&laid, &wishes, &config, settings, out);

    let own = place::take(&mut pod, &[PROXY, INIT]);
    name(&mut pod, &workload_name, settings);
    let mut remembered = Map::new();
    if let Some(role) = templates.role {
        let interception = wishes.interception.unwrap_or(config.interception);
        let applications: Vec<String> = place::names(&laid, "containers")
            .filter(|name| ![PROXY, INIT].contains(name))
            .map(str::to_owned)
            .collect();
        // A gateway is the application, and what has no application beside it as well: a pod needs a container.
        let native = role == Role::Sidecar
            && !applications.is_empty()
            && wishes.native.unwrap_or(settings.native_sidecars);
        let stops_itself = own.has(PROXY, "/lifecycle/preStop")
            || templates.patches.iter().any(|patch| template::has(patch, PROXY, "/lifecycle/preStop"));
        let drains = native && !stops_itself;
        let (mut asked, mut remember) = (Vec::new(), Map::new());
        if role == Role::Sidecar
            && wishes.rewrite_probes.unwrap_or(settings.rewrite_probes)
            && wishes.status_port.unwrap_or(config.status_port) != 0
        {
            (asked, remember) = probes::rewrite(&mut pod, out);
        }
        remembered.append(&mut remember);
        let image_type = wishes
            .image_type
            .as_deref()
            .map(|word| (word, annotation(wishes::IMAGE_TYPE)))
            .or_else(|| config.image_type.as_deref().map(|word| (word, "image.imageType".to_owned())));
        let image = image::proxy_image(&settings.proxy_image, wishes.proxy_image.as_deref(), image_type, out);
        let plan = Plan {
            request,
            settings,
            config: &config,
            wishes: &wishes,
            role,
            native,
            interception,
            image: &image,
            probes: asked,
            drain: memory.drain.or_else(|| request.drain.map(str::to_owned)).filter(|_| drains),
            labels: texts(&pod, "labels")
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            workload: &workload,
            workload_name: &workload_name,
            applications,
        };
        let parts = plan.parts(out)?;
        place::put(&mut pod, parts, native, config.hold);
    }
    for patch in &templates.patches {
        template::lay_ours(&mut pod, patch);
    }
    place::lay_own(&mut pod, &own);
    place::follow_user(&mut pod);
    for secret in &settings.pull_secrets {
        merge(&mut pod, &json!({"spec": {"imagePullSecrets": [{"name": secret}]}}));
    }
    write_down(&mut pod, &before, &own, &remembered, &wishes, settings);
    Some(pod)
}

/// What is allowed and probably not meant.
fn advise(pod: &Value, wishes: &Wishes, config: &ProxyConfig, settings: &Settings, out: &mut Findings) {
    let user = |part: &Value| part["securityContext"]["runAsUser"] == 1337;
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut same = containers.filter(|container| container["name"] != PROXY && user(container));
    if user(&pod["spec"]) || same.next().is_some() {
        out.warn(
            "the application runs as user 1337 like the proxy, so its connections bypass the mesh; let it run as another user",
        );
    }
    let native = wishes.native.unwrap_or(settings.native_sidecars);
    if config.hold && !native {
        out.warn(
            "holdApplicationUntilProxyStarts cannot be kept without native sidecars: the proxy is started first, but nobody waits for it",
        );
    }
}

/// Labels by which the mesh knows the pod. What is there stays.
fn name(pod: &mut Value, workload: &str, settings: &Settings) {
    let labels = texts(pod, "labels");
    let first = |keys: &[&str], otherwise: &str| {
        let found = keys.iter().filter_map(|key| labels.get(key)).find(|value| !value.is_empty());
        cut(found.unwrap_or(&otherwise))
    };
    let mut wanted = vec![
        ("security.istio.io/tlsMode", "istio".to_owned()),
        ("service.istio.io/canonical-name", first(&["app.kubernetes.io/name", "app"], workload)),
        ("service.istio.io/canonical-revision", first(&["app.kubernetes.io/version", "version"], "latest")),
    ];
    if !settings.network.is_empty() {
        wanted.push(("topology.istio.io/network", settings.network.clone()));
    }
    wanted.retain(|(key, value)| !labels.contains_key(key) && !value.is_empty());
    if wanted.is_empty() {
        return;
    }
    let map = metadata(pod, "labels");
    map.extend(wanted.into_iter().map(|(key, value)| (key.to_owned(), json!(value))));
}

/// A label has at most 63 letters and ends with a letter or digit.
fn cut(text: &str) -> String {
    let end = text.char_indices().nth(63).map_or(text.len(), |(end, _)| end);
    text[..end].trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_owned()
}

/// Annotations about what was done.
fn write_down(
    pod: &mut Value,
    before: &Value,
    own: &place::Own,
    remembered: &Map<String, Value>,
    wishes: &Wishes,
    settings: &Settings,
) {
    let added = |list: &str| -> Vec<&str> {
        let old: Vec<&str> = match list {
            // The user's own definition of a container of ours is taken back with it, and put back from the overrides.
            "containers" | "initContainers" => {
                place::names(before, list).filter(|name| ![PROXY, INIT].contains(name)).collect()
            }
            _ => place::names(before, list).collect(),
        };
        place::names(pod, list).filter(|name| !old.contains(name)).collect()
    };
    let status = json!({
        "initContainers": added("initContainers"),
        "containers": added("containers"),
        "volumes": added("volumes"),
        "imagePullSecrets": added("imagePullSecrets"),
        "revision": settings.revision,
    });
    let first = place::names(pod, "containers").find(|name| ![PROXY, INIT].contains(name)).map(str::to_owned);
    let scraped = wishes.merge_metrics.unwrap_or(settings.scrape_annotations)
        && place::names(pod, "containers")
            .chain(place::names(pod, "initContainers"))
            .any(|name| name == PROXY);
    let map = metadata(pod, "annotations");
    map.insert(STATUS.to_owned(), json!(status.to_string()));
    map.insert("istio.io/rev".to_owned(), json!(settings.revision));
    if !own.is_empty() {
        map.insert(OVERRIDES.to_owned(), json!(own.as_annotation().to_string()));
    }
    if !remembered.is_empty() {
        map.insert(probes::REMEMBERED.to_owned(), json!(Value::Object(remembered.clone()).to_string()));
    }
    if let Some(first) = first {
        for key in ["kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container"]
        {
            map.entry(key).or_insert_with(|| json!(first));
        }
    }
    if scraped && !map.keys().any(|key| key.starts_with("prometheus.io/")) {
        map.extend(SCRAPE.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    }
}

/// A map of the metadata, made if it is not there.
fn metadata<'p>(pod: &'p mut Value, field: &str) -> &'p mut Map<String, Value> {
    let map = &mut pod["metadata"][field];
    if !map.is_object() {
        *map = json!({});
    }
    map.as_object_mut().expect("it was made one above")
}

/// The labels of an object, for who asks selectors about it.
pub(crate) fn labels_of(object: &Value) -> Labels<'_> {
    texts(object, "labels")
}

/// Texts by name, as metadata holds them.
pub(crate) type Texts = BTreeMap<String, String>;

#[cfg(test)]
mod tests;
