//! Pods.

use std::net::IpAddr;

use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_base::{Labels, Locality, Name};

use super::labels_of;
use crate::workload::PodHealth;
use crate::{Meta, Pod, Sidecar};

/// The name of the proxy's container.
const PROXY: &str = "istio-proxy";
/// The label and annotation that ask for a sidecar or refuse it; the label wins.
const INJECT: &str = "sidecar.istio.io/inject";

/// A pod has nothing that a user could get wrong for the mesh: Kubernetes checked it.
pub(super) fn check(raw: &core::Pod, meta: Meta) -> Pod {
    let labels = labels_of(&raw.metadata);
    let spec = raw.spec.as_ref();
    Pod {
        uid: Name::from(raw.metadata.uid.as_deref().unwrap_or_default()),
        addresses: addresses(raw),
        service_account: spec
            .and_then(|spec| spec.service_account_name.as_deref().or(spec.service_account.as_deref()))
            .filter(|name| !name.is_empty())
            .map_or_else(|| Name::from("default"), Name::from),
        named_ports: spec.map(named_ports).unwrap_or_default(),
        sidecar: sidecar(raw, &labels),
        health: health(raw),
        node: Name::from(spec.and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()),
        finished: finished(raw),
        deleted_at: raw
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|at| u64::try_from(at.0.as_second()).unwrap_or_default()),
        locality: locality(&labels),
        workload: workload(raw, &labels, &meta.key.name),
        labels,
        meta,
    }
}

fn addresses(raw: &core::Pod) -> Vec<IpAddr> {
    let Some(status) = &raw.status else { return Vec::new() };
    let mut all: Vec<IpAddr> = Vec::new();
    let listed = status.pod_ips.iter().flatten().map(|one| one.ip.as_str());
    for text in status.pod_ip.as_deref().into_iter().chain(listed) {
        match text.parse() {
            Ok(address) if !all.contains(&address) => all.push(address),
            _ => {}
        }
    }
    all
}

fn containers(spec: &core::PodSpec) -> impl Iterator<Item = &core::Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn named_ports(spec: &core::PodSpec) -> Vec<(Name, u16)> {
    containers(spec)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            let number = u16::try_from(port.container_port).ok().filter(|number| *number > 0)?;
            Some((Name::from(port.name.as_deref()?), number))
        })
        .collect()
}

fn sidecar(raw: &core::Pod, labels: &Labels) -> Sidecar {
    let spec = raw.spec.as_ref();
    let present = labels.get("security.istio.io/tlsMode") == Some("istio")
        || spec.is_some_and(|spec| containers(spec).any(|container| container.name == PROXY));
    if present {
        return Sidecar::Present;
    }
    if spec.is_some_and(|spec| spec.host_network == Some(true)) {
        return Sidecar::Absent;
    }
    let annotation = raw.metadata.annotations.as_ref().and_then(|all| all.get(INJECT));
    match labels.get(INJECT).or(annotation.map(String::as_str)) {
        Some("false") => return Sidecar::Absent,
        Some("true") => return Sidecar::Present,
        _ => {}
    }
    // Containers that a kubelet reports are final: whoever was to add one has had the chance.
    let running = raw.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    if running.is_some_and(|all| !all.is_empty()) { Sidecar::Absent } else { Sidecar::IfInjected }
}

fn finished(raw: &core::Pod) -> bool {
    let phase = raw.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn health(raw: &core::Pod) -> PodHealth {
    if raw.metadata.deletion_timestamp.is_some() {
        return PodHealth::Ended;
    }
    let Some(status) = &raw.status else { return PodHealth::Ready };
    if finished(raw) {
        return PodHealth::Ended;
    }
    let phase = status.phase.as_deref();
    match status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready") {
        Some(condition) if condition.status == "True" => PodHealth::Ready,
        Some(_) => PodHealth::NotReady,
        None if phase == Some("Pending") => PodHealth::NotReady,
        None => PodHealth::Ready,
    }
}

fn locality(labels: &Labels) -> Locality {
    if let Some(text) = labels.get("istio-locality").filter(|text| !text.is_empty()) {
        // A label value holds no slashes, so dots stand for them.
        return if text.contains('/') {
            Locality::parse(text)
        } else {
            Locality::parse(&text.replace('.', "/"))
        };
    }
    let label = |key| Name::from(labels.get(key).unwrap_or_default());
    Locality {
        region: label("topology.kubernetes.io/region"),
        zone: label("topology.kubernetes.io/zone"),
        sub_zone: label("topology.istio.io/subzone"),
    }
}

/// The controller's name without what it generated: the hash of a ReplicaSet, the schedule of a CronJob.
fn workload(raw: &core::Pod, labels: &Labels, own: &Name) -> Name {
    let Some(owner) =
        raw.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
    else {
        return own.clone();
    };
    let stem = match owner.kind.as_str() {
        "ReplicaSet" => {
            labels.get("pod-template-hash").and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'))
        }
        "Job" => owner
            .name
            .rsplit_once('-')
            .filter(|(_, digits)| digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit()))
            .map(|(stem, _)| stem),
        _ => None,
    };
    Name::from(stem.unwrap_or(&owner.name))
}

#[cfg(test)]
mod tests;
