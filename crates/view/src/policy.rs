//! The traffic policy of a cluster: the layers of destination rules put together.

use pilothouse_base::{Labels, Name, ObjectKey};
use pilothouse_config::TrafficPolicy;

use crate::reader::Reader;

/// The policy of a service port or of a subset of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effective {
    /// The policy.
    pub(crate) policy: TrafficPolicy,
    /// The rule it is mainly from.
    pub(crate) rule: Option<ObjectKey>,
    /// What endpoints of the subset are labelled; none if the subset is not defined, empty without a subset.
    pub(crate) labels: Option<Labels>,
}

/// Puts the layers together: the first rule that says anything decides the policy of the port, where port-level settings
/// replace the rest; a subset lies over that, block by block.
pub(crate) fn effective(
    rules: &[ObjectKey],
    port: u16,
    subset: Option<&Name>,
    read: &mut Reader<'_>,
) -> Effective {
    let rules: Vec<_> = rules.iter().filter_map(|rule| read.rule(rule)).collect();
    let base = rules.iter().find(|rule| rule.policy != Default::default());
    let policy = base.map(|rule| rule.policy.for_port(port).clone()).unwrap_or_default();
    let shaping = base.or(rules.first()).map(|rule| rule.meta.key.clone());
    let Some(name) = subset else {
        return Effective { policy, rule: shaping, labels: Some(Labels::default()) };
    };
    let defined =
        rules.iter().find_map(|rule| Some((rule, rule.subsets.iter().find(|one| one.name == *name)?)));
    match defined {
        None => Effective { policy, rule: shaping, labels: None },
        Some((rule, subset)) => Effective {
            policy: subset.policy.for_port(port).or(&policy),
            rule: Some(rule.meta.key.clone()),
            labels: Some(subset.labels.clone()),
        },
    }
}
