//! When a leaf is renewed, and when nothing needs to be issued at all.
//!
//! A reconnecting proxy tells, in delta ADS, the version of each secret it holds, and keeps using that secret until it
//! gets another one. So the version says when the leaf was issued, when it expires, by which CA and for whom: after a
//! restart of the control plane the proxies with fresh leaves are recognised, and not all of them are issued anew at
//! once. The version is text from the client. It can suppress an issue, which harms only that client, and can do
//! nothing else.

use std::fmt;
use std::time::{Duration, SystemTime};

use pilothouse_base::Identity;

use crate::authority::Authority;
use crate::issue::{BACKDATE, IssuedLeaf, LeafLifetimes};
use crate::roots::sha256;
use crate::seconds;

/// Characters of each fingerprint that a version carries: 64 bits.
const PRINT: usize = 16;
/// Longer texts are not versions of ours.
const MAX_VERSION: usize = 128;

/// From when to when a leaf is good for use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// When it was issued.
    pub issued: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
}

impl Lifetime {
    /// When to renew: after half of the life, give or take a tenth of it. The jitter keeps proxies that started
    /// together from renewing together. `entropy` is any random number.
    pub fn renew_at(&self, entropy: u32) -> SystemTime {
        let (issued, life) = self.seconds();
        // 0.4 to 0.6 of the life, in milliseconds so that leaves of a few seconds are spread as well.
        let spread = u128::from(life) * 200 * u128::from(entropy) / u128::from(u32::MAX);
        let millis = u128::from(life) * 400 + spread;
        seconds::to_time(issued) + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn seconds(&self) -> (u64, u64) {
        let issued = seconds::since_epoch(self.issued);
        (issued, seconds::since_epoch(self.not_after).saturating_sub(issued))
    }
}

impl IssuedLeaf {
    /// From when to when the leaf is good for use.
    pub fn lifetime(&self) -> Lifetime {
        Lifetime { issued: self.issued, not_after: self.not_after }
    }
}

/// What a version of a leaf says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// When the leaf was issued and expires.
    pub lifetime: Lifetime,
    /// Start of the fingerprint of the certificate that signed it.
    issuer: String,
    /// Start of the hash of the identity it names.
    identity: String,
    /// Start of the fingerprint of the leaf: two leaves never share a version.
    leaf: String,
}

impl SecretVersion {
    /// The version of a leaf.
    pub fn of(leaf: &IssuedLeaf, issuer: &Authority, identity: &Identity) -> Self {
        Self {
            lifetime: leaf.lifetime(),
            issuer: start(issuer.fingerprint()),
            identity: name_print(identity),
            leaf: start(&leaf.fingerprint),
        }
    }

    /// Whether this CA signed the leaf.
    pub fn is_of(&self, issuer: &Authority) -> bool {
        self.issuer == start(issuer.fingerprint())
    }

    /// Reads a version. `None` for anything that is not exactly what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_VERSION {
            return None;
        }
        let mut parts = text.split('.');
        let (kind, issued, not_after) = (parts.next()?, parts.next()?, parts.next()?);
        let (issuer, identity, leaf) = (parts.next()?, parts.next()?, parts.next()?);
        let is_print =
            |part: &str| part.len() == PRINT && part.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        let prints = [issuer, identity, leaf];
        if kind != "leaf2" || parts.next().is_some() || !prints.into_iter().all(is_print) {
            return None;
        }
        let version = Self {
            lifetime: Lifetime {
                issued: seconds::to_time(issued.parse().ok()?),
                not_after: seconds::to_time(not_after.parse().ok()?),
            },
            issuer: issuer.to_owned(),
            identity: identity.to_owned(),
            leaf: leaf.to_owned(),
        };
        (version.to_string() == text).then_some(version)
    }

    /// True if the holder needs no new leaf yet: more than two fifths of the life remain (by then at the latest it
    /// is renewed), and a new one would come from the same CA and name the same workload.
    pub fn is_fresh(&self, now: SystemTime, issuer: &Authority, identity: &Identity) -> bool {
        let now = seconds::since_epoch(now);
        let (issued, life) = self.lifetime.seconds();
        let left = issued.saturating_add(life).saturating_sub(now);
        // No leaf of ours was issued in the future or lives longer than the longest life: such a version is made up.
        let plausible = issued <= now.saturating_add(BACKDATE) && life <= LeafLifetimes::ISTIO.max.as_secs();
        plausible
            && left.saturating_mul(5) > life.saturating_mul(2)
            && self.is_of(issuer)
            && self.identity == name_print(identity)
    }
}

impl fmt::Display for SecretVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lifetime: Lifetime { issued, not_after }, issuer, identity, leaf } = self;
        let (issued, not_after) = (seconds::since_epoch(*issued), seconds::since_epoch(*not_after));
        write!(out, "leaf2.{issued}.{not_after}.{issuer}.{identity}.{leaf}")
    }
}

fn start(print: &str) -> String {
    print.chars().take(PRINT).collect()
}

fn name_print(identity: &Identity) -> String {
    start(&sha256(identity.to_string().as_bytes()))
}

#[cfg(test)]
mod tests;
