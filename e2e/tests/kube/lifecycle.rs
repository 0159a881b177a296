//! Pods and control planes that come and go while requests are on their way, and the probes of kubelet.

use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::app::Mode;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Load, Request};
use pilothouse_e2e::kube::{Namespace, install};
use pilothouse_e2e::mesh::{Version, until};
use serde_json::json;

use crate::world::{caller, meshed, workload, world};

/// What an application does that wants no request to be lost: it goes on while others learn that it leaves.
fn polite(workload: pilothouse_e2e::kube::Workload) -> pilothouse_e2e::kube::Workload {
    workload.container(json!({"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}))
}

fn a_rolling_update_loses_no_request(version: Version) -> Result<()> {
    meshed("rolling", version, |inside, outside| {
        let (client, _) = world(inside, outside, version)?;
        inside.apply_all(&polite(workload("server", "v1", version)).replicas(2).objects())?;
        inside.rolled_out("deployment/server-v1", 120)?;
        until("the mesh", Duration::from_secs(20), || caller(&client))?;
        let load = client.load(&Load { request: Request::get("http://server/"), workers: 4, pause_ms: 5 })?;
        inside.run(&["rollout", "restart", "deployment/server-v1"])?;
        inside.rolled_out("deployment/server-v1", 120)?;
        load.stop_without_failures().map(drop)
    })
}

fn a_request_in_work_outlives_the_order_to_delete_its_pod(version: Version) -> Result<()> {
    meshed("inflight", version, |inside, outside| {
        let (client, _) = world(inside, outside, version)?;
        until("the mesh", Duration::from_secs(20), || caller(&client))?;
        let server = inside.pod("app=server")?;
        let answer = std::thread::scope(|scope| {
            let slow = scope.spawn(|| client.fetch("http://server/slow?delay=3000"));
            until("the request to be in work", Duration::from_secs(5), || {
                same("in work", server.counts()?.in_flight, 1)
            })?;
            inside.run(&["delete", "pods", "--selector=app=server", "--wait=false"])?;
            slow.join().expect("the request does not panic")
        })?;
        same("its answer", answer.who(), "server-v1".to_owned())?;
        inside.rolled_out("deployment/server-v1", 120)?;
        until("the next pod to be found", Duration::from_secs(20), || caller(&client)).map(drop)
    })
}

fn probes_see_the_application_behind_mutual_tls(version: Version) -> Result<()> {
    meshed("probes", version, |inside, _| {
        inside.apply(
            "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, \
             spec: {mtls: {mode: STRICT}}}",
        )?;
        let http = json!({"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 2});
        let tcp = json!({"tcpSocket": {"port": 9000}, "periodSeconds": 1});
        let exec = json!({"exec": {"command": ["/bin/true"]}, "periodSeconds": 1});
        let kinds = [
            ("http", json!({"readinessProbe": http, "startupProbe": http})),
            ("tcp", json!({"readinessProbe": tcp, "livenessProbe": tcp})),
            ("exec", json!({"readinessProbe": exec, "livenessProbe": http})),
        ];
        for (name, probes) in &kinds {
            let probed = workload(name, "v1", version).container(probes.clone());
            inside.apply_all(&probed.objects())?;
        }
        for (name, _) in &kinds {
            inside.rolled_out(&format!("deployment/{name}-v1"), 120)?;
        }
        let pod = inside.pod("app=http")?;
        pod.behave(Mode { status: Some(500), ..Mode::default() })?;
        inside.wait("condition=Ready=false", &format!("pod/{}", pod.name), 30)?;
        pod.behave(Mode::default())?;
        inside.wait("condition=Ready", &format!("pod/{}", pod.name), 30)
    })
}

pilothouse_e2e::both!(
    a_rolling_update_loses_no_request,
    a_request_in_work_outlives_the_order_to_delete_its_pod,
    probes_see_the_application_behind_mutual_tls,
);

#[test]
fn a_mesh_does_not_notice_that_its_control_plane_is_replaced() -> Result<()> {
    let cluster = install::installed()?;
    let version = Version::V1_40_0;
    Namespace::alone("replaced", &[("istio-injection", "enabled")], |inside| {
        Namespace::beside("replaced-street", &[], |outside| {
            let (client, _) = world(inside, outside, version)?;
            until("the mesh", Duration::from_secs(20), || caller(&client))?;
            let load =
                client.load(&Load { request: Request::get("http://server/"), workers: 2, pause_ms: 5 })?;
            let system = cluster.kubectl.namespaced(install::NAMESPACE);
            system.run(&["rollout", "restart", "deployment/istiod"])?;
            system.rolled_out("deployment/istiod", 120)?;
            // A change proves that the proxies are back on the line.
            inside.apply_all(&workload("late", "v1", version).objects())?;
            inside.apply_all(&[workload("late", "v1", version).service()])?;
            inside.rolled_out("deployment/late-v1", 120)?;
            until("a new service to be known", Duration::from_mins(1), || {
                let answer = client.fetch("http://late/")?;
                let seen = answer.seen("x-forwarded-client-cert").unwrap_or_default();
                ensure!(
                    answer.who() == "late-v1" && seen.contains("/sa/client"),
                    "{} saw `{seen}`",
                    answer.who()
                );
                Ok(())
            })?;
            load.stop_without_failures().map(drop)
        })
    })
}
