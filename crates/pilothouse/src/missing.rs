//! Pods that should have a sidecar and have none: they are outside of the mesh, and nothing else would tell.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_controllers::bare::{Bare, BarePod};
use pilothouse_diag::{Diagnostic, FieldPath, catalogue};
use pilothouse_inject::select::{Revision, SYSTEM_NAMESPACES, selecting};
use pilothouse_runtime::prometheus_client::metrics::gauge::Gauge;
use pilothouse_runtime::{Metrics, Stop};
use serde_json::json;
use tokio::sync::watch;

/// The label by which a pod declines, and the annotation of the same name.
const INJECT: &str = "sidecar.istio.io/inject";

/// Lays what is found about pods over what the source finds, until stop is said.
pub(crate) async fn join(
    mut source: watch::Receiver<Arc<[Diagnostic]>>,
    mut bare: watch::Receiver<Arc<Bare>>,
    revision: String,
    metrics: Metrics,
    all: watch::Sender<Arc<[Diagnostic]>>,
    stop: Stop,
) -> Result<(), Infallible> {
    let without: Gauge<i64, AtomicI64> = Gauge::default();
    metrics.part("injection", |registry| {
        registry.register(
            "pods_without_sidecar",
            "Pods that should have a sidecar and have none",
            without.clone(),
        );
    });
    loop {
        let mut findings = source.borrow_and_update().to_vec();
        let found = lacking(&bare.borrow_and_update().clone(), &revision);
        without.set(i64::try_from(found.len()).unwrap_or(i64::MAX));
        findings.extend(found);
        all.send_replace(findings.into());
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            Ok(()) = source.changed() => {}
            Ok(()) = bare.changed() => {}
        }
    }
}

/// Findings about the pods that the webhook of this revision would make a part of the mesh if they were made now.
fn lacking(bare: &Bare, revision: &str) -> Vec<Diagnostic> {
    let name = if revision.is_empty() { "default" } else { revision };
    let revision = Revision { name: name.to_owned(), is_default: name == "default", by_default: false };
    let wanted = |((namespace, _), pod): &(&(String, String), &BarePod)| {
        let Some(labels) = bare.namespaces.get(namespace) else { return false };
        let declines = !pod.labels.contains_key(INJECT)
            && pod.annotations.get(INJECT).is_some_and(|word| word == "false");
        !declines
            && !SYSTEM_NAMESPACES.contains(&namespace.as_str())
            && selecting(
                &json!({"metadata": {"labels": labels}}),
                &json!({"metadata": {"labels": pod.labels}}),
                &revision,
            )
            .is_some()
    };
    bare.pods.iter().filter(wanted).map(|((namespace, pod), _)| finding(namespace, pod)).collect()
}

fn finding(namespace: &str, pod: &str) -> Diagnostic {
    let key = ObjectKey::new(Kind::Pod, namespace, pod);
    let mut finding = Diagnostic::new(catalogue::WITHOUT_SIDECAR, Some(key), FieldPath::root());
    finding
        .effect("its connections are neither encrypted nor routed by the mesh")
        .help(format!("make the pod anew, as kubectl rollout restart does; or label it {INJECT}=false"));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_would_be_injected_today_are_named() {
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let namespace = |name: &str, labels: &[(&str, &str)]| (name.to_owned(), texts(labels));
        let pod = |namespace: &str, name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]| {
            let pod = BarePod { labels: texts(labels), annotations: texts(annotations) };
            ((namespace.to_owned(), name.to_owned()), pod)
        };
        let bare = Bare {
            namespaces: [
                namespace("in", &[("istio-injection", "enabled")]),
                namespace("out", &[]),
                namespace("canary", &[("istio.io/rev", "canary")]),
                namespace("kube-system", &[("istio-injection", "enabled")]),
            ]
            .into(),
            pods: [
                pod("in", "old", &[], &[]),
                pod("in", "declines", &[(INJECT, "false")], &[]),
                pod("in", "declines-by-annotation", &[], &[(INJECT, "false")]),
                pod("out", "asks", &[(INJECT, "true")], &[]),
                pod("out", "silent", &[], &[]),
                pod("canary", "old", &[], &[]),
                pod("kube-system", "proxy", &[], &[]),
                pod("gone", "late", &[(INJECT, "true")], &[]),
            ]
            .into(),
        };
        let named = |revision: &str| -> Vec<String> {
            lacking(&bare, revision)
                .into_iter()
                .filter_map(|one| one.object)
                .map(|key| key.to_string())
                .collect()
        };
        assert_eq!(named("default"), ["Pod in/old", "Pod out/asks"]);
        assert_eq!(named(""), named("default"));
        assert_eq!(named("canary"), ["Pod canary/old"]);
    }
}
