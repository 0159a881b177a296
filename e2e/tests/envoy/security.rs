//! Who may speak to whom, and how: mutual TLS by namespace, workload and port; gateways.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::client::{Answer, Request, Tls};
use pilothouse_e2e::mesh::{Mesh, Version, certificates, until};
use pilothouse_e2e::world;

mod renewal;

fn mutual_tls(version: Version) -> Result<()> {
    world::run(version, &["security"], |mesh, checks| {
        checks.show("STRICT takes the mesh and shows the peer's name", strict_mesh(mesh));
        checks.show("STRICT refuses plain text from outside", strict_outside(mesh));
        checks.show("STRICT refuses certificates of another root, and none", foreign_root(mesh));
        checks.show("PERMISSIVE takes both", permissive(mesh));
        checks.show("DISABLE takes plain text only", disabled(mesh));
        checks.show("port level", port_level(mesh));
        Ok(())
    })
}

fn gateway(version: Version) -> Result<()> {
    world::run(version, &["gateway"], |mesh, checks| {
        checks.show("HTTP from outside", gateway_http(mesh));
        checks.show("HTTPS from outside", gateway_https(mesh));
        checks.show("unknown hosts", gateway_unknown(mesh));
        checks.show("a certificate replaced in its secret", renewal::in_a_secret(mesh));
        checks.show("a certificate replaced in files of the gateway", renewal::in_files(mesh));
        Ok(())
    })
}

fn gateway_mutual(version: Version) -> Result<()> {
    world::run(version, &["gateway-mutual"], |mesh, checks| {
        checks.show("MUTUAL takes clients under its roots only", mutual_roots(mesh));
        checks.show(
            "roots in a secret of their own, and clients that need no certificate",
            optional_roots(mesh),
        );
        checks.show("names narrow the clients", narrowed_names(mesh));
        checks.show(
            "without roots, or with files that are not there, one server is closed alone",
            closed_alone(mesh),
        );
        Ok(())
    })
}

both!(mutual_tls, gateway, gateway_mutual);

const CLIENT: &str = "URI=spiffe://cluster.local/ns/shop/sa/client";

fn inside(mesh: &Mesh, url: &str) -> Result<Answer> {
    let answer = mesh.pod("client.shop")?.get(url)?;
    ensure!(answer.status == 200, "{url} from the mesh: {answer:?}");
    Ok(answer)
}

fn outside(mesh: &Mesh, address: &str) -> Result<Answer> {
    mesh.pod("outside.elsewhere")?.send(&Request::get(format!("http://{address}/")).timeout(3000))
}

fn refused(mesh: &Mesh, address: &str) -> Result<()> {
    let answer = outside(mesh, address)?;
    ensure!(answer.status == 0 && answer.error.is_some(), "plain text to {address} was answered: {answer:?}");
    Ok(())
}

fn peer(answer: &Answer) -> String {
    answer.seen("x-forwarded-client-cert").unwrap_or_default()
}

fn strict_mesh(mesh: &Mesh) -> Result<()> {
    let answer = inside(mesh, "http://strict.secure/")?;
    ensure!(peer(&answer).contains(CLIENT), "the server saw the peer `{}`", peer(&answer));
    let line = mesh.pod("client.shop")?.send(&Request::tcp("strict.secure:9000", "hello"))?;
    same("a line over TCP", line.body.as_str(), "strict v1 hello")
}

fn strict_outside(mesh: &Mesh) -> Result<()> {
    refused(mesh, "10.1.1.10:8080")?;
    refused(mesh, "10.1.1.10:8081")?;
    let line = mesh.pod("outside.elsewhere")?.send(&Request::tcp("10.1.1.10:9000", "hello").timeout(3000))?;
    ensure!(line.error.is_some(), "a plain line was answered: {}", line.body);
    Ok(())
}

/// Tries a certificate (or none) with every way to mark mesh traffic; gives the answers.
fn knock(mesh: &Mesh, identity: Option<&(String, String)>) -> Result<Vec<Answer>> {
    let offers: [&[&str]; 5] =
        [&[], &["istio"], &["istio-peer-exchange", "istio"], &["istio-http/1.1", "istio"], &["ph-http"]];
    let mut answers = Vec::new();
    for offer in offers {
        let tls = Tls {
            sni: Some("outbound_.80_._.strict.secure.svc.cluster.local".into()),
            alpn: offer.iter().map(|p| (*p).to_owned()).collect(),
            identity: identity.cloned(),
            ..Tls::default()
        };
        let request = Request::get("https://strict.secure/").connect("10.1.1.10:8080").tls(tls).timeout(3000);
        answers.push(mesh.pod("outside.elsewhere")?.send(&request)?);
    }
    Ok(answers)
}

