//! Certificates for workloads whose own agent makes the key: `istio.v1.auth.IstioCertificateService`.
//!
//! The caller proves who it is as a proxy does, by a token bound to its pod. The certificate names that identity,
//! whatever the request says.

use std::sync::Arc;
use std::time::Duration;

use pilothouse_base::{Identity, Name, Namespace};
use pilothouse_ca::RequestError;
use prost_types::value::Kind;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tracing::info;

use super::{Discovery, Proof, admit, session};
use crate::certificates::NoCertificate;
use crate::discovery::admit::Refusal;
use crate::listen::Peer;
use crate::status::seconds;

/// The path of the only method.
pub(super) const CREATE: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/// Bytes of a request; a certificate request has one or two thousand.
const MOST_BYTES: usize = 64 << 10;

/// `IstioCertificateRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CertificateRequest {
    /// PKCS #10 as PEM.
    #[prost(string, tag = "1")]
    pub(crate) csr: String,
    /// Seconds; zero for the default.
    #[prost(int64, tag = "3")]
    pub(crate) validity_duration: i64,
    #[prost(message, optional, tag = "4")]
    pub(crate) metadata: Option<prost_types::Struct>,
}

/// `IstioCertificateResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CertificateResponse {
    /// The leaf, then the intermediates, then all roots in one text.
    #[prost(string, repeated, tag = "1")]
    pub(crate) cert_chain: Vec<String>,
}

/// One call.
#[derive(Clone)]
pub(super) struct Creating {
    pub(super) shared: Arc<Discovery>,
    pub(super) proof: Proof,
}

impl Creating {
    pub(super) async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let codec = ProstCodec::<CertificateResponse, CertificateRequest>::default();
        Grpc::new(codec).max_decoding_message_size(MOST_BYTES).unary(self, request).await
    }

    async fn create(&self, request: Request<CertificateRequest>) -> Result<CertificateResponse, Status> {
        let shared = &self.shared;
        let peer =
            request.extensions().get::<Peer>().expect("the listener gives every connection a peer").clone();
        let _used = peer.in_use();
        let admitted = self.admit(&request, &peer).await;
        let (identity, uid) = admitted.map_err(|refusal| {
            shared.refused(&refusal, None, &peer);
            refusal.status()
        })?;
        let CertificateRequest { csr, validity_duration, metadata } = request.into_inner();
        if let Some(name) = metadata.as_ref().and_then(impersonated) {
            return Err(Status::permission_denied(format!("no certificate for {name:.253}: only one's own")));
        }
        let ttl = u64::try_from(validity_duration).ok().map(Duration::from_secs);
        let (certified, roots) =
            shared.certificates.certify(&csr, &identity, &uid, ttl).map_err(|error| refused(&error))?;
        info!(
            target: "pilothouse::audit",
            %identity,
            pod_uid = uid,
            serial = certified.serial,
            fingerprint = certified.fingerprint,
            not_after = seconds(certified.not_after),
            peer = %peer.address,
            "certified a key"
        );
        let cert_chain = certified.chain.into_iter().chain([roots]).collect();
        Ok(CertificateResponse { cert_chain })
    }

    /// Who asks, and the uid of its pod.
    async fn admit(
        &self,
        request: &Request<CertificateRequest>,
        peer: &Peer,
    ) -> Result<(Identity, String), Refusal> {
        let shared = &self.shared;
        if self.proof == Proof::Loopback {
            return Err(Refusal::NoToken);
        }
        let token = shared.authenticate(request.metadata()).await?;
        let (namespace, pod) = (Namespace::from(token.namespace.as_str()), Name::from(token.pod.as_str()));
        let facts = session::find(shared, &namespace, &pod, true).await?.ok_or(Refusal::UnknownPod)?;
        admit::bind(&token, &facts, shared.clock.now())?;
        session::look_at_peer(shared, &facts, &format!("{pod}.{namespace}"), peer)?;
        let trust_domain = shared.compile.trust_domain().borrow().clone();
        let identity = Identity::new(trust_domain, namespace, Name::from(token.service_account.as_str()));
        Ok((identity, token.pod_uid))
    }
}

impl UnaryService<CertificateRequest> for Creating {
    type Response = CertificateResponse;
    type Future = BoxFuture<Response<CertificateResponse>, Status>;

    fn call(&mut self, request: Request<CertificateRequest>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.create(request).await.map(Response::new) })
    }
}

/// Whose name the caller wants instead of its own.
fn impersonated(metadata: &prost_types::Struct) -> Option<&str> {
    match metadata.fields.get("ImpersonatedIdentity")?.kind.as_ref()? {
        Kind::StringValue(name) => Some(name.as_str()).filter(|name| !name.is_empty()),
        _ => Some("another"),
    }
}

fn refused(error: &NoCertificate) -> Status {
    match error {
        NoCertificate::Wait(_) => {
            Status::resource_exhausted("too many certificates for this pod; come back later")
        }
        NoCertificate::Failed(RequestError::Issue(pilothouse_ca::IssueError::LifetimeTooLong { .. })) => {
            Status::invalid_argument(error.to_string())
        }
        NoCertificate::Failed(RequestError::Issue(_)) => Status::internal(error.to_string()),
        NoCertificate::Failed(_) => Status::invalid_argument(error.to_string()),
    }
}
