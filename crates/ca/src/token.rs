//! Bearer tokens: JWTs with the claims of a bound service account token. Without Kubernetes they are minted by
//! ourselves; in a cluster its API server mints them and publishes its keys, or reviews a token when asked.
//!
//! Signing and checking is done with `ring`, which the rest of the program uses anyway; the JWT libraries either read
//! the clock themselves or bring a second set of cryptographic code. What is left is base64, JSON and one rule: a key
//! goes with exactly one algorithm, and the header has no say in it.
//!
//! A good token is not enough: [`bind`] decides whether the pod it names is the pod we know.

use std::fmt;
use std::time::SystemTime;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, PrivateKeyPem, SigningKey};
use crate::roots::sha256;

mod binding;
mod keys;
mod mint;
mod review;
mod verify;

pub use binding::{BindingRefusal, PodFacts, bind};
pub use keys::{JwksError, MAX_JWKS_BYTES, TokenPublicKey};
pub use mint::{MAX_TOKEN_TTL, MintError, Token, TokenGrant, mint};
pub use review::{ReviewAnswer, judge_review};
pub use verify::{MAX_TOKEN_BYTES, TokenIdentity, TokenRefusal, Verifier};

/// Seconds by which the clocks of the one who mints and the one who checks may differ.
const SKEW: u64 = 60;

/// The key pair that signs tokens.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    id: String,
}

impl TokenKey {
    /// Makes the key of a new mesh, to be stored and then loaded with [`TokenKey::from_pem`].
    pub fn generate() -> Result<PrivateKeyPem, KeyError> {
        Ok(SigningKey::generate()?.to_pem())
    }

    /// Loads a P-256 key.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let key = SigningKey::from_pem(text)?;
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            key.pair().serialized_der(),
            &SystemRandom::new(),
        )
        .map_err(|_| KeyError::Unsupported)?;
        let id = key_id(pair.public_key().as_ref());
        Ok(Self { pair, id })
    }

    /// What is needed to check its tokens.
    pub fn public(&self) -> TokenPublicKey {
        TokenPublicKey::p256(self.id.clone(), self.pair.public_key().as_ref())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A short name for a key, so that a token says which one signed it.
fn key_id(point: &[u8]) -> String {
    let mut id = sha256(point);
    id.truncate(16);
    id
}

/// The header. `crit` lists extensions a checker must understand (RFC 7515, section 4.1.11); we know none.
#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// The claims of a bound service account token, as the Kubernetes API server writes them.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: u64,
    nbf: u64,
    iat: u64,
    #[serde(default)]
    jti: String,
    sub: String,
    #[serde(rename = "kubernetes.io")]
    bound: Bound,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Serialize, Deserialize)]
struct Bound {
    namespace: String,
    serviceaccount: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Named>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

/// The subject of a service account.
fn subject(namespace: &str, service_account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{service_account}")
}

/// Names as Kubernetes allows them for namespaces, accounts and pods, and uids. Anything else could mean two things in
/// a subject or an identity.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Seconds since 1970.
fn numeric_date(at: SystemTime) -> u64 {
    crate::seconds::since_epoch(at)
}

#[cfg(test)]
mod tests;
