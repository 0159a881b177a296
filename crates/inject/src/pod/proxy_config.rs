//! ProxyConfig: what applies to one proxy, and from where.
//!
//! The strongest wins field by field: an object that selects the workload, the annotation, an object of the namespace, an
//! object of the root namespace, the default of the mesh. Maps are joined key by key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::duration;
use super::labels::Labels;
use super::problem::Findings;

/// How inbound connections reach the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interception {
    /// By `REDIRECT`: the application sees the proxy's address.
    #[default]
    Redirect,
    /// By `TPROXY`: the application sees the caller's address.
    Tproxy,
    /// Not at all.
    None,
}

impl Interception {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "REDIRECT" => Some(Self::Redirect),
            "TPROXY" => Some(Self::Tproxy),
            "NONE" => Some(Self::None),
            _ => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Redirect => "REDIRECT",
            Self::Tproxy => "TPROXY",
            Self::None => "NONE",
        }
    }
}

/// The settings of a proxy that the injector acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// `concurrency`: worker threads; zero is one for each core, none the CPU limit rounded up.
    pub concurrency: Option<u32>,
    /// `drainDuration` in seconds.
    pub drain_seconds: u64,
    /// `terminationDrainDuration` in seconds.
    pub termination_drain_seconds: u64,
    /// `discoveryAddress`, if it is not that of the mesh.
    pub discovery_address: Option<String>,
    /// `interceptionMode`.
    pub interception: Interception,
    /// `holdApplicationUntilProxyStarts`.
    pub hold: bool,
    /// `proxyMetadata`: variables of the proxy; those that begin with `ISTIO_META_` are metadata of its node as well.
    pub metadata: BTreeMap<String, String>,
    /// `image.imageType`: `distroless`, `debug` or `default`.
    pub image_type: Option<String>,
    /// `statusPort`; zero leaves out the proxy's probes.
    pub status_port: u16,
    /// `proxyAdminPort`.
    pub admin_port: u16,
    /// `runtimeValues` of Envoy.
    pub runtime: BTreeMap<String, String>,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            concurrency: None,
            drain_seconds: 45,
            termination_drain_seconds: 5,
            discovery_address: None,
            interception: Interception::Redirect,
            hold: false,
            metadata: BTreeMap::new(),
            image_type: None,
            status_port: 15020,
            admin_port: 15000,
            runtime: BTreeMap::new(),
        }
    }
}

/// Fields without a meaning where no agent runs, or that the injector takes from elsewhere.
const QUIET: [&str; 8] = [
    "binaryPath",
    "configPath",
    "controlPlaneAuthPolicy",
    "meshId",
    "proxyBootstrapTemplatePath",
    "serviceCluster",
    "statNameLength",
    "gatewayTopology",
];

impl ProxyConfig {
    /// Lays a written ProxyConfig over this one.
    pub(super) fn read(&mut self, raw: &Value, at: &str, out: &mut Findings) {
        let Some(fields) = raw.as_object() else {
            if !raw.is_null() {
                out.problem(at, raw, "is no ProxyConfig; write a map of its fields");
            }
            return;
        };
        for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let at = format!("{at}.{field}");
            match field.as_str() {
                "concurrency" => {
                    if let Some(number) = number(value, &at, 1024, out) {
                        self.concurrency = Some(number);
                    }
                }
                "drainDuration" => seconds(value, &at, &mut self.drain_seconds, out),
                "terminationDrainDuration" => seconds(value, &at, &mut self.termination_drain_seconds, out),
                "discoveryAddress" => match value.as_str().filter(|text| is_host_and_port(text)) {
                    Some(text) => self.discovery_address = Some(text.to_owned()),
                    None => out.problem(at, shown(value), "is not of the form host:port"),
                },
                "interceptionMode" => match value.as_str().and_then(Interception::parse) {
                    Some(mode) => self.interception = mode,
                    None => out.problem(at, shown(value), "must be REDIRECT, TPROXY or NONE"),
                },
                "holdApplicationUntilProxyStarts" => match value.as_bool() {
                    Some(hold) => self.hold = hold,
                    None => out.problem(at, shown(value), "must be true or false"),
                },
                "proxyMetadata" => texts(value, &at, &mut self.metadata, out),
                "runtimeValues" => texts(value, &at, &mut self.runtime, out),
                "image" => match value.get("imageType").and_then(Value::as_str) {
                    Some(image_type) => self.image_type = Some(image_type.to_owned()),
                    None => out.problem(at, shown(value), "must hold imageType, a text"),
                },
                "statusPort" => port(value, &at, 0, &mut self.status_port, out),
                "proxyAdminPort" => port(value, &at, 1, &mut self.admin_port, out),
                quiet if QUIET.contains(&quiet) => {}
                _ => out.warn(format!("{at} is not supported and has no effect")),
            }
        }
    }

    /// Lays an object of the kind over this one.
    fn apply(&mut self, object: &ProxyConfigObject) {
        if object.concurrency.is_some() {
            self.concurrency = object.concurrency;
        }
        if object.image_type.is_some() {
            self.image_type.clone_from(&object.image_type);
        }
        self.metadata.extend(object.environment.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// An object of the kind `ProxyConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyConfigObject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created, as a number that grows with time. Of several in one scope the oldest counts.
    pub created: i64,
    /// The labels of the workloads it is for; empty for all of the namespace.
    pub selector: BTreeMap<String, String>,
    /// `concurrency`.
    pub concurrency: Option<u32>,
    /// `environmentVariables`.
    pub environment: BTreeMap<String, String>,
    /// `image.imageType`.
    pub image_type: Option<String>,
}

impl ProxyConfigObject {
    /// Reads an object of the API. What is wrong comes back as text, and the rest holds.
    pub fn read(object: &Value) -> (Self, Vec<String>) {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut read = Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            // 2026-11-21T22:19:52Z, always of this form: its digits grow with time.
            created: metadata["creationTimestamp"]
                .as_str()
                .map(|moment| moment.chars().filter(char::is_ascii_digit).take(14).collect::<String>())
                .and_then(|digits| digits.parse().ok())
                .unwrap_or_default(),
            ..Self::default()
        };
        let about = format!("ProxyConfig {}/{}", read.namespace, read.name);
        let mut out = Findings::default();
        let spec = object["spec"].as_object().into_iter().flatten();
        for (field, value) in spec.filter(|(_, value)| !value.is_null()) {
            let at = format!("{about}: spec.{field}");
            match field.as_str() {
                "selector" => texts(&value["matchLabels"], &at, &mut read.selector, &mut out),
                "concurrency" => read.concurrency = number(value, &at, 1024, &mut out),
                "environmentVariables" => texts(value, &at, &mut read.environment, &mut out),
                "image" => match value["imageType"].as_str() {
                    Some(image_type) => read.image_type = Some(image_type.to_owned()),
                    None => out.problem(at, shown(value), "must hold imageType, a text"),
                },
                _ => out.warn(format!("{at} is not known and has no effect")),
            }
        }
        let problems = out.problems.iter().map(ToString::to_string);
        let said = problems.chain(out.warnings.iter().cloned()).collect();
        (read, said)
    }
}

