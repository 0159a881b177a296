//! What a pod needs to join the mesh: the proxy beside it, the rules that bring its traffic to the proxy, and the bootstrap
//! that brings the proxy to the control plane.
//!
//! What it is: functions from values to values. The same options give the same bytes, and injecting an injected pod gives
//! the same pod.
//!
//! What it is not: it runs no command, reads no file, serves no webhook and asks no system for its addresses; whoever
//! calls it does.
//!
//! Where to start: [`inject`] for a pod, [`manifest::inject_object`] for what a file holds, [`review::answer`] for what an
//! API server asks; [`capture::plan`] for the rules, [`bootstrap::bootstrap`] for the bootstrap.

pub mod bootstrap;
pub mod capture;
pub mod manifest;
pub mod patch;
mod pod;
pub mod review;
pub mod select;

pub use pod::{
    Injected, Interception, Outcome, Owner, Problem, ProxyConfig, ProxyConfigObject, Refused, Request,
    Settings, Skip, heeded, ignored, inject,
};
