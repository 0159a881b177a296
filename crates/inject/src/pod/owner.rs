//! The workload that a pod belongs to.

use serde_json::Value;

use super::labels::Labels;

/// A workload: what a person deployed, not the objects that controllers made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Owner {
    fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
    }

    /// Istio's notation, for telemetry.
    pub(super) fn uri(&self, namespace: &str) -> String {
        let Self { api_version, kind, name } = self;
        format!("kubernetes://apis/{api_version}/namespaces/{namespace}/{}s/{name}", kind.to_lowercase())
    }
}

/// Derives the workload from the controller of the pod.
pub(super) fn owner(pod: &Value, labels: &Labels<'_>) -> Owner {
    let metadata = &pod["metadata"];
    let references = metadata["ownerReferences"].as_array();
    let controller = references.into_iter().flatten().find(|reference| reference["controller"] == true);
    let Some(controller) = controller else {
        let name = metadata["name"].as_str().filter(|name| !name.is_empty());
        let generated = metadata["generateName"].as_str().unwrap_or_default();
        return Owner::new("v1", "Pod", name.unwrap_or(generated.trim_end_matches('-')));
    };
    let text = |field: &str| controller[field].as_str().unwrap_or_default();
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let without = |label: &str| {
        labels.get(label).and_then(|hash| name.strip_suffix(hash)).and_then(|name| name.strip_suffix('-'))
    };
    match kind {
        "ReplicaSet" => {
            if let Some(rollout) = without("rollouts-pod-template-hash") {
                return Owner::new("argoproj.io/v1alpha1", "Rollout", rollout);
            }
            if let Some(deployment) = without("pod-template-hash") {
                return Owner::new("apps/v1", "Deployment", deployment);
            }
        }
        "ReplicationController" => {
            if let Some(config) = labels.get("deploymentconfig") {
                return Owner::new("apps.openshift.io/v1", "DeploymentConfig", config);
            }
        }
        "Job" => {
            // A CronJob names its jobs after itself and the time.
            if let Some((cron, time)) = name.rsplit_once('-')
                && (8..=10).contains(&time.len())
                && time.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Owner::new("batch/v1", "CronJob", cron);
            }
        }
        _ => {}
    }
    Owner::new(version, kind, name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn controllers_lead_to_what_was_deployed() {
        let table = [
            (
                json!({"kind": "ReplicaSet", "name": "cart-5d4"}),
                vec![("pod-template-hash", "5d4")],
                "Deployment cart",
            ),
            (json!({"kind": "ReplicaSet", "name": "cart-5d4"}), vec![], "ReplicaSet cart-5d4"),
            (
                json!({"kind": "ReplicaSet", "name": "cart"}),
                vec![("pod-template-hash", "5d4")],
                "ReplicaSet cart",
            ),
            (
                json!({"kind": "ReplicaSet", "name": "c-7"}),
                vec![("rollouts-pod-template-hash", "7")],
                "Rollout c",
            ),
            (
                json!({"kind": "ReplicationController", "name": "c-1"}),
                vec![("deploymentconfig", "c")],
                "DeploymentConfig c",
            ),
            (json!({"kind": "Job", "name": "tidy-28912345"}), vec![], "CronJob tidy"),
            (json!({"kind": "Job", "name": "tidy-1234567"}), vec![], "Job tidy-1234567"),
            (json!({"kind": "Job", "name": "tidy-12345678901"}), vec![], "Job tidy-12345678901"),
            (json!({"kind": "StatefulSet", "name": "db"}), vec![], "StatefulSet db"),
        ];
        for (mut reference, labels, expected) in table {
            reference["controller"] = json!(true);
            let pod = json!({"metadata": {"ownerReferences": [{"kind": "Other", "name": "o"}, reference]}});
            let found = owner(&pod, &labels.into_iter().collect());
            assert_eq!(format!("{} {}", found.kind, found.name), expected);
        }
        let bare = json!({"metadata": {"generateName": "once-"}});
        assert_eq!(owner(&bare, &Labels::new()).name, "once");
        let named = json!({"metadata": {"name": "db-0", "generateName": "db-"}});
        assert_eq!(owner(&named, &Labels::new()).name, "db-0");
        assert_eq!(
            Owner::new("apps/v1", "Deployment", "cart").uri("shop"),
            "kubernetes://apis/apps/v1/namespaces/shop/deployments/cart"
        );
    }
}
