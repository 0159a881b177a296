//! The protocol state of one stream.
//!
//! It is told what the client asks and answers ([`Subscriber::on_request`]) and what there is to know
//! ([`Subscriber::on_snapshot`]), and returns what to send. At most one response per type is unanswered. While a
//! push is under way only the newest of the snapshots that follow is kept.
//!
//! The order of a push is such that traffic never meets a name that is not there yet or not any more:
//!
//! 1. clusters that are new or changed, and behind them the assignments of those that the client subscribed,
//!    changed or not, because an Envoy builds a changed cluster anew and waits for them;
//! 2. when the clusters were answered: listeners, route tables and virtual hosts;
//! 3. when these were answered: clusters that are no more, and then assignments that are no more.
//!
//! Changed assignments and secrets do not wait for any of this. An answer is an answer, accepted or not: what was
//! refused is remembered and the rest goes on.

mod culprit;
mod delta;
mod names;
mod push;
mod secrets;
mod sotw;
mod tables;
mod track;
mod trial;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::message::{Protocol, Request, Response, StreamError};
use crate::options::{Options, RouteDelivery};
use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Layers, Snapshot};
use crate::status::{Rejection, Status, TypeState, TypeStatus};
use crate::subscriber::secrets::Secrets;
use crate::subscriber::tables::Tables;
use crate::subscriber::track::Tracks;

pub use secrets::WantedSecret;

/// The protocol state of one stream.
#[derive(Debug)]
pub struct Subscriber {
    protocol: Protocol,
    options: Options,
    /// What clusters, listeners and routes are being pushed from.
    applied: Arc<Snapshot>,
    /// The newest; assignments and secrets are pushed from it at once. The others follow when the push of
    /// `applied` is through.
    latest: Arc<Snapshot>,
    tracks: Tracks,
    tables: Tables,
    secrets: Secrets,
    nonce: u64,
    /// Whether listeners and routes wait for the client to ask for clusters. An Envoy that returns holds that back
    /// while a cluster of its is not ready, but asks for listeners.
    awaits_clusters: bool,
    /// Whether pushes go on without the answers they wait for, until one comes or new clusters have to.
    released: bool,
    acknowledged: u64,
    news: Vec<Arc<Rejection>>,
}

/// Names that a client may hold though it does not report them when it returns: an Envoy that refuses a response
/// applies what is good in it but remembers no version of it. Kept from one stream of a proxy to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unconfirmed(BTreeMap<ResourceType, BTreeSet<Arc<str>>>);

impl Unconfirmed {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Subscriber {
    /// A stream that has heard nothing yet.
    pub fn new(protocol: Protocol, options: Options, snapshot: Arc<Snapshot>) -> Self {
        let delivery = match protocol {
            Protocol::Delta => options.routes,
            Protocol::Sotw => RouteDelivery::Rds,
        };
        Self {
            protocol,
            options,
            applied: Arc::clone(&snapshot),
            latest: snapshot,
            tracks: Tracks::default(),
            tables: Tables::new(delivery, options.defaults),
            secrets: Secrets::default(),
            nonce: 0,
            awaits_clusters: true,
            released: false,
            acknowledged: 0,
            news: Vec::new(),
        }
    }

    /// Takes over what [`Subscriber::unconfirmed`] of the proxy's last stream said. To be called before the first
    /// request.
    pub fn remember(&mut self, unconfirmed: Unconfirmed) {
        for (kind, names) in unconfirmed.0 {
            self.tracks[kind].unconfirmed.extend(names);
        }
    }

    /// The client asks or answers. An error ends the stream.
    pub fn on_request(&mut self, request: Request) -> Result<Vec<Response>, StreamError> {
        match (self.protocol, request) {
            (Protocol::Delta, Request::Delta(request)) => self.on_delta(&request)?,
            (Protocol::Sotw, Request::Sotw(request)) => self.on_sotw(&request)?,
            (Protocol::Delta, Request::Sotw(_)) | (Protocol::Sotw, Request::Delta(_)) => {
                return Err(StreamError::Dialect);
            }
        }
        self.tracks[ResourceType::Endpoint].names.settle(&self.latest.endpoints);
        Ok(self.push())
    }

    /// There is a newer snapshot. Costs what differs from the last one.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) -> Vec<Response> {
        let endpoints = &mut self.tracks[ResourceType::Endpoint];
        let changes = Layers::diff(&self.latest.endpoints, &snapshot.endpoints);
        endpoints.names.follow(&snapshot.endpoints, &changes);
        for change in changes {
            let repeated = endpoints.due.get(&change.name).copied();
            endpoints.changed(&change.name, change.old.as_ref(), change.new.as_ref());
            if let Some(held) = repeated {
                // Its cluster may be on its way and wait for it, be it on the way out.
                endpoints.due.insert(change.name, held);
            }
        }
        let secrets = &mut self.tracks[ResourceType::Secret];
        for change in Layers::diff(&self.latest.secrets, &snapshot.secrets) {
            // A secret that is gone stays with the client: taking it away would not make it forget, but would
            // end its patience where it still waits.
            if change.new.is_some() && secrets.interested(&change.name) {
                self.secrets.found(&change.name);
                secrets.changed(&change.name, change.old.as_ref(), change.new.as_ref());
            }
        }
        self.latest = snapshot;
        self.push()
    }

