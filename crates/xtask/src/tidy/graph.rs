//! The crate graph against the one table of what may depend on what.

mod table;
#[cfg(test)]
mod tests;

use super::Finding;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use table::{FINE_IN_TESTS, Rule, TABLE, UP_IN_TESTS, WAITS};

/// What one of our packages names in its manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Package {
    /// What it is built with.
    pub(super) normal: BTreeSet<String>,
    /// What only its tests and benches are built with.
    pub(super) dev: BTreeSet<String>,
    /// What its build script is built with.
    pub(super) build: BTreeSet<String>,
}

/// Our packages by name.
pub(super) type Graph = BTreeMap<String, Package>;

/// Reads the graph from `cargo metadata --no-deps`.
pub(super) fn read(metadata: &Value) -> Result<Graph> {
    let mut graph = Graph::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists packages")? {
        let name = package["name"].as_str().context("a package has a name")?;
        let entry = graph.entry(name.to_owned()).or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().context("a dependency has a name")?.to_owned();
            match dependency["kind"].as_str() {
                None => entry.normal.insert(on),
                Some("dev") => entry.dev.insert(on),
                Some(_) => entry.build.insert(on),
            };
        }
    }
    Ok(graph)
}

/// Compares the graph with the table.
pub(super) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in graph {
        let Some(rule) = TABLE.iter().find(|rule| rule.package == name) else {
            findings.push(Finding::new(name, "is not in the table of crates (crates/xtask/src/tidy/graph/table.rs); give it a line and a reason"));
            continue;
        };
        findings.extend(normal_edges(rule, package, graph));
        findings.extend(dev_edges(rule, package, graph));
        if rule.pure {
            findings.extend(waiting(rule, package));
        }
    }
    findings
}

fn normal_edges(rule: &Rule, package: &Package, graph: &Graph) -> Vec<Finding> {
    package
        .normal
        .union(&package.build)
        .filter(|on| is_ours(on, graph) && !rule.allows(on))
        .map(|on| {
            let may = if rule.may_use.is_empty() { "nothing of ours".to_owned() } else { rule.may_use.join(", ") };
            Finding::new(rule.package, format!("depends on {on}; it may depend on {may}. A new edge is a change of design and has a decision record"))
        })
        .collect()
}

/// Tests may add the test kit and whatever the crate could reach anyway.
fn dev_edges(rule: &Rule, package: &Package, graph: &Graph) -> Vec<Finding> {
    let reach = table::reach(rule);
    package
        .dev
        .iter()
        .filter(|on| {
            is_ours(on, graph)
                && *on != "pilothouse-testkit"
                && !reach.contains(on.as_str())
                && !rule.allows(on)
                && !UP_IN_TESTS.contains(&(rule.package, on.as_str()))
        })
        .map(|on| {
            Finding::new(
                rule.package,
                format!("its tests depend on {on}, which lies above it; put the test where {on} is"),
            )
        })
        .collect()
}

/// A pure crate names nothing that waits, sends, draws randomness by itself or reads a clock; nor do its tests, which may only
/// look at files.
fn waiting(rule: &Rule, package: &Package) -> Vec<Finding> {
    let built_with = package.normal.union(&package.build);
    let tested_with = package.dev.iter().filter(|on| !FINE_IN_TESTS.contains(&on.as_str()));
    let mut findings = Vec::new();
    for on in built_with.chain(tested_with).filter(|on| !rule.except.contains(&on.as_str())) {
        if let Some((_, instead)) = WAITS.iter().find(|(banned, _)| matches(banned, on)) {
            findings.push(Finding::new(rule.package, format!("is pure and depends on {on}; {instead}")));
        }
    }
    findings
}

/// A ban that ends in `*` covers a family of packages.
fn matches(banned: &str, name: &str) -> bool {
    banned.strip_suffix('*').map_or(banned == name, |family| name.starts_with(family))
}

fn is_ours(name: &str, graph: &Graph) -> bool {
    graph.contains_key(name) || TABLE.iter().any(|rule| rule.package == name)
}
