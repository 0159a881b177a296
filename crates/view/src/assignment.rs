//! Endpoint assignments.
//!
//! Endpoints are ordered by locality (same sub-zone, zone, region, elsewhere) where outlier detection tells which of them
//! can be used; without it Envoy would never leave the first group.

use std::collections::{BTreeMap, BTreeSet};

use pilothouse_base::{Locality, Name, Namespace, Selector};
use pilothouse_config::MtlsMode;
use pilothouse_config::traffic_policy::ClientTlsMode;

use crate::backends::{backends, ip};
use crate::mtls;
use crate::plan::{AssignmentPlan, EndpointPlan, LocalityPlan};
use crate::policy::{Effective, effective};
use crate::query::{AssignmentKey, ClusterKey, Role};
use crate::reader::Reader;

/// The assignments that everybody has, or what a namespace has instead of some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// In the order of the clusters.
    pub keys: Vec<AssignmentKey>,
    /// Names of clusters of everybody whose assignments the namespace does not have, or has from `keys`.
    pub hidden: BTreeSet<Name>,
}

/// An assignment for each cluster whose endpoints are listed.
pub(crate) fn assignments(
    namespace: &Namespace,
    role: Role,
    locality: &Locality,
    read: &mut Reader<'_>,
) -> Assignments {
    let clusters = read.clusters(namespace, role);
    let listed = clusters.entries.iter().filter(|entry| entry.listed).map(|entry| &entry.key);
    let keys = listed
        .map(|key| AssignmentKey { locality: read.ordered_by(key, locality), cluster: key.clone() })
        .collect();
    Assignments { keys, hidden: clusters.hidden.clone() }
}

/// Whether endpoints of a cluster are ordered by locality.
pub(crate) fn fails_over(key: &ClusterKey, read: &mut Reader<'_>) -> bool {
    !key.rules.is_empty()
        && effective(&key.rules, key.port, key.subset.as_ref(), read).policy.outlier.is_some()
}

pub(crate) fn assignment(key: &AssignmentKey, read: &mut Reader<'_>) -> AssignmentPlan {
    let name = key.cluster.name();
    let nothing = AssignmentPlan { cluster: name.clone(), localities: Vec::new() };
    let Some(service) = read.service(&key.cluster.service) else { return nothing };
    let Some(port) = service.port(key.cluster.port) else { return nothing };
    let Effective { policy, labels, .. } =
        effective(&key.cluster.rules, key.cluster.port, key.cluster.subset.as_ref(), read);
    let Some(labels) = labels else { return nothing };
    let wanted = Selector::new(labels);
    // Below a share of healthy endpoints Envoy sends to all of them; those that never were ready must not be among these.
    let only_healthy = policy.outlier.as_ref().is_some_and(|outlier| outlier.min_health_percent > 0);
    // A rule that says how connections are secured decides, whatever the endpoint is capable of.
    let never_mtls = policy.tls.as_ref().is_some_and(|tls| tls.mode != ClientTlsMode::IstioMutual);
    let mut groups: BTreeMap<(u32, Locality), Vec<EndpointPlan>> = BTreeMap::new();
    for one in backends(&service, port, read) {
        let Some(address) = ip(&one.address).filter(|_| wanted.matches(&one.labels)) else { continue };
        if only_healthy && !one.healthy {
            continue;
        }
        let mtls = one.meshed
            && !never_mtls
            && mtls::of_workload(&one.namespace, &one.labels, read).of(one.port) != MtlsMode::Disable;
        let rank = key.locality.as_ref().map_or(0, |client| distance(client, &one.locality));
        groups.entry((rank, one.locality)).or_default().push(EndpointPlan {
            address,
            port: one.port,
            weight: one.weight,
            healthy: one.healthy,
            mtls,
            workload: one.workload,
        });
    }
    let mut priorities: Vec<u32> = groups.keys().map(|(rank, _)| *rank).collect();
    priorities.dedup();
    let localities = groups
        .into_iter()
        .map(|((rank, locality), mut endpoints)| {
            endpoints.sort();
            endpoints.dedup_by(|a, b| (a.address, a.port) == (b.address, b.port));
            // Envoy wants priorities without gaps.
            let priority = priorities.iter().position(|one| *one == rank).unwrap_or(0);
            LocalityPlan { locality, priority: u32::try_from(priority).unwrap_or(u32::MAX), endpoints }
        })
        .collect();
    AssignmentPlan { cluster: name, localities }
}

/// 0 in the same sub-zone, 1 in the same zone, 2 in the same region, 3 elsewhere.
fn distance(client: &Locality, endpoint: &Locality) -> u32 {
    if client.region != endpoint.region {
        3
    } else if client.zone != endpoint.zone {
        2
    } else {
        u32::from(client.sub_zone != endpoint.sub_zone)
    }
}