    /// A secret was issued for this proxy alone: its leaf, or roots. Ignored if the client does not subscribe the
    /// name; sent at once, and then only its name and version are kept.
    pub fn secret(&mut self, resource: Arc<Resource>) -> Vec<Response> {
        if self.tracks[ResourceType::Secret].interested(&resource.name) {
            self.secrets.issue(resource);
        }
        self.push()
    }

    /// The secrets that the client waits for and that the snapshot does not hold, in order of names. They stay here
    /// until issued.
    pub fn wanted_secrets(&self) -> Vec<WantedSecret> {
        self.secrets.wanted()
    }

    /// Goes on with the push under way as if the outstanding answers were there. For a client that does not answer
    /// for long, such as an Envoy with a cluster that cannot be made ready, or that does not ask for clusters.
    pub fn release(&mut self) -> Vec<Response> {
        self.released = true;
        self.awaits_clusters = false;
        self.push()
    }

    /// Whether a push is under way that waits for an answer; then [`Subscriber::release`] has an effect.
    pub fn is_waiting(&self) -> bool {
        !self.released && !self.at_rest()
    }

    /// The rejections since the last call, for the log.
    pub fn take_rejections(&mut self) -> Vec<Arc<Rejection>> {
        std::mem::take(&mut self.news)
    }

    /// What to tell the next stream of this proxy.
    pub fn unconfirmed(&self) -> Unconfirmed {
        let mut all = BTreeMap::new();
        for (kind, track) in self.tracks.iter().filter(|(kind, _)| kind.wildcard()) {
            let mut names = track.unconfirmed.clone();
            // A response that was not answered may be refused after the stream is gone.
            if let Some(flight) = &track.flight {
                names.extend(
                    flight.resources.iter().map(|resource| &resource.name).chain(&flight.removed).cloned(),
                );
            }
            if !names.is_empty() {
                all.insert(kind, names);
            }
        }
        Unconfirmed(all)
    }

    /// How the proxy stands.
    pub fn status(&self) -> Status {
        let types = self.tracks.iter().filter(|(_, track)| track.subscribed).map(|(kind, track)| {
            let mut rejected: Vec<Arc<Rejection>> = track.rejected.values().cloned().collect();
            rejected.dedup_by(|a, b| Arc::ptr_eq(a, b));
            let state = if self.is_outstanding(kind) {
                TypeState::Pending { since: track.since.unwrap_or(self.latest.revision) }
            } else if self.is_behind(kind) {
                TypeState::Pending { since: self.latest.revision }
            } else {
                TypeState::Synced
            };
            (kind, TypeStatus { state, names: track.names.len(), rejected })
        });
        Status { revision: self.latest.revision, acknowledged: self.acknowledged, types: types.collect() }
    }

    /// Whether something of a type is on its way, or waits for its turn.
    fn is_outstanding(&self, kind: ResourceType) -> bool {
        let track = &self.tracks[kind];
        track.subscribed
            && (track.flight.is_some()
                || track.has_due()
                || !track.gone.is_empty()
                || kind == ResourceType::VirtualHost && self.tables.has_work()
                || kind == ResourceType::Secret && self.secrets.is_outstanding())
    }

    /// Whether the newest snapshot differs from the one that is pushed.
    fn is_behind(&self, kind: ResourceType) -> bool {
        let (old, new) = (&self.applied, &self.latest);
        !Arc::ptr_eq(old, new)
            && match kind {
                ResourceType::Cluster => !Layers::diff(&old.clusters, &new.clusters).is_empty(),
                ResourceType::Listener => !Layers::diff(&old.listeners, &new.listeners).is_empty(),
                ResourceType::Route | ResourceType::VirtualHost => {
                    !Layers::diff(&old.routes, &new.routes).is_empty()
                }
                ResourceType::Endpoint | ResourceType::Secret => false,
            }
    }

    /// The shared text of a name, so that a subscription costs a reference.
    fn intern(&self, kind: ResourceType, name: &str) -> Arc<str> {
        let of = |layers: &Layers<Resource>| layers.get(name).map(|resource| Arc::clone(&resource.name));
        let known = match kind {
            ResourceType::Cluster => of(&self.applied.clusters),
            ResourceType::Endpoint => of(&self.latest.endpoints),
            ResourceType::Listener => of(&self.applied.listeners),
            ResourceType::Route => self.applied.routes.get(name).map(|table| Arc::clone(table.name())),
            ResourceType::VirtualHost => self
                .applied
                .routes
                .get(tables::table_of(name))
                .and_then(|table| table.parts().get(name).map(|part| Arc::clone(&part.name))),
            ResourceType::Secret => of(&self.latest.secrets),
        };
        known.unwrap_or_else(|| Arc::from(name))
    }
}

#[cfg(test)]
mod tests;
