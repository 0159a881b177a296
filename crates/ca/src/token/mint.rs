//! Writing a token.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::{Audience, Bound, Claims, Header, Named, TokenKey, is_name, numeric_date, subject};
use crate::roots::hex;

/// The longest life of a token. It stands in for a projected token, which lives twelve hours by default.
pub const MAX_TOKEN_TTL: Duration = Duration::from_hours(24);

/// Whom a token speaks for, and where it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant<'a> {
    /// Who mints it: `iss`.
    pub issuer: &'a str,
    /// Who may accept it: `aud`.
    pub audience: &'a str,
    /// Namespace of the service account and the pod.
    pub namespace: &'a str,
    /// The service account.
    pub service_account: &'a str,
    /// Name of the pod.
    pub pod: &'a str,
    /// Uid of the pod: a later pod of the same name is somebody else.
    pub pod_uid: &'a str,
    /// How long it is good, at least a second.
    pub ttl: Duration,
}

/// Why no token was minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// A part of the grant cannot stand in a token.
    #[error("the {part} {value:?} is not a name")]
    BadName {
        /// Which part.
        part: &'static str,
        /// What it says.
        value: String,
    },
    /// It would live too long, or not at all.
    #[error("a token lives between 1 s and {} s, not {} s", MAX_TOKEN_TTL.as_secs(), asked.as_secs())]
    BadLifetime {
        /// What was asked for.
        asked: Duration,
    },
    /// The operating system gave no entropy. Waiting may help.
    #[error("the token cannot be signed: the system's random generator failed")]
    Sign,
}

/// A token. It prints as a placeholder and is overwritten when dropped.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text itself, for the one place that writes it out. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(secret)")
    }
}

/// Mints a token. `id` is 16 random bytes that tell tokens apart.
pub fn mint(
    key: &TokenKey,
    grant: &TokenGrant<'_>,
    id: [u8; 16],
    now: SystemTime,
) -> Result<Token, MintError> {
    let TokenGrant { issuer, audience, namespace, service_account, pod, pod_uid, ttl } = *grant;
    for (part, value) in [
        ("namespace", namespace),
        ("service account", service_account),
        ("pod", pod),
        ("uid of the pod", pod_uid),
    ] {
        if !is_name(value) {
            return Err(MintError::BadName { part, value: value.to_owned() });
        }
    }
    for (part, value) in [("issuer", issuer), ("audience", audience)] {
        if value.is_empty() || value.len() > 253 {
            return Err(MintError::BadName { part, value: value.to_owned() });
        }
    }
    if ttl.as_secs() == 0 || ttl > MAX_TOKEN_TTL {
        return Err(MintError::BadLifetime { asked: ttl });
    }
    let now = numeric_date(now);
    let header = Header {
        alg: "ES256".to_owned(),
        typ: Some("JWT".to_owned()),
        kid: Some(key.id.clone()),
        crit: None,
    };
    let claims = Claims {
        iss: issuer.to_owned(),
        aud: Audience::Many(vec![audience.to_owned()]),
        exp: now + ttl.as_secs(),
        nbf: now,
        iat: now,
        jti: hex(&id),
        sub: subject(namespace, service_account),
        bound: Bound {
            namespace: namespace.to_owned(),
            serviceaccount: Named { name: service_account.to_owned(), uid: None },
            pod: Some(Named { name: pod.to_owned(), uid: Some(pod_uid.to_owned()) }),
            node: None,
        },
    };
    let header = serde_json::to_vec(&header).expect("strings and numbers become JSON");
    let claims = serde_json::to_vec(&claims).expect("strings and numbers become JSON");
    sign(key, &header, &claims)
}

/// Encodes and signs the two parts as they are.
pub(super) fn sign(key: &TokenKey, header: &[u8], claims: &[u8]) -> Result<Token, MintError> {
    // One allocation of the final size: a string that grows would leave parts of the token in freed memory.
    let length = |bytes: usize| bytes.div_ceil(3) * 4;
    let mut text =
        Zeroizing::new(String::with_capacity(length(header.len()) + length(claims.len()) + length(64) + 2));
    URL_SAFE_NO_PAD.encode_string(header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut text);
    let signature = key.pair.sign(&SystemRandom::new(), text.as_bytes()).map_err(|_| MintError::Sign)?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut text);
    Ok(Token(text))
}
