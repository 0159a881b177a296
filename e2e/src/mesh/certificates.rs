//! Certificates that are not the mesh's: for gateways, and for those who should be refused.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, date_time_ymd,
};
use serde_json::Value;

/// The annotation of a TLS Secret that asks the harness for a certificate of this host.
const WANTED: &str = "e2e.pilothouse.dev/certificate";

/// The annotation of a Secret that asks the harness for a root of clients.
const CLIENTS: &str = "e2e.pilothouse.dev/clients";

/// Clients under one root: certificates and keys, as PEM.
#[derive(Clone, Debug)]
pub struct Clients {
    /// `spiffe://partner.example/good`.
    pub good: (String, String),
    /// `spiffe://partner.example/other`.
    pub other: (String, String),
    /// As `good`, and on the root's list of revoked certificates.
    pub revoked: (String, String),
}

/// What a server shows, as PEM.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its certificate.
    pub chain: String,
    /// The key of it.
    pub key: String,
    /// The root that clients have to trust.
    pub root: String,
}

/// A certificate for a host, under a root of its own.
pub fn served(host: &str) -> Result<Served> {
    let (chain, key, root) = issue("a server's root", SanType::DnsName(host.try_into()?))?;
    Ok(Served { chain, key, root })
}

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
    object["stringData"]["tls.crt"] = chain.into();
    object["stringData"]["tls.key"] = key.into();
    roots.insert(host, root);
    Ok(true)
}

/// Fills a Secret that asks for a root of clients, with the list of those that are revoked; notes the clients under the text that
/// the annotation holds. Says whether it did.
pub(super) fn fill_clients(object: &mut Value, clients: &mut BTreeMap<String, Clients>) -> Result<bool> {
    let name = object["metadata"]["annotations"][CLIENTS].as_str();
    let Some(name) = name.filter(|_| object["kind"] == "Secret").map(ToOwned::to_owned) else {
        return Ok(false);
    };
    let root_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, format!("clients {name}"));
    let root = params.self_signed(&root_key)?.pem();
    let issuer = Issuer::new(params, root_key);
    let client = |path: &str, serial: u64| -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.serial_number = Some(serial.into());
        let name = format!("spiffe://partner.example/{path}");
        params.subject_alt_names.push(SanType::URI(name.as_str().try_into()?));
        Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    };
    let made = Clients { good: client("good", 1)?, other: client("other", 2)?, revoked: client("good", 3)? };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2100, 1, 1),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: 3_u64.into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    object["stringData"]["ca.crt"] = root.into();
    object["stringData"]["ca.crl"] = list.signed_by(&issuer)?.pem()?.into();
    clients.insert(name, made);
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
