//! The definitions of all published kinds, as an API server needs them.
//!
//! What users may write is described here in Rust, kind by kind: every field with its type, its bounds and what it is for. From this
//! `make gen` writes `crds/`. It is more than the structs of this crate hold, which are the fields that something is made of; the
//! catalogue of published fields is what both are tested against.
//!
//! Start reading at `definition.rs`, then `gateway.rs`.

mod definition;
mod destination_rule;
mod envoy_filter;
mod extensions;
mod gateway;
mod proxy_config;
mod security;
mod service_entry;
mod shared;
mod sidecar;
mod status;
mod telemetry;
mod value;
mod virtual_service;
mod workload_group;

#[cfg(test)]
mod tests;

pub use definition::{Definition, definitions};
