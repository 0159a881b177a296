//! The suite on real Envoys.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the outermost shell own the environment and the clock"
)]

/// Makes a module with one test per Envoy version for each function.
macro_rules! both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn envoy_1_37() -> anyhow::Result<()> {
                super::$name(pilothouse_e2e::mesh::Version::V1_37_0)
            }
            #[test]
            fn envoy_1_40() -> anyhow::Result<()> {
                super::$name(pilothouse_e2e::mesh::Version::V1_40_0)
            }
        }
    )+ };
}

mod capture;
mod change;
mod faulty;
mod fixtures;
mod harness;
mod routing;
mod security;
mod tables;
mod traffic;
mod validate;
mod world;
