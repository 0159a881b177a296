//! Real Envoy in network namespaces with real capture.
//!
//! A [`mesh::Mesh`] is one isolated world: pods as network namespaces with the addresses their manifests name,
//! the test application ([`app`]) in them, unmodified Envoy as uid 1337 in front, the control plane beside. All
//! of a world's processes live in a process, mount and network namespace of their own whose first process ends
//! when the test does, however that happens; so nothing is left behind, and worlds run side by side.
//!
//! Requests are sent by the test client ([`client`]), which runs inside a pod and is spoken to over a UNIX socket.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the harness is the outermost shell: it owns clocks, files, the environment and the terminal"
)]

pub mod app;
pub mod checks;
pub mod client;
pub mod demo;
pub mod hands_on;
pub mod in_pod;
pub mod kube;
pub mod mesh;
pub mod stats;
pub mod story;
pub mod world;
