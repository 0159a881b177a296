//! The containers and volumes that a pod gets.

use serde_json::{Map, Value, json};

use super::problem::Findings;
use super::proxy_config::{Interception, ProxyConfig, host_and_port};
use super::wishes::Wishes;
use super::{INIT, PROXY, READY_PORT, ROOT_SDS, Request, Settings, TOKEN_SDS};
use crate::bootstrap::{
    Admin, AppProbe, Beside, BootstrapOptions, DRAIN_HEADER, DRAIN_PATH, Files, Node, Role, Security,
    as_argument, bootstrap, root_secret, token_secret, variable,
};

const METRICS_PORT: u16 = 15090;
const TUNNEL_PORT: u16 = 15008;
/// What Linux takes as one argument, less a margin for what the kubelet puts into it.
const LONGEST_ARGUMENT: usize = 120 * 1024;
/// Where the parts of the credentials lie in the proxy's file system.
const TOKEN_DIRECTORY: &str = "/var/run/secrets/tokens";
const ROOT_DIRECTORY: &str = "/var/run/secrets/istio";
const SDS_DIRECTORY: &str = "/etc/pilothouse";
const OVERRIDE_DIRECTORY: &str = "/etc/istio/custom-bootstrap";
const OVERRIDE_FILE: &str = "custom_bootstrap.json";

/// All that decides about the proxy of one pod.
pub(super) struct Plan<'p> {
    pub(super) request: &'p Request<'p>,
    pub(super) settings: &'p Settings,
    pub(super) config: &'p ProxyConfig,
    pub(super) wishes: &'p Wishes,
    pub(super) role: Role,
    pub(super) native: bool,
    pub(super) interception: Interception,
    pub(super) image: &'p str,
    pub(super) probes: Vec<AppProbe>,
    pub(super) drain: Option<String>,
    pub(super) labels: std::collections::BTreeMap<String, String>,
    pub(super) workload: &'p super::Owner,
    pub(super) workload_name: &'p str,
    pub(super) applications: Vec<String>,
}

/// The parts that are added to the pod.
pub(super) struct Parts {
    /// The proxy.
    pub(super) proxy: Value,
    /// The init container that sets the rules, unless nothing is captured.
    pub(super) init: Option<Value>,
    pub(super) volumes: Vec<Value>,
    /// The texts that a volume takes from annotations.
    pub(super) annotations: Vec<(&'static str, String)>,
}

impl Plan<'_> {
    pub(super) fn parts(&self, out: &mut Findings) -> Option<Parts> {
        let address = self.wishes.discovery_address.as_deref().or(self.config.discovery_address.as_deref());
        let address = address.unwrap_or(&self.settings.discovery_address);
        let Some((host, port)) = host_and_port(address) else {
            out.problem("the address of the control plane", address, "is not of the form host:port");
            return None;
        };
        let files = Files {
            token: format!("{TOKEN_DIRECTORY}/istio-token"),
            root: format!("{ROOT_DIRECTORY}/root-cert.pem"),
            token_secret: format!("{SDS_DIRECTORY}/token-sds.json"),
            root_secret: format!("{SDS_DIRECTORY}/root-sds.json"),
        };
        let annotations = vec![
            (TOKEN_SDS, token_secret(&files).to_string()),
            (ROOT_SDS, root_secret(&files, host).to_string()),
        ];
        let bootstrap = self.bootstrap(host, port, files, out)?;
        Some(Parts { proxy: self.proxy(&bootstrap), init: self.init(), volumes: self.volumes(), annotations })
    }

