use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, istio};

fn read(spec: &Value) -> DestinationRule {
    match checked(&istio("DestinationRule", spec)) {
        Some(Object::DestinationRule(object)) => (*object).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_rule_is_read() {
    let rule = read(&json!({"host": "cart", "exportTo": ["*"],
        "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}, "portLevelSettings": [{"port": {"number": 80}, "loadBalancer": {"simple": "ROUND_ROBIN"}}]},
        "subsets": [{"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"tls": {"mode": "DISABLE"}}}]}));
    assert_eq!(rule.host.as_str(), "cart.shop.svc.cluster.local");
    assert_eq!(rule.policy.ports.keys().copied().collect::<Vec<_>>(), [80]);
    assert_eq!(
        rule.subsets.iter().map(|one| (one.index, one.name.as_str())).collect::<Vec<_>>(),
        [(0, "v1"), (1, "v2")]
    );
    assert!(rule.subsets[1].policy.all.tls.is_some());
}

#[test]
fn mistakes_cost_the_smallest_part() {
    let good = json!({"name": "v1", "labels": {"version": "v1"}});
    for (spec, code, field, effect, subsets) in [
        (json!({}), "PH0101", "spec.host", "no effect", None),
        (json!({"host": "a b"}), "PH0107", "spec.host", "no effect", None),
        (
            json!({"host": "cart", "workloadSelector": {"matchLabels": {"app": "web"}}}),
            "PH0006",
            "spec.workloadSelector",
            "no effect",
            None,
        ),
        (
            json!({"host": "cart", "subsets": [{}, good]}),
            "PH0101",
            "spec.subsets[0].name",
            "left out",
            Some(1),
        ),
        (
            json!({"host": "cart", "subsets": [{"name": "v_1"}, good]}),
            "PH0102",
            "spec.subsets[0].name",
            "503",
            Some(1),
        ),
        (
            json!({"host": "cart", "subsets": [good, good]}),
            "PH0112",
            "spec.subsets[1].name",
            "first",
            Some(1),
        ),
        (
            json!({"host": "cart", "subsets": [{"name": "v2", "labels": {"": "a"}}, good]}),
            "PH0102",
            "spec.subsets[0].labels[\"\"]",
            "503",
            Some(1),
        ),
    ] {
        let value = istio("DestinationRule", &spec);
        expect_one(&value, code, field, effect);
        match (checked(&value), subsets) {
            (None, None) => {}
            (Some(Object::DestinationRule(rule)), Some(count)) => assert_eq!(rule.subsets.len(), count),
            other => panic!("{other:?}"),
        }
    }
}
