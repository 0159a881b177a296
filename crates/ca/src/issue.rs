//! What is signed: leaves for workloads and the serving certificate of the control plane.
//!
//! A leaf names its workload in one SPIFFE URI and nothing else. Its key is made here, new for each leaf, and leaves
//! this process only on the stream of the workload it belongs to.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use pilothouse_base::Identity;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
    SerialNumber,
};

use crate::authority::{Authority, Signed};
use crate::key::{KeyError, PrivateKeyPem, SigningKey};
use crate::roots::hex;
use crate::seconds;

/// Seconds by which certificates are backdated, for peers whose clock is behind.
pub(crate) const BACKDATE: u64 = 120;
/// The longest SPIFFE ID that implementations must accept (SPIFFE-ID 2.3).
const MAX_URI: usize = 2048;

/// How long leaves live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafLifetimes {
    /// Used when nobody asks for another one.
    pub default: Duration,
    /// Asking for more is refused, not cut.
    pub max: Duration,
}

impl LeafLifetimes {
    /// Istio's: 24 hours, at most 90 days.
    pub const ISTIO: Self = Self { default: Duration::from_hours(24), max: Duration::from_hours(90 * 24) };
}

/// A leaf to be made.
#[derive(Debug, Clone)]
pub struct LeafRequest<'a> {
    /// Whom it names. The caller has proved this by authentication.
    pub identity: &'a Identity,
    /// How long it shall live; `None` or zero stands for the default.
    pub ttl: Option<Duration>,
    /// Random bytes for the serial number.
    pub serial: [u8; 16],
}

/// A serving certificate to be made.
#[derive(Debug, Clone)]
pub struct ServingRequest<'a> {
    /// Names under which clients reach the server.
    pub dns_names: &'a [String],
    /// Addresses under which clients reach the server.
    pub addresses: &'a [IpAddr],
    /// How long it shall live; cut to the CA's life.
    pub ttl: Duration,
    /// Random bytes for the serial number.
    pub serial: [u8; 16],
}

/// A certificate with its key.
#[derive(Debug)]
pub struct IssuedLeaf {
    /// The leaf and the intermediates above it, without the root.
    pub chain_pem: String,
    /// The key of the leaf.
    pub key: PrivateKeyPem,
    /// When it was made. Its `notBefore` is two minutes earlier.
    pub issued: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the leaf, hexadecimal.
    pub fingerprint: String,
}

/// Why nothing was issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// More was asked than is allowed.
    #[error("a lifetime of {} s was asked for, at most {} s are allowed", asked.as_secs(), max.as_secs())]
    LifetimeTooLong {
        /// What was asked for.
        asked: Duration,
        /// What is allowed.
        max: Duration,
    },
    /// The CA, or an intermediate above it, has expired. It must be replaced.
    #[error("the CA certificate has expired")]
    IssuerExpired,
    /// The CA's life has not begun: a clock is wrong. Waiting may help.
    #[error("the CA certificate is not valid yet; is the clock right?")]
    IssuerNotYetValid,
    /// A part of the name cannot stand in a certificate.
    #[error("the name {name:?} cannot stand in a certificate")]
    BadName {
        /// The name.
        name: String,
    },
    /// Nothing to certify.
    #[error("a serving certificate needs at least one name")]
    NoName,
    /// The key could not be made.
    #[error("the key {0}")]
    Key(#[from] KeyError),
    /// The encoder or the signature failed.
    #[error("the certificate cannot be signed: {0}")]
    Sign(String),
}

impl Authority {
    /// Makes a key and a certificate for a workload.
    pub fn issue(
        &self,
        request: &LeafRequest<'_>,
        lifetimes: LeafLifetimes,
        now: SystemTime,
    ) -> Result<IssuedLeaf, IssueError> {
        let draft = self.leaf(request, lifetimes, now)?;
        self.finish(draft)
    }

