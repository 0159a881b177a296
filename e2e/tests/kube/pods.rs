//! What `pilothouse inject` prints and `pilothouse capture` does, as API server and kubelet take it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::Request;
use pilothouse_e2e::kube::install::proxy_image;
use pilothouse_e2e::kube::{Namespace, REGISTRY, Said, Workload};
use pilothouse_e2e::mesh::{Version, until};
use serde_json::{Value, json};

/// One object of each kind with a template of pods, and a pod by itself.
fn every_kind() -> Value {
    let template = Workload::new("client", "v1").template();
    let labels = json!({"matchLabels": {"app": "client"}});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    let job = json!({"template": once});
    let object = |api: &str, kind: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "client"}, "spec": spec});
    let mut pod = object("v1", "Pod", template["spec"].clone());
    pod["metadata"]["labels"] = template["metadata"]["labels"].clone();
    json!({"apiVersion": "v1", "kind": "List", "items": [
        object("apps/v1", "Deployment", json!({"selector": labels, "template": template})),
        object("apps/v1", "StatefulSet", json!({"selector": labels, "serviceName": "client", "template": template})),
        object("apps/v1", "DaemonSet", json!({"selector": labels, "template": template})),
        object("batch/v1", "Job", job.clone()),
        object("batch/v1", "CronJob", json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}})),
        pod,
    ]})
}

fn inject(more: &[&str], manifests: &str) -> Result<String> {
    let images = [
        format!("--capture-image={REGISTRY}/pilothouse:dev"),
        format!("--proxy-image={}", proxy_image(Version::V1_40_0)),
    ];
    let mut words = vec!["inject", "-f", "-"];
    words.extend(images.iter().map(String::as_str));
    words.extend(more);
    Said::by_pilothouse(&words, manifests)?.out().context("pilothouse inject")
}

#[test]
fn the_api_server_takes_what_is_injected() -> Result<()> {
    Namespace::with("injected", &[], |namespace| {
        // A pod is refused, even on trial, while its account is not there.
        namespace.run(&["create", "serviceaccount", "client"])?;
        for more in [&[][..], &["--classic"], &["--ipv6"]] {
            let injected = inject(more, &every_kind().to_string())?;
            same("injecting again", &inject(more, &injected)?, &injected)?;
            // Strict: a field that the API server does not know is an error.
            let said =
                namespace.say(&["apply", "--dry-run=server", "--validate=strict", "-f", "-"], &injected)?;
            ensure!(said.fine, "{more:?}: {}", said.err);
            ensure!(!said.err.contains("Warning"), "{more:?}: {}", said.err);
            same("objects taken", said.out.lines().count(), 6)?;
        }
        Ok(())
    })
}

/// A pod with rules, in which a second application stands where the proxy would: as its user, at its ports.
fn captured(name: &str, security: &Value) -> Workload {
    let image = format!("{REGISTRY}/pilothouse:dev");
    let mut workload = Workload::new(name, "v1");
    let app = workload.template()["spec"]["containers"][0].clone();
    workload = workload.spec(json!({
        "initContainers": [{"name": "istio-init", "image": image, "args": ["capture"], "securityContext": security}],
        "containers": [app, {
            "name": "proxy",
            "image": format!("{REGISTRY}/app:dev"),
            "args": ["pod", "name=proxy,version=v1,http=15001,http=15006", "/tmp"],
            "securityContext": {"runAsUser": 1337, "runAsGroup": 1337},
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 15006}, "periodSeconds": 1},
        }],
    }));
    workload
}

#[test]
fn captured_connections_arrive_at_the_ports_of_the_proxy() -> Result<()> {
    Namespace::with("captured", &[], |namespace| {
        let security = json!({
            "runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": false, "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
        });
        let (captured, other) = (captured("captured", &security), Workload::new("other", "v1"));
        namespace.apply_all(&[captured.objects(), other.objects()].concat())?;
        let (captured, other) = (namespace.pod("app=captured")?, namespace.pod("app=other")?);
        let inbound = other.send(&Request::get(format!("http://{}:7777/", captured.address)))?;
        same("who takes what comes in", inbound.who(), "proxy-v1".to_owned())?;
        let outbound = captured.send(&Request::get(format!("http://{}:8080/", other.address)))?;
        same("who takes what goes out", outbound.who(), "proxy-v1".to_owned())?;
        let own = captured.send(&Request::get("http://127.0.0.1:8080/"))?;
        same("who answers to itself", own.who(), "captured-v1".to_owned())
    })
}

#[test]
fn a_pod_whose_rules_cannot_be_set_fails_and_says_why() -> Result<()> {
    Namespace::with("unruled", &[], |namespace| {
        let security = json!({"runAsUser": 0, "runAsNonRoot": false, "capabilities": {"drop": ["ALL"]}});
        namespace.apply_all(&captured("captured", &security).objects())?;
        until("the init container to fail", Duration::from_mins(1), || {
            let pods = namespace.pods("app=captured")?;
            let status = &pods.first().context("no pod yet")?["status"]["initContainerStatuses"][0];
            ensure!(status["restartCount"].as_u64() > Some(0), "{status}");
            Ok(())
        })?;
        let pods = namespace.pods("app=captured")?;
        same(
            "a container that waits",
            pods[0]["status"]["containerStatuses"][0]["started"].as_bool(),
            Some(false),
        )?;
        // The next attempt may have begun, and not said anything yet.
        until("the log to say why", Duration::from_mins(1), || {
            let log = namespace.run(&["logs", "deployment/captured-v1", "-c", "istio-init"])?;
            ensure!(log.contains("CAP_NET_ADMIN"), "the log is: {log}");
            Ok(())
        })
    })
}
