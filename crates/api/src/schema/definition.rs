//! The definitions: names, versions and columns of each kind.

use serde_json::{Value, json};

use super::value::Schema;
use super::{
    destination_rule, envoy_filter, extensions, gateway, proxy_config, security, service_entry, sidecar,
    status, telemetry, virtual_service, workload_group,
};

/// A kind as an API server needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// `spec.group`.
    pub group: &'static str,
    /// `spec.names.kind`.
    pub kind: &'static str,
    /// `spec.names.plural`.
    pub plural: &'static str,
    short: Option<&'static str>,
    /// All that are served, with the same schema each.
    versions: &'static [&'static str],
    storage: &'static str,
    columns: &'static [Column],
    spec_required: bool,
    spec: fn() -> Schema,
}

/// What `kubectl get` prints besides the name.
#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    path: &'static str,
    kind: &'static str,
    doc: &'static str,
}

const AGE: Column = Column {
    name: "Age",
    path: ".metadata.creationTimestamp",
    kind: "date",
    doc: "How long ago the object was created",
};

const fn column(name: &'static str, path: &'static str, doc: &'static str) -> Column {
    Column { name, path, kind: "string", doc }
}

const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const EXTENSIONS: &str = "extensions.istio.io";
const TELEMETRY: &str = "telemetry.istio.io";

/// What most kinds of networking share.
const BASE: Definition = Definition {
    group: NETWORKING,
    kind: "",
    plural: "",
    short: None,
    versions: &["v1", "v1alpha3", "v1beta1"],
    storage: "v1",
    columns: &[],
    spec_required: false,
    spec: gateway::schema,
};

const DEFINITIONS: [Definition; 15] = [
    Definition {
        group: EXTENSIONS,
        kind: "TrafficExtension",
        plural: "trafficextensions",
        versions: &["v1alpha1"],
        storage: "v1alpha1",
        columns: &[AGE],
        spec_required: true,
        spec: extensions::traffic_extension,
        ..BASE
    },
    Definition {
        group: EXTENSIONS,
        kind: "WasmPlugin",
        plural: "wasmplugins",
        versions: &["v1alpha1"],
        storage: "v1alpha1",
        columns: &[AGE],
        spec_required: true,
        spec: extensions::wasm_plugin,
        ..BASE
    },
    Definition {
        kind: "DestinationRule",
        plural: "destinationrules",
        short: Some("dr"),
        columns: &[column("Host", ".spec.host", "The service that the rule is about"), AGE],
        spec: destination_rule::schema,
        ..BASE
    },
    Definition {
        kind: "EnvoyFilter",
        plural: "envoyfilters",
        versions: &["v1alpha3"],
        storage: "v1alpha3",
        spec: envoy_filter::schema,
        ..BASE
    },
    Definition { kind: "Gateway", plural: "gateways", short: Some("gw"), spec: gateway::schema, ..BASE },
    Definition {
        kind: "ProxyConfig",
        plural: "proxyconfigs",
        versions: &["v1beta1"],
        storage: "v1beta1",
        spec: proxy_config::schema,
        ..BASE
    },
    Definition {
        kind: "ServiceEntry",
        plural: "serviceentries",
        short: Some("se"),
        columns: &[
            column("Hosts", ".spec.hosts", "The names of the services"),
            column("Location", ".spec.location", "Whether they are inside of the mesh"),
            column("Resolution", ".spec.resolution", "How their endpoints are found"),
            AGE,
        ],
        spec_required: true,
        spec: service_entry::schema,
        ..BASE
    },
    Definition { kind: "Sidecar", plural: "sidecars", spec: sidecar::schema, ..BASE },
    Definition {
        kind: "VirtualService",
        plural: "virtualservices",
        short: Some("vs"),
        columns: &[
            column("Gateways", ".spec.gateways", "Where the rules hold"),
            column("Hosts", ".spec.hosts", "What the rules are about"),
            AGE,
        ],
        spec: virtual_service::schema,
        ..BASE
    },
    Definition {
        kind: "WorkloadEntry",
        plural: "workloadentries",
        short: Some("we"),
        columns: &[AGE, column("Address", ".spec.address", "Where the workload listens")],
        spec_required: true,
        spec: service_entry::workload_entry,
        ..BASE
    },
    Definition {
        kind: "WorkloadGroup",
        plural: "workloadgroups",
        short: Some("wg"),
        columns: &[AGE],
        spec_required: true,
        spec: workload_group::schema,
        ..BASE
    },
    Definition {
        group: SECURITY,
        kind: "AuthorizationPolicy",
        plural: "authorizationpolicies",
        short: Some("ap"),
        versions: &["v1", "v1beta1"],
        columns: &[column("Action", ".spec.action", "What happens to requests that match"), AGE],
        spec: security::authorization_policy,
        ..BASE
    },
    Definition {
        group: SECURITY,
        kind: "PeerAuthentication",
        plural: "peerauthentications",
        short: Some("pa"),
        versions: &["v1", "v1beta1"],
        columns: &[column("Mode", ".spec.mtls.mode", "Whether mutual TLS is asked for"), AGE],
        spec: security::peer_authentication,
        ..BASE
    },
    Definition {
        group: SECURITY,
        kind: "RequestAuthentication",
        plural: "requestauthentications",
        short: Some("ra"),
        versions: &["v1", "v1beta1"],
        spec: security::request_authentication,
        ..BASE
    },
    Definition {
        group: TELEMETRY,
        kind: "Telemetry",
        plural: "telemetries",
        short: Some("telemetry"),
        versions: &["v1", "v1alpha1"],
        storage: "v1alpha1",
        columns: &[AGE],
        spec: telemetry::schema,
        ..BASE
    },
];

