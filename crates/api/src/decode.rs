//! From JSON to an [`ApiObject`], naming everything that was not read on the way.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch};
use pilothouse_base::{Kind, ObjectKey};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::catalogue::{self, Finding};
use crate::object::{ApiObject, ObjectMeta, Resource, WorkloadTemplate, key};
use crate::path::{self, Step};
use crate::unsupported::Reason;
use crate::{MeshConfig, bounds};

/// What decoding made of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object.
    pub object: ApiObject,
    /// What was set and not read, in the order of the object.
    pub unread: Vec<Unread>,
}

/// Something that was set and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its path, in the notation of findings.
    pub path: String,
    /// Why it was not read.
    pub reason: UnreadReason,
}

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadReason {
    /// There is no such field. What could stand there instead, as far as it is known.
    Unknown(Vec<&'static str>),
    /// The field exists and has no effect yet.
    Unsupported,
    /// The field exists and has no effect in Istio either.
    Ineffective,
}

/// Why there is no object. Waiting helps in no case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// `apiVersion`, `kind` or `metadata.name` is missing or no text.
    #[error("not a Kubernetes object: {field} is missing or is not text")]
    NotAnObject {
        /// The missing field.
        field: &'static str,
    },
    /// The value nests too deeply or is too large.
    #[error(
        "the object nests deeper than {} levels or holds more than {} values",
        bounds::MAXIMUM_DEPTH,
        bounds::MAXIMUM_VALUES
    )]
    TooLarge,
    /// A kind that is not read.
    #[error("{api_version} {kind} {name} is not read")]
    OtherKind {
        /// `apiVersion`.
        api_version: String,
        /// `kind`.
        kind: String,
        /// `metadata.name`.
        name: String,
        /// `metadata.namespace`, empty if not written.
        namespace: String,
    },
    /// A value has the wrong type.
    #[error("{path}: {message}")]
    WrongShape {
        /// The object.
        key: ObjectKey,
        /// The value.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Decodes an object of any kind.
pub fn decode(value: &Value) -> Result<Decoded, DecodeError> {
    let text = |path: &str, field| {
        let found = value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.ok_or(DecodeError::NotAnObject { field })
    };
    let api_version = text("/apiVersion", "apiVersion")?;
    let kind = text("/kind", "kind")?;
    let name = text("/metadata/name", "metadata.name")?;
    if !bounds::within(value) {
        return Err(DecodeError::TooLarge);
    }
    let namespace = value.pointer("/metadata/namespace").and_then(Value::as_str);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut reader = Reader { value, name, namespace, catalogue: kind, steps: Vec::new() };

    let object = match (group, version, kind) {
        ("networking.istio.io", _, "VirtualService") => {
            ApiObject::VirtualService(reader.istio(Kind::VirtualService)?)
        }
        ("networking.istio.io", _, "DestinationRule") => {
            ApiObject::DestinationRule(reader.istio(Kind::DestinationRule)?)
        }
        ("networking.istio.io", _, "ServiceEntry") => {
            ApiObject::ServiceEntry(reader.istio(Kind::ServiceEntry)?)
        }
        ("networking.istio.io", _, "WorkloadEntry") => {
            ApiObject::WorkloadEntry(reader.istio(Kind::WorkloadEntry)?)
        }
        ("networking.istio.io", _, "Gateway") => ApiObject::Gateway(reader.istio(Kind::Gateway)?),
        ("security.istio.io", _, "PeerAuthentication") => {
            ApiObject::PeerAuthentication(reader.istio(Kind::PeerAuthentication)?)
        }
        ("", "v1", "Service") => ApiObject::Service(reader.read(Kind::Service)?),
        ("", "v1", "Pod") => ApiObject::Pod(reader.read(Kind::Pod)?),
        ("", "v1", "Namespace") => ApiObject::Namespace(reader.read(Kind::Namespace)?),
        ("", "v1", "Secret") => ApiObject::Secret(reader.read(Kind::Secret)?),
        ("", "v1", "ServiceAccount") => {
            let account: core::ServiceAccount = reader.read(Kind::ServiceAccount)?;
            ApiObject::ServiceAccount(Box::new(account.metadata))
        }
        ("", "v1", "ConfigMap") if name == "istio" => {
            ApiObject::MeshConfigMap(reader.read(Kind::MeshConfig)?)
        }
        ("discovery.k8s.io", "v1", "EndpointSlice") => {
            ApiObject::EndpointSlice(reader.read(Kind::EndpointSlice)?)
        }
        ("apps", "v1", "Deployment") => {
            let apps::Deployment { metadata, spec, .. } = reader.read(Kind::Pod)?;
            workload("Deployment", metadata, spec.map(|spec| spec.template))
        }
        ("apps", "v1", "StatefulSet") => {
            let apps::StatefulSet { metadata, spec, .. } = reader.read(Kind::Pod)?;
            workload("StatefulSet", metadata, spec.map(|spec| spec.template))
        }
        ("apps", "v1", "DaemonSet") => {
            let apps::DaemonSet { metadata, spec, .. } = reader.read(Kind::Pod)?;
            workload("DaemonSet", metadata, spec.map(|spec| spec.template))
        }
        ("apps", "v1", "ReplicaSet") => {
            let apps::ReplicaSet { metadata, spec, .. } = reader.read(Kind::Pod)?;
            workload("ReplicaSet", metadata, spec.and_then(|spec| spec.template))
        }
        ("batch", "v1", "Job") => {
            let batch::Job { metadata, spec, .. } = reader.read(Kind::Pod)?;
            workload("Job", metadata, spec.map(|spec| spec.template))
        }
        ("batch", "v1", "CronJob") => {
            let batch::CronJob { metadata, spec, .. } = reader.read(Kind::Pod)?;
            let job = spec.and_then(|spec| spec.job_template.spec);
            workload("CronJob", metadata, job.map(|job| job.template))
        }
        _ => {
            return Err(DecodeError::OtherKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                namespace: namespace.unwrap_or_default().to_owned(),
            });
        }
    };
    let mut unread = reader.unread();
    unread.extend(annotations(object.metadata()));
    Ok(Decoded { object, unread })
}

