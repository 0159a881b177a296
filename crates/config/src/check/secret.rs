//! Secrets that hold certificates.

use std::sync::Arc;

use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use crate::secret::PrivateBytes;
use crate::{Certificate, Meta, Secret};

/// None if nothing in it looks like a certificate: most secrets are no business of the mesh.
pub(super) fn check(raw: &core::Secret, meta: Meta, out: &mut Diagnostics) -> Option<Secret> {
    let keys = [("tls.crt", "tls.key", "ca.crt"), ("cert", "key", "cacert")];
    let (chain, key, ca) =
        keys.into_iter().find(|(chain, _, ca)| get(raw, chain).is_some() || get(raw, ca).is_some())?;
    let certificate = match (get(raw, chain), get(raw, key)) {
        (Some((chain_at, chain)), Some((key_at, key))) => {
            let good_chain = is_certificate(chain, &chain_at, out);
            let good_key = is_key(key, &key_at, out);
            (good_chain && good_key).then(|| Certificate {
                chain: Arc::from(chain),
                key: PrivateBytes::new(Arc::<[u8]>::from(key)),
            })
        }
        (Some((at, _)), None) => {
            out.report(catalogue::INVALID_CERTIFICATE, &at)
                .detail(format_args!("there is a certificate but no \"{key}\""))
                .effect("gateway servers that name the secret stay closed");
            None
        }
        (None, _) => None,
    };
    let ca =
        get(raw, ca).filter(|(at, bytes)| is_certificate(bytes, at, out)).map(|(_, bytes)| Arc::from(bytes));
    Some(Secret { meta, certificate, ca })
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
        out.report(catalogue::INVALID_CERTIFICATE, at)
            .detail("it holds no PEM certificate")
            .effect("gateway servers that name the secret stay closed");
    }
    good
}

fn is_key(bytes: &[u8], at: &FieldPath, out: &mut Diagnostics) -> bool {
    let good =
        ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"].into_iter().any(|label| block(bytes, label));
    if !good {
        out.report(catalogue::INVALID_CERTIFICATE, at)
            .detail("it holds no PEM private key without a passphrase")
            .effect("gateway servers that name the secret stay closed");
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
