//! One world per test: brought up, tried, told about when something does not hold.

use anyhow::Result;

use crate::checks::Checks;
use crate::mesh::{Mesh, Options, Version, case_manifests};

/// Runs `body` on a world of these cases.
pub fn run(
    version: Version,
    cases: &[&str],
    body: impl FnOnce(&mut Mesh, &mut Checks) -> Result<()>,
) -> Result<()> {
    run_with(version, cases, Options::default(), body)
}

/// The same with a control plane of one's own wishes.
pub fn run_with(
    version: Version,
    cases: &[&str],
    options: Options,
    body: impl FnOnce(&mut Mesh, &mut Checks) -> Result<()>,
) -> Result<()> {
    run_on(Mesh::start(case_manifests(cases)?, version, options)?, body)
}

/// The same on a world that is already up.
pub fn run_on(mut mesh: Mesh, body: impl FnOnce(&mut Mesh, &mut Checks) -> Result<()>) -> Result<()> {
    let mut checks = Checks::default();
    let result = body(&mut mesh, &mut checks).and_then(|()| checks.finish());
    result.map_err(|error| mesh.explain(&error))
}

/// Makes a module with one test per Envoy version for each function.
#[macro_export]
macro_rules! both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn envoy_1_37() -> anyhow::Result<()> {
                super::$name($crate::mesh::Version::V1_37_0)
            }
            #[test]
            fn envoy_1_40() -> anyhow::Result<()> {
                super::$name($crate::mesh::Version::V1_40_0)
            }
        }
    )+ };
}
