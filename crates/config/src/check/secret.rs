//! Secrets that hold certificates.

use std::sync::Arc;

use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::secret::{PrivateBytes, Roots};
use crate::{Certificate, Meta, Secret};

/// What a flaw costs.
const CLOSED: &str = "gateway servers that name the secret stay closed";

/// None if nothing in it looks like a certificate: most secrets are no business of the mesh.
pub(super) fn check(raw: &core::Secret, meta: Meta, out: &mut Diagnostics) -> Option<Secret> {
    let holds = |name: &str| get(raw, name).is_some();
    let certificate = [("cert", "key"), ("tls.crt", "tls.key")].into_iter().find(|(chain, _)| holds(chain));
    let roots = [("cacert", "crl"), ("ca.crt", "ca.crl")].into_iter().find(|(ca, _)| holds(ca));
    if certificate.is_none() && roots.is_none() {
        return None;
    }
    Some(Secret {
        meta,
        certificate: certificate.and_then(|(chain, key)| self::certificate(raw, chain, key, out)),
        ca: roots.and_then(|(ca, revoked)| self::roots(raw, ca, revoked, out)),
    })
}

fn certificate(raw: &core::Secret, chain: &str, key: &str, out: &mut Diagnostics) -> Option<Certificate> {
    let (chain_at, chain) = get(raw, chain)?;
    let Some((key_at, material)) = get(raw, key) else {
        out.report(catalogue::INVALID_CERTIFICATE, &chain_at)
            .detail(format_args!("there is a certificate but no \"{key}\""))
            .effect(CLOSED);
        return None;
    };
    let good_chain = is_certificate(chain, &chain_at, out);
    let good_key = is_key(material, &key_at, out);
    (good_chain && good_key)
        .then(|| Certificate { chain: Arc::from(chain), key: PrivateBytes::new(Arc::<[u8]>::from(material)) })
}

/// None as well where the list of revoked certificates cannot be read: without it they would be accepted.
fn roots(raw: &core::Secret, ca: &str, revoked: &str, out: &mut Diagnostics) -> Option<Roots> {
    let (at, bytes) = get(raw, ca)?;
    let certificates = is_certificate(bytes, &at, out).then(|| Arc::from(bytes));
    let revoked = match get(raw, revoked) {
        None => None,
        Some((_, bytes)) if block(bytes, "X509 CRL") => Some(Arc::from(bytes)),
        Some((at, _)) => {
            out.report(catalogue::INVALID_CERTIFICATE, &at)
                .detail("it holds no PEM list of revoked certificates")
                .effect("gateway servers that verify clients by the secret stay closed");
            return None;
        }
    };
    Some(Roots { certificates: certificates?, revoked })
}

/// A value, and where it was written. `stringData` wins, as on the API server.
fn get<'s>(raw: &'s core::Secret, name: &str) -> Option<(FieldPath, &'s [u8])> {
    if let Some(text) = raw.string_data.as_ref().and_then(|all| all.get(name)) {
        return Some((FieldPath::parse("stringData").key(name), text.as_bytes()));
    }
    let bytes = raw.data.as_ref()?.get(name)?;
    Some((FieldPath::parse("data").key(name), &bytes.0))
}

/// Whether bytes hold a PEM block of a certificate from its first to its last line.
fn is_certificate(bytes: &[u8], at: &FieldPath, out: &mut Diagnostics) -> bool {
    let good = block(bytes, "CERTIFICATE");
    if !good {
        out.report(catalogue::INVALID_CERTIFICATE, at).detail("it holds no PEM certificate").effect(CLOSED);
    }
    good
}

fn is_key(bytes: &[u8], at: &FieldPath, out: &mut Diagnostics) -> bool {
    let good =
        ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"].into_iter().any(|label| block(bytes, label));
    if !good {
        out.report(catalogue::INVALID_CERTIFICATE, at)
            .detail("it holds no PEM private key without a passphrase")
            .effect(CLOSED);
    }
    good
}

fn block(bytes: &[u8], label: &str) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some(begin) = text.find(&format!("-----BEGIN {label}-----")) else { return false };
    let Some(length) = text[begin..].find(&format!("-----END {label}-----")) else { return false };
    let body = text[begin..begin + length].lines().skip(1);
    let mut any = false;
    for line in body {
        let line = line.trim();
        if !line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) {
            return false;
        }
        any |= !line.is_empty();
    }
    any
}

#[cfg(test)]
mod tests;