/// All kinds, in the order of groups and names.
pub fn definitions() -> &'static [Definition] {
    &DEFINITIONS
}

impl Definition {
    /// The name of the definition.
    pub fn name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// The schema of `spec`.
    pub fn spec(&self) -> Value {
        (self.spec)().into_value()
    }

    /// The `CustomResourceDefinition`.
    pub fn resource(&self) -> Value {
        let Self { group, kind, plural, short, versions, storage, columns, spec_required, spec: _ } = self;
        let spec = self.spec();
        let mut schema = json!({
            "type": "object",
            "description": spec["description"],
            "properties": { "spec": spec, "status": status::schema().into_value() },
        });
        if *spec_required {
            schema["required"] = json!(["spec"]);
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let mut version = json!({
                    "name": version,
                    "served": true,
                    "storage": version == storage,
                    "subresources": { "status": {} },
                    "schema": { "openAPIV3Schema": schema },
                });
                if !columns.is_empty() {
                    version["additionalPrinterColumns"] = columns.iter().map(Column::resource).collect();
                }
                version
            })
            .collect();
        let category = group.replace('.', "-");
        let mut names = json!({
            "kind": kind,
            "listKind": format!("{kind}List"),
            "plural": plural,
            "singular": kind.to_lowercase(),
            "categories": ["istio-io", category],
        });
        if let Some(short) = short {
            names["shortNames"] = json!([short]);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": self.name(),
                // Objects outlive an uninstall.
                "annotations": { "helm.sh/resource-policy": "keep" },
                "labels": self.labels(),
            },
            "spec": {
                "group": group,
                "names": names,
                "scope": "Namespaced",
                "versions": versions,
            },
        })
    }

    /// The labels by which people find the definitions.
    fn labels(&self) -> Value {
        let mut labels =
            json!({ "app": "istio-pilot", "chart": "istio", "heritage": "Tiller", "release": "istio" });
        match self.group {
            SECURITY => labels["istio"] = "security".into(),
            TELEMETRY => labels["istio"] = "telemetry".into(),
            _ => {}
        }
        labels
    }
}

impl Column {
    fn resource(&self) -> Value {
        let Self { name, path, kind, doc } = self;
        json!({ "name": name, "jsonPath": path, "type": kind, "description": doc })
    }
}
