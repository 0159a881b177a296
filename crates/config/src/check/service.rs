//! Kubernetes services.

use std::net::IpAddr;

use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_api::k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pilothouse_base::{Hostname, Name, Protocol, Selector};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, distribution, export};
use crate::service::{Cidr, TargetPort};
use crate::{ExportTo, Meta, Resolution, Service, ServicePort};

/// Who may see a service.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

pub(super) fn check(
    raw: &core::Service,
    meta: Meta,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Service> {
    let at = FieldPath::spec();
    let Some(spec) = &raw.spec else {
        out.report(catalogue::REQUIRED, &at).effect("the service is not defined");
        return None;
    };
    let resolution = match spec.type_.as_deref() {
        Some("ExternalName") => {
            if let Some(name) = spec.external_name.as_deref().filter(|name| !name.is_empty()) {
                Resolution::Alias(Hostname::parse(name))
            } else {
                out.report(catalogue::REQUIRED, &at.field("externalName"))
                    .effect("the service is not defined");
                return None;
            }
        }
        _ if spec.cluster_ip.as_deref() == Some("None") => Resolution::Headless,
        _ => Resolution::Endpoints,
    };
    let written = spec.cluster_ips.iter().flatten().chain(
        // The list repeats the single field; a manifest may have only the latter.
        spec.cluster_ip.iter().filter(|_| spec.cluster_ips.as_ref().is_none_or(Vec::is_empty)),
    );
    let addresses = match resolution {
        Resolution::Endpoints => {
            written.filter_map(|text| text.parse::<IpAddr>().ok()).map(Cidr::host).collect()
        }
        _ => Vec::new(),
    };
    let selector = match &resolution {
        Resolution::Alias(_) => None,
        _ => spec
            .selector
            .as_ref()
            .filter(|labels| !labels.is_empty())
            .map(|labels| Selector::new(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect())),
    };
    Some(Service {
        host: Hostname::of_service(meta.key.name.as_str(), scope.namespace, scope.domain),
        ports: ports(spec, &at.field("ports"), out),
        addresses,
        resolution,
        external: false,
        selector,
        endpoints: Vec::new(),
        subject_alt_names: Vec::new(),
        export_to: exported(raw, scope, out),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        distribution: match &spec.traffic_distribution {
            Some(written) => Some(distribution::read(written, &at.field("trafficDistribution"), out)),
            None => distribution::annotated(&raw.metadata, out),
        },
        node_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
        meta,
    })
}

/// Ports by number. TCP and UDP may share a number; only the former is carried by the mesh, so it counts.
fn ports(spec: &core::ServiceSpec, at: &FieldPath, out: &mut Diagnostics) -> Vec<ServicePort> {
    let mut checked: Vec<ServicePort> = Vec::new();
    for (index, raw) in spec.ports.iter().flatten().enumerate() {
        let Some(number) = u16::try_from(raw.port).ok().filter(|number| *number > 0) else {
            out.report(catalogue::OUT_OF_RANGE, &at.index(index).field("port"))
                .value(raw.port)
                .effect("the port is left out");
            continue;
        };
        let name = raw.name.as_deref().unwrap_or_default();
        let stream = raw.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
        let port = ServicePort {
            name: Name::from(name),
            number,
            protocol: Protocol::of_port(raw.app_protocol.as_deref(), name, number, !stream),
            target: match &raw.target_port {
                Some(IntOrString::String(name)) => match name.parse() {
                    Ok(number) => TargetPort::Number(number),
                    Err(_) => TargetPort::Named(Name::from(name.as_str())),
                },
                Some(IntOrString::Int(target)) => {
                    TargetPort::Number(u16::try_from(*target).ok().filter(|port| *port > 0).unwrap_or(number))
                }
                None => TargetPort::Number(number),
            },
        };
        match checked.iter_mut().find(|other| other.number == number) {
            None => checked.push(port),
            Some(other) if other.protocol == Protocol::Udp && stream => *other = port,
            Some(_) if !stream => {}
            Some(_) => {
                out.report(catalogue::DUPLICATE_ENTRY, &at.index(index).field("port"))
                    .value(number)
                    .effect("the first port of that number counts");
            }
        }
    }
    checked
}

fn exported(raw: &core::Service, scope: &Scope<'_>, out: &mut Diagnostics) -> ExportTo {
    let Some(text) = raw.metadata.annotations.as_ref().and_then(|all| all.get(EXPORT_TO)) else {
        return ExportTo::MeshDefault;
    };
    let at = FieldPath::parse("metadata").field("annotations").key(EXPORT_TO);
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    export::export_to(entries, scope.namespace, true, |_| at.clone(), out)
}

#[cfg(test)]
mod tests;
