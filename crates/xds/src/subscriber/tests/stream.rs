//! A stream driven by hand: what was sent is told in one line per response.

use std::sync::Arc;

use super::mesh::{Mesh, options};
use crate::message::{DeltaRequest, Protocol, Request, Response, SotwRequest, StreamError};
use crate::options::Options;
use crate::resource::{Resource, ResourceType};
use crate::subscriber::Subscriber;

/// `cluster_request(…)` and so on would hide what matters here, so: a kind, then what deviates from nothing.
pub(super) fn delta(kind: ResourceType) -> DeltaRequest {
    DeltaRequest::new(kind)
}

impl DeltaRequest {
    pub(super) fn sub(mut self, names: &[&str]) -> Self {
        self.subscribe = names.iter().map(ToString::to_string).collect();
        self
    }

    pub(super) fn unsub(mut self, names: &[&str]) -> Self {
        self.unsubscribe = names.iter().map(ToString::to_string).collect();
        self
    }

    pub(super) fn has<'a>(mut self, resources: impl IntoIterator<Item = &'a Arc<Resource>>) -> Self {
        let reported = resources.into_iter().map(|r| (r.name.to_string(), r.version.to_string()));
        self.initial_versions.extend(reported);
        self
    }
}

/// A subscriber and the mesh that it is told about.
pub(super) struct Stream {
    pub(super) mesh: Mesh,
    pub(super) server: Subscriber,
    pub(super) revision: u64,
    last: Vec<Response>,
}

impl Stream {
    pub(super) fn new(protocol: Protocol, mesh: Mesh) -> Self {
        Self::with(protocol, mesh, options())
    }

    pub(super) fn with(protocol: Protocol, mesh: Mesh, options: Options) -> Self {
        let server = Subscriber::new(protocol, options, mesh.snapshot(1));
        Self { mesh, server, revision: 1, last: Vec::new() }
    }

    fn sent(&mut self, responses: Vec<Response>) -> Vec<String> {
        let told = responses.iter().map(tell).collect();
        self.last.extend(responses);
        told
    }

    pub(super) fn try_ask(&mut self, request: impl Into<Request>) -> Result<Vec<String>, StreamError> {
        let responses = self.server.on_request(request.into())?;
        Ok(self.sent(responses))
    }

    pub(super) fn ask(&mut self, request: impl Into<Request>) -> Vec<String> {
        self.try_ask(request).unwrap()
    }

    /// Changes the mesh and pushes.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Mesh) -> T) -> Vec<String> {
        change(&mut self.mesh);
        self.revision += 1;
        let responses = self.server.on_snapshot(self.mesh.snapshot(self.revision));
        self.sent(responses)
    }

    pub(super) fn secret(&mut self, name: &str, body: &str) -> Vec<String> {
        let resource = Resource::new(name, body.as_bytes().to_vec(), []);
        let responses = self.server.secret(Arc::new(resource));
        self.sent(responses)
    }

    pub(super) fn release(&mut self) -> Vec<String> {
        let responses = self.server.release();
        self.sent(responses)
    }

    /// The nonce of the last response of a type.
    pub(super) fn nonce(&self, kind: ResourceType) -> String {
        let last = self.last.iter().rev().find(|response| response.kind == kind);
        last.expect("there was a response").nonce.clone()
    }

    /// The body of a resource in the last response of its type.
    pub(super) fn body(&self, kind: ResourceType, name: &str) -> &str {
        let last = self.last.iter().rev().find(|response| response.kind == kind);
        let found =
            last.and_then(|response| response.resources.iter().find(|resource| *resource.name == *name));
        std::str::from_utf8(&found.expect("it was sent").body).unwrap()
    }

    /// Accepts the last response of a type, over delta.
    pub(super) fn ack(&mut self, kind: ResourceType) -> Vec<String> {
        let response_nonce = self.nonce(kind);
        self.ask(DeltaRequest { response_nonce, ..delta(kind) })
    }

    /// Refuses the last response of a type, over delta.
    pub(super) fn nack(&mut self, kind: ResourceType, words: &str) -> Vec<String> {
        let response_nonce = self.nonce(kind);
        self.ask(DeltaRequest { response_nonce, error: Some(words.to_owned()), ..delta(kind) })
    }

    /// Asks for names in the state of the world, answering the last response of the type if there was one.
    pub(super) fn world(&mut self, kind: ResourceType, names: &[&str]) -> Vec<String> {
        let last = self.last.iter().rev().find(|response| response.kind == kind);
        let response_nonce = last.map(|response| response.nonce.clone()).unwrap_or_default();
        let names = names.iter().map(ToString::to_string).collect();
        self.ask(SotwRequest { names, response_nonce, ..SotwRequest::new(kind) })
    }
}

impl From<DeltaRequest> for Request {
    fn from(request: DeltaRequest) -> Self {
        Self::Delta(request)
    }
}

impl From<SotwRequest> for Request {
    fn from(request: SotwRequest) -> Self {
        Self::Sotw(request)
    }
}

/// `CDS a b -c`: a and b are sent, c is removed.
fn tell(response: &Response) -> String {
    let mut words = vec![response.kind.short().to_owned()];
    words.extend(response.resources.iter().map(|resource| resource.name.to_string()));
    words.extend(response.removed.iter().map(|name| format!("-{name}")));
    words.join(" ")
}

/// A mesh of clusters with assignments, and one listener for one table.
pub(super) fn mesh(clusters: &[&str], hosts: &[&str]) -> Mesh {
    let mut mesh = Mesh::default();
    for name in clusters {
        mesh.clusters.insert((*name).to_owned(), (1, true));
        mesh.endpoints.insert((*name).to_owned(), 1);
    }
    mesh.listeners.insert("l".to_owned(), (1, vec!["t".to_owned()], Vec::new()));
    let hosts = hosts.iter().map(|host| ((*host).to_owned(), (1, "a".to_owned()))).collect();
    mesh.tables.insert("t".to_owned(), (1, hosts));
    mesh
}
