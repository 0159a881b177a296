//! What a pod needs to join the mesh: the rules that bring its traffic to the proxy, and the bootstrap that brings the
//! proxy to the control plane.
//!
//! What it is: functions from options to text. The same options give the same bytes.
//!
//! What it is not: it runs no command, writes no file and asks no system for its addresses; whoever calls it does.
//!
//! Where to start: [`capture::plan`] for the rules, [`bootstrap::bootstrap`] for the bootstrap.

pub mod bootstrap;
pub mod capture;
