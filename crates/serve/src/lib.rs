//! Sockets: discovery, certificates, debug; and the loop that feeds the engine.
//!
//! What it is: [`run`] takes the changes of the sources, has the engine compile them, and serves what comes out to
//! proxies that have proved who they are: discovery over TLS, and on loopback in plain text if asked for. It issues
//! and renews the certificates of workloads on the same streams. [`identity`] keeps the keys of the mesh on disk.
//!
//! What it is not: the protocol ([`pilothouse_xds`]), the configuration ([`pilothouse_engine`]) and the rules of
//! certificates and tokens ([`pilothouse_ca`]) are decided elsewhere, without sockets. Here things only wait.
//!
//! The parts: `compile.rs` owns the engine; `listen.rs` and `tls.rs` turn sockets into connections; below `discovery`,
//! `admit.rs` decides who may have a stream and `stream.rs` serves it; `certificates.rs` issues leaves; `status.rs` is
//! what `pilothouse proxy-status` reads.
//!
//! Where to start: `discovery/stream.rs`.

use std::net::SocketAddr;
use std::sync::Arc;

use pilothouse_ca::{Authority, Rollover, RolloverSettings, Trust};
use pilothouse_diag::Diagnostic;
use pilothouse_runtime::admin::Admin;
use pilothouse_runtime::{Clock, Group, Metrics, Readiness, RunError, Stop, Tasks};
use pilothouse_xds::Options;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tracing::{info, warn};

mod admin;
mod authenticate;
mod certificates;
mod compile;
mod discovery;
mod dump;
#[cfg(test)]
mod fake;
pub mod identity;
mod listen;
mod metrics;
mod rollover;
mod settings;
pub mod status;
mod tls;
mod webhook;

pub use authenticate::{ClusterTokens, ReviewCall, TokenSource};
pub use compile::Pacing;
pub use settings::{ADMIN_PORT, DISCOVERY_PORT, Limits, PeerAddress, Settings};
pub use tls::ServingError;
pub use webhook::{WEBHOOK_PORT, Webhooks, validate_review};

use authenticate::Authenticator;
use certificates::Certificates;
use compile::Compiler;
use discovery::{Ads, Discovery, Proof, Streams};
use listen::Doorway;
use metrics::{CompileMetrics, DiscoveryMetrics};
use pilothouse_engine::{Change, Engine};
use rollover::Following;
use tls::Serving;

/// What the process has one of.
#[derive(Clone, Debug)]
pub struct Process {
    /// The clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// When it is ready.
    pub readiness: Readiness,
}

impl Process {
    /// The machine's clock, nothing counted, ready.
    pub fn new() -> Self {
        Self { clock: Clock::system(), metrics: Metrics::new(), readiness: Readiness::new() }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// Serving did not start. What the operating system said tells whether waiting helps; the rest needs other settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys of the mesh.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// The serving certificate.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// The admin port.
    #[error(transparent)]
    Admin(#[from] pilothouse_runtime::admin::AdminError),
    /// A port could not be opened.
    #[error("cannot listen on {address} for {what}")]
    Listen {
        /// What for.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Discovery in plain text would be open to others.
    #[error(
        "discovery in plain text believes whoever connects and listens on loopback only; {0} is not loopback"
    )]
    NotLoopback(SocketAddr),
}

/// Serving ended although nothing asked it to.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("a connection or stream panicked: a bug of ours")]
    Panicked,
    #[error("the server stopped working")]
    Server(#[from] tonic::transport::Error),
}

/// What certifies workloads, and what they prove themselves with.
#[derive(Debug)]
pub struct Keys {
    /// The CA at start.
    pub authority: Authority,
    /// The CA from then on, whenever it changes.
    pub offers: mpsc::Receiver<Authority>,
    /// Who mints tokens.
    pub tokens: TokenSource,
}

/// Everything is loaded and bound, and nothing is served yet.
#[derive(Debug)]
pub struct Daemon {
    settings: Settings,
    process: Process,
    rollover: Rollover,
    offered: mpsc::Receiver<Authority>,
    /// Where changes of the folder of the CA go, if it is one that is followed.
    folder: Option<mpsc::Sender<Authority>>,
    tokens: TokenSource,
    trusted: watch::Sender<Arc<Trust>>,
    discovery: TcpListener,
    plaintext: Option<TcpListener>,
    webhooks: Option<TcpListener>,
    admin: Admin,
    addresses: Addresses,
}

/// Where a [`Daemon`] listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Discovery over TLS.
    pub discovery: SocketAddr,
    /// Discovery in plain text.
    pub plaintext: Option<SocketAddr>,
    /// The admin pages.
    pub admin: SocketAddr,
    /// The webhooks.
    pub webhooks: Option<SocketAddr>,
}

