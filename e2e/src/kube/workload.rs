//! The objects of one workload of the test application.

use serde_json::{Value, json};

use super::REGISTRY;
use super::pod::VOLUME;

/// A Deployment of the test application with its service account, and what a test wants different about it.
#[derive(Clone, Debug)]
pub struct Workload {
    name: String,
    version: String,
    settings: String,
    replicas: u32,
    pod_labels: Value,
    annotations: Value,
    container: Value,
    spec: Value,
}

impl Workload {
    /// One pod `NAME-VERSION` labelled with both, which serves HTTP at 8080 and lines at 9000 and speaks first at 9001.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            settings: format!("name={name},version={version},http=8080,tcp=9000,banner=9001"),
            replicas: 1,
            pod_labels: json!({}),
            annotations: json!({}),
            container: json!({}),
            spec: json!({}),
        }
    }

    /// So many pods.
    #[must_use]
    pub fn replicas(self, replicas: u32) -> Self {
        Self { replicas, ..self }
    }

    /// Other settings of the application.
    #[must_use]
    pub fn settings(self, settings: &str) -> Self {
        Self { settings: settings.into(), ..self }
    }

    /// A label more on the pod.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.pod_labels[key] = value.into();
        self
    }

    /// An annotation on the pod.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations[key] = value.into();
        self
    }

    /// Further or other fields of the container.
    #[must_use]
    pub fn container(mut self, fields: Value) -> Self {
        lay_over(&mut self.container, fields);
        self
    }

    /// Further or other fields of the pod's `spec`.
    #[must_use]
    pub fn spec(mut self, fields: Value) -> Self {
        lay_over(&mut self.spec, fields);
        self
    }

    /// The Deployment's name.
    pub fn deployment(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The Pod's `metadata` and `spec`, for a Deployment or anything else that has a template.
    pub fn template(&self) -> Value {
        let mut labels = json!({"app": self.name, "version": self.version});
        lay_over(&mut labels, self.pod_labels.clone());
        let mut container = json!({
            "name": "app",
            "image": format!("{REGISTRY}/app:dev"),
            "args": ["pod", self.settings, "/e2e"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
            "volumeMounts": [{"name": VOLUME, "mountPath": "/e2e"}],
        });
        lay_over(&mut container, self.container.clone());
        let mut spec = json!({
            "serviceAccountName": self.name,
            "containers": [container],
            "volumes": [{"name": VOLUME, "emptyDir": {}}],
        });
        lay_over(&mut spec, self.spec.clone());
        json!({"metadata": {"labels": labels, "annotations": self.annotations}, "spec": spec})
    }

    /// The service account and the Deployment.
    pub fn objects(&self) -> Vec<Value> {
        let labels = json!({"app": self.name, "version": self.version});
        vec![
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name}}),
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": self.deployment()},
                "spec": {
                    "replicas": self.replicas,
                    "selector": {"matchLabels": labels},
                    "template": self.template(),
                },
            }),
        ]
    }

    /// The Service `NAME` over all versions: HTTP at 80, lines at 9000, the one that speaks first at 9001.
    pub fn service(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name, "labels": {"app": self.name}},
            "spec": {"selector": {"app": self.name}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8080},
                {"name": "tcp", "port": 9000},
                {"name": "tcp-banner", "port": 9001},
            ]},
        })
    }
}

/// Puts the fields of one object over those of another.
fn lay_over(object: &mut Value, fields: Value) {
    if let Value::Object(fields) = fields {
        for (key, value) in fields {
            object[key] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_wants_different_replaces_what_is_usual() {
        let workload =
            Workload::new("reviews", "v2").label("app", "other").container(json!({"readinessProbe": null}));
        let template = workload.template();
        assert_eq!(template["metadata"]["labels"], json!({"app": "other", "version": "v2"}));
        assert!(template["spec"]["containers"][0]["readinessProbe"].is_null());
        assert_eq!(template["spec"]["containers"][0]["args"][0], "pod");
        assert_eq!(workload.objects()[1]["metadata"]["name"], "reviews-v2");
    }
}
