//! Route tables, virtual hosts and routes.

use std::time::Duration;

use pilothouse_base::{Name, ObjectKey, Percent};
use pilothouse_config::traffic_policy::HashKey;
use pilothouse_config::virtual_service::{
    Cors, DirectResponse, Fault, HeaderChanges, HttpMatch, PathRewrite, Redirect, Retry,
};
use serde::Serialize;

/// All that decides a route configuration besides its virtual hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RouteTablePlan {
    /// Its name, such as `9080` or `cart.shop.svc.cluster.local:9080`.
    pub name: Name,
    /// What happens to hosts that nobody defines; none answers 404.
    pub catch_all: Option<CatchAll>,
}

/// What happens to hosts that nobody defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum CatchAll {
    /// `allow_any`: to the address that was dialled.
    Passthrough,
    /// `block_all`: 502.
    Block,
    /// `blackhole:<port>` of a gateway: 404.
    NotFound {
        /// The port of the server.
        port: u16,
    },
}

/// All that decides a virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct VirtualHostPlan {
    /// Its name in Istio's scheme: `<host>:<port>`.
    pub name: Name,
    /// What it answers to, without repetitions.
    pub domains: Vec<Name>,
    /// Its routes, in order.
    pub routes: Vec<RoutePlan>,
    /// Whether plain requests are redirected to HTTPS (`require_tls: ALL`).
    pub require_tls: bool,
    /// Whether upstreams see `x-envoy-attempt-count`.
    pub attempt_count: bool,
}

/// All that decides a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RoutePlan {
    /// Its name; `default` for a route nobody wrote.
    pub name: Name,
    /// The virtual service it comes from (`filter_metadata.istio.config`).
    pub origin: Option<ObjectKey>,
    /// What it matches.
    pub matches: RouteMatchPlan,
    /// What it does.
    pub action: ActionPlan,
    /// The name of traces' spans.
    pub operation: Name,
    /// Header changes.
    pub headers: HeaderChanges,
    /// Injected faults.
    pub fault: Fault,
    /// Cross-origin rules.
    pub cors: Option<Cors>,
}

/// What a route matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum RouteMatchPlan {
    /// Every request (prefix `/`).
    All,
    /// Requests that satisfy a match. `port`, `gateways`, `source_labels` and `source_namespace` were decided before.
    Http(Box<HttpMatch>),
}

/// What a route does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ActionPlan {
    /// Sends the request on.
    Route(Box<RouteToPlan>),
    /// Redirects.
    Redirect {
        /// As written.
        redirect: Redirect,
        /// The port of the listener, for redirects that keep it.
        listener_port: u16,
    },
    /// Answers directly.
    Respond(DirectResponse),
}

/// Where and how a request is sent on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RouteToPlan {
    /// Clusters with their weights; never empty; one entry makes the weight meaningless.
    pub clusters: Vec<WeightedPlan>,
    /// `timeout`; none: no limit. Inbound routes use `max_stream_duration` instead.
    pub timeout: Option<Duration>,
    /// Whether this is a route in front of a workload (limits are those of the stream, not of the route).
    pub inbound: bool,
    /// Retries; none: no retries.
    pub retry: Option<Retry>,
    /// `previous_hosts` predicate: whether retries avoid hosts that failed.
    pub avoid_previous_hosts: bool,
    /// What the path becomes.
    pub path: Option<PathRewrite>,
    /// What the authority becomes.
    pub authority: Option<Name>,
    /// Copies of the request.
    pub mirrors: Vec<MirrorPlan>,
    /// What consistent hashing looks at.
    pub hash: Vec<HashPlan>,
}

/// One cluster of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct WeightedPlan {
    /// The name of the cluster.
    pub cluster: Name,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Header changes for this cluster alone.
    pub headers: HeaderChanges,
    /// Whether the mesh marker must not be offered: the cluster does TLS of its own.
    pub foreign_tls: bool,
}

/// A copy of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MirrorPlan {
    /// The name of the cluster.
    pub cluster: Name,
    /// The share of requests that are copied.
    pub share: Percent,
}

/// An entry of a hash policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HashPlan(pub HashKey);
