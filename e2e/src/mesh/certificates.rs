//! Certificates that are not the mesh's: for gateways, and for those who should be refused.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};

/// The annotation of a TLS Secret that asks the harness for a certificate of this host.
const WANTED: &str = "e2e.pilothouse.dev/certificate";

/// A certificate and key, as PEM, for a SPIFFE name under a root that nobody trusts.
pub fn foreign_identity(spiffe: &str) -> Result<(String, String)> {
    let name = SanType::URI(spiffe.try_into().context("the name is no URI")?);
    let (chain, key, _) = issue("another root", name)?;
    Ok((chain, key))
}

/// A certificate and key, as PEM, for a SPIFFE name under a CA of which we have the key.
pub(super) fn identity_under(authority: &str, authority_key: &str, spiffe: &str) -> Result<(String, String)> {
    let issuer = Issuer::from_ca_cert_pem(authority, KeyPair::from_pem(authority_key)?)?;
    let name = SanType::URI(spiffe.try_into().context("the name is no URI")?);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(name);
    Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
}

/// Fills a Secret that asks for a certificate; notes its root under the host. Says whether it did.
pub(super) fn fill(object: &mut Value, roots: &mut BTreeMap<String, String>) -> Result<bool> {
    let host = object["metadata"]["annotations"][WANTED].as_str();
    let Some(host) = host.filter(|_| object["kind"] == "Secret").map(ToOwned::to_owned) else {
        return Ok(false);
    };
    let (chain, key, root) = issue("gateway test root", SanType::DnsName(host.as_str().try_into()?))?;
    object["stringData"] = json!({"tls.crt": chain, "tls.key": key});
    roots.insert(host, root);
    Ok(true)
}

/// A leaf with this name, its key, and the root it hangs from.
fn issue(root: &str, name: SanType) -> Result<(String, String, String)> {
    let root_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, root);
    let root = params.self_signed(&root_key)?.pem();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(name);
    let leaf = params.signed_by(&key, &issuer)?;
    Ok((leaf.pem(), key.serialize_pem(), root))
}
