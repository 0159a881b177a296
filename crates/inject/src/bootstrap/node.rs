//! Who the proxy says it is, under Istio's names.

use serde_json::{Map, Value, json};

use super::{Node, Role};

/// The `Node` message.
pub(super) fn node(node: &Node, ready_port: Option<u16>, metrics_port: Option<u16>) -> Value {
    let Node {
        role,
        pod,
        namespace,
        service_account,
        domain,
        address,
        all_addresses,
        labels,
        cluster_id,
        network,
        workload,
        metadata,
    } = node;
    let role = match role {
        Role::Sidecar => "sidecar",
        Role::Router => "router",
    };

    // Numbers and booleans are texts in this map: that is how all who read it expect them.
    let mut all = Map::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            all.insert(key.to_owned(), Value::from(value));
        }
    };
    put("NAME", pod);
    put("NAMESPACE", namespace);
    put("SERVICE_ACCOUNT", service_account);
    put("CLUSTER_ID", cluster_id);
    put("NETWORK", network);
    put("WORKLOAD_NAME", workload);
    put("INTERCEPTION_MODE", "REDIRECT");
    put("INSTANCE_IPS", all_addresses);
    put("ENVOY_STATUS_PORT", &ready_port.map(|port| port.to_string()).unwrap_or_default());
    put("ENVOY_PROMETHEUS_PORT", &metrics_port.map(|port| port.to_string()).unwrap_or_default());
    for (key, value) in metadata {
        put(key, value);
    }
    all.insert("LABELS".to_owned(), json!(labels));

    let service = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]
        .into_iter()
        .find_map(|label| labels.get(label))
        .filter(|name| !name.is_empty())
        .unwrap_or(if workload.is_empty() { pod } else { workload });
    json!({
        "id": format!("{role}~{address}~{pod}.{namespace}~{namespace}.svc.{domain}"),
        "cluster": format!("{service}.{namespace}"),
        "metadata": all,
    })
}
