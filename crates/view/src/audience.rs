//! Audience: the facts about a proxy that its view may depend on. Proxies with equal facts share everything.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pilothouse_base::{Labels, Locality, Name, Namespace, ObjectKey};
use pilothouse_config::service::{Resolution, TargetPort};
use pilothouse_config::{EndpointSlice, MtlsMode, Pod, Service, ServicePort};
use pilothouse_world::ServiceRef;

use crate::backends::target_port;
use crate::mtls;
use crate::query::{Client, GatewayKey, InboundKey, InboundPort, Place, Role, WorkloadName, stranger};
use crate::reader::Reader;

/// What a proxy is, as far as its view depends on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience {
    /// Whom it asks for.
    pub client: Client,
    /// Where it runs, as far as some service asks for it.
    pub place: Option<Place>,
    /// What stands in front of the workload (sidecars).
    pub inbound: Option<InboundKey>,
    /// What is served at the edge (gateways).
    pub gateway: Option<GatewayKey>,
}

/// The workload of a proxy: the pod if it is known, else what the proxy says.
struct Workload {
    labels: Labels,
    addresses: Vec<IpAddr>,
    locality: Locality,
    node: Name,
    pod: Option<Arc<Pod>>,
}

pub(crate) fn audience(name: &WorkloadName, read: &mut Reader<'_>) -> Audience {
    let WorkloadName { role, namespace, name, claims } = name;
    let workload = match read.pod(namespace, name) {
        Some(pod) => Workload {
            labels: pod.labels.clone(),
            addresses: if pod.addresses.is_empty() {
                claims.addresses.clone()
            } else {
                pod.addresses.clone()
            },
            locality: if pod.locality.is_empty() { claims.locality.clone() } else { pod.locality.clone() },
            node: if pod.node.as_str().is_empty() { claims.node.clone() } else { pod.node.clone() },
            pod: Some(pod),
        },
        None => Workload {
            labels: claims.labels.clone(),
            addresses: claims.addresses.clone(),
            locality: claims.locality.clone(),
            node: claims.node.clone(),
            pod: None,
        },
    };
    let v6 = !workload.addresses.is_empty() && workload.addresses.iter().all(IpAddr::is_ipv6);
    let claims = read.claims(namespace);
    let labels = workload.labels.iter().filter(|(label, _)| claims.asked.contains(*label)).collect();
    let client = Client { role: *role, namespace: namespace.clone(), labels, v6 };
    let ports = targets_of(namespace, &workload, read);
    let asks = read.placed(namespace, *role).asks.and(read.placed(&stranger(), *role).asks);
    let place = asks.place(&workload.locality, &workload.node);
    match role {
        Role::Sidecar => {
            let inbound = Some(inbound(namespace, &workload, ports, v6, read));
            Audience { client, place, inbound, gateway: None }
        }
        Role::Gateway => {
            let gateways = read.gateways();
            let selected = gateways.iter().filter(|gateway| gateway.selector.matches(&workload.labels));
            let gateways: Vec<ObjectKey> = selected.map(|gateway| gateway.meta.key.clone()).collect();
            let mut by_port = BTreeMap::new();
            for (_, port, target) in ports {
                by_port.entry(port.number).or_insert(target);
            }
            let gateway =
                Some(GatewayKey { client: client.clone(), gateways, ports: by_port.into_iter().collect() });
            Audience { client, place, inbound: None, gateway }
        }
    }
}

/// The service ports that lead to a workload with the port they lead to, oldest service first.
fn targets_of(
    namespace: &Namespace,
    workload: &Workload,
    read: &mut Reader<'_>,
) -> Vec<(Arc<Service>, ServicePort, u16)> {
    let mut services = read.services_in(namespace);
    services.sort_by(|a, b| a.meta.created.cmp(&b.meta.created).then_with(|| a.host.cmp(&b.host)));
    let mut all = Vec::new();
    for service in services {
        let picked = leads_to(&service, workload);
        let slices = if picked || !service.is_kubernetes() || service.selector.is_some() {
            Vec::new()
        } else {
            slices_with(&service, workload, read)
        };
        for port in service.ports.iter().filter(|port| port.protocol != pilothouse_base::Protocol::Udp) {
            let target = match (&workload.pod, &port.target) {
                _ if !picked => slices.iter().find_map(|slice| slice.ports.get(&port.name).copied()),
                (Some(pod), target) => target_port(target, pod),
                (None, TargetPort::Number(number)) => Some(*number),
                (None, TargetPort::Named(_)) => Some(port.number),
            };
            if let Some(target) = target {
                all.push((service.clone(), port.clone(), target));
            }
        }
    }
    all
}

/// The slices of a service without a selector that name an address of a workload.
fn slices_with(service: &Service, workload: &Workload, read: &mut Reader<'_>) -> Vec<Arc<EndpointSlice>> {
    let slices = read.endpoints(&ServiceRef::of(service)).slices.into_iter().map(|(slice, _)| slice);
    slices
        .filter(|slice| slice.endpoints.iter().any(|one| workload.addresses.contains(&one.address)))
        .collect()
}

/// Whether a service sends traffic to a workload: its selector picks it, or its own endpoints name one of its addresses.
fn leads_to(service: &Service, workload: &Workload) -> bool {
    if matches!(service.resolution, Resolution::Alias(_)) {
        return false;
    }
    let selected = service
        .selector
        .as_ref()
        .is_some_and(|selector| !selector.is_empty() && selector.matches(&workload.labels));
    selected
        || service.endpoints.iter().any(|one| {
            crate::backends::ip(&one.address).is_some_and(|address| workload.addresses.contains(&address))
        })
}

fn inbound(
    namespace: &Namespace,
    workload: &Workload,
    targets: Vec<(Arc<Service>, ServicePort, u16)>,
    v6: bool,
    read: &mut Reader<'_>,
) -> InboundKey {
    let modes = mtls::of_workload(namespace, &workload.labels, read);
    let mut ports: BTreeMap<u16, InboundPort> = BTreeMap::new();
    for (service, port, target) in targets {
        ports.entry(target).or_insert_with(|| InboundPort {
            target,
            protocol: port.protocol,
            mode: modes.of(target),
            service: ServiceRef::of(&service),
            service_name: crate::cluster::as_service(&service).name,
            service_port: port.number,
        });
    }
    let port_modes: Vec<(u16, MtlsMode)> = modes
        .ports
        .iter()
        .filter(|(port, mode)| !ports.contains_key(port) && **mode != modes.all)
        .map(|(port, mode)| (*port, *mode))
        .collect();
    InboundKey { ports: ports.into_values().collect(), mode: modes.all, port_modes, v6 }
}
