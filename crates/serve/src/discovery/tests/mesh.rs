//! A control plane on ports of its own, and a client that speaks the protocol.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_ca::Rate;
use pilothouse_diag::Diagnostic;
use pilothouse_envoy_api::core::{self, BuildVersion, node::UserAgentVersionType};
use pilothouse_envoy_api::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use pilothouse_envoy_api::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use pilothouse_envoy_api::types::SemanticVersion;
use pilothouse_runtime::{Group, RunError, Stop, Stopper};
use pilothouse_xds::ResourceType;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::fake::{World, touch};
use crate::identity::{AUDIENCE, TokenRequest, mint_token};
use crate::status::{ProxyStatus, Report};
use crate::{Addresses, Daemon, Inputs, Process, Settings};
use pilothouse_engine::Change;

/// Nothing in these tests takes longer unless it is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A running control plane.
pub(super) struct Mesh {
    pub(super) world: World,
    pub(super) changes: mpsc::Sender<Vec<Change>>,
    pub(super) findings: watch::Sender<Arc<[Diagnostic]>>,
    pub(super) addresses: Addresses,
    pub(super) process: Process,
    pub(super) stopper: Stopper,
    pub(super) state: TempDir,
    pub(super) ended: oneshot::Receiver<Result<(), RunError>>,
    pub(super) root: String,
    _group: Group,
}

