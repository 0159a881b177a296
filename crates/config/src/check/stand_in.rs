//! Pods that stand for workloads, so that a repository of manifests is enough to work on.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use pilothouse_api::WorkloadTemplate;
use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_base::{Kind, Name, Namespace, ObjectKey};

use super::pod;
use crate::{Meta, Pod};

/// Makes one pod for each workload that has none: named like it, of its template, at an address of a documentation
/// range that follows from its name. The result does not depend on the order of the input.
///
/// A workload has pods if one of its namespace carries all labels of its template. A workload made by another one (the
/// ReplicaSet of a Deployment, the Job of a CronJob) stands for nothing.
pub fn stand_ins(workloads: &[&WorkloadTemplate], pods: &[&Pod]) -> Vec<Pod> {
    let mut sorted: Vec<(Namespace, Name, &WorkloadTemplate)> = workloads
        .iter()
        .filter(|workload| {
            !workload.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true))
        })
        .map(|workload| {
            let namespace = workload.metadata.namespace.as_deref().filter(|text| !text.is_empty());
            let name = workload.metadata.name.as_deref().unwrap_or_default();
            (Namespace::from(namespace.unwrap_or("default")), Name::from(name), *workload)
        })
        .collect();
    sorted.sort_by(|a, b| (&a.0, &a.1, a.2.kind).cmp(&(&b.0, &b.1, b.2.kind)));
    let mut taken: BTreeSet<IpAddr> = pods.iter().flat_map(|pod| pod.addresses.iter().copied()).collect();
    let mut names: BTreeSet<ObjectKey> = pods.iter().map(|pod| pod.meta.key.clone()).collect();
    let mut made = Vec::new();
    for (namespace, name, workload) in sorted {
        let pod = make(workload, &namespace, &name);
        let has_pods = pods.iter().any(|other| {
            other.meta.key.namespace == namespace
                && !pod.labels.is_empty()
                && pod.labels.iter().all(|(key, value)| other.labels.get(key) == Some(value))
        });
        // Two workloads of one name would be one pod twice.
        if has_pods || !names.insert(pod.meta.key.clone()) {
            continue;
        }
        let Some(address) = free_address(&namespace, &name, &taken) else { continue };
        taken.insert(address);
        made.push(Pod { addresses: vec![address], ..pod });
    }
    made
}

fn make(workload: &WorkloadTemplate, namespace: &Namespace, name: &Name) -> Pod {
    let mut metadata = workload.template.metadata.clone().unwrap_or_default();
    metadata.uid.clone_from(&workload.metadata.uid);
    let created = workload.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    let raw = core::Pod { metadata, spec: workload.template.spec.clone(), status: None };
    pod::check(&raw, Meta { key: ObjectKey::new(Kind::Pod, namespace.clone(), name.clone()), created })
}

/// The documentation ranges (RFC 5737), and after them the one for benchmarks (RFC 2544), which is larger.
const RANGES: [(Ipv4Addr, u32); 4] = [
    (Ipv4Addr::new(192, 0, 2, 0), 256),
    (Ipv4Addr::new(198, 51, 100, 0), 256),
    (Ipv4Addr::new(203, 0, 113, 0), 256),
    (Ipv4Addr::new(198, 18, 0, 0), 131_072),
];

/// The first free address at or after the one that follows from the name; first in the documentation ranges.
fn free_address(namespace: &Namespace, name: &Name, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let hash = [namespace.as_str(), "/", name.as_str()]
        .iter()
        .flat_map(|part| part.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let (small, large) = RANGES.split_at(3);
    [small, large].into_iter().find_map(|ranges| {
        let all: u32 = ranges.iter().map(|(_, size)| size - 2).sum();
        let start = (hash % u64::from(all)) as u32;
        (0..all).map(|step| nth(ranges, (start + step) % all)).find(|address| !taken.contains(address))
    })
}

/// The address of a number within ranges; the first and the last of each range are left alone.
fn nth(ranges: &[(Ipv4Addr, u32)], mut number: u32) -> IpAddr {
    for (first, size) in ranges {
        if number < size - 2 {
            return IpAddr::V4(Ipv4Addr::from(u32::from(*first) + 1 + number));
        }
        number -= size - 2;
    }
    unreachable!("callers stay below the sum of the sizes")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::Outcome;
    use crate::check::tests::{checked, settings};
    use crate::{Object, judge};

    fn workload(kind: &str, name: &str) -> Box<WorkloadTemplate> {
        let value: Value = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"serviceAccountName": "robot", "containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}]}}}});
        match judge(&value, &settings()).outcome {
            Outcome::Workload(workload) => workload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_do_not_depend_on_the_order() {
        let all: Vec<_> = (0..300).map(|n| workload("Deployment", &format!("w{n}"))).collect();
        let mut refs: Vec<_> = all.iter().map(|one| &**one).collect();
        let one = stand_ins(&refs, &[]);
        refs.reverse();
        assert_eq!(one, stand_ins(&refs, &[]));
        let addresses: BTreeSet<_> = one.iter().map(|pod| pod.addresses[0]).collect();
        assert_eq!(addresses.len(), 300);
        assert_eq!(one[0].workload, Name::from("w0"));
        assert_eq!(one[0].service_account, Name::from("robot"));
        assert_eq!(one[0].named_ports, [(Name::from("http"), 8080)]);
    }

    #[test]
    fn more_workloads_than_documentation_addresses_find_room() {
        let all: Vec<_> = (0..800).map(|n| workload("Deployment", &format!("w{n}"))).collect();
        let refs: Vec<_> = all.iter().map(|one| &**one).collect();
        assert_eq!(stand_ins(&refs, &[]).len(), 800);
    }

    #[test]
    fn a_workload_with_pods_or_of_a_taken_name_stands_for_nothing() {
        let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart-1", "namespace": "shop", "labels": {"app": "cart"}}});
        let Some(Object::Pod(pod)) = checked(&value) else { panic!() };
        let (cart, web, again) =
            (workload("Deployment", "cart"), workload("Deployment", "web"), workload("StatefulSet", "web"));
        let made = stand_ins(&[&cart, &again, &web], &[&pod]);
        assert_eq!(made.iter().map(|pod| pod.meta.key.name.as_str()).collect::<Vec<_>>(), ["web"]);
    }
}