fn foreign_root(mesh: &Mesh) -> Result<()> {
    let name = "spiffe://cluster.local/ns/shop/sa/client";
    let own = knock(mesh, Some(&mesh.own_identity(name)?))?;
    ensure!(
        own.iter().any(|a| a.status == 200),
        "not even a certificate of ours gets in, so nothing is shown: {own:?}"
    );
    let foreign = knock(mesh, Some(&certificates::foreign_identity(name)?))?;
    ensure!(foreign.iter().all(|a| a.status == 0), "a certificate of another root got in: {foreign:?}");
    let none = knock(mesh, None)?;
    ensure!(none.iter().all(|a| a.status == 0), "no certificate got in: {none:?}");
    Ok(())
}

fn permissive(mesh: &Mesh) -> Result<()> {
    let answer = inside(mesh, "http://permissive.secure/")?;
    ensure!(peer(&answer).contains(CLIENT), "the server saw the peer `{}`", peer(&answer));
    let answer = outside(mesh, "10.1.1.11:8080")?;
    same("plain text from outside", answer.who().as_str(), "permissive-v1")?;
    same("its peer", peer(&answer).as_str(), "")?;
    // A client may claim any name; behind plain text the claim must be gone.
    let claim = Request::get("http://10.1.1.11:8080/").header("x-forwarded-client-cert", CLIENT);
    let answer = mesh.pod("outside.elsewhere")?.send(&claim)?;
    same("a claimed peer", peer(&answer).as_str(), "")?;
    let line = mesh.pod("outside.elsewhere")?.send(&Request::tcp("10.1.1.11:9000", "hello"))?;
    same("a plain line", line.body.as_str(), "permissive v1 hello")
}

fn disabled(mesh: &Mesh) -> Result<()> {
    let answer = inside(mesh, "http://plain.secure/")?;
    same("the peer of a plain connection", peer(&answer).as_str(), "")?;
    same("plain text from outside", outside(mesh, "10.1.1.12:8080")?.who().as_str(), "plain-v1")
}

fn port_level(mesh: &Mesh) -> Result<()> {
    let strict = inside(mesh, "http://ports.secure/")?;
    ensure!(peer(&strict).contains(CLIENT), "the server saw the peer `{}`", peer(&strict));
    refused(mesh, "10.1.1.13:8080")?;
    let open = inside(mesh, "http://ports.secure:81/")?;
    same("the peer on the open port", peer(&open).as_str(), "")?;
    same("plain text on the open port", outside(mesh, "10.1.1.13:8081")?.who().as_str(), "ports-v1")
}

fn gateway_http(mesh: &Mesh) -> Result<()> {
    let outside = mesh.pod("outside.elsewhere")?;
    let get = |path: &str| Request::get(format!("http://shop.example.com{path}")).connect("10.1.2.10:8080");
    let answer = outside.send(&get("/"))?;
    same("who answers", answer.who().as_str(), "echo-v1")?;
    let peer = peer(&answer);
    ensure!(
        peer.contains("URI=spiffe://cluster.local/ns/ingress/sa/gateway"),
        "the server saw the peer `{peer}`"
    );
    same("who answers below /two", outside.send(&get("/two"))?.who().as_str(), "echo-v2")
}

fn gateway_https(mesh: &Mesh) -> Result<()> {
    let outside = mesh.pod("outside.elsewhere")?;
    let roots = mesh.certificate_root("shop.example.com").context("the harness made no certificate")?;
    let tls = Tls { roots: Some(roots.to_owned()), ..Tls::default() };
    let get = Request::get("https://shop.example.com/two").connect("10.1.2.10:8443").tls(tls.clone());
    same("who answers", outside.send(&get)?.who().as_str(), "echo-v2")?;
    let other = Tls { sni: Some("other.example.com".into()), ..tls };
    let answer = outside.send(&get.tls(other))?;
    ensure!(answer.status == 0, "another server name was answered: {answer:?}");
    Ok(())
}