impl Mesh {
    /// Starts with one pod, `cart-1.shop` of account `cart` and uid `u-1`.
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(super) async fn start_with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let mesh = Self::unfed(adjust).await;
        mesh.touch().await;
        mesh
    }

    /// As [`Mesh::start_with`], without a first batch.
    pub(super) async fn unfed(adjust: impl FnOnce(&mut Settings)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut settings = Settings::new(any, any, state.path().join("state"));
        settings.plaintext = Some(any);
        settings.limits.pod_wait = Duration::from_millis(300);
        settings.issue_limits.per_pod = Rate { burst: 100, every: Duration::from_secs(1) };
        adjust(&mut settings);
        let process = Process::new();
        let daemon = Daemon::bind(settings, process.clone()).await.unwrap();
        let addresses = daemon.addresses();
        let root = daemon.trust().borrow().roots().pem().to_owned();
        let world = World::default();
        world.pod("cart-1.shop", "u-1", "cart");
        let (changes, inbox) = mpsc::channel(16);
        let (findings, found) = watch::channel(Arc::from([]));
        let inputs = Inputs { changes: inbox, findings: found };
        let (stopper, stop) = Stop::pair();
        let (end, ended) = oneshot::channel();
        let group = Group::new("test");
        let compiler = world.clone();
        group.spawn("daemon", async move {
            let _ = end.send(daemon.run_with(compiler, inputs, stop).await);
        });
        Self { world, changes, findings, addresses, process, stopper, state, ended, root, _group: group }
    }

    pub(super) async fn touch(&self) {
        let before = self.world.batches().len();
        touch(&self.changes).await;
        while self.world.batches().len() == before {
            tokio::task::yield_now().await;
        }
    }

    /// Has the loop look at a pod again.
    pub(super) async fn touch_pod(&self, namespace: &str, name: &str) {
        let key = ObjectKey::new(Kind::Pod, namespace, name);
        self.changes.send(vec![Change::Remove { key }]).await.unwrap();
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// A token as `adjust` wants it; by default the right one.
    pub(super) fn token_with(&self, at: SystemTime, adjust: impl FnOnce(&mut TokenRequest<'_>)) -> String {
        let key = crate::identity::load_or_create_token_key(&self.state.path().join("state")).unwrap();
        let mut request = TokenRequest {
            audience: AUDIENCE,
            namespace: "shop",
            service_account: "cart",
            pod: "cart-1",
            pod_uid: "u-1",
            ttl: Duration::from_mins(10),
        };
        adjust(&mut request);
        mint_token(&key, request, at).unwrap().expose().to_owned()
    }

    pub(super) fn token(&self) -> String {
        self.token_with(self.process.clock.now(), |_| {})
    }

    pub(super) async fn channel(&self) -> Channel {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.root))
            .domain_name("istiod.istio-system.svc");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.addresses.discovery)).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await.unwrap()
    }

    pub(super) async fn tls(&self) -> AggregatedDiscoveryServiceClient<Channel> {
        AggregatedDiscoveryServiceClient::new(self.channel().await).max_decoding_message_size(64 << 20)
    }

    pub(super) async fn plain(&self) -> AggregatedDiscoveryServiceClient<Channel> {
        let address = self.addresses.plaintext.unwrap();
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        AggregatedDiscoveryServiceClient::new(channel)
    }

    /// A delta stream of the right pod with the right token.
    pub(super) async fn delta(&self) -> Delta {
        let mut client = self.tls().await;
        Delta::open(&mut client, Some(&self.token())).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.addresses.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    pub(super) async fn report(&self) -> Report {
        let (status, body) = self.get(crate::status::REPORT_PATH).await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the report is as wished.
    pub(super) async fn report_when(&self, wished: impl Fn(&Report) -> bool) -> Report {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let report = self.report().await;
            if wished(&report) {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "{report:#?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the only proxy stands as wished.
    pub(super) async fn status(&self, wished: impl Fn(&ProxyStatus) -> bool) -> ProxyStatus {
        let only = |report: &Report| matches!(&report.proxies[..], [proxy] if wished(proxy));
        self.report_when(only).await.proxies.remove(0)
    }
}

pub(super) const NODE: &str = "sidecar~127.0.0.1~cart-1.shop~shop.svc.cluster.local";

pub(super) fn node(id: &str, minor: u32) -> core::Node {
    let version = SemanticVersion { major_number: 1, minor_number: minor, patch: 0 };
    core::Node {
        id: id.to_owned(),
        user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(BuildVersion {
            version: Some(version),
            metadata: None,
        })),
        ..core::Node::default()
    }
}

/// A delta stream.
pub(super) struct Delta {
    pub(super) requests: mpsc::Sender<DeltaDiscoveryRequest>,
    pub(super) responses: Streaming<DeltaDiscoveryResponse>,
}

impl Delta {
    pub(super) async fn open(
        client: &mut AggregatedDiscoveryServiceClient<Channel>,
        token: Option<&str>,
    ) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(outgoing));
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let responses = client.delta_aggregated_resources(request).await?.into_inner();
        Ok(Self { requests, responses })
    }

    pub(super) async fn send(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).await.unwrap();
    }

    /// The first request, of the right node.
    pub(super) async fn hello(&self, kind: ResourceType, names: &[&str]) {
        self.hello_of(node(NODE, 40), kind, names).await;
    }

    pub(super) async fn hello_of(&self, node: core::Node, kind: ResourceType, names: &[&str]) {
        self.send(DeltaDiscoveryRequest { node: Some(node), ..subscribe(kind, names) }).await;
    }

    pub(super) async fn subscribe(&self, kind: ResourceType, names: &[&str]) {
        self.send(subscribe(kind, names)).await;
    }

    pub(super) async fn next(&mut self) -> Result<DeltaDiscoveryResponse, Status> {
        let next = tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("an answer in time");
        next.map(|response| response.expect("the stream goes on"))
    }

    /// The next response, accepted.
    pub(super) async fn accept(&mut self) -> DeltaDiscoveryResponse {
        let response = self.next().await.unwrap();
        self.send(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..DeltaDiscoveryRequest::default()
        })
        .await;
        response
    }

    /// How the stream ends.
    pub(super) async fn end(&mut self) -> Result<(), Status> {
        loop {
            match tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("an end in time") {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => return Err(status),
            }
        }
    }
}

pub(super) fn subscribe(kind: ResourceType, names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

pub(super) fn names(response: &DeltaDiscoveryResponse) -> Vec<&str> {
    response.resources.iter().map(|resource| resource.name.as_str()).collect()
}

/// Loopback, as seen by a pod that lives there.
pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
