//! Requests and responses of both dialects.
//!
//! Responses are read by messages of our own that leave bodies where they are: a share of the bytes that came, not a copy.

use bytes::Bytes;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, DiscoveryRequest};
use prost::Message;

use crate::kind::Kind;

/// A dialect of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Only what changed.
    Delta,
    /// The state of the world: all names in each request, all clusters and listeners in each response about them.
    Sotw,
}

impl Protocol {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Delta => "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            Self::Sotw => "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
        }
    }
}

/// What a proxy sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// In the delta dialect.
    Delta(Box<DeltaDiscoveryRequest>),
    /// In the state of the world.
    Sotw(Box<DiscoveryRequest>),
}

impl Request {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Delta(request) => envoy::encode(&**request),
            Self::Sotw(request) => envoy::encode(&**request),
        }
    }
}

/// What a proxy is sent, in either dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// What it is about, by its name on the wire.
    pub type_url: String,
    /// What acknowledges it.
    pub nonce: String,
    /// The version of all, in the state of the world.
    pub version: String,
    /// What is new or changed.
    pub resources: Vec<Resource>,
    /// What is gone.
    pub removed: Vec<String>,
}

/// One resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Its message.
    pub body: Bytes,
}

/// A response is no message of discovery.
#[derive(Debug, thiserror::Error)]
#[error("the response cannot be read: {0}")]
pub struct Unreadable(#[from] prost::DecodeError);

impl Response {
    /// Reads the bytes of a response.
    pub fn decode(protocol: Protocol, bytes: Bytes) -> Result<Self, Unreadable> {
        match protocol {
            Protocol::Delta => {
                let wire::Delta { resources, type_url, nonce, removed } = wire::Delta::decode(bytes)?;
                let resources = resources
                    .into_iter()
                    .map(|wire::Resource { name, resource }| Resource {
                        name,
                        body: resource.unwrap_or_default().value,
                    })
                    .collect();
                Ok(Self { type_url, nonce, version: String::new(), resources, removed })
            }
            Protocol::Sotw => {
                let wire::Sotw { version, resources, type_url, nonce } = wire::Sotw::decode(bytes)?;
                let resources = resources
                    .into_iter()
                    .map(|wire::Any { value }| {
                        let wire::Named { name } = wire::Named::decode(value.clone())?;
                        Ok(Resource { name, body: value })
                    })
                    .collect::<Result<_, prost::DecodeError>>()?;
                Ok(Self { type_url, nonce, version, resources, removed: Vec::new() })
            }
        }
    }

    /// The type it is about; none for one that nobody asked for.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.type_url)
    }
}

/// The shapes on the wire, as far as they are read.
mod wire {
    use bytes::Bytes;

    /// `envoy.service.discovery.v3.DeltaDiscoveryResponse`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Delta {
        #[prost(message, repeated, tag = "2")]
        pub(super) resources: Vec<Resource>,
        #[prost(string, tag = "4")]
        pub(super) type_url: String,
        #[prost(string, tag = "5")]
        pub(super) nonce: String,
        #[prost(string, repeated, tag = "6")]
        pub(super) removed: Vec<String>,
    }

    /// `envoy.service.discovery.v3.Resource`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Resource {
        #[prost(message, optional, tag = "2")]
        pub(super) resource: Option<Any>,
        #[prost(string, tag = "3")]
        pub(super) name: String,
    }

    /// `envoy.service.discovery.v3.DiscoveryResponse`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sotw {
        #[prost(string, tag = "1")]
        pub(super) version: String,
        #[prost(message, repeated, tag = "2")]
        pub(super) resources: Vec<Any>,
        #[prost(string, tag = "4")]
        pub(super) type_url: String,
        #[prost(string, tag = "5")]
        pub(super) nonce: String,
    }

    /// `google.protobuf.Any`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(bytes = "bytes", tag = "2")]
        pub(super) value: Bytes,
    }

    /// All resources that are asked for have their name in the first field.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Named {
        #[prost(string, tag = "1")]
        pub(super) name: String,
    }
}

#[cfg(test)]
mod tests {
    use pilothouse_envoy_api::discovery;
    use pilothouse_envoy_api::endpoint::ClusterLoadAssignment;

    use super::*;

    #[test]
    fn both_dialects_are_read_alike() {
        let assignment = ClusterLoadAssignment { cluster_name: "web".into(), ..Default::default() };
        let any = envoy::pack(&assignment);
        let body = Bytes::from(any.value.clone());
        let type_url = Kind::Endpoints.type_url().to_owned();
        let delta = discovery::DeltaDiscoveryResponse {
            type_url: type_url.clone(),
            nonce: "n".into(),
            resources: vec![discovery::Resource {
                name: "web".into(),
                version: "1".into(),
                resource: Some(any.clone()),
                ..Default::default()
            }],
            removed_resources: vec!["old".into()],
            ..Default::default()
        };
        let resource = Resource { name: "web".into(), body };
        let read = Response::decode(Protocol::Delta, delta.encode_to_vec().into()).unwrap();
        assert_eq!(read.kind(), Some(Kind::Endpoints));
        assert_eq!((&read.resources, &read.removed), (&vec![resource.clone()], &vec!["old".to_owned()]));

        let sotw = discovery::DiscoveryResponse {
            type_url,
            nonce: "n".into(),
            version_info: "7".into(),
            resources: vec![any],
            ..Default::default()
        };
        let read = Response::decode(Protocol::Sotw, sotw.encode_to_vec().into()).unwrap();
        assert_eq!((read.version.as_str(), read.nonce.as_str(), read.resources), ("7", "n", vec![resource]));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(Response::decode(Protocol::Delta, Bytes::from_static(&[0xff])).is_err());
    }
}
