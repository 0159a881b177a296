//! A gateway's certificate is replaced: new handshakes see the new one, connections that stand are left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Load, Request, Tls};
use pilothouse_e2e::mesh::certificates::{self, Served};
use pilothouse_e2e::mesh::{Mesh, until};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(45);

/// The certificate is in a Secret of the watched folder.
pub(super) fn in_a_secret(mesh: &Mesh) -> Result<()> {
    let host = "secret.example.com";
    let publish = |served: &Served| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "renewed", "namespace": "ingress"},
            "stringData": {"tls.crt": served.chain, "tls.key": served.key},
        });
        mesh.write("renewed/secret.json", &secret.to_string())
    };
    renewed(mesh, host, "credentialName: renewed", publish)
}

/// The certificate is in files of the gateway, kept as Kubernetes keeps a mounted Secret: names that lead through a link, and the
/// link is replaced.
pub(super) fn in_files(mesh: &Mesh) -> Result<()> {
    let host = "files.example.com";
    let folder = mesh.sandbox().dir().join("mounted");
    fs::create_dir(&folder)?;
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.join(name))?;
    }
    let publish = |served: &Served| {
        let taken = fs::read_dir(&folder)?.count();
        let (real, next) = (format!("..{taken}"), folder.join("..next"));
        fs::create_dir(folder.join(&real))?;
        readable(&folder.join(&real).join("tls.crt"), &served.chain)?;
        readable(&folder.join(&real).join("tls.key"), &served.key)?;
        symlink(&real, &next)?;
        Ok(fs::rename(&next, folder.join("..data"))?)
    };
    let files = format!("serverCertificate: {0}/tls.crt, privateKey: {0}/tls.key", folder.display());
    renewed(mesh, host, &files, publish)
}

/// A file that the Envoy of the sandbox can read.
fn readable(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
}

fn renewed(
    mesh: &Mesh,
    host: &str,
    certificate: &str,
    publish: impl Fn(&Served) -> Result<()>,
) -> Result<()> {
    let (first, second) = (certificates::served(host)?, certificates::served(host)?);
    publish(&first)?;
    mesh.write(&format!("renewed/{host}.yaml"), &server(host, certificate))?;
    // Whoever trusts the one root can make no handshake under the other.
    let ask = |served: &Served| {
        let tls = Tls { roots: Some(served.root.clone()), ..Tls::default() };
        Request::get(format!("https://{host}/")).connect("10.1.2.10:8443").tls(tls).timeout(5000)
    };
    let outside = mesh.pod("outside.elsewhere")?;
    let answers = |served: &Served| -> Result<bool> { Ok(outside.send(&ask(served))?.status == 200) };
    until("the first certificate", LIMIT, || {
        ensure!(answers(&first)?, "no handshake under its root");
        Ok(())
    })?;
    ensure!(!answers(&second)?, "a handshake under a root that has signed nothing yet");

    let mut load = outside.load(&Load { request: ask(&first), workers: 1, pause_ms: 20 })?;
    until("the connection that stays", LIMIT, || {
        ensure!(load.peek()?.good > 0, "nothing came yet");
        Ok(())
    })?;
    publish(&second)?;
    until("the second certificate", LIMIT, || {
        ensure!(answers(&second)?, "no handshake under its root");
        Ok(())
    })?;
    ensure!(!answers(&first)?, "a new handshake got the old certificate");
    let before = load.peek()?.good;
    until("more on the old connection", LIMIT, || {
        ensure!(load.peek()?.good > before + 10, "too few");
        Ok(())
    })?;
    let report = load.stop_without_failures()?;
    same("how often the old connection had to be made anew", report.redialled, 0_u64)
}

fn server(host: &str, certificate: &str) -> String {
    let name = host.split('.').next().unwrap_or(host);
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: {name}, namespace: ingress }}
spec:
  selector: {{ istio: ingressgateway }}
  servers:
  - port: {{ number: 443, name: {name}, protocol: HTTPS }}
    hosts: [ {host} ]
    tls: {{ mode: SIMPLE, {certificate} }}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: {name}, namespace: ingress }}
spec:
  hosts: [ {host} ]
  gateways: [ {name} ]
  http:
  - route: [ {{ destination: {{ host: front.shop.svc.cluster.local, port: {{ number: 80 }} }} }} ]
"
    )
}
