//! The suite on real Envoys.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the outermost shell own the environment and the clock"
)]

mod capture;
mod change;
mod faulty;
mod harness;
mod ipv6;
mod routing;
mod security;
mod tables;
mod tokens;
mod traffic;
mod validate;
