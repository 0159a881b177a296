//! The custom resources, as `kubectl` shows them.

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::kube::Namespace;
use pilothouse_e2e::kube::install::resources;

/// Plural, group, short names, of every kind.
const KINDS: [(&str, &str, &[&str]); 15] = [
    ("wasmplugins", "extensions.istio.io", &[]),
    ("trafficextensions", "extensions.istio.io", &[]),
    ("destinationrules", "networking.istio.io", &["dr"]),
    ("envoyfilters", "networking.istio.io", &[]),
    ("gateways", "networking.istio.io", &["gw"]),
    ("proxyconfigs", "networking.istio.io", &[]),
    ("serviceentries", "networking.istio.io", &["se"]),
    ("sidecars", "networking.istio.io", &[]),
    ("virtualservices", "networking.istio.io", &["vs"]),
    ("workloadentries", "networking.istio.io", &["we"]),
    ("workloadgroups", "networking.istio.io", &["wg"]),
    ("authorizationpolicies", "security.istio.io", &["ap"]),
    ("peerauthentications", "security.istio.io", &["pa"]),
    ("requestauthentications", "security.istio.io", &["ra"]),
    ("telemetries", "telemetry.istio.io", &["telemetry"]),
];

#[test]
fn every_kind_is_served_explained_and_pruned() -> Result<()> {
    resources()?;
    Namespace::with("crds", &[], |namespace| {
        let served =
            namespace.run(&["api-resources", "--categories=istio-io", "--no-headers", "-o", "wide"])?;
        for (plural, group, short) in KINDS {
            let line = served.lines().find(|line| line.starts_with(plural) && line.contains(group));
            let line = line.ok_or_else(|| anyhow::anyhow!("{plural}.{group} is not served:\n{served}"))?;
            for name in short {
                ensure!(
                    line.split([' ', ',']).any(|word| word == *name),
                    "{plural} has no name {name}: {line}"
                );
            }
            let explained = namespace.run(&["explain", &format!("{plural}.{group}.spec")])?;
            ensure!(
                explained.contains("DESCRIPTION") && explained.contains("FIELDS"),
                "{plural}: {explained}"
            );
        }

        // The served versions are one thing; what nobody knows is taken away, and kubectl says so.
        let said = namespace.say(
            &["apply", "-f", "-"],
            "{apiVersion: networking.istio.io/v1beta1, kind: VirtualService, metadata: {name: reviews}, \
             spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}], tmeout: 1s}]}}",
        )?;
        ensure!(!said.fine && said.err.contains("tmeout"), "a misspelt field: {said:?}");
        namespace.apply(
            "{apiVersion: networking.istio.io/v1beta1, kind: VirtualService, metadata: {name: reviews}, \
             spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}], timeout: 1s}]}}",
        )?;
        let read = namespace.get(&["virtualservices.v1.networking.istio.io", "reviews"])?;
        same("read as v1", read["apiVersion"].as_str(), Some("networking.istio.io/v1"))?;
        same("its spec", read["spec"]["http"][0]["timeout"].as_str(), Some("1s"))?;
        let table = namespace.run(&["get", "vs"])?;
        ensure!(table.contains("HOSTS") && table.contains("[\"reviews\"]"), "{table}");
        let refused = namespace.say(
            &["apply", "-f", "-"],
            "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, \
             spec: {mtls: {mode: STRCT}}}",
        )?;
        ensure!(!refused.fine && refused.err.contains("STRICT"), "an unknown mode: {refused:?}");
        Ok(())
    })
}
