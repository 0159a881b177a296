//! What the client's answer to a response means.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::message::Protocol;
use crate::resource::ResourceType;
use crate::status::Rejection;
use crate::subscriber::push::ORDERED;
use crate::subscriber::track::Flight;
use crate::subscriber::trial::Refusal;
use crate::subscriber::{Subscriber, culprit};

/// Most rejections that are kept for the log.
const NEWS: usize = 256;

impl Subscriber {
    /// The client answered the response in flight: accepted it, or refused it with some words.
    pub(super) fn answered(&mut self, kind: ResourceType, error: Option<&str>) {
        self.tracks[kind].answered = true;
        self.released &= !ORDERED.contains(&kind);
        match error {
            None => self.accepted(kind),
            Some(words) => self.refused(kind, words),
        }
    }

    fn accepted(&mut self, kind: ResourceType) {
        let track = &mut self.tracks[kind];
        let Some(flight) = track.flight.take() else { return };
        if self.protocol == Protocol::Sotw && kind.wildcard() {
            track.rejected.clear();
        }
        for name in flight.resources.iter().map(|resource| &resource.name).chain(&flight.removed) {
            track.rejected.remove(name);
            track.unconfirmed.remove(name);
        }
        let blamed = track.trial.accepted();
        if kind == ResourceType::Route {
            for route in &flight.resources {
                self.tables.accepted(route, &self.tracks[ResourceType::VirtualHost]);
            }
        }
        self.blame(kind, blamed);
    }

    fn refused(&mut self, kind: ResourceType, words: &str) {
        let track = &mut self.tracks[kind];
        let Some(flight) = track.flight.take() else { return };
        let Flight { revision, resources, removed } = flight;
        let named = culprit::named(words, &resources);
        let message = culprit::message(words);
        let blamed = match kind {
            ResourceType::Endpoint | ResourceType::Route | ResourceType::VirtualHost => {
                if kind == ResourceType::VirtualHost && !resources.is_empty() {
                    self.tables.removals_refused(&removed);
                }
                track.trial.refused(Refusal { resources, message, revision }, &named)
            }
            ResourceType::Cluster | ResourceType::Listener | ResourceType::Secret => {
                if kind.wildcard() {
                    // Removed or added, it is in force, but the client goes on to report what was before.
                    let names = resources.iter().map(|resource| &resource.name).chain(&removed);
                    track.unconfirmed.extend(names.cloned());
                }
                if named.is_empty() {
                    vec![Refusal { resources, message, revision }]
                } else {
                    let culprits = resources.into_iter().filter(|resource| named.contains(&resource.name));
                    let alone = |culprit| Refusal {
                        resources: vec![culprit],
                        message: Arc::clone(&message),
                        revision,
                    };
                    culprits.map(alone).collect()
                }
            }
        };
        self.blame(kind, blamed);
    }

    /// Remembers rejections, with the objects behind them.
    pub(super) fn blame(&mut self, kind: ResourceType, refusals: Vec<Refusal>) {
        for Refusal { resources, message, revision } in refusals {
            let mut origins = BTreeSet::new();
            for resource in &resources {
                let suspects =
                    if kind == ResourceType::Route { self.tables.suspects(resource) } else { None };
                match suspects {
                    Some(suspects) => origins.extend(suspects),
                    None => origins.extend(resource.origins.iter().cloned()),
                }
            }
            let track = &mut self.tracks[kind];
            track.rejections += 1;
            let rejection = Arc::new(Rejection {
                kind,
                resources: resources.iter().map(|r| (Arc::clone(&r.name), r.version)).collect(),
                message,
                origins: origins.into_iter().collect(),
                revision,
                count: track.rejections,
            });
            for resource in &resources {
                let wanted = match kind {
                    ResourceType::VirtualHost => self.tables.host(&resource.name).is_some(),
                    _ => self.tracks[kind].interested(&resource.name),
                };
                if wanted {
                    self.tracks[kind].rejected.insert(Arc::clone(&resource.name), Arc::clone(&rejection));
                }
            }
            if self.news.len() < NEWS {
                self.news.push(rejection);
            }
        }
    }
}
