//! What the mesh says about all proxies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ProxyConfig;

/// Settings of injection, with Istio's defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Parses YAML in annotations; reading texts is the business of the caller. The error is shown to the user.
    pub parse_yaml: fn(&str) -> Result<Value, String>,
    /// The revision that injects, `default` if it has no name.
    pub revision: String,
    /// Whether a pod is injected that says nothing about it.
    pub by_default: bool,
    /// Labels of pods that are never injected unless they ask for it: label selectors, any of which is enough.
    pub never: Vec<Value>,
    /// Labels of pods that are always injected unless they refuse: label selectors, any of which is enough.
    pub always: Vec<Value>,
    /// The image of the proxy, with its tag.
    pub proxy_image: String,
    /// The image with this program, for the init container.
    pub capture_image: String,
    /// `imagePullPolicy` of both; none for what Kubernetes does by itself.
    pub pull_policy: Option<String>,
    /// Names of secrets with credentials for both.
    pub pull_secrets: Vec<String>,
    /// Host and port of the control plane.
    pub discovery_address: String,
    /// The DNS domain of services.
    pub domain: String,
    /// The Kubernetes cluster the pods are in.
    pub cluster_id: String,
    /// Their network; empty if there is only one.
    pub network: String,
    /// Name of the mesh, for telemetry.
    pub mesh_id: String,
    /// Further variables of injected containers, which win over those the pod has.
    pub environment: BTreeMap<String, String>,
    /// The audience of the proxy's token.
    pub token_audience: String,
    /// `defaultConfig` of the mesh.
    pub proxy: ProxyConfig,
    /// Objects of the kind `ProxyConfig`.
    pub proxy_configs: Vec<super::ProxyConfigObject>,
    /// Namespace of those that hold for the whole mesh.
    pub root_namespace: String,
    /// Whether the proxy is a native sidecar: an init container that keeps running, started before and stopped after the
    /// application.
    pub native_sidecars: bool,
    /// Whether probes of applications are asked through the proxy.
    pub rewrite_probes: bool,
    /// Whether pods get annotations by which Prometheus finds the proxy's metrics, where they have none.
    pub scrape_annotations: bool,
    /// Whether pods have addresses of IPv6.
    pub ipv6: bool,
    /// Whether the primary address of pods is of IPv6.
    pub ipv6_first: bool,
    /// `resources` of the proxy.
    pub resources: Value,
    /// Patches by name that pods can choose with `inject.istio.io/templates`, merged as Kubernetes merges.
    pub templates: BTreeMap<String, Value>,
    /// Names that stand for several templates.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// The templates of pods that choose none.
    pub default_templates: Vec<String>,
}

impl Settings {
    /// Istio's defaults.
    pub fn new(parse_yaml: fn(&str) -> Result<Value, String>) -> Self {
        Self {
            parse_yaml,
            revision: "default".to_owned(),
            by_default: true,
            never: Vec::new(),
            always: Vec::new(),
            proxy_image: "envoyproxy/envoy:v1.40.0".to_owned(),
            capture_image: concat!("pilothouse/pilothouse:", env!("CARGO_PKG_VERSION")).to_owned(),
            pull_policy: None,
            pull_secrets: Vec::new(),
            discovery_address: "istiod.istio-system.svc:15012".to_owned(),
            domain: "cluster.local".to_owned(),
            cluster_id: "Kubernetes".to_owned(),
            network: String::new(),
            mesh_id: String::new(),
            environment: BTreeMap::new(),
            token_audience: "istio-ca".to_owned(),
            proxy: ProxyConfig::default(),
            proxy_configs: Vec::new(),
            root_namespace: "istio-system".to_owned(),
            native_sidecars: true,
            rewrite_probes: true,
            scrape_annotations: true,
            ipv6: false,
            ipv6_first: false,
            resources: json!({
                "requests": {"cpu": "100m", "memory": "128Mi"},
                "limits": {"cpu": "2000m", "memory": "1024Mi"},
            }),
            templates: BTreeMap::new(),
            aliases: BTreeMap::new(),
            default_templates: vec!["sidecar".to_owned()],
        }
    }

    /// Takes what MeshConfig says about injection. What is wrong or not supported comes back as text; the rest holds.
    pub fn read_mesh(&mut self, mesh: &Value) -> Vec<String> {
        let mut findings = super::problem::Findings::default();
        let text = |field: &str| mesh.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(namespace) = text("rootNamespace") {
            namespace.clone_into(&mut self.root_namespace);
        }
        if let Some(merge) = mesh.get("enablePrometheusMerge").and_then(Value::as_bool) {
            self.scrape_annotations = merge;
        }
        if let Some(config) = mesh.get("defaultConfig") {
            self.proxy.read(config, "defaultConfig", &mut findings);
            if let Some(mesh_id) = config.get("meshId").and_then(Value::as_str) {
                mesh_id.clone_into(&mut self.mesh_id);
            }
        }
        if self.mesh_id.is_empty() {
            text("trustDomain").unwrap_or_default().clone_into(&mut self.mesh_id);
        }
        let problems = findings.problems.iter().map(ToString::to_string);
        problems.chain(findings.warnings.iter().cloned()).collect()
    }
}
