//! The one judge: an `api` object becomes a typed value and diagnostics.
//!
//! A wrong part costs the smallest thing that depends on it; each finding says what that means for traffic. Each module
//! below takes its wire struct apart without `..`, so that a new field does not compile until somebody decides what it
//! means.

mod client_tls;
mod destination_rule;
mod discovery;
mod distribution;
mod duration;
mod endpoint;
mod endpoint_slice;
mod export;
mod fields;
mod gateway;
mod header;
mod host;
mod labels;
mod mesh;
mod other_kinds;
mod pattern;
mod peer_authentication;
mod pod;
mod retry;
mod secret;
mod server_tls;
mod service;
mod service_entry;
pub(crate) mod stand_in;
mod traffic_policy;
mod unread;
mod virtual_service;

use std::sync::Arc;

use pilothouse_api::{ApiObject, ObjectMeta};
use pilothouse_base::{Kind, Name, Namespace, ObjectKey};
use pilothouse_diag::{Diagnostics, FieldPath};
use serde_json::Value;

use crate::{Meta, NamespaceObject, Object, WorkloadEntry};

/// What the judge needs to know besides the object.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// The DNS domain of services, `cluster.local`.
    pub domain: Name,
    /// Parses the text of the mesh settings; reading YAML is the business of the caller. The error is shown to the user.
    pub parse_yaml: fn(&str) -> Result<Value, String>,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has this effect.
    Object(ObjectKey, Object),
    /// It is known and has no effect, so a former version of it ends too.
    Nothing(ObjectKey),
    /// It cannot be decoded; a former version of it stays in force.
    Undecodable(ObjectKey),
    /// A workload kind; with the others of its kind it goes to [`stand_ins`](crate::stand_ins).
    Workload(Box<pilothouse_api::WorkloadTemplate>),
    /// It is no object, or of a kind that is not read.
    Foreign,
}

/// An object with the findings about it.
#[derive(Debug)]
pub struct Judgement {
    /// What became of it.
    pub outcome: Outcome,
    /// The findings; the caller adds the places where the object was written.
    pub diagnostics: Diagnostics,
}

/// Decodes and checks one object.
pub fn judge(value: &Value, settings: &CheckSettings) -> Judgement {
    let decoded = match pilothouse_api::decode(value) {
        Ok(decoded) => decoded,
        Err(error) => return unread::refuse(&error),
    };
    let key = decoded.object.key();
    let mut out = Diagnostics::about(key.clone());
    unread::report(&decoded.unread, "", &mut out);
    let outcome = if let ApiObject::Workload(template) = decoded.object {
        Outcome::Workload(template)
    } else {
        match check(&decoded.object, settings, &mut out) {
            Some((key, object)) => Outcome::Object(key, object),
            // Mesh settings that cannot be understood as a whole leave the former ones in force.
            None if key.kind == Kind::MeshConfig && out.has_errors() => Outcome::Undecodable(key),
            None => Outcome::Nothing(key),
        }
    };
    Judgement { outcome, diagnostics: out }
}

/// Checks a decoded object. None: it has no effect, and a finding says why, unless it is of no interest to a mesh (a
/// secret without certificates) or a workload kind.
pub fn check(
    object: &ApiObject,
    settings: &CheckSettings,
    out: &mut Diagnostics,
) -> Option<(ObjectKey, Object)> {
    let key = object.key();
    let metadata = object.metadata();
    let created = metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    let meta = Meta { key: key.clone(), created };
    let namespace = key.namespace.clone();
    let scope = Scope { namespace: &namespace, domain: settings.domain.as_str() };
    let checked = match object {
        ApiObject::MeshConfigMap(raw) => Object::Mesh(Arc::new(mesh::check(raw, settings, out)?)),
        ApiObject::Namespace(_) => {
            let distribution = distribution::annotated(metadata, out);
            Object::Namespace(Arc::new(NamespaceObject { meta, labels: labels_of(metadata), distribution }))
        }
        ApiObject::Service(raw) => Object::Services(vec![Arc::new(service::check(raw, meta, &scope, out)?)]),
        ApiObject::EndpointSlice(raw) => {
            Object::EndpointSlice(Arc::new(endpoint_slice::check(raw, meta, out)?))
        }
        ApiObject::Pod(raw) => Object::Pod(Arc::new(pod::check(raw, meta))),
        ApiObject::ServiceAccount(_) => Object::ServiceAccount,
        ApiObject::Secret(raw) => Object::Secret(Arc::new(secret::check(raw, meta, out)?)),
        ApiObject::Workload(_) => return None,
        ApiObject::VirtualService(raw) => {
            Object::VirtualService(Arc::new(virtual_service::check(&raw.spec, meta, &scope, out)?))
        }
        ApiObject::DestinationRule(raw) => {
            Object::DestinationRule(Arc::new(destination_rule::check(&raw.spec, meta, &scope, out)?))
        }
        ApiObject::ServiceEntry(raw) => {
            let distribution = distribution::annotated(metadata, out);
            Object::Services(service_entry::check(&raw.spec, &meta, distribution, &scope, out)?)
        }
        ApiObject::WorkloadEntry(raw) => {
            let own = metadata.labels.clone().unwrap_or_default();
            let endpoint = endpoint::check(&raw.spec, Some(own), &FieldPath::spec(), out)?;
            Object::WorkloadEntry(Arc::new(WorkloadEntry { meta, endpoint }))
        }
        ApiObject::Gateway(raw) => Object::Gateway(Arc::new(gateway::check(&raw.spec, meta, &scope, out))),
        ApiObject::PeerAuthentication(raw) => {
            Object::PeerAuthentication(Arc::new(peer_authentication::check(&raw.spec, meta, out)))
        }
    };
    Some((key, checked))
}

/// Where names of an object are at home.
pub(crate) struct Scope<'s> {
    /// The namespace of the object.
    pub(crate) namespace: &'s Namespace,
    /// The DNS domain of services.
    pub(crate) domain: &'s str,
}

fn labels_of(metadata: &ObjectMeta) -> pilothouse_base::Labels {
    metadata.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
pub(crate) mod tests;
