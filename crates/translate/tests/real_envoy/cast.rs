//! Plans that tests start from, on this machine and with a log, and certificates for them.

use std::net::Ipv4Addr;

use pilothouse_base::{Kind, Name, ObjectKey};
use pilothouse_config::mesh::AccessLog;
use pilothouse_envoy_api as envoy;
use pilothouse_testkit::plans;
pub(crate) use pilothouse_testkit::plans::{IDENTITY, chain, cluster, tcp, to, weighted};
use pilothouse_view::plan::{
    AssignmentPlan, ChainPlan, EndpointPlan, HttpPlan, HttpRole, ListenerPlan, MeshTls, RoutePlan, Routes,
    VirtualHostPlan,
};

/// Mutual TLS of the mesh to [`IDENTITY`].
pub(crate) fn mesh_tls() -> MeshTls {
    plans::mesh_tls("outbound_.80_._.cart.shop.svc.cluster.local")
}

/// One endpoint on this machine.
pub(crate) fn assignment(cluster: &str, port: u16, mtls: bool) -> AssignmentPlan {
    let workload = Name::from("cart-1;shop;cart;v1;Kubernetes");
    let endpoint = EndpointPlan { mtls, workload, ..plans::endpoint(Ipv4Addr::LOCALHOST, port) };
    plans::assignment(cluster, vec![endpoint])
}

/// A route of everything to one cluster.
pub(crate) fn route_to(cluster: &str) -> RoutePlan {
    RoutePlan {
        origin: Some(ObjectKey::new(Kind::VirtualService, "shop", "cart")),
        operation: Name::from("cart.shop.svc.cluster.local:80/*"),
        ..plans::forward(to(vec![weighted(cluster, 1)]))
    }
}

/// A virtual host that answers to everything.
pub(crate) fn host(routes: Vec<RoutePlan>) -> VirtualHostPlan {
    plans::host("cart.shop.svc.cluster.local:80", routes)
}

/// A connection manager with its routes in place.
pub(crate) fn http(role: HttpRole, routes: Vec<RoutePlan>) -> HttpPlan {
    let inline = Routes::Inline { name: Name::from("80"), host: Box::new(host(routes)) };
    HttpPlan {
        access_log: Some(AccessLog { path: "/dev/stdout".into(), format: None, json: false }),
        ..plans::http(role, inline)
    }
}

/// A listener on this machine.
pub(crate) fn listener(name: &str, port: u16, chains: Vec<ChainPlan>) -> ListenerPlan {
    let mut plan = plans::listener(name, chains);
    plan.port.address = Ipv4Addr::LOCALHOST.into();
    plan.port.port = port;
    plan.port.bound = true;
    plan.access_log = Some(AccessLog { path: "/dev/stdout".into(), format: None, json: true });
    plan
}

/// The secrets `default` (for [`IDENTITY`] and `cart.example`) and `ROOTCA`, and any further names of the same certificate.
pub(crate) fn secrets(further: &[&str]) -> Vec<envoy::tls::Secret> {
    use envoy::Message as _;
    let (chain, key) = certificate();
    let mut secrets: Vec<_> = ["default"]
        .iter()
        .chain(further.iter().filter(|name| !name.ends_with("-cacert")))
        .map(|name| {
            pilothouse_translate::workload_secret(&Name::from(*name), chain.as_bytes(), key.as_bytes())
        })
        .map(|bytes| envoy::tls::Secret::decode(bytes.as_slice()).unwrap())
        .collect();
    for name in ["ROOTCA"].iter().chain(further.iter().filter(|name| name.ends_with("-cacert"))) {
        let bytes = pilothouse_translate::root_secret(&Name::from(*name), chain.as_bytes());
        secrets.push(envoy::tls::Secret::decode(bytes.as_slice()).unwrap());
    }
    secrets
}

/// A certificate that is its own root, with its key.
pub(crate) fn certificate() -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["cart.example".into()]).unwrap();
    params.subject_alt_names.push(rcgen::SanType::URI(IDENTITY.try_into().unwrap()));
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
