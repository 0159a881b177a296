//! Metadata in the places where Istio's tools look for it.

use std::collections::HashMap;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_envoy_api as envoy;

/// The namespace of everything Istio says about a resource.
pub(crate) const ISTIO: &str = "istio";

/// A text value.
pub(crate) fn text(value: impl Into<String>) -> envoy::Value {
    envoy::Value { kind: Some(envoy::value::Kind::StringValue(value.into())) }
}

/// A truth value.
pub(crate) fn truth(value: bool) -> envoy::Value {
    envoy::Value { kind: Some(envoy::value::Kind::BoolValue(value)) }
}

/// A list value.
pub(crate) fn list(values: Vec<envoy::Value>) -> envoy::Value {
    envoy::Value { kind: Some(envoy::value::Kind::ListValue(envoy::ListValue { values })) }
}

/// A map value.
pub(crate) fn map(fields: impl IntoIterator<Item = (&'static str, envoy::Value)>) -> envoy::Value {
    envoy::Value { kind: Some(envoy::value::Kind::StructValue(structure(fields))) }
}

/// A map.
pub(crate) fn structure(fields: impl IntoIterator<Item = (&'static str, envoy::Value)>) -> envoy::Struct {
    envoy::Struct { fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
}

/// Metadata of several namespaces; empty ones are left out, and nothing is said if none is left.
pub(crate) fn metadata(
    namespaces: impl IntoIterator<Item = (&'static str, envoy::Struct)>,
) -> Option<envoy::core::Metadata> {
    let filter_metadata: HashMap<_, _> = namespaces
        .into_iter()
        .filter(|(_, fields)| !fields.fields.is_empty())
        .map(|(namespace, fields)| (namespace.to_owned(), fields))
        .collect();
    (!filter_metadata.is_empty())
        .then(|| envoy::core::Metadata { filter_metadata, typed_filter_metadata: HashMap::new() })
}

/// The metadata of a resource that an object shaped.
pub(crate) fn origin(object: Option<&ObjectKey>) -> Option<envoy::core::Metadata> {
    let object = object?;
    metadata([(ISTIO, structure([("config", text(path(object)))]))])
}

/// The path of an object, such as `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart`.
pub(crate) fn path(object: &ObjectKey) -> String {
    let ObjectKey { kind, namespace, name } = object;
    let (group, kind) = match kind {
        Kind::MeshConfig => ("v1", "config-map"),
        Kind::Namespace => ("v1", "namespace"),
        Kind::Service => ("v1", "service"),
        Kind::EndpointSlice => ("discovery.k8s.io/v1", "endpoint-slice"),
        Kind::Pod => ("v1", "pod"),
        Kind::ServiceAccount => ("v1", "service-account"),
        Kind::Secret => ("v1", "secret"),
        Kind::VirtualService => ("networking.istio.io/v1", "virtual-service"),
        Kind::DestinationRule => ("networking.istio.io/v1", "destination-rule"),
        Kind::ServiceEntry => ("networking.istio.io/v1", "service-entry"),
        Kind::WorkloadEntry => ("networking.istio.io/v1", "workload-entry"),
        Kind::Gateway => ("networking.istio.io/v1", "gateway"),
        Kind::PeerAuthentication => ("security.istio.io/v1", "peer-authentication"),
    };
    format!("/apis/{group}/namespaces/{namespace}/{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_istio() {
        assert_eq!(
            path(&ObjectKey::new(Kind::VirtualService, "shop", "cart")),
            "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart"
        );
        assert_eq!(
            path(&ObjectKey::new(Kind::DestinationRule, "shop", "cart")),
            "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/cart"
        );
    }

    #[test]
    fn nothing_to_say_says_nothing() {
        assert_eq!(metadata([(ISTIO, envoy::Struct::default())]), None);
        assert_eq!(origin(None), None);
    }
}
