//! A simulated Envoy, as far as the protocol goes.
//!
//! It applies responses in the order of the stream, asks for what its clusters, listeners and route tables refer
//! to, and accepts or refuses like the real one: what is good in a refused response of clusters or listeners is
//! in force but not reported after a break; hosts are taken per table or not at all; hosts of a table that is not
//! there are thrown away but reported ever after; a table that stops asking for its hosts leaves behind what ends the
//! process later; a changed cluster waits for its assignment, and meanwhile its
//! answers and requests about clusters are held back.
//!
//! It knows no message format; [`Bodies`] reads for it. Property tests of this crate and of the engine use it.

mod check;
mod receive;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::message::{DeltaRequest, Protocol, Request, SotwRequest};
use crate::resource::ResourceType;

/// Reads encoded resources.
pub trait Bodies {
    /// What a resource refers to. `name` is that of the resource.
    fn read(&self, kind: ResourceType, name: &str, body: &Bytes) -> Facts;
}

/// What the simulated Envoy needs to know of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of a cluster: whether it waits for an assignment of its name.
    pub wants_assignment: bool,
    /// Of a listener: the route tables it names.
    pub tables: BTreeSet<String>,
    /// The clusters it sends traffic to.
    pub clusters: BTreeSet<String>,
    /// The secrets it names.
    pub secrets: BTreeSet<String>,
    /// Of a route configuration: whether its hosts come by themselves.
    pub split: bool,
    /// Whether Envoy refuses it, and with which words.
    pub refused: Option<String>,
}

/// What a client keeps per type.
#[derive(Clone, Debug, Default)]
struct Held {
    subscribed: bool,
    names: BTreeSet<String>,
    /// What is in force.
    bodies: BTreeMap<String, Bytes>,
    /// What it will report after a break.
    claims: BTreeMap<String, String>,
    nonce: String,
}

/// A simulated Envoy.
#[derive(Debug)]
pub struct Client<B> {
    protocol: Protocol,
    bodies: B,
    held: BTreeMap<ResourceType, Held>,
    /// Types in the order in which they were first subscribed, which is the order after a break.
    order: Vec<ResourceType>,
    /// Hosts in force of tables delivered split.
    hosts: BTreeMap<String, BTreeMap<String, Bytes>>,
    /// Split tables that no answer has named yet.
    waiting: BTreeSet<String>,
    /// Clusters that wait for their assignment.
    warming: BTreeSet<String>,
    /// Tables of listeners that are gone but still drain.
    draining: BTreeSet<String>,
    /// The first thing it was sent that sooner or later ends a real one.
    deadly: Option<String>,
    outbox: VecDeque<Request>,
    /// Requests about clusters that wait until no cluster is warming.
    paused: VecDeque<Request>,
}

impl<B: Bodies> Client<B> {
    /// A client that has not connected yet.
    pub fn new(protocol: Protocol, bodies: B) -> Self {
        Self {
            protocol,
            bodies,
            held: BTreeMap::new(),
            order: Vec::new(),
            hosts: BTreeMap::new(),
            waiting: BTreeSet::new(),
            warming: BTreeSet::new(),
            draining: BTreeSet::new(),
            deadly: None,
            outbox: VecDeque::new(),
            paused: VecDeque::new(),
        }
    }

    /// Begins a stream: the first, or another after the last one broke. What was on its way is lost.
    pub fn connect(&mut self) {
        self.outbox.clear();
        self.paused.clear();
        if self.order.is_empty() {
            self.order.push(ResourceType::Cluster);
        }
        for kind in self.order.clone() {
            let held = self.held.entry(kind).or_default();
            held.nonce.clear();
            held.subscribed = true;
            match self.protocol {
                Protocol::Sotw => self.request_world(kind),
                Protocol::Delta => {
                    let names = held.names.iter().cloned().collect();
                    let claims = held.claims.clone().into_iter().collect();
                    self.post(Request::Delta(DeltaRequest {
                        subscribe: names,
                        initial_versions: claims,
                        ..DeltaRequest::new(kind)
                    }));
                }
            }
        }
    }

    /// The next request that leaves the client.
    pub fn next_request(&mut self) -> Option<Request> {
        self.outbox.pop_front()
    }

    /// Whether a request waits to be sent.
    pub fn has_requests(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Listeners that are gone have drained: their tables are not needed any more.
    pub fn drain(&mut self) {
        for table in std::mem::take(&mut self.draining) {
            self.unsubscribe(ResourceType::Route, &table);
            self.hosts.remove(&table);
            self.waiting.remove(&table);
        }
    }

    /// Names subscribed of a type.
    pub fn names(&self, kind: ResourceType) -> BTreeSet<String> {
        self.held.get(&kind).map(|held| held.names.clone()).unwrap_or_default()
    }

    /// The body in force of a resource. Hosts are asked for by the name of their resource.
    pub fn body(&self, kind: ResourceType, name: &str) -> Option<&Bytes> {
        if kind == ResourceType::VirtualHost {
            let (table, _) = name.rsplit_once('/')?;
            return self.hosts.get(table)?.get(name);
        }
        self.held.get(&kind)?.bodies.get(name)
    }

    fn held(&mut self, kind: ResourceType) -> &mut Held {
        self.held.entry(kind).or_default()
    }

    fn post(&mut self, request: Request) {
        let kind = match &request {
            Request::Delta(request) => request.kind,
            Request::Sotw(request) => request.kind,
        };
        if kind == ResourceType::Cluster && !self.warming.is_empty() {
            self.paused.push_back(request);
        } else {
            self.outbox.push_back(request);
        }
    }

    /// Sends what was held back, once no cluster is warming.
    fn resume(&mut self) {
        if self.warming.is_empty() {
            self.outbox.append(&mut self.paused);
        }
    }

    /// All names of a type with the last nonce: the only form of request in the state of the world.
    fn request_world(&mut self, kind: ResourceType) {
        let held = self.held(kind);
        let names = held.names.iter().cloned().collect();
        let response_nonce = held.nonce.clone();
        self.post(Request::Sotw(SotwRequest { names, response_nonce, ..SotwRequest::new(kind) }));
    }

    fn start(&mut self, kind: ResourceType) {
        if !self.held(kind).subscribed {
            self.held(kind).subscribed = true;
            self.order.push(kind);
            match self.protocol {
                Protocol::Delta => self.post(Request::Delta(DeltaRequest::new(kind))),
                Protocol::Sotw => self.request_world(kind),
            }
        }
    }

    fn subscribe(&mut self, kind: ResourceType, name: &str) {
        let held = self.held(kind);
        let first = !std::mem::replace(&mut held.subscribed, true);
        let new = held.names.insert(name.to_owned());
        if first {
            self.order.push(kind);
        }
        match self.protocol {
            Protocol::Delta if new => {
                let subscribe = vec![name.to_owned()];
                self.post(Request::Delta(DeltaRequest { subscribe, ..DeltaRequest::new(kind) }));
            }
            // Over delta, a name that is subscribed already is not asked for again.
            Protocol::Delta => {}
            Protocol::Sotw => self.request_world(kind),
        }
    }

    fn unsubscribe(&mut self, kind: ResourceType, name: &str) {
        let held = self.held(kind);
        held.bodies.remove(name);
        held.claims.remove(name);
        if !held.names.remove(name) {
            return;
        }
        match self.protocol {
            Protocol::Delta => {
                let unsubscribe = vec![name.to_owned()];
                self.post(Request::Delta(DeltaRequest { unsubscribe, ..DeltaRequest::new(kind) }));
            }
            Protocol::Sotw => self.request_world(kind),
        }
    }
}
