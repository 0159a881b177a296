//! An object as it comes from an API server, cut down to what is read while it is decoded.
//!
//! Nothing an object may hold makes decoding fail: it becomes a JSON value, and the judge says what is wrong with it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use kube::core::{ApiResource, DynamicResourceScope, Resource};
use pilothouse_api::{MAXIMUM_DEPTH, ObjectMeta};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What is kept of a value.
#[derive(Debug)]
pub(super) enum Keep {
    /// Everything.
    Whole,
    /// Everything but these fields.
    Without(&'static [&'static str]),
    /// These fields. Of a list, these fields of each entry.
    Only(&'static [(&'static str, Keep)]),
}

impl Keep {
    fn below(&self, field: &str) -> Option<&'static Keep> {
        match self {
            Self::Whole => Some(&Self::Whole),
            Self::Without(fields) => (!fields.contains(&field)).then_some(&Self::Whole),
            Self::Only(fields) => fields.iter().find(|(name, _)| *name == field).map(|(_, keep)| keep),
        }
    }
}

const METADATA: Keep = Keep::Only(&[
    ("name", Keep::Whole),
    ("namespace", Keep::Whole),
    ("uid", Keep::Whole),
    ("resourceVersion", Keep::Whole),
    ("generation", Keep::Whole),
    ("labels", Keep::Whole),
    ("annotations", Keep::Without(&["kubectl.kubernetes.io/last-applied-configuration"])),
    ("creationTimestamp", Keep::Whole),
    ("deletionTimestamp", Keep::Whole),
    ("ownerReferences", Keep::Whole),
]);

const CONTAINERS: Keep = Keep::Only(&[
    ("name", Keep::Whole),
    (
        "ports",
        Keep::Only(&[("name", Keep::Whole), ("containerPort", Keep::Whole), ("protocol", Keep::Whole)]),
    ),
]);

/// What is kept of the objects of one watch.
pub(super) trait Shape: Clone + fmt::Debug + Send + Sync + 'static {
    /// What is kept.
    const KEEP: Keep;
    /// Whether the API server need not send more than metadata.
    const METADATA_ONLY: bool = false;
}

/// Metadata is enough.
#[derive(Clone, Debug)]
pub(super) enum OnlyMetadata {}

impl Shape for OnlyMetadata {
    const KEEP: Keep = Keep::Only(&[("metadata", METADATA)]);
    const METADATA_ONLY: bool = true;
}

/// Of a service, where it is, what it picks and how it wants to be reached.
#[derive(Clone, Debug)]
pub(super) enum OfService {}

impl Shape for OfService {
    const KEEP: Keep = Keep::Only(&[
        ("apiVersion", Keep::Whole),
        ("kind", Keep::Whole),
        ("metadata", METADATA),
        (
            "spec",
            Keep::Only(&[
                ("type", Keep::Whole),
                ("clusterIP", Keep::Whole),
                ("clusterIPs", Keep::Whole),
                ("externalName", Keep::Whole),
                ("ports", Keep::Without(&["nodePort"])),
                ("selector", Keep::Whole),
                ("publishNotReadyAddresses", Keep::Whole),
                ("trafficDistribution", Keep::Whole),
                ("internalTrafficPolicy", Keep::Whole),
            ]),
        ),
    ]);
}

/// Of a slice, its endpoints and who is behind them.
#[derive(Clone, Debug)]
pub(super) enum OfEndpointSlice {}

impl Shape for OfEndpointSlice {
    const KEEP: Keep = Keep::Only(&[
        ("apiVersion", Keep::Whole),
        ("kind", Keep::Whole),
        ("metadata", METADATA),
        ("addressType", Keep::Whole),
        (
            "endpoints",
            Keep::Only(&[
                ("addresses", Keep::Whole),
                ("conditions", Keep::Whole),
                ("nodeName", Keep::Whole),
                ("zone", Keep::Whole),
                ("targetRef", Keep::Only(&[("kind", Keep::Whole), ("name", Keep::Whole)])),
            ]),
        ),
        ("ports", Keep::Whole),
    ]);
}

