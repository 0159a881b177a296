//! Which objects made a resource, so that a rejection by a proxy can be laid at the right door.

use std::collections::BTreeSet;
use std::sync::Arc;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_view::query::{HostKey, HostSource, ListenerKey, Otherwise, SecretKey, SecretSource};
use pilothouse_view::{InboundCluster, Query};
use pilothouse_world::{ServiceRef, World};

/// The objects behind the answer to a question. The listeners of gateways bring theirs along, and
/// [`of_inbound`] knows those of clusters that lead to a workload.
pub(crate) fn of(query: &Query, world: &World) -> Arc<[ObjectKey]> {
    let mut all = BTreeSet::new();
    let service = |service: &ServiceRef, all: &mut BTreeSet<ObjectKey>| {
        all.extend(world.definition(service).cloned());
    };
    match query {
        Query::Cluster(key) => {
            service(&key.service, &mut all);
            all.extend(key.rules.iter().cloned());
        }
        Query::Assignment(key) => {
            service(&key.cluster.service, &mut all);
            all.extend(key.cluster.rules.iter().cloned());
        }
        Query::Listener(ListenerKey::Outbound(listener)) => {
            for entry in &listener.tcp {
                service(&entry.service, &mut all);
                all.extend(entry.claims.iter().cloned());
            }
        }
        Query::Host(HostKey { source, .. }) => match source {
            HostSource::Service { service: host, rules } => {
                service(host, &mut all);
                all.extend(rules.iter().cloned());
            }
            HostSource::VirtualServices { objects, otherwise, client: _ } => {
                if let Otherwise::Service { service: host, rules } = otherwise {
                    service(host, &mut all);
                    all.extend(rules.iter().cloned());
                }
                for (object, gateway) in objects.iter() {
                    all.insert(object.clone());
                    all.extend(gateway.clone());
                }
            }
            HostSource::Nothing => {}
        },
        Query::Inbound(key) => {
            for port in &key.ports {
                service(&port.service, &mut all);
            }
        }
        Query::Secret(SecretKey { source, resource: _ }) => match source {
            SecretSource::Certificate { namespace, name } | SecretSource::Roots { namespace, name } => {
                all.insert(ObjectKey::new(Kind::Secret, namespace.clone(), name.clone()));
            }
            SecretSource::CertificateFiles { .. } | SecretSource::RootFiles { .. } => {}
        },
        _ => {}
    }
    all.into_iter().collect()
}

/// The objects behind a cluster that leads to the workload.
pub(crate) fn of_inbound(cluster: &InboundCluster, world: &World) -> Arc<[ObjectKey]> {
    let InboundCluster { plan: _, service, limits } = cluster;
    world.definition(service).into_iter().chain(limits).cloned().collect()
}
