//! Signing a certificate request: for workloads whose own agent makes the key.
//!
//! Of the request only the key counts. Whom the certificate names follows from who asked, as with every leaf.

use std::time::SystemTime;

use rcgen::SubjectPublicKeyInfo;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::authority::{Authority, Signed};
use crate::issue::{IssueError, LeafLifetimes, LeafRequest};
use crate::pem;

/// Bits of an RSA key: less can be broken, more only costs time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Object identifiers of the curves that Envoy and we know.
const CURVES: [&str; 2] = ["1.2.840.10045.3.1.7", "1.3.132.0.34"];

/// A certificate for a key that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The leaf and the intermediates above it, one PEM text each, without the root.
    pub chain: Vec<String>,
    /// When it expires.
    pub not_after: SystemTime,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the leaf, hexadecimal.
    pub fingerprint: String,
}

/// Why a request was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It cannot be read.
    #[error("the certificate request {0}")]
    Unreadable(&'static str),
    /// Whoever asks does not hold the key.
    #[error("the certificate request is not signed with the key it is for")]
    BadSignature,
    /// The key is too weak, or of a kind that peers do not verify.
    #[error(
        "the key of the certificate request is not accepted; use ECDSA P-256 or P-384, or RSA with 2048 to 8192 bits"
    )]
    BadKey,
    /// It could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Authority {
    /// Certifies the key of a request for a workload.
    pub fn certify(
        &self,
        csr_pem: &str,
        request: &LeafRequest<'_>,
        lifetimes: LeafLifetimes,
        now: SystemTime,
    ) -> Result<Certified, RequestError> {
        let key = key_of(csr_pem)?;
        let draft = self.leaf(request, lifetimes, now)?;
        let Signed { chain_pem, fingerprint } =
            self.sign(draft.params, &key).map_err(|error| IssueError::Sign(error.to_string()))?;
        let chain = pem::blocks(chain_pem.as_bytes())
            .map_err(|_| IssueError::Sign("the chain cannot be read back".to_owned()))?
            .iter()
            .map(|block| pem::encode("CERTIFICATE", &block.content))
            .collect();
        Ok(Certified { chain, not_after: draft.not_after, serial: draft.serial, fingerprint })
    }
}

/// The key of a request, if whoever asks holds it and it is good enough.
fn key_of(csr_pem: &str) -> Result<SubjectPublicKeyInfo, RequestError> {
    let blocks = pem::blocks(csr_pem.as_bytes()).map_err(|_| RequestError::Unreadable("is not PEM"))?;
    let [block] = &blocks[..] else { return Err(RequestError::Unreadable("is not one PEM block")) };
    if !["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(&block.label.as_str()) {
        return Err(RequestError::Unreadable("is a PEM block of another kind"));
    }
    let (rest, request) = X509CertificationRequest::from_der(&block.content)
        .map_err(|_| RequestError::Unreadable("is not PKCS #10"))?;
    if !rest.is_empty() {
        return Err(RequestError::Unreadable("has something after its end"));
    }
    let info = &request.certification_request_info.subject_pki;
    let fine = match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let modulus: Vec<u8> = key.modulus.iter().copied().skip_while(|byte| *byte == 0).collect();
            let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            RSA_BITS.contains(&(modulus.len() * 8 - unused))
        }
        Ok(PublicKey::EC(_)) => info
            .algorithm
            .parameters
            .as_ref()
            .and_then(|curve| curve.as_oid().ok())
            .is_some_and(|curve| CURVES.contains(&curve.to_id_string().as_str())),
        _ => false,
    };
    if !fine {
        return Err(RequestError::BadKey);
    }
    request.verify_signature().map_err(|_| RequestError::BadSignature)?;
    SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| RequestError::BadKey)
}

#[cfg(test)]
mod tests;