/// What holds for a workload.
pub(super) fn effective(
    mesh: &ProxyConfig,
    objects: &[ProxyConfigObject],
    root_namespace: &str,
    namespace: &str,
    labels: &Labels<'_>,
    annotation: Option<(&Value, &str)>,
    out: &mut Findings,
) -> ProxyConfig {
    let oldest = |wanted: &dyn Fn(&ProxyConfigObject) -> bool| {
        objects
            .iter()
            .filter(|object| wanted(object))
            .min_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)))
    };
    let selects = |object: &ProxyConfigObject| {
        object.selector.iter().all(|(key, value)| labels.get(key.as_str()) == Some(&value.as_str()))
    };
    let mut config = mesh.clone();
    if let Some(object) = oldest(&|object| object.namespace == root_namespace && object.selector.is_empty()) {
        config.apply(object);
    }
    if namespace != root_namespace
        && let Some(object) = oldest(&|object| object.namespace == namespace && object.selector.is_empty())
    {
        config.apply(object);
    }
    if let Some((raw, at)) = annotation {
        config.read(raw, at, out);
    }
    let own = |object: &ProxyConfigObject| {
        object.namespace == namespace && !object.selector.is_empty() && selects(object)
    };
    if let Some(object) = oldest(&own) {
        config.apply(object);
    }
    config
}

/// Whether a text names a host and a port.
pub(super) fn is_host_and_port(text: &str) -> bool {
    host_and_port(text).is_some()
}

/// Takes `host:port` or `[address]:port` apart.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').filter(|address| address.contains(':'))?,
        None => host,
    };
    let good = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
        && (!host.contains(':') || host.parse::<std::net::IpAddr>().is_ok());
    let port = port.parse().ok().filter(|port| *port > 0)?;
    good.then_some((host, port))
}

fn number(value: &Value, at: &str, most: u32, out: &mut Findings) -> Option<u32> {
    let number =
        value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= most);
    if number.is_none() {
        out.problem(at, shown(value), format!("must be a whole number from 0 to {most}"));
    }
    number
}

fn seconds(value: &Value, at: &str, into: &mut u64, out: &mut Findings) {
    match value.as_str().and_then(duration::milliseconds) {
        Some(milliseconds) if milliseconds % 1000 == 0 => *into = milliseconds / 1000,
        Some(_) => out.problem(at, shown(value), "must be whole seconds"),
        None => out.problem(at, shown(value), "is no duration; write it like 45s"),
    }
}

fn port(value: &Value, at: &str, least: u16, into: &mut u16, out: &mut Findings) {
    let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port >= least);
    match port {
        Some(port) => *into = port,
        None => out.problem(at, shown(value), format!("must be a port from {least} to 65535")),
    }
}

fn texts(value: &Value, at: &str, into: &mut BTreeMap<String, String>, out: &mut Findings) {
    let Some(map) = value.as_object() else {
        return out.problem(at, shown(value), "must be a map of texts");
    };
    for (key, value) in map {
        match value.as_str() {
            Some(text) => {
                into.insert(key.clone(), text.to_owned());
            }
            None => out.problem(format!("{at}.{key}"), shown(value), "must be a text; put it into quotes"),
        }
    }
}

/// A value as a user would write it.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
