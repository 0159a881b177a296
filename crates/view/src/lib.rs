//! What one audience of proxies sees.
//!
//! What it is: visibility, precedence and merging resolved into plans. Every function answers one [`Query`], reads the world
//! through a [`Reader`] that records each read, and asks questions of lower layers only.
//!
//! What it is not: it knows no Envoy type, no protocol and no socket; it keeps nothing between two calls.
//!
//! Main types: [`Query`] and [`Answer`]; the plans in [`plan`]; [`Audience`], the facts about a proxy that matter.
//!
//! Where to start: `query.rs`, then `answer.rs`, then `outbound.rs`.

mod accounts;
mod answer;
mod assignment;
mod audience;
mod backends;
mod claims;
mod cluster;
mod findings;
mod gateway;
mod inbound;
mod l4;
mod listener;
mod mtls;
pub mod names;
mod outbound;
mod place;
pub mod plan;
mod policy;
pub mod query;
mod reader;
mod secret;
mod targets;
mod virtual_host;

#[cfg(test)]
mod fresh;

pub use answer::{Answer, resolve};
pub use assignment::Assignments;
pub use audience::Audience;
pub use claims::{ClaimList, Claims};
pub use cluster::{ClusterEntry, Clusters};
pub use gateway::{GatewayLayout, GatewayListener};
pub use inbound::{Inbound, InboundCluster};
pub use outbound::{Hidden, Outbound};
pub use place::Placed;
pub use query::{Query, QueryKind};
pub use reader::{Ask, Reader};
pub use targets::{Differs, Public, Target, Targets};
