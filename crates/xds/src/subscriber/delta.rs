//! Requests of the delta dialect.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::message::{DeltaRequest, StreamError};
use crate::options::Bounds;
use crate::resource::{ResourceType, Version};
use crate::subscriber::Subscriber;
use crate::subscriber::push::nonce;

/// The name that stands for all names.
pub(super) const WILDCARD: &str = "*";

/// What a client reports to hold; a version that is not of our making is none.
type Reported = BTreeMap<Arc<str>, Option<Version>>;

impl Subscriber {
    pub(super) fn on_delta(&mut self, request: &DeltaRequest) -> Result<(), StreamError> {
        let DeltaRequest { kind, subscribe, unsubscribe, initial_versions, response_nonce, error } = request;
        let kind = *kind;
        let names = subscribe.iter().chain(unsubscribe).map(String::as_str);
        let reported = initial_versions.iter().map(|(name, _)| name.as_str());
        check(kind, self.options.bounds, names.chain(reported))?;

        // A stale nonce answers nothing, but what the request subscribes counts: the client says it only once.
        let track = &self.tracks[kind];
        if track.flight.is_some() && *response_nonce == nonce(track.nonce) {
            self.answered(kind, error.as_deref());
        }
        for name in unsubscribe {
            self.unsubscribe(kind, name);
        }
        if !self.tracks[kind].subscribed {
            let reported = initial_versions
                .iter()
                .map(|(name, version)| (self.intern(kind, name), version.parse().ok()))
                .collect();
            self.subscribe_first(kind, subscribe, reported);
        } else if kind == ResourceType::VirtualHost {
            // There is one subscription, for all hosts.
        } else {
            for name in subscribe {
                self.subscribe(kind, name, None);
            }
        }
        let limit = self.options.bounds.names;
        if self.tracks[kind].names.len() > limit {
            return Err(StreamError::TooManyNames { kind, limit });
        }
        Ok(())
    }

    /// The first request of a type on this stream. A client that returns reports what it kept.
    fn subscribe_first(&mut self, kind: ResourceType, names: &[String], mut reported: Reported) {
        self.tracks[kind].subscribed = true;
        match kind {
            ResourceType::Cluster | ResourceType::Listener => self.subscribe_wildcard(kind, names, reported),
            ResourceType::VirtualHost => {
                self.tracks[kind].wildcard = true;
                self.tables.subscribe_hosts(reported);
            }
            ResourceType::Endpoint | ResourceType::Route | ResourceType::Secret => {
                for name in names {
                    let reported = reported.remove(&**name).flatten();
                    self.subscribe(kind, name, reported);
                }
            }
        }
    }

    fn subscribe_wildcard(&mut self, kind: ResourceType, names: &[String], mut reported: Reported) {
        let interned: Vec<Arc<str>> =
            names.iter().filter(|name| *name != WILDCARD).map(|name| self.intern(kind, name)).collect();
        let snapshot = Arc::clone(&self.applied);
        let layers = if kind == ResourceType::Cluster { &snapshot.clusters } else { &snapshot.listeners };
        let track = &mut self.tracks[kind];
        track.wildcard = interned.len() < names.len() || names.is_empty();
        for name in interned {
            track.names.insert(name);
        }
        let first_life = reported.is_empty();
        for resource in layers.iter() {
            if !track.interested(&resource.name) {
                continue;
            }
            let held = reported.remove(&resource.name).flatten();
            // What was refused together with others may be in force instead of what is reported.
            if held != Some(resource.version) || track.unconfirmed.contains(&resource.name) {
                track.due.insert(Arc::clone(&resource.name), None);
            }
        }
        // What is left the client shall not hold any more.
        let unconfirmed = track.unconfirmed.iter().filter(|name| layers.get(name).is_none()).cloned();
        track.gone = reported.into_keys().chain(unconfirmed).map(|name| (name, None)).collect();
        track.greet = first_life;
    }

    /// The client asks for a name, perhaps again: then it forgot it meanwhile, or must hear of it once more.
    pub(super) fn subscribe(&mut self, kind: ResourceType, name: &str, reported: Option<Version>) {
        if name == WILDCARD {
            self.subscribe_all(kind);
            return;
        }
        let name = self.intern(kind, name);
        match kind {
            ResourceType::Cluster | ResourceType::Listener | ResourceType::Endpoint => {
                let track = &mut self.tracks[kind];
                track.gone.remove(&name);
                track.due.insert(Arc::clone(&name), None);
                track.names.insert(name);
            }
            ResourceType::Route => {
                let hosts_known = self.tracks[ResourceType::VirtualHost].subscribed;
                let (content, routes) = (self.applied.routes.get(&name), &mut self.tracks[kind]);
                self.tables.subscribe(&name, content, reported, routes, hosts_known);
                routes.names.insert(name);
            }
            ResourceType::Secret => {
                let track = &mut self.tracks[kind];
                match self.latest.secrets.get(&name) {
                    Some(secret) if reported == Some(secret.version) => {}
                    Some(_) => {
                        track.due.insert(Arc::clone(&name), None);
                    }
                    None => self.secrets.want(&name, reported),
                }
                track.names.insert(name);
            }
            ResourceType::VirtualHost => {}
        }
    }

    /// The client asks for all there is, after it had asked for some.
    fn subscribe_all(&mut self, kind: ResourceType) {
        let track = &mut self.tracks[kind];
        if !kind.wildcard() || track.wildcard {
            return;
        }
        track.wildcard = true;
        let layers =
            if kind == ResourceType::Cluster { &self.applied.clusters } else { &self.applied.listeners };
        for resource in layers.iter().filter(|resource| !track.names.contains(&resource.name)) {
            track.due.insert(Arc::clone(&resource.name), None);
        }
    }

    pub(super) fn unsubscribe(&mut self, kind: ResourceType, name: &str) {
        let track = &mut self.tracks[kind];
        if name == WILDCARD && kind.wildcard() {
            track.wildcard = false;
            let names = &track.names;
            track.due.retain(|name, _| names.contains(name));
            track.gone.retain(|name, _| names.contains(name));
            track.rejected.retain(|name, _| names.contains(name));
            return;
        }
        if !track.names.contains(name) {
            return;
        }
        if track.wildcard {
            // It still hears of the name as of all others.
            track.names.remove(name);
            return;
        }
        track.forget(name);
        match kind {
            ResourceType::Route => {
                self.tables.unsubscribe(name);
                let hosts = &mut self.tracks[ResourceType::VirtualHost];
                hosts.rejected.retain(|host, _| super::tables::table_of(host) != name);
            }
            ResourceType::Secret => self.secrets.forget(name),
            _ => {}
        }
    }
}

/// Refuses a request whose lists are too long.
pub(super) fn check<'a>(
    kind: ResourceType,
    bounds: Bounds,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), StreamError> {
    let Bounds { names: _, name_length, request_bytes } = bounds;
    let mut bytes = 0;
    for name in names {
        if name.len() > name_length {
            return Err(StreamError::NameTooLong { kind, limit: name_length });
        }
        // What a name costs beside its text.
        bytes += name.len() + 16;
        if bytes > request_bytes {
            return Err(StreamError::RequestTooLarge { kind, limit: request_bytes });
        }
    }
    Ok(())
}
