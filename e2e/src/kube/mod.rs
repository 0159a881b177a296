//! A real Kubernetes for the tests of what only a cluster shows: kubelet, kube-proxy, API server and kubectl.
//!
//! One [`Cluster`] serves a whole test program. It is brought up by `hack/cluster`, found when it runs already, and
//! ends with the program unless it was there before. Each test takes a [`Namespace`] of its own; what a user
//! would type goes through the real `kubectl` ([`Kubectl`]). Requests are sent from inside a [`Pod`], over a
//! UNIX socket in one of its volumes, so that they are sent whether or not the API server is well.

mod cluster;
pub mod demo;
pub mod install;
mod kubectl;
mod namespace;
mod pod;
mod report;
mod said;
mod workload;

pub use cluster::Cluster;
pub use kubectl::Kubectl;
pub use namespace::Namespace;
pub use pod::Pod;
pub use said::Said;
pub use workload::Workload;

/// Where our images are called by.
pub const REGISTRY: &str = "pilothouse.local";
