//! Certificate and token decisions: which root we are, what a workload's leaf looks like, when it is renewed, and
//! who a bearer token speaks for.
//!
//! What it is: functions of bytes and instants. Files arrive as bytes ([`CaFiles`]), the time as an argument, and
//! everything that is waited for or written is somebody else's work.
//!
//! What it is not: it opens no file and no socket, reads no clock and logs nothing.
//!
//! Randomness: serial numbers, token ids and jitter are made from bytes the caller hands in, so that decisions can
//! be replayed. Key generation and signatures are the exception: `ring` draws their entropy from the operating
//! system itself, because a key or a nonce from a generator that someone could replay would be no secret.
//!
//! Secrets: a private key lives in [`PrivateKeyPem`], which prints a placeholder, cannot be cloned or serialized,
//! and is overwritten when dropped. `ring` keeps the decoded scalar of a *loaded* key for as long as the key object
//! lives and does not overwrite it; that is true for the CA's key and the token key, not for workload keys.
//!
//! Where to start: `authority.rs` (what signs), then `issue.rs` (what is signed).

mod authority;
mod der;
mod files;
mod issue;
mod key;
mod limit;
mod pem;
mod request;
mod rollover;
mod root;
mod roots;
pub mod rotation;
mod seconds;
pub mod token;

pub use authority::{Authority, LoadError};
pub use files::CaFiles;
pub use issue::{IssueError, IssuedLeaf, LeafLifetimes, LeafRequest, ServingRequest};
pub use key::{KeyError, PrivateKeyPem};
pub use limit::{Decision, IssueLimiter, LimitSettings, Purpose, Rate};
pub use request::{Certified, RequestError};
pub use rollover::{Offered, Rollover, RolloverSettings, Trust};
pub use root::{NewRoot, RootError, create_root};
pub use roots::{RootBundle, RootBundleError};

/// SHA-256 of some bytes in lower-case hexadecimal, to know them again without keeping them.
pub fn fingerprint(bytes: &[u8]) -> String {
    roots::sha256(bytes)
}

#[cfg(test)]
mod secrecy_tests;
