//! One proxy as a state machine without a socket: what it asks for, and when it has everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilothouse_envoy_api::core::Node;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, DiscoveryRequest};
use pilothouse_envoy_api::rpc::Status;

use crate::facts::{Facts, Reader};
use crate::kind::Kind;
use crate::message::{Protocol, Request, Resource, Response};

/// The gRPC code of a response that cannot be taken.
const INVALID_ARGUMENT: i32 = 3;

/// A proxy on one stream.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    /// Who it is, until it has said so.
    node: Option<Node>,
    reader: Arc<Reader>,
    held: [Held; Kind::ALL.len()],
    clusters: BTreeMap<Arc<str>, Arc<Facts>>,
    listeners: BTreeMap<Arc<str>, Arc<Facts>>,
    /// Tables whose hosts come by themselves, and whether none has come yet.
    split: BTreeMap<Arc<str>, bool>,
    /// Whether something refers to other names than before.
    refers_anew: bool,
}

/// What is kept of one type.
#[derive(Debug, Default)]
struct Held {
    subscribed: bool,
    answered: bool,
    names: BTreeSet<Arc<str>>,
    /// Names about which nothing has come yet.
    awaited: BTreeSet<Arc<str>>,
    version: String,
    nonce: String,
}

/// What becomes of the subscription to a type.
#[derive(Debug, Default)]
struct Subscription {
    added: Vec<Arc<str>>,
    dropped: Vec<Arc<str>>,
}

impl Client {
    /// A proxy that has not said anything yet.
    pub fn new(protocol: Protocol, node: Node, reader: Arc<Reader>) -> Self {
        Self {
            protocol,
            node: Some(node),
            reader,
            held: Default::default(),
            clusters: BTreeMap::new(),
            listeners: BTreeMap::new(),
            split: BTreeMap::new(),
            refers_anew: false,
        }
    }

    /// The first request of the stream: all clusters.
    pub fn open(&mut self) -> Request {
        self.subscribe(Kind::Cluster, &Subscription::default())
    }

    /// Whether everything that was asked for has been answered, from clusters to the hosts of route tables.
    pub fn is_configured(&self) -> bool {
        let answered = |kind: Kind| self.held[kind.index()].answered;
        answered(Kind::Cluster)
            && answered(Kind::Listener)
            && self.held.iter().all(|held| held.awaited.is_empty())
            && !self.split.values().any(|awaited| *awaited)
    }

    /// Takes a response; the requests that follow from it, the acknowledgement first.
    pub fn receive(&mut self, response: &Response) -> Vec<Request> {
        let Some(kind) = response.kind() else {
            return vec![self.answer_to_stranger(response)];
        };
        let held = &mut self.held[kind.index()];
        held.answered = true;
        held.nonce.clone_from(&response.nonce);
        for name in response.resources.iter().map(|resource| &resource.name).chain(&response.removed) {
            held.awaited.remove(name.as_str());
        }
        let refused = match kind {
            Kind::Cluster | Kind::Listener => self.take_referring(kind, response),
            Kind::Routes => self.take_tables(&response.resources),
            Kind::VirtualHost => {
                self.take_hosts(response);
                None
            }
            Kind::Endpoints | Kind::Secret => None,
        };
        if refused.is_none() {
            self.held[kind.index()].version.clone_from(&response.version);
        }
        let mut requests = vec![self.answer(kind, refused)];
        // A changed cluster refers to what it referred to before; looking at all of them each time would be most of our work.
        if std::mem::take(&mut self.refers_anew) {
            self.follow(&mut requests);
        }
        self.go_on(&mut requests);
        requests
    }

    /// Takes clusters or listeners; the text says why one of them is refused.
    fn take_referring(&mut self, kind: Kind, response: &Response) -> Option<String> {
        let mut refused = None;
        let in_force = if kind == Kind::Cluster { &mut self.clusters } else { &mut self.listeners };
        if self.protocol == Protocol::Sotw {
            let named: BTreeSet<&str> = response.resources.iter().map(|one| one.name.as_str()).collect();
            let before = in_force.len();
            in_force.retain(|name, _| named.contains(&**name));
            self.refers_anew |= in_force.len() < before;
        }
        for name in &response.removed {
            self.refers_anew |= in_force.remove(name.as_str()).is_some();
        }
        for Resource { name, body } in &response.resources {
            match self.reader.read(kind, body) {
                Ok(facts) => {
                    let before = in_force.insert(self.reader.name(name), facts.clone());
                    self.refers_anew |= before.is_none_or(|before| before != facts);
                }
                Err(why) => refused = Some(format!("{name}: {why}")),
            }
        }
        refused
    }

    fn take_tables(&mut self, tables: &[Resource]) -> Option<String> {
        let mut refused = None;
        for Resource { name, body } in tables {
            match self.reader.read(Kind::Routes, body) {
                Ok(facts) if facts.split => {
                    self.split.entry(self.reader.name(name)).or_insert(true);
                }
                Ok(_) => drop(self.split.remove(name.as_str())),
                Err(why) => refused = Some(format!("{name}: {why}")),
            }
        }
        refused
    }