/// Decodes the mesh settings, given as the parsed text of the key `mesh`. An error is a path and a message.
pub fn decode_mesh(value: &Value) -> Result<(MeshConfig, Vec<Unread>), (String, String)> {
    if !bounds::within(value) {
        return Err((String::new(), DecodeError::TooLarge.to_string()));
    }
    // A key without text below it is an empty document.
    if value.is_null() {
        return Ok((MeshConfig::default(), Vec::new()));
    }
    let mut steps = Vec::new();
    let mesh = read(value, &mut steps)?;
    Ok((mesh, steps.iter().filter_map(|steps| judge("MeshConfig", steps)).collect()))
}

/// Puts a workload together; one without a template stands for a pod without containers.
fn workload(kind: &'static str, metadata: ObjectMeta, template: Option<core::PodTemplateSpec>) -> ApiObject {
    ApiObject::Workload(Box::new(WorkloadTemplate { kind, metadata, template: template.unwrap_or_default() }))
}

/// Reads one object.
struct Reader<'v> {
    value: &'v Value,
    name: &'v str,
    namespace: Option<&'v str>,
    catalogue: &'v str,
    steps: Vec<Vec<Step>>,
}

impl<'v> Reader<'v> {
    fn istio<S: Deserialize<'v> + Default>(&mut self, kind: Kind) -> Result<Box<Resource<S>>, DecodeError> {
        self.read::<Resource<S>>(kind).map(Box::new)
    }

    fn read<T: Deserialize<'v>>(&mut self, kind: Kind) -> Result<T, DecodeError> {
        read(self.value, &mut self.steps).map_err(|(path, message)| DecodeError::WrongShape {
            key: key(kind, self.name, self.namespace),
            path,
            message,
        })
    }

    fn unread(&self) -> Vec<Unread> {
        self.steps
            .iter()
            .filter(|steps| !matches!(&steps[..], [Step::Key(first), ..] if matches!(first.as_str(), "apiVersion" | "kind" | "status")))
            .filter_map(|steps| judge(self.catalogue, steps))
            .collect()
    }
}

/// Deserializes a value, collects what was ignored, and says where it failed.
fn read<'v, T: Deserialize<'v>>(
    value: &'v Value,
    ignored: &mut Vec<Vec<Step>>,
) -> Result<T, (String, String)> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    serde_ignored::deserialize(deserializer, |path| ignored.push(path::of_ignored(&path)))
        .map_err(|error: serde_json::Error| (path::render(&path::of_error(&track.path())), error.to_string()))
}

/// Why a path was not read; none if nobody needs to know.
fn judge(kind: &str, steps: &[Step]) -> Option<Unread> {
    let reason = match catalogue::find(kind, steps) {
        Finding::Unknown(instead) => UnreadReason::Unknown(instead),
        Finding::Published(Some(Reason::Ineffective)) => UnreadReason::Ineffective,
        Finding::Published(Some(Reason::Elsewhere)) => return None,
        Finding::Published(Some(Reason::Unsupported | Reason::Refused)) => UnreadReason::Unsupported,
        // A name that is only there to be suggested, at a place where this kind does not have it.
        Finding::Published(None) => UnreadReason::Unknown(Vec::new()),
    };
    Some(Unread { path: path::render(steps), reason })
}

/// Published annotations that are set and have no effect.
fn annotations(metadata: &ObjectMeta) -> impl Iterator<Item = Unread> {
    metadata.annotations.iter().flatten().filter_map(|(name, _)| {
        let reason = match catalogue::annotation(name)? {
            Reason::Ineffective => UnreadReason::Ineffective,
            Reason::Unsupported | Reason::Refused => UnreadReason::Unsupported,
            Reason::Elsewhere => return None,
        };
        let steps = ["metadata", "annotations", name].map(|part| Step::Key(part.to_owned()));
        Some(Unread { path: path::render(&steps), reason })
    })
}

#[cfg(test)]
mod tests;
