//! Backends: the endpoints of a service port with all that is known of the workloads behind them.

use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Identity, Labels, Locality, Name, Namespace};
use pilothouse_config::endpoint::EndpointAddress;
use pilothouse_config::service::TargetPort;
use pilothouse_config::workload::PodHealth;
use pilothouse_config::{Endpoint, Health, Pod, Service, ServicePort};
use pilothouse_world::{Backend, ServiceEndpoints, ServiceRef};

use crate::reader::Reader;

/// An endpoint of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Where it listens.
    pub(crate) address: EndpointAddress,
    /// The port there.
    pub(crate) port: u16,
    /// Labels of the workload.
    pub(crate) labels: Labels,
    /// Where it runs.
    pub(crate) locality: Locality,
    /// The node it runs on, empty if unknown.
    pub(crate) node: Name,
    /// Its weight.
    pub(crate) weight: u32,
    /// Whether it serves.
    pub(crate) health: Health,
    /// Whether it has a proxy of the mesh in front of it.
    pub(crate) meshed: bool,
    /// Who it is, if known.
    pub(crate) identity: Option<Identity>,
    /// The namespace of the workload.
    pub(crate) namespace: Namespace,
    /// `istio.workload` of telemetry, empty if unknown.
    pub(crate) workload: Name,
}

/// All endpoints of a service port, without those that do not serve any more.
pub(crate) fn backends(service: &Service, port: &ServicePort, read: &mut Reader<'_>) -> Vec<Reached> {
    let ServiceEndpoints { slices, backends } = read.endpoints(&ServiceRef::of(service));
    let namespace = service.namespace().clone();
    let trust_domain = read.mesh().trust_domain.clone();
    let injects = Injects::of(&namespace, read);
    let mut reached = Vec::new();
    for (slice, pods) in &slices {
        let Some(number) = slice.ports.get(&port.name).copied() else { continue };
        for (one, pod) in slice.endpoints.iter().zip(pods) {
            if one.health == Health::Terminating {
                continue;
            }
            let health = one.health;
            let address = EndpointAddress::Ip(one.address);
            reached.push(match pod {
                Some(pod) => {
                    let locality = if pod.locality.is_empty() { &one.locality } else { &pod.locality };
                    let node = if one.node.as_str().is_empty() { &pod.node } else { &one.node };
                    Reached {
                        locality: locality.clone(),
                        node: node.clone(),
                        ..of_pod(pod, address, number, health, &injects, &trust_domain)
                    }
                }
                None => Reached {
                    address,
                    port: number,
                    labels: Labels::default(),
                    locality: one.locality.clone(),
                    node: one.node.clone(),
                    weight: 1,
                    health,
                    meshed: false,
                    identity: None,
                    namespace: namespace.clone(),
                    workload: Name::default(),
                },
            });
        }
    }
    for backend in &backends {
        match backend {
            Backend::Pod(pod) => {
                let health = match pod.health {
                    PodHealth::NotReady if !service.publish_not_ready => Health::Unhealthy,
                    PodHealth::Ready | PodHealth::NotReady => Health::Healthy,
                    PodHealth::Ended => continue,
                };
                let (Some(address), Some(number)) = (pod.addresses.first(), target_port(&port.target, pod))
                else {
                    continue;
                };
                let address = EndpointAddress::Ip(*address);
                reached.push(of_pod(pod, address, number, health, &injects, &trust_domain));
            }
            Backend::Entry(entry) => {
                reached.push(of_entry(&entry.endpoint, port, entry.namespace(), &trust_domain));
            }
        }
    }
    for endpoint in &service.endpoints {
        reached.push(of_entry(endpoint, port, &namespace, &trust_domain));
    }
    reached
}

/// The port of a pod that a service port leads to.
pub(crate) fn target_port(target: &TargetPort, pod: &Pod) -> Option<u16> {
    match target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Named(name) => {
            pod.named_ports.iter().find(|(own, _)| own == name).map(|(_, number)| *number)
        }
    }
}

/// Whether pods of a namespace that do not say have a sidecar.
pub(crate) struct Injects(Option<Arc<pilothouse_config::NamespaceObject>>);

impl Injects {
    pub(crate) fn of(namespace: &Namespace, read: &mut Reader<'_>) -> Self {
        Self(read.namespace(namespace))
    }
}

fn of_pod(
    pod: &Pod,
    address: EndpointAddress,
    port: u16,
    health: Health,
    injects: &Injects,
    trust_domain: &Name,
) -> Reached {
    let namespace = pod.meta.namespace();
    let canonical = |label: &str, fallback: &str| {
        let labels = [label, fallback].into_iter().find_map(|label| pod.labels.get(label));
        labels.map(str::to_owned)
    };
    let name =
        canonical("service.istio.io/canonical-name", "app").unwrap_or_else(|| pod.workload.to_string());
    let revision = canonical("service.istio.io/canonical-revision", "version").unwrap_or_default();
    Reached {
        address,
        port,
        labels: pod.labels.clone(),
        locality: pod.locality.clone(),
        node: pod.node.clone(),
        weight: 1,
        health,
        meshed: pod.sidecar.resolve(injects.0.as_deref()),
        identity: Some(Identity::new(trust_domain.clone(), namespace.clone(), pod.service_account.clone())),
        namespace: namespace.clone(),
        workload: Name::from(format!("{};{namespace};{name};{revision};Kubernetes", pod.workload)),
    }
}

fn of_entry(endpoint: &Endpoint, port: &ServicePort, namespace: &Namespace, trust_domain: &Name) -> Reached {
    let Endpoint { address, ports, labels, locality, weight, network: _, service_account } = endpoint;
    let number = ports.get(&port.name).copied().unwrap_or(match port.target {
        TargetPort::Number(number) => number,
        TargetPort::Named(_) => port.number,
    });
    Reached {
        address: address.clone(),
        port: number,
        labels: labels.clone(),
        locality: locality.clone(),
        node: Name::default(),
        weight: *weight,
        health: Health::Healthy,
        meshed: service_account.is_some() || labels.get("security.istio.io/tlsMode") == Some("istio"),
        identity: service_account
            .as_ref()
            .map(|account| Identity::new(trust_domain.clone(), namespace.clone(), account.clone())),
        namespace: namespace.clone(),
        workload: Name::default(),
    }
}

/// The IP address of an endpoint, if it is one.
pub(crate) fn ip(address: &EndpointAddress) -> Option<IpAddr> {
    match address {
        EndpointAddress::Ip(ip) => Some(*ip),
        EndpointAddress::Name(_) | EndpointAddress::Unix(_) => None,
    }
}