fn gateway_unknown(mesh: &Mesh) -> Result<()> {
    let get = Request::get("http://unknown.example.com/").connect("10.1.2.10:8080");
    same("the answer for a host nobody has", mesh.pod("outside.elsewhere")?.send(&get)?.status, 404_u16)
}

/// Asks a server of the gateway that verifies its clients.
fn knock_at(mesh: &Mesh, host: &str, identity: Option<&(String, String)>) -> Result<Answer> {
    let tls = Tls { identity: identity.cloned(), ..Tls::default() };
    let get = Request::get(format!("https://{host}.example.com/")).connect("10.1.2.20:8443");
    mesh.pod("outside.elsewhere")?.send(&get.tls(tls).timeout(5000))
}

fn let_in(mesh: &Mesh, host: &str, identity: Option<&(String, String)>) -> Result<Answer> {
    let answer = knock_at(mesh, host, identity)?;
    ensure!(answer.status == 200, "{host} did not let a good client in: {answer:?}");
    Ok(answer)
}

fn kept_out(mesh: &Mesh, host: &str, who: &str, identity: Option<&(String, String)>) -> Result<()> {
    let answer = knock_at(mesh, host, identity)?;
    ensure!(answer.status == 0, "{host} let {who} in: {answer:?}");
    Ok(())
}

fn mutual_roots(mesh: &Mesh) -> Result<()> {
    let clients = mesh.clients("together").context("the harness made no clients")?;
    let foreign = certificates::foreign_identity("spiffe://partner.example/good")?;
    let_in(mesh, "together", Some(&clients.good))?;
    let_in(mesh, "together", Some(&clients.other))?;
    kept_out(mesh, "together", "a client without a certificate", None)?;
    kept_out(mesh, "together", "a client of another root", Some(&foreign))?;
    kept_out(mesh, "together", "a revoked client", Some(&clients.revoked))
}

fn optional_roots(mesh: &Mesh) -> Result<()> {
    let clients = mesh.clients("apart").context("the harness made no clients")?;
    let others = mesh.clients("together").context("the harness made no clients")?;
    let_in(mesh, "apart", Some(&clients.good))?;
    let_in(mesh, "apart", None)?;
    kept_out(mesh, "apart", "a client of another root", Some(&others.good))?;
    kept_out(mesh, "apart", "a revoked client", Some(&clients.revoked))
}

fn narrowed_names(mesh: &Mesh) -> Result<()> {
    let clients = mesh.clients("together").context("the harness made no clients")?;
    let_in(mesh, "narrow", Some(&clients.good))?;
    kept_out(mesh, "narrow", "a client of another name", Some(&clients.other))
}

/// A server with files that do not exist, and one without.
const FILES: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: later, namespace: edge }
spec:
  selector: { istio: mutual-gateway }
  servers:
  - port: { number: 8443, name: files, protocol: HTTPS }
    hosts: [ files.example.com ]
    tls: { mode: SIMPLE, serverCertificate: /nowhere/tls.crt, privateKey: /nowhere/tls.key }
  - port: { number: 8443, name: late, protocol: HTTPS }
    hosts: [ late.example.com ]
    tls: { mode: SIMPLE, credentialName: together }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: later, namespace: edge }
spec:
  hosts: [ files.example.com, late.example.com ]
  gateways: [ later ]
  http:
  - route: [ { destination: { host: mutual-front.shop.svc.cluster.local, port: { number: 80 } } } ]
";

fn closed_alone(mesh: &Mesh) -> Result<()> {
    let clients = mesh.clients("together").context("the harness made no clients")?;
    kept_out(mesh, "rootless", "a client", Some(&clients.good))?;
    kept_out(mesh, "rootless", "a client without a certificate", None)?;
    mesh.write("gateway-mutual/later.yaml", FILES)?;
    // The changed listener waits for the secrets that never come as long as Envoy lets it.
    until("the server beside the one without files", Duration::from_secs(45), || {
        let answer = knock_at(mesh, "late", None)?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })?;
    kept_out(mesh, "files", "a client", None)?;
    let_in(mesh, "together", Some(&clients.good)).map(drop)
}
