//! Asks and writes to clusters.
//!
//! What it is: everything that needs more than the right to read. Tokens are put to the API server ([`tokens`]), the CA of
//! a mesh that was given none is kept in a secret that all replicas share ([`authority`]), the roots are put into every
//! namespace ([`roots`]), webhooks are told whom to trust ([`bundles`]), and when they may be relied upon ([`proof`]). Of several replicas one holds the lease
//! ([`lease`]) and writes what only one should write.
//!
//! What injection needs to know beside a pod is heard here as well ([`injection`]), and which pods it missed ([`bare`]).
//!
//! What it is not: it watches no configuration of traffic, and decides nothing about certificates and tokens; `ca` does.
//!
//! Each part is a loop that looks, has a pure function decide, and does what that says. Whatever fails is tried again for
//! ever, after a while that grows; an API server that is away costs nothing but that.
//!
//! Where to start: `roots.rs`.

pub mod authority;
pub mod bare;
pub mod bundles;
pub mod injection;
pub mod lease;
mod mirror;
mod pause;
pub mod proof;
pub mod roots;
pub mod tokens;

pub use kube::Client;

/// The name under which what we write is ours: the field manager of server-side apply.
pub const FIELD_MANAGER: &str = "pilothouse";

/// An error with everything that led to it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !line.ends_with(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        cause = error.source();
    }
    line
}
