//! `discoverySelectors` of the mesh settings.

use std::collections::BTreeSet;

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::labels;
use crate::{LabelExpression, NamespaceSelector};

/// None if one of them cannot be understood.
pub(super) fn check(
    written: &[api::NamespaceSelector],
    at: &FieldPath,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<Vec<NamespaceSelector>> {
    let all: Vec<_> = written
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let api::NamespaceSelector { match_labels, match_expressions } = one;
            let at = at.index(index);
            let labels = labels::selector(match_labels, &at.field("matchLabels"), effect, out);
            let at = at.field("matchExpressions");
            let expressions: Vec<_> = match_expressions
                .iter()
                .enumerate()
                .map(|(index, one)| expression(one, &at.index(index), effect, out))
                .collect();
            let expressions = expressions.into_iter().collect::<Option<_>>()?;
            Some(NamespaceSelector { labels: labels?, expressions })
        })
        .collect();
    all.into_iter().collect()
}

fn expression(
    raw: &api::SelectorExpression,
    at: &FieldPath,
    effect: &str,
    out: &mut Diagnostics,
) -> Option<LabelExpression> {
    let api::SelectorExpression { key, operator, values } = raw;
    let Some(key) = key.as_deref().filter(|key| !key.is_empty()) else {
        out.report(catalogue::REQUIRED, &at.field("key")).effect(effect);
        return None;
    };
    let key = Name::from(key);
    let list: BTreeSet<String> = values.iter().cloned().collect();
    let (found, wants_values) = match operator.as_deref() {
        Some("In") => (LabelExpression::In(key, list), true),
        Some("NotIn") => (LabelExpression::NotIn(key, list), true),
        Some("Exists") => (LabelExpression::Exists(key), false),
        Some("DoesNotExist") => (LabelExpression::Absent(key), false),
        other => {
            out.report(catalogue::INVALID_VALUE, &at.field("operator"))
                .value(other.unwrap_or_default())
                .detail("it must be one of In, NotIn, Exists, DoesNotExist")
                .effect(effect);
            return None;
        }
    };
    if wants_values == values.is_empty() {
        let flaw =
            if wants_values { "In and NotIn need values" } else { "Exists and DoesNotExist take no values" };
        out.report(catalogue::INVALID_VALUE, &at.field("values")).detail(flaw).effect(effect);
        return None;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use pilothouse_base::Labels;
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(value: &Value) -> (Option<Vec<NamespaceSelector>>, Vec<String>) {
        let written: Vec<api::NamespaceSelector> = from_value(value.clone()).unwrap();
        let mut out = Diagnostics::default();
        let found = check(&written, &FieldPath::parse("at"), "none", &mut out);
        (found, out.list().iter().map(|one| one.field.to_string()).collect())
    }

    #[test]
    fn each_operator_means_what_it_means_to_kubernetes() {
        let with = |value: &str| Labels::from_iter([("a", value)]);
        for (expression, on_x, on_y, on_none) in [
            (json!({"key": "a", "operator": "In", "values": ["x"]}), true, false, false),
            (json!({"key": "a", "operator": "NotIn", "values": ["x"]}), false, true, true),
            (json!({"key": "a", "operator": "Exists"}), true, true, false),
            (json!({"key": "a", "operator": "DoesNotExist"}), false, false, true),
        ] {
            let (found, findings) = read(&json!([{ "matchExpressions": [expression] }]));
            assert_eq!(findings, [""; 0]);
            let selector = &found.unwrap()[0];
            let answers = [with("x"), with("y"), Labels::default()].map(|labels| selector.matches(&labels));
            assert_eq!(answers, [on_x, on_y, on_none], "{expression}");
        }
        let (found, _) = read(
            &json!([{ "matchLabels": { "a": "x" }, "matchExpressions": [{"key": "b", "operator": "Exists"}] }]),
        );
        let selector = &found.unwrap()[0];
        assert!(selector.matches(&Labels::from_iter([("a", "x"), ("b", "")])));
        assert!(!selector.matches(&with("x")), "all must hold");
    }

    #[test]
    fn one_that_cannot_be_understood_costs_all_of_them() {
        for (wrong, at) in [
            (json!({"matchLabels": {"a": "x*"}}), "at[1].matchLabels"),
            (json!({"matchExpressions": [{"operator": "Exists"}]}), "at[1].matchExpressions[0].key"),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Is"}]}),
                "at[1].matchExpressions[0].operator",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
                "at[1].matchExpressions[0].values",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
                "at[1].matchExpressions[0].values",
            ),
        ] {
            let (found, findings) = read(&json!([{}, wrong]));
            assert_eq!(found, None, "{wrong}");
            assert!(findings.len() == 1 && findings[0].starts_with(at), "{wrong}: {findings:?}");
        }
    }
}
