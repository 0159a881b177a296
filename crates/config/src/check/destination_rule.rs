//! DestinationRule.

use pilothouse_api as api;
use pilothouse_base::{Hostname, Name};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, export, fields, host, labels, traffic_policy};
use crate::{DestinationRule, Meta, Subset};

/// None without a host, or if the rule is for chosen clients only.
pub(super) fn check(
    raw: &api::DestinationRule,
    meta: Meta,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<DestinationRule> {
    const LOST: &str = "the rule has no effect";
    let at = FieldPath::spec();
    let api::DestinationRule { host, traffic_policy: policy, subsets, export_to, workload_selector } = raw;
    let policy = traffic_policy::layered(policy.as_ref(), &at.field("trafficPolicy"), out);
    let subsets = self::subsets(subsets, &at.field("subsets"), out);
    let exports = at.field("exportTo");
    let entries = export_to.iter().map(String::as_str);
    let export_to = export::export_to(entries, scope.namespace, false, |index| exports.index(index), out);
    let selected = workload_selector
        .as_ref()
        .is_some_and(|api::LabelSelector { match_labels }| !match_labels.is_empty());
    if selected {
        // Applied to everybody it would overrule the rules that everybody else is meant to have.
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field("workloadSelector")).effect(LOST);
    }
    let host = fields::required(host.as_ref(), &at, "host", LOST, out)?;
    if let Some(flaw) = host::flaw_of_wildcard(host) {
        out.report(catalogue::INVALID_HOST, &at.field("host")).value(host).detail(flaw).effect(LOST);
        return None;
    }
    let host = Hostname::resolve(host, scope.namespace, scope.domain);
    (!selected).then_some(DestinationRule { meta, host, policy, subsets, export_to })
}

fn subsets(written: &[api::Subset], at: &FieldPath, out: &mut Diagnostics) -> Vec<Subset> {
    const LOST: &str = "routes to the subset fail with 503";
    let mut found: Vec<Subset> = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        let api::Subset { name, labels, traffic_policy: policy } = raw;
        let policy = traffic_policy::layered(policy.as_ref(), &at.field("trafficPolicy"), out);
        let labels = labels::labels(labels, &at.field("labels"), LOST, out);
        let Some(name) = fields::required(name.as_ref(), &at, "name", "the subset is left out", out) else {
            continue;
        };
        if !host::is_label(name) {
            out.report(catalogue::INVALID_VALUE, &at.field("name"))
                .value(name)
                .detail("letters, digits and inner dashes are allowed")
                .effect(LOST);
            continue;
        }
        let Some(labels) = labels else { continue };
        if found.iter().any(|other| other.name == name) {
            out.report(catalogue::DUPLICATE_ENTRY, &at.field("name"))
                .value(name)
                .effect("the first subset of that name counts");
            continue;
        }
        found.push(Subset { index, name: Name::from(name), labels, policy });
    }
    found
}

#[cfg(test)]
mod tests;