    fn bootstrap(&self, host: &str, port: u16, files: Files, out: &mut Findings) -> Option<String> {
        let Self { settings, config, wishes, workload, .. } = self;
        let mut metadata: std::collections::BTreeMap<String, String> = [
            ("OWNER", workload.uri(self.request.namespace)),
            ("MESH_ID", settings.mesh_id.clone()),
            ("NODE_NAME", variable("ISTIO_META_NODE_NAME")),
            ("APP_CONTAINERS", self.applications.join(",")),
            ("INTERCEPTION_MODE", self.interception.word().to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        for (key, value) in config.metadata.iter().chain(&settings.environment) {
            if let Some(key) = key.strip_prefix("ISTIO_META_") {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        let from_path = |key: &str, otherwise: &str| {
            settings.environment.get(key).cloned().unwrap_or_else(|| otherwise.to_owned())
        };
        let options = BootstrapOptions {
            node: Node {
                role: self.role,
                pod: variable("POD_NAME"),
                namespace: variable("POD_NAMESPACE"),
                service_account: variable("SERVICE_ACCOUNT"),
                domain: settings.domain.clone(),
                address: variable("INSTANCE_IP"),
                all_addresses: variable("INSTANCE_IPS"),
                labels: self.labels.clone(),
                cluster_id: from_path("ISTIO_META_CLUSTER_ID", &settings.cluster_id),
                network: from_path("ISTIO_META_NETWORK", &settings.network),
                workload: self.workload_name.to_owned(),
                metadata,
            },
            discovery_host: host.to_owned(),
            discovery_port: port,
            security: Security::Tls { server_name: host.to_owned(), files },
            admin: Admin::Port(config.admin_port),
            ready_port: Some(READY_PORT),
            metrics_port: Some(METRICS_PORT),
            ipv6: settings.ipv6,
            beside: Beside {
                probes: self.probes.clone(),
                brackets: settings.ipv6_first,
                drain: self.drain.clone(),
                statistics: wishes.statistics.clone(),
                runtime: config.runtime.clone(),
            },
        };
        match bootstrap(&options) {
            Ok(bootstrap) => {
                let text = as_argument(&bootstrap);
                if text.len() > LONGEST_ARGUMENT {
                    out.problem(
                        "the proxy's bootstrap",
                        format!("{} bytes", text.len()),
                        "does not fit into an argument of 128 KiB; there are too many probes or labels",
                    );
                    return None;
                }
                Some(text)
            }
            Err(error) => {
                for problem in error.problems {
                    out.problem(problem.what, problem.value, problem.reason);
                }
                None
            }
        }
    }

    fn proxy(&self, bootstrap: &str) -> Value {
        let Self { settings, config, wishes, .. } = self;
        let mut args = Vec::new();
        let mut put = |words: &[&str]| args.extend(words.iter().map(|word| (*word).to_owned()));
        if wishes.bootstrap_override.is_some() {
            put(&["-c", &format!("{OVERRIDE_DIRECTORY}/{OVERRIDE_FILE}")]);
        }
        put(&["--config-yaml", bootstrap]);
        let threads =
            config.concurrency.map_or("$(ISTIO_CPU_LIMIT)".to_owned(), |threads| threads.to_string());
        put(&["--concurrency", &threads]);
        put(&["--drain-time-s", &config.drain_seconds.to_string()]);
        put(&["--drain-strategy", "immediate", "--disable-hot-restart"]);
        put(&["--log-level", wishes.log_level.as_deref().unwrap_or("warning")]);
        put(&["--component-log-level", wishes.component_log_level.as_deref().unwrap_or("misc:error")]);
        let mut proxy = json!({
            "name": PROXY,
            "image": self.image,
            "args": args,
            "env": self.environment(),
            "ports": [{"containerPort": METRICS_PORT, "name": "http-envoy-prom", "protocol": "TCP"}],
            "resources": wishes.resources.clone().unwrap_or_else(|| settings.resources.clone()),
            "securityContext": self.security_context(),
            "volumeMounts": self.mounts(),
        });
        if let Some(policy) = &settings.pull_policy {
            proxy["imagePullPolicy"] = json!(policy);
        }
        if wishes.status_port.unwrap_or(config.status_port) != 0 {
            let probe =
                json!({"httpGet": {"path": "/healthz/ready", "port": READY_PORT}, "timeoutSeconds": 3});
            proxy["startupProbe"] = with(&probe, &[("periodSeconds", 1), ("failureThreshold", 600)]);
            proxy["readinessProbe"] = with(&probe, &[("periodSeconds", 15), ("failureThreshold", 4)]);
            for (field, number) in &wishes.readiness {
                proxy["readinessProbe"][*field] = json!(number);
            }
        }
        if let Some(lifecycle) = self.lifecycle() {
            proxy["lifecycle"] = lifecycle;
        }
        if self.native {
            proxy["restartPolicy"] = json!("Always");
        }
        proxy
    }

    /// A native sidecar ends after the application, so it begins to send callers elsewhere as soon as the pod ends. Others
    /// end together with the application, and Envoy ends at once when it is told to: it has to be kept for a while.
    fn lifecycle(&self) -> Option<Value> {
        if self.native {
            let guard = self.drain.as_ref()?;
            return Some(json!({"preStop": {"httpGet": {
                "path": DRAIN_PATH,
                "port": READY_PORT,
                "httpHeaders": [{"name": DRAIN_HEADER, "value": guard}],
            }}}));
        }
        let seconds = self.config.termination_drain_seconds;
        (seconds > 0).then(|| json!({"preStop": {"sleep": {"seconds": seconds}}}))
    }

    fn environment(&self) -> Vec<Value> {
        let field =
            |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
        let mut environment = vec![
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("INSTANCE_IP", "status.podIP"),
            field("INSTANCE_IPS", "status.podIPs"),
            field("HOST_IP", "status.hostIP"),
            field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            field("ISTIO_META_NODE_NAME", "spec.nodeName"),
            json!({"name": "ISTIO_CPU_LIMIT", "valueFrom": {"resourceFieldRef": {
                "resource": "limits.cpu", "divisor": "1",
            }}}),
        ];
        if self.runs_as_root() {
            // The entry point of the image leaves root otherwise.
            environment.push(json!({"name": "ENVOY_UID", "value": "0"}));
        }
        let more =
            self.config.metadata.iter().filter(|(key, _)| !self.settings.environment.contains_key(*key));
        environment.extend(
            more.chain(&self.settings.environment).map(|(key, value)| json!({"name": key, "value": value})),
        );
        environment
    }

    fn runs_as_root(&self) -> bool {
        self.interception == Interception::Tproxy && self.role == Role::Sidecar || self.wishes.bind_low_ports
    }

    fn security_context(&self) -> Value {
        let mut added = Vec::new();
        if self.interception == Interception::Tproxy && self.role == Role::Sidecar {
            added.push("NET_ADMIN");
        }
        if self.wishes.bind_low_ports {
            added.push("NET_BIND_SERVICE");
        }
        let root = self.runs_as_root();
        let mut capabilities = json!({"drop": ["ALL"]});
        if !added.is_empty() {
            capabilities["add"] = json!(added);
        }
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": capabilities,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsUser": if root { 0 } else { 1337 },
            "runAsGroup": 1337,
            "runAsNonRoot": !root,
        })
    }

    fn mounts(&self) -> Vec<Value> {
        let mut mounts = vec![
            json!({"name": "istio-token", "mountPath": TOKEN_DIRECTORY, "readOnly": true}),
            json!({"name": "istiod-ca-cert", "mountPath": ROOT_DIRECTORY, "readOnly": true}),
            json!({"name": "pilothouse-sds", "mountPath": SDS_DIRECTORY, "readOnly": true}),
        ];
        if self.wishes.bootstrap_override.is_some() {
            mounts.push(json!({
                "name": "custom-bootstrap-volume", "mountPath": OVERRIDE_DIRECTORY, "readOnly": true,
            }));
        }
        mounts.extend(self.wishes.mounts.iter().cloned());
        mounts
    }

    fn volumes(&self) -> Vec<Value> {
        let from = |path: &str, key: &str| json!({"path": path, "fieldRef": {"fieldPath": format!("metadata.annotations['{key}']")}});
        let mut volumes = vec![
            json!({"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": self.settings.token_audience, "expirationSeconds": 43200, "path": "istio-token",
            }}]}}),
            json!({"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}}),
            json!({"name": "pilothouse-sds", "downwardAPI": {
                "items": [from("token-sds.json", TOKEN_SDS), from("root-sds.json", ROOT_SDS)],
            }}),
        ];
        if let Some(name) = &self.wishes.bootstrap_override {
            volumes.push(json!({"name": "custom-bootstrap-volume", "configMap": {"name": name}}));
        }
        volumes.extend(self.wishes.volumes.iter().cloned());
        volumes
    }

