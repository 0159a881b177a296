//! The suite on a real Kubernetes.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the outermost shell own the environment and the clock"
)]

mod cluster;
mod crds;
mod kinds;
mod lifecycle;
mod mesh;
mod pods;
mod world;