/// Serving failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It ended before it was asked to.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What the sources say.
#[derive(Debug)]
pub struct Inputs {
    /// Changes of objects. The first batch is the state at start: before it, proxies wait; an empty one if there is
    /// nothing.
    pub changes: mpsc::Receiver<Vec<Change>>,
    /// What there is to say about objects by themselves, whole each time. What there is to say about their references
    /// to others is found here.
    pub findings: watch::Receiver<Arc<[Diagnostic]>>,
}

/// Loads or makes the keys of the mesh, opens the ports, and serves what the engine makes of the inputs until stop is
/// said.
pub async fn run(settings: Settings, process: Process, inputs: Inputs, stop: Stop) -> Result<(), ServeError> {
    let daemon = Daemon::bind(settings, process).await?;
    Ok(daemon.run(inputs, stop).await?)
}

impl Daemon {
    /// Loads the keys from the folders of the settings, or makes them, and opens the ports.
    pub async fn bind(settings: Settings, process: Process) -> Result<Self, StartError> {
        let folders = identity::Folders { state: settings.state.clone(), cacerts: settings.cacerts.clone() };
        let now = process.clock.now();
        let identity::Identity { authority, tokens } =
            identity::load_or_create(&folders, &settings.trust_domain, now)?;
        let (folder, offers) = mpsc::channel(1);
        let keys = Keys { authority, offers, tokens: TokenSource::Own(tokens.public()) };
        let mut daemon = Self::bind_with(settings, process, keys).await?;
        daemon.folder = Some(folder);
        Ok(daemon)
    }