/// All that its author wrote.
#[derive(Clone, Debug)]
pub(super) enum Written {}

impl Shape for Written {
    const KEEP: Keep = Keep::Only(&[
        ("apiVersion", Keep::Whole),
        ("kind", Keep::Whole),
        ("metadata", METADATA),
        ("spec", Keep::Whole),
        ("data", Keep::Whole),
    ]);
}

/// Of a pod, who it is, where it runs and whether it is ready.
#[derive(Clone, Debug)]
pub(super) enum OfPod {}

impl Shape for OfPod {
    const KEEP: Keep = Keep::Only(&[
        ("apiVersion", Keep::Whole),
        ("kind", Keep::Whole),
        ("metadata", METADATA),
        (
            "spec",
            Keep::Only(&[
                ("serviceAccountName", Keep::Whole),
                ("serviceAccount", Keep::Whole),
                ("nodeName", Keep::Whole),
                ("hostNetwork", Keep::Whole),
                ("containers", CONTAINERS),
                ("initContainers", CONTAINERS),
            ]),
        ),
        (
            "status",
            Keep::Only(&[
                ("phase", Keep::Whole),
                ("podIP", Keep::Whole),
                ("podIPs", Keep::Whole),
                ("conditions", Keep::Only(&[("type", Keep::Whole), ("status", Keep::Whole)])),
            ]),
        ),
    ]);
}

/// Of a secret, what may be a certificate.
#[derive(Clone, Debug)]
pub(super) enum OfSecret {}

impl Shape for OfSecret {
    const KEEP: Keep = Keep::Only(&[
        ("apiVersion", Keep::Whole),
        ("kind", Keep::Whole),
        ("metadata", METADATA),
        ("type", Keep::Whole),
        (
            "data",
            Keep::Only(&[
                ("tls.crt", Keep::Whole),
                ("tls.key", Keep::Whole),
                ("ca.crt", Keep::Whole),
                ("cert", Keep::Whole),
                ("key", Keep::Whole),
                ("cacert", Keep::Whole),
                ("crl", Keep::Whole),
                ("ca.crl", Keep::Whole),
            ]),
        ),
    ]);
}

/// An object of a shape.
#[derive(Clone)]
pub(super) struct Item<S> {
    /// Name, namespace and version.
    meta: ObjectMeta,
    /// What was kept of it.
    pub(super) value: Value,
    shape: PhantomData<S>,
}

impl<S> Item<S> {
    /// The version that the API server gave it.
    pub(super) fn version(&self) -> Option<&str> {
        self.meta.resource_version.as_deref()
    }
}

/// Contents may be secret, so only names are shown.
impl<S> fmt::Debug for Item<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectMeta { name, namespace, resource_version, .. } = &self.meta;
        out.debug_struct("Item")
            .field("name", name)
            .field("namespace", namespace)
            .field("version", resource_version)
            .finish_non_exhaustive()
    }
}

impl<S: Shape> Resource for Item<S> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn metadata_api() -> bool {
        S::METADATA_ONLY
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

impl<'de, S: Shape> Deserialize<'de> for Item<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Cut { keep: &S::KEEP, depth: 0 }.deserialize(deserializer)?;
        let text = |field: &str| {
            value.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_str).map(str::to_owned)
        };
        let meta = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, value, shape: PhantomData })
    }
}

/// Reads a value and leaves out what is not kept. Below the depth that the judge accepts it reads on without keeping anything, so
/// that such an object is refused and not the whole answer it came with.
#[derive(Clone, Copy)]
struct Cut<'k> {
    keep: &'k Keep,
    depth: usize,
}

impl Cut<'_> {
    fn inner(self, keep: &Keep) -> Cut<'_> {
        Cut { keep, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Cut<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAXIMUM_DEPTH {
            deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Value::Null)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Cut<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.inner(self.keep))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(field) = map.next_key::<String>()? {
            match self.keep.below(&field) {
                Some(keep) => {
                    let value = map.next_value_seed(self.inner(keep))?;
                    values.insert(field, value);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests;