    /// The container that sets the rules. It fails when they cannot be set, and the pod does not start.
    fn init(&self) -> Option<Value> {
        if self.role == Role::Router || self.interception == Interception::None {
            return None;
        }
        let flags = self.wishes.traffic.flags();
        let mut args = vec!["capture".to_owned()];
        let mut put = |flag: &str, value: &str| args.extend([flag.to_owned(), value.to_owned()]);
        put("-p", &flags.envoy_port);
        put("-z", &flags.inbound_capture_port);
        put("-e", &TUNNEL_PORT.to_string());
        put("-u", &flags.proxy_uid);
        put("-m", self.interception.word());
        put("-i", &flags.service_cidr);
        put("-x", &flags.service_exclude_cidr);
        put("-b", &flags.inbound_ports);
        put("-d", &flags.local_exclude_ports);
        for (flag, value) in [
            ("-q", &flags.outbound_ports),
            ("-o", &flags.local_outbound_ports_exclude),
            ("-k", &flags.virtual_interfaces),
            ("-c", &flags.exclude_interfaces),
        ] {
            if !value.is_empty() {
                put(flag, value);
            }
        }
        if self.settings.ipv6 {
            args.push("--dual-stack".to_owned());
        }
        let mut init = json!({
            "name": INIT,
            "image": self.settings.capture_image,
            "args": args,
            "resources": self.wishes.resources.clone().unwrap_or_else(|| self.settings.resources.clone()),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
                "privileged": false,
                "readOnlyRootFilesystem": false,
                "runAsGroup": 0,
                "runAsNonRoot": false,
                "runAsUser": 0,
            },
        });
        if let Some(policy) = &self.settings.pull_policy {
            init["imagePullPolicy"] = json!(policy);
        }
        Some(init)
    }
}

fn with(probe: &Value, numbers: &[(&str, u32)]) -> Value {
    let mut probe: Map<String, Value> = probe.as_object().cloned().unwrap_or_default();
    probe.extend(numbers.iter().map(|(field, number)| ((*field).to_owned(), json!(number))));
    Value::Object(probe)
}