    /// Opens the ports. No key is read from a folder, and none is made.
    pub async fn bind_with(settings: Settings, process: Process, keys: Keys) -> Result<Self, StartError> {
        if let Some(address) = settings.plaintext.filter(|address| !address.ip().is_loopback()) {
            return Err(StartError::NotLoopback(address));
        }
        let Keys { authority, offers, tokens } = keys;
        let rollover = Rollover::new(
            authority,
            RolloverSettings {
                hold: settings.root_hold,
                patience: settings.root_hold.max(rollover::PATIENCE),
                keep: settings.leaves.default,
            },
        );
        let trusted = watch::Sender::new(Arc::new(rollover.trust()));
        let (discovery, discovery_address) = listen("discovery", settings.discovery).await?;
        let (plaintext, plaintext_address) = match settings.plaintext {
            Some(address) => {
                let (listener, address) = listen("discovery in plain text", address).await?;
                (Some(listener), Some(address))
            }
            None => (None, None),
        };
        let (webhooks, webhooks_address) = match &settings.webhooks {
            Some(webhooks) => {
                let (listener, address) = listen("webhooks", webhooks.listen).await?;
                (Some(listener), Some(address))
            }
            None => (None, None),
        };
        let admin = Admin::bind(settings.admin).await?;
        let addresses = Addresses {
            discovery: discovery_address,
            plaintext: plaintext_address,
            admin: admin.address(),
            webhooks: webhooks_address,
        };
        Ok(Self {
            settings,
            process,
            rollover,
            offered: offers,
            folder: None,
            tokens,
            trusted,
            discovery,
            plaintext,
            webhooks,
            admin,
            addresses,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What signs and what is trusted, now and from now on.
    pub fn trust(&self) -> watch::Receiver<Arc<Trust>> {
        self.trusted.subscribe()
    }

    /// Serves until stop is said; see [`run`].
    pub async fn run(self, inputs: Inputs, stop: Stop) -> Result<(), RunError> {
        self.run_with(Engine::new(), inputs, stop).await
    }

    async fn run_with<C: Compiler>(self, compiler: C, inputs: Inputs, stop: Stop) -> Result<(), RunError> {
        let trust = self.trust();
        let Self {
            settings,
            process,
            rollover,
            offered,
            folder,
            tokens,
            trusted,
            discovery,
            plaintext,
            webhooks,
            admin,
            addresses,
        } = self;
        let Process { clock, metrics, readiness } = process;
        let Inputs { changes, findings } = inputs;
        let Settings { limits, .. } = settings;
        info!(
            discovery = %addresses.discovery,
            plaintext = addresses.plaintext.map(tracing::field::display),
            webhooks = addresses.webhooks.map(tracing::field::display),
            admin = %addresses.admin,
            root = trust.borrow().roots().fingerprint(),
            "listening"
        );
        let (compile, inbox) = compile::channel();
        let discovery_metrics = DiscoveryMetrics::new(&metrics);
        let mut tasks = Tasks::new(&stop).with_grace(limits.drain * 2);
        let group = Group::new("discovery");
        let shared = Arc::new(Discovery {
            streams: Streams::new(limits.streams, limits.streams_per_workload, discovery_metrics.clone()),
            certificates: Certificates::new(
                trust.clone(),
                settings.issue_limits,
                settings.leaves,
                clock.clone(),
                discovery_metrics.clone(),
            ),
            compile: compile.clone(),
            findings,
            authenticator: Authenticator::new(tokens, settings.audiences),
            clock: clock.clone(),
            limits,
            peer_address: settings.peer_address,
            options: Options {
                bounds: limits.names,
                routes: settings.routes,
                defaults: pilothouse_engine::defaults(),
            },
            metrics: discovery_metrics.clone(),
            said: discovery::Said::default(),
            group: group.clone(),
            stop: tasks.stop(),
        });

        let doorway = Doorway::new(limits, discovery_metrics, group.clone());
        let serving = Serving::new(settings.server_names, settings.server_addresses, trust, clock.clone());
        let serving = match serving {
            Ok(serving) => Arc::new(serving),
            Err(error) => return Err(failed("certificate", error)),
        };
        let acceptor = match serving.config() {
            Ok(config) => TlsAcceptor::from(Arc::new(config)),
            Err(error) => return Err(failed("certificate", error)),
        };
        let compiled = CompileMetrics::new(&metrics);
        tasks.spawn(
            "compile",
            compile::run(compiler, settings.pacing, changes, inbox, compiled, tasks.stop()),
        );
        if let (Some(listener), Some(settings)) = (webhooks, settings.webhooks) {
            let acceptor = match serving.http1() {
                Ok(config) => TlsAcceptor::from(Arc::new(config)),
                Err(error) => return Err(failed("webhooks", error)),
            };
            tasks.spawn(
                "webhooks",
                webhook::serve(listener, acceptor, settings, &metrics, readiness.clone(), tasks.stop()),
            );
        }
        tasks.spawn("certificate", serving.renew(tasks.stop()));
        let streams = shared.streams.clone();
        let following = Following { rollover, offered, trusted, streams, start: clock.monotonic() };
        tasks.spawn("trust", following.run(tasks.stop()));
        if let (Some(folder), Some(offers)) = (settings.cacerts, folder) {
            tasks.spawn("cacerts", rollover::watch_folder(folder, offers, tasks.stop()));
        }

        let (accepting, incoming) = doorway.tls(discovery, acceptor, tasks.stop());
        let ads = Ads::new(shared.clone(), Proof::Token);
        tasks.spawn("discovery", serve(limits, accepting, incoming, ads, group.clone(), tasks.stop()));
        if let Some(plaintext) = plaintext {
            let (accepting, incoming) = doorway.plain(plaintext, tasks.stop());
            let ads = Ads::new(shared.clone(), Proof::Loopback);
            tasks.spawn("plaintext", serve(limits, accepting, incoming, ads, group, tasks.stop()));
        }

        let routes = pilothouse_runtime::admin::routes(readiness.clone(), metrics);
        let routes = routes.merge(admin::routes(shared, readiness.clone()));
        tasks.spawn("admin", admin.serve(routes, tasks.stop()));
        tasks.spawn("readiness", ready(readiness, compile, tasks.stop()));
        tasks.run().await
    }
}

/// Serves one port until stop is said, then gives its streams a moment to end.
async fn serve<S>(
    limits: Limits,
    accepting: impl Future<Output = ()> + Send,
    incoming: mpsc::Receiver<std::io::Result<listen::Link<S>>>,
    ads: Ads,
    group: Group,
    stop: Stop,
) -> Result<(), Broken>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    /// Streams of one connection. An Envoy opens one.
    const STREAMS: u32 = 16;
    /// Bytes of all headers of a request; the token is the largest.
    const HEADERS: u32 = 32 << 10;
    /// Streams that a client may open and take back at once before its connection is closed.
    const RESETS: usize = 32;
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_keepalive_interval(Some(limits.keepalive))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .serve_with_incoming_shutdown(ads, ReceiverStream::new(incoming), stop.clone().into_stopped());
    let overdue = async {
        stop.stopped().await;
        tokio::time::sleep(limits.drain).await;
    };
    tokio::pin!(accepting);
    let mut accepted = false;
    tokio::pin!(serving, overdue);
    loop {
        tokio::select! {
            served = &mut serving => return Ok(served?),
            () = &mut accepting, if !accepted => accepted = true,
            () = group.panicked() => return Err(Broken::Panicked),
            () = &mut overdue => {
                warn!("closing connections that did not end in time");
                return Ok(());
            }
        }
    }
}

/// Says ready once there is something to serve, and not ready as soon as we stop.
async fn ready(
    readiness: Readiness,
    compile: compile::Handle,
    stop: Stop,
) -> Result<(), std::convert::Infallible> {
    let condition = readiness.condition("the configuration is compiled");
    let mut published = compile.published();
    let started = tokio::select! {
        () = stop.stopped() => false,
        started = published.wait_for(|published| published.started) => started.is_ok(),
    };
    if started {
        condition.ready();
        info!("ready");
    }
    stop.stopped().await;
    readiness.close("the process is stopping");
    Ok(())
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { what, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn failed(task: &'static str, error: ServingError) -> RunError {
    RunError::Failed { task, source: error.into() }
}
