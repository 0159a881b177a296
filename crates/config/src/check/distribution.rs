//! Which endpoints clients prefer by where they run.

use pilothouse_api::ObjectMeta;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::service::TrafficDistribution;

/// The annotation of services, service entries and namespaces.
pub(super) const ANNOTATION: &str = "networking.istio.io/traffic-distribution";

const WORDS: [(&str, TrafficDistribution); 4] = [
    ("Any", TrafficDistribution::Any),
    ("PreferClose", TrafficDistribution::SameZone),
    ("PreferSameZone", TrafficDistribution::SameZone),
    ("PreferSameNode", TrafficDistribution::SameNode),
];

/// What the annotation of an object says; none if it has none.
pub(super) fn annotated(metadata: &ObjectMeta, out: &mut Diagnostics) -> Option<TrafficDistribution> {
    let written = metadata.annotations.as_ref()?.get(ANNOTATION)?;
    Some(read(written, &FieldPath::parse("metadata").field("annotations").key(ANNOTATION), out))
}

/// What a word says, in capitals or not. One that says nothing prefers no endpoint; it is no reason to look further.
pub(super) fn read(written: &str, at: &FieldPath, out: &mut Diagnostics) -> TrafficDistribution {
    let known = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(written));
    if known.is_none() {
        let words = || WORDS.iter().map(|(word, _)| *word);
        out.report(catalogue::INVALID_VALUE, at)
            .value(written)
            .detail(format_args!("it must be one of {}", words().collect::<Vec<_>>().join(", ")))
            .effect("no endpoint is preferred by where it runs")
            .help_closest(written, words());
    }
    known.map_or(TrafficDistribution::Any, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Object;
    use crate::check::tests::{checked, expect_one};

    fn of(value: &Value) -> Option<TrafficDistribution> {
        match checked(value) {
            Some(Object::Services(services)) => services[0].distribution,
            Some(Object::Namespace(namespace)) => namespace.distribution,
            other => panic!("{other:?}"),
        }
    }

    fn object(kind: &str, version: &str, annotation: Option<&str>, spec: &Value) -> Value {
        let annotations = annotation.map(|written| json!({ ANNOTATION: written }));
        json!({"apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": "cart", "namespace": "shop", "annotations": annotations}})
    }

    #[test]
    fn the_field_counts_before_the_annotation() {
        let service = |field: Option<&str>, annotation: Option<&str>| {
            of(&object("Service", "v1", annotation, &json!({ "trafficDistribution": field })))
        };
        assert_eq!(service(None, None), None);
        assert_eq!(service(Some("PreferClose"), None), Some(TrafficDistribution::SameZone));
        assert_eq!(service(Some("PreferSameZone"), None), Some(TrafficDistribution::SameZone));
        assert_eq!(service(Some("PreferSameNode"), Some("PreferClose")), Some(TrafficDistribution::SameNode));
        assert_eq!(service(None, Some("prefersamenode")), Some(TrafficDistribution::SameNode));
        assert_eq!(service(None, Some("Any")), Some(TrafficDistribution::Any), "it ends the search");
    }

    #[test]
    fn entries_and_namespaces_have_the_annotation() {
        let spec = json!({"hosts": ["a.example"], "resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]});
        let entry = object("ServiceEntry", "networking.istio.io/v1", Some("PreferClose"), &spec);
        assert_eq!(of(&entry), Some(TrafficDistribution::SameZone));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "shop", "annotations": {ANNOTATION: "PreferSameZone"}}});
        assert_eq!(of(&namespace), Some(TrafficDistribution::SameZone));
    }

    #[test]
    fn mistakes() {
        let wrong = object("Service", "v1", Some("PreferSameZon"), &json!({}));
        let at = "metadata.annotations[\"networking.istio.io/traffic-distribution\"]";
        expect_one(&wrong, "PH0102", at, "no endpoint is preferred");
        assert_eq!(of(&wrong), Some(TrafficDistribution::Any));
        let wrong = object("Service", "v1", None, &json!({"trafficDistribution": "Nearby"}));
        expect_one(&wrong, "PH0102", "spec.trafficDistribution", "no endpoint is preferred");
    }
}
