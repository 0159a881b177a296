//! Requests of the state-of-the-world dialect.
//!
//! Each request lists all names, so the latest is what counts, whichever response it answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::message::{SotwRequest, StreamError};
use crate::resource::ResourceType;
use crate::subscriber::Subscriber;
use crate::subscriber::delta::{WILDCARD, check};
use crate::subscriber::push::nonce;
use crate::subscriber::track::Track;

impl Subscriber {
    pub(super) fn on_sotw(&mut self, request: &SotwRequest) -> Result<(), StreamError> {
        let SotwRequest { kind, names, response_nonce, error } = request;
        let kind = *kind;
        check(kind, self.options.bounds, names.iter().map(String::as_str))?;
        let limit = self.options.bounds.names;
        if names.len() > limit {
            return Err(StreamError::TooManyNames { kind, limit });
        }
        if kind == ResourceType::VirtualHost {
            // Hosts by themselves exist in the delta dialect only.
            return Ok(());
        }
        let track = &self.tracks[kind];
        let in_flight = track.flight.is_some();
        // Without a nonce, a client speaks before it got a response: for the first time, or again as it has more
        // to ask for. If there is nothing that it could still get, it has started over.
        let silent = response_nonce.is_empty();
        let first = !track.subscribed || silent && !in_flight;
        let current = *response_nonce == nonce(track.nonce);
        if first {
            self.start_over(kind);
        } else if in_flight && current {
            self.answered(kind, error.as_deref());
        }
        if kind.wildcard() {
            self.world_names(kind, names, first);
        } else {
            let repeated = !in_flight && current && error.is_none();
            self.named(kind, names, repeated);
        }
        Ok(())
    }

    /// Forgets a type: the client begins anew.
    fn start_over(&mut self, kind: ResourceType) {
        let track = &mut self.tracks[kind];
        let names = std::mem::take(&mut track.names);
        // The nonce stays, so that the answer to a response of before is known to be late.
        *track = Track { nonce: track.nonce, rejections: track.rejections, ..Track::default() };
        match kind {
            ResourceType::Route => self.tables.clear(),
            ResourceType::Secret => names.iter().for_each(|name| self.secrets.forget(name)),
            _ => {}
        }
    }

    /// Clusters or listeners: all of them if no name is given.
    fn world_names(&mut self, kind: ResourceType, names: &[String], first: bool) {
        let all = names.is_empty() || names.iter().any(|name| name == WILDCARD);
        let named: BTreeSet<Arc<str>> =
            names.iter().filter(|name| *name != WILDCARD).map(|name| self.intern(kind, name)).collect();
        let track = &mut self.tracks[kind];
        let changed = track.wildcard != all || !all && !track.names.are(&named);
        (track.subscribed, track.wildcard, track.names) = (true, all, named.into());
        track.greet |= first || changed;
    }

    /// Endpoints, routes or secrets: answers names that are new. A client that repeats its names without having
    /// been sent anything has built something anew and waits for it.
    fn named(&mut self, kind: ResourceType, names: &[String], repeated: bool) {
        let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let track = &mut self.tracks[kind];
        track.subscribed = true;
        let dropped: Vec<Arc<str>> =
            track.names.iter().filter(|name| !wanted.contains(&***name)).cloned().collect();
        let added: Vec<&str> = wanted.iter().filter(|name| !track.names.contains(name)).copied().collect();
        let same = added.is_empty() && dropped.is_empty();
        for name in dropped {
            self.unsubscribe(kind, &name);
        }
        for name in if repeated && same { wanted.into_iter().collect() } else { added } {
            self.subscribe(kind, name, None);
        }
    }
}