    /// A host is named `TABLE/HOST`; all of a table come in one response.
    fn take_hosts(&mut self, response: &Response) {
        let named = response.resources.iter().map(|host| &host.name).chain(&response.removed);
        for table in named.filter_map(|name| Some(name.rsplit_once('/')?.0)) {
            if let Some(awaited) = self.split.get_mut(table) {
                *awaited = false;
            }
        }
    }

    /// Asks for what clusters and listeners refer to by now.
    fn follow(&mut self, requests: &mut Vec<Request>) {
        let assignments = self.clusters.values().filter_map(|facts| facts.assignment.clone()).collect();
        self.want(Kind::Endpoints, assignments, requests);
        let referring = self.clusters.values().chain(self.listeners.values());
        let secrets = referring.flat_map(|facts| facts.secrets.iter().cloned()).collect();
        self.want(Kind::Secret, secrets, requests);
        let tables: BTreeSet<Arc<str>> =
            self.listeners.values().flat_map(|facts| facts.tables.iter().cloned()).collect();
        self.split.retain(|table, _| tables.contains(table));
        self.want(Kind::Routes, tables, requests);
    }

    /// Asks for the types whose turn it is.
    fn go_on(&mut self, requests: &mut Vec<Request>) {
        let held = |kind: Kind| &self.held[kind.index()];
        // Hosts are asked for once, for all tables.
        let hosts = !self.split.is_empty() && !held(Kind::VirtualHost).subscribed;
        // An Envoy asks for listeners when its clusters have their assignments.
        let ready = held(Kind::Cluster).answered && held(Kind::Endpoints).awaited.is_empty();
        let listeners = ready && !held(Kind::Listener).subscribed;
        if hosts {
            requests.push(self.subscribe(Kind::VirtualHost, &Subscription::default()));
        }
        if listeners {
            requests.push(self.subscribe(Kind::Listener, &Subscription::default()));
        }
    }

    fn want(&mut self, kind: Kind, wanted: BTreeSet<Arc<str>>, requests: &mut Vec<Request>) {
        let held = &mut self.held[kind.index()];
        if held.names == wanted {
            return;
        }
        let subscription = Subscription {
            added: wanted.difference(&held.names).cloned().collect(),
            dropped: held.names.difference(&wanted).cloned().collect(),
        };
        for name in &subscription.dropped {
            held.awaited.remove(name);
        }
        held.awaited.extend(subscription.added.iter().cloned());
        held.names = wanted;
        requests.push(self.subscribe(kind, &subscription));
    }

    fn subscribe(&mut self, kind: Kind, subscription: &Subscription) -> Request {
        self.held[kind.index()].subscribed = true;
        let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect();
        match self.protocol {
            Protocol::Delta => Request::Delta(Box::new(DeltaDiscoveryRequest {
                node: self.node.take(),
                type_url: kind.type_url().to_owned(),
                resource_names_subscribe: names(&subscription.added),
                resource_names_unsubscribe: names(&subscription.dropped),
                ..DeltaDiscoveryRequest::default()
            })),
            Protocol::Sotw => self.world(kind, None),
        }
    }

    fn answer(&mut self, kind: Kind, refused: Option<String>) -> Request {
        let error = refused.map(|message| Status { code: INVALID_ARGUMENT, message, ..Status::default() });
        match self.protocol {
            Protocol::Delta => Request::Delta(Box::new(DeltaDiscoveryRequest {
                type_url: kind.type_url().to_owned(),
                response_nonce: self.held[kind.index()].nonce.clone(),
                error_detail: error,
                ..DeltaDiscoveryRequest::default()
            })),
            Protocol::Sotw => self.world(kind, error),
        }
    }

    /// The only form of request in the state of the world: all names, and what was last taken.
    fn world(&mut self, kind: Kind, error_detail: Option<Status>) -> Request {
        let held = &self.held[kind.index()];
        Request::Sotw(Box::new(DiscoveryRequest {
            node: self.node.take(),
            type_url: kind.type_url().to_owned(),
            resource_names: held.names.iter().map(ToString::to_string).collect(),
            version_info: held.version.clone(),
            response_nonce: held.nonce.clone(),
            error_detail,
            ..DiscoveryRequest::default()
        }))
    }

    /// A type nobody asked for is acknowledged and not looked at.
    fn answer_to_stranger(&mut self, response: &Response) -> Request {
        let Response { type_url, nonce, version, resources: _, removed: _ } = response;
        match self.protocol {
            Protocol::Delta => Request::Delta(Box::new(DeltaDiscoveryRequest {
                type_url: type_url.clone(),
                response_nonce: nonce.clone(),
                ..DeltaDiscoveryRequest::default()
            })),
            Protocol::Sotw => Request::Sotw(Box::new(DiscoveryRequest {
                type_url: type_url.clone(),
                version_info: version.clone(),
                response_nonce: nonce.clone(),
                ..DiscoveryRequest::default()
            })),
        }
    }
}

#[cfg(test)]
mod tests;
