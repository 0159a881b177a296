//! Between gRPC messages and the plain values of the protocol.
//!
//! Responses are written by hand instead of through the generated structs: a resource is encoded once and shared by
//! all streams, and the structs would ask for a copy of it per stream. A private key, too, is copied nowhere but into
//! the buffer of the connection.

use std::sync::Arc;

use bytes::BufMut;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, DiscoveryRequest};
use pilothouse_envoy_api::{Message, core};
use pilothouse_xds::{DeltaRequest, Protocol, Request, Resource, ResourceType, Response, SotwRequest};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Who asks; in the first request of a stream, sometimes in all.
    pub(crate) node: Option<core::Node>,
    /// What is asked; the type URL if we do not serve that type.
    pub(crate) request: Result<Request, String>,
}

/// A response with the versions that secrets go by on the wire in place of their hashes.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) response: Response,
    pub(crate) versions: Vec<(Arc<str>, String)>,
}

impl Outgoing {
    fn version(&self, resource: &Resource) -> String {
        let own = self
            .versions
            .iter()
            .find(|(name, _)| self.response.kind == ResourceType::Secret && *name == resource.name);
        own.map_or_else(|| resource.version.to_string(), |(_, version)| version.clone())
    }
}

/// Reads requests and writes responses of one dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire(pub(crate) Protocol);

impl Codec for Wire {
    type Encode = Outgoing;
    type Decode = Incoming;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Decoder for Wire {
    type Item = Incoming;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Incoming>, Status> {
        let bad = |error| Status::invalid_argument(format!("the request cannot be decoded: {error}"));
        let incoming = match self.0 {
            Protocol::Delta => delta(DeltaDiscoveryRequest::decode(from).map_err(bad)?),
            Protocol::Sotw => sotw(DiscoveryRequest::decode(from).map_err(bad)?),
        };
        Ok(Some(incoming))
    }

    fn buffer_settings(&self) -> BufferSettings {
        // Requests are small, and there are as many streams as proxies.
        BufferSettings::new(1024, 32 * 1024)
    }
}

fn delta(message: DeltaDiscoveryRequest) -> Incoming {
    // Resource locators are the addressing of another generation of the protocol; Envoy does not send them.
    let DeltaDiscoveryRequest {
        node,
        type_url,
        resource_names_subscribe,
        resource_names_unsubscribe,
        resource_locators_subscribe: _,
        resource_locators_unsubscribe: _,
        initial_resource_versions,
        response_nonce,
        error_detail,
    } = message;
    let Some(kind) = ResourceType::from_type_url(&type_url) else {
        return Incoming { node, request: Err(type_url) };
    };
    let mut initial_versions: Vec<_> = initial_resource_versions.into_iter().collect();
    initial_versions.sort_unstable();
    let request = DeltaRequest {
        kind,
        subscribe: resource_names_subscribe,
        unsubscribe: resource_names_unsubscribe,
        initial_versions,
        response_nonce,
        error: error_detail.map(|error| error.message),
    };
    Incoming { node, request: Ok(Request::Delta(request)) }
}

fn sotw(message: DiscoveryRequest) -> Incoming {
    let DiscoveryRequest {
        version_info: _,
        node,
        resource_names,
        resource_locators: _,
        type_url,
        response_nonce,
        error_detail,
    } = message;
    let Some(kind) = ResourceType::from_type_url(&type_url) else {
        return Incoming { node, request: Err(type_url) };
    };
    let request = SotwRequest {
        kind,
        names: resource_names,
        response_nonce,
        error: error_detail.map(|error| error.message),
    };
    Incoming { node, request: Ok(Request::Sotw(request)) }
}

impl Encoder for Wire {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(encoded_length(self.0, &item));
        write(self.0, &item, out);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 32 * 1024)
    }
}

// The numbers of the fields; in `DeltaDiscoveryResponse` and `DiscoveryResponse` they are the same.
const RESPONSE_VERSION: u8 = 1;
const RESPONSE_RESOURCES: u8 = 2;
const RESPONSE_TYPE_URL: u8 = 4;
const RESPONSE_NONCE: u8 = 5;
const RESPONSE_REMOVED: u8 = 6;
const RESOURCE_VERSION: u8 = 1;
const RESOURCE_BODY: u8 = 2;
const RESOURCE_NAME: u8 = 3;
const ANY_TYPE_URL: u8 = 1;
const ANY_VALUE: u8 = 2;

/// An upper bound of the size, so that the buffer grows once and leaves no half-written copy of a key behind.
fn encoded_length(protocol: Protocol, item: &Outgoing) -> usize {
    /// Tag and length, at most.
    const FIELD: usize = 6;
    let Response { kind, nonce, resources, removed, version_info } = &item.response;
    let per_resource = |resource: &Arc<Resource>| {
        let version = match protocol {
            Protocol::Delta => resource.name.len() + 128,
            Protocol::Sotw => 0,
        };
        version + kind.type_url().len() + resource.body.len() + 5 * FIELD
    };
    resources.iter().map(per_resource).sum::<usize>()
        + removed.iter().map(|name| name.len() + FIELD).sum::<usize>()
        + version_info.len()
        + nonce.len()
        + kind.type_url().len()
        + 4 * FIELD
}

fn write(protocol: Protocol, item: &Outgoing, out: &mut impl BufMut) {
    let Response { kind, nonce, resources, removed, version_info } = &item.response;
    let type_url = kind.type_url();
    field(RESPONSE_VERSION, version_info.as_bytes(), out);
    for resource in resources {
        let any = field_length(type_url.len()) + field_length(resource.body.len());
        match protocol {
            Protocol::Delta => {
                let version = item.version(resource);
                let length =
                    field_length(version.len()) + field_length(any) + field_length(resource.name.len());
                header(RESPONSE_RESOURCES, length, out);
                field(RESOURCE_VERSION, version.as_bytes(), out);
                header(RESOURCE_BODY, any, out);
                field(ANY_TYPE_URL, type_url.as_bytes(), out);
                field(ANY_VALUE, &resource.body, out);
                field(RESOURCE_NAME, resource.name.as_bytes(), out);
            }
            Protocol::Sotw => {
                header(RESPONSE_RESOURCES, any, out);
                field(ANY_TYPE_URL, type_url.as_bytes(), out);
                field(ANY_VALUE, &resource.body, out);
            }
        }
    }
    field(RESPONSE_TYPE_URL, type_url.as_bytes(), out);
    field(RESPONSE_NONCE, nonce.as_bytes(), out);
    // The number means something else in the other dialect, which has no removals.
    let removed = if protocol == Protocol::Delta { &removed[..] } else { &[] };
    for name in removed {
        field(RESPONSE_REMOVED, name.as_bytes(), out);
    }
}

fn field(number: u8, content: &[u8], out: &mut impl BufMut) {
    header(number, content.len(), out);
    out.put_slice(content);
}

/// Tag of a field with a length, and the length.
fn header(number: u8, length: usize, out: &mut impl BufMut) {
    out.put_u8(number << 3 | 2);
    let mut length = length;
    while length >= 0x80 {
        out.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
}

/// Bytes of a field whose tag is one byte.
fn field_length(content: usize) -> usize {
    let bits = (usize::BITS - (content | 1).leading_zeros()) as usize;
    1 + bits.div_ceil(7) + content
}

#[cfg(test)]
mod tests;