    /// What a leaf says, whoever holds its key.
    pub(crate) fn leaf(
        &self,
        request: &LeafRequest<'_>,
        lifetimes: LeafLifetimes,
        now: SystemTime,
    ) -> Result<Draft, IssueError> {
        let ttl = request.ttl.filter(|ttl| ttl.as_secs() > 0).unwrap_or(lifetimes.default);
        if ttl > lifetimes.max {
            return Err(IssueError::LifetimeTooLong { asked: ttl, max: lifetimes.max });
        }
        let uri = spiffe_uri(request.identity)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(
            uri.as_str().try_into().map_err(|_| IssueError::BadName { name: uri.clone() })?,
        )];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.draft(params, ttl, request.serial, now)
    }

    /// Makes the certificate with which the control plane itself serves.
    pub fn serving(&self, request: &ServingRequest<'_>, now: SystemTime) -> Result<IssuedLeaf, IssueError> {
        let mut names = Vec::new();
        for name in request.dns_names {
            let bad = || IssueError::BadName { name: name.clone() };
            if !is_dns_name(name) {
                return Err(bad());
            }
            names.push(SanType::DnsName(name.as_str().try_into().map_err(|_| bad())?));
        }
        names.extend(request.addresses.iter().copied().map(SanType::IpAddress));
        if names.is_empty() {
            return Err(IssueError::NoName);
        }
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let draft = self.draft(params, request.ttl, request.serial, now)?;
        self.finish(draft)
    }

    /// What all leaves share: no subject (so the names are marked critical), usage, validity, serial number.
    fn draft(
        &self,
        mut params: CertificateParams,
        ttl: Duration,
        serial: [u8; 16],
        now: SystemTime,
    ) -> Result<Draft, IssueError> {
        let now = seconds::since_epoch(now);
        let (issuer_from, issuer_until) = self.validity_seconds();
        if now >= issuer_until {
            return Err(IssueError::IssuerExpired);
        }
        if now.saturating_add(BACKDATE) < issuer_from {
            return Err(IssueError::IssuerNotYetValid);
        }
        let not_after = now.saturating_add(ttl.as_secs()).min(issuer_until);
        let serial = positive_serial(serial);
        params.distinguished_name = DistinguishedName::new();
        params.not_before = seconds::to_time(now.saturating_sub(BACKDATE)).into();
        params.not_after = seconds::to_time(not_after).into();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        Ok(Draft {
            params,
            issued: seconds::to_time(now),
            not_after: seconds::to_time(not_after),
            serial: hex(&serial),
        })
    }

    /// Makes the key and signs.
    fn finish(&self, draft: Draft) -> Result<IssuedLeaf, IssueError> {
        let Draft { params, issued, not_after, serial } = draft;
        let key = SigningKey::generate()?;
        let Signed { chain_pem, fingerprint } =
            self.sign(params, key.pair()).map_err(|error| IssueError::Sign(error.to_string()))?;
        Ok(IssuedLeaf { chain_pem, key: key.to_pem(), issued, not_after, serial, fingerprint })
    }
}

/// A certificate before it is signed.
pub(crate) struct Draft {
    pub(crate) params: CertificateParams,
    pub(crate) issued: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) serial: String,
}

/// A positive number of exactly 16 bytes, so that no two encodings of it exist.
pub(crate) fn positive_serial(mut random: [u8; 16]) -> [u8; 16] {
    random[0] = (random[0] & 0x3f) | 0x40;
    random
}

/// The identity as a URI, if each part may stand in one. A slash inside a part would name another workload.
fn spiffe_uri(identity: &Identity) -> Result<String, IssueError> {
    let uri = identity.to_string();
    let Identity { trust_domain, namespace, service_account } = identity;
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if uri.len() <= MAX_URI
        && [trust_domain.as_str(), namespace.as_str(), service_account.as_str()].into_iter().all(plain)
    {
        Ok(uri)
    } else {
        Err(IssueError::BadName { name: uri })
    }
}

fn is_dns_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
        })
}

#[cfg(test)]
mod tests;
