//! What most tests of the mesh begin with: namespaces, a client and a server.

use anyhow::Result;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::Request;
use pilothouse_e2e::kube::install::{installed, proxy_image};
use pilothouse_e2e::kube::{Namespace, Pod, Workload};
use pilothouse_e2e::mesh::Version;

/// A namespace of the mesh, with another one outside it whose name ends in `-street`.
pub(crate) fn meshed(
    name: &str,
    version: Version,
    test: impl FnOnce(&Namespace, &Namespace) -> Result<()>,
) -> Result<()> {
    installed()?;
    let name = format!("{name}-{}", version.number().replace('.', "-"));
    Namespace::with(&name, &[("istio-injection", "enabled")], |inside| {
        Namespace::beside(&format!("{name}-street"), &[], |outside| test(inside, outside))
    })
}

pub(crate) fn workload(name: &str, app_version: &str, version: Version) -> Workload {
    Workload::new(name, app_version)
        .annotation("sidecar.istio.io/proxyImage", &proxy_image(version))
        // What a proxy asks for by itself is a twentieth of a small machine, and tests run side by side.
        .annotation("sidecar.istio.io/proxyCPU", "10m")
}

/// A client and a server with a sidecar each, the server behind its service, and a client in the street.
pub(crate) fn world(inside: &Namespace, outside: &Namespace, version: Version) -> Result<(Pod, Pod)> {
    let (client, server) = (workload("client", "v1", version), workload("server", "v1", version));
    inside.apply_all(&[client.objects(), server.objects(), vec![server.service()]].concat())?;
    outside.apply_all(&Workload::new("visitor", "v1").objects())?;
    for deployment in ["deployment/client-v1", "deployment/server-v1"] {
        inside.rolled_out(deployment, 120)?;
    }
    Ok((inside.pod("app=client")?, outside.pod("app=visitor")?))
}

/// A request of the mesh, with the caller's name as the server's proxy saw it.
pub(crate) fn caller(client: &Pod) -> Result<String> {
    let answer = client.fetch("http://server/")?;
    same("who answers", answer.who(), "server-v1".to_owned())?;
    let seen = answer.seen("x-forwarded-client-cert").unwrap_or_default();
    Ok(seen.split(';').find_map(|part| part.strip_prefix("URI=")).unwrap_or_default().to_owned())
}

pub(crate) fn plain_text(visitor: &Pod, to: &Namespace) -> Result<String> {
    let answer = visitor.send(&Request::get(format!("http://server.{}/", to.name)).timeout(3000))?;
    Ok(if answer.status == 0 { "refused".into() } else { answer.who() })
}
