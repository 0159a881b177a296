//! Endpoint assignments.

use std::collections::{BTreeMap, BTreeSet};

use pilothouse_base::{Locality, Name, Selector};
use pilothouse_config::traffic_policy::ClientTlsMode;
use pilothouse_config::{Health, MtlsMode};

use crate::backends::{Reached, backends, ip};
use crate::mtls;
use crate::plan::{AssignmentPlan, EndpointPlan, LocalityPlan};
use crate::policy::{Effective, effective};
use crate::query::{AssignmentKey, ClusterKey};
use crate::reader::Reader;

/// The assignments that everybody has, or what a namespace has instead of some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// In the order of the clusters.
    pub keys: Vec<AssignmentKey>,
    /// Names of clusters of everybody whose assignments the namespace does not have, or has from `keys`.
    pub hidden: BTreeSet<Name>,
}

/// Whether outlier detection tells which endpoints of a cluster can be used.
pub(crate) fn fails_over(key: &ClusterKey, read: &mut Reader<'_>) -> bool {
    effective(&key.rules, key.port, key.subset.as_ref(), read).policy.outlier.is_some()
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
    let picked = backends(&service, port, read).into_iter().filter_map(|one| {
        let rank = key.near.rank(&one).filter(|_| wanted.matches(&one.labels))?;
        Some((rank, ip(&one.address)?, one))
    });
    let picked: Vec<_> = picked.collect();
    // While nobody is ready, those that shut down and still serve are better than none, as for the cluster itself.
    let nobody_is_ready = !picked.iter().any(|(_, _, one)| one.health == Health::Healthy);
    let healthy = |one: &Reached| match one.health {
        Health::Healthy => Some(true),
        Health::Unhealthy => (!only_healthy).then_some(false),
        Health::Draining => nobody_is_ready.then_some(true),
        Health::Terminating => None,
    };
    for (rank, address, one) in picked {
        let Some(healthy) = healthy(&one) else { continue };
        let mtls = one.meshed
            && !never_mtls
            && mtls::of_workload(&one.namespace, &one.labels, read).of(one.port) != MtlsMode::Disable;
        groups.entry((rank, one.locality)).or_default().push(EndpointPlan {
            address,
            port: one.port,
            weight: one.weight,
            healthy,
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
