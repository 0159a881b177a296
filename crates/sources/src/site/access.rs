//! How an API server is reached.

use std::path::PathBuf;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

/// How long a connection may be silent before the kernel asks whether the other side is still there.
const SILENCE: Duration = Duration::from_secs(15);
/// How long it waits between asking again.
const ASKING: Duration = Duration::from_secs(5);
/// How often it asks before the connection counts as broken. A watch on a machine that vanished is noticed in 30 s.
const ASKED: u32 = 3;
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Where an API server and the right to read it are described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A file as `kubectl` reads it; its current context counts.
    Kubeconfig(PathBuf),
    /// What a pod is given by Kubernetes.
    InCluster,
}

/// What describes the API server is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be read, or says too little.
    #[error("{}: no kubeconfig of use", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// This is no pod, or one without a service account token.
    #[error("this does not run in a pod with a service account; outside of one give --kubeconfig")]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// Certificates or credentials cannot be used.
    #[error("the credentials for the API server cannot be used")]
    Credentials(#[source] Box<kube::Error>),
}

/// Makes a client of an API server; nothing is sent yet.
pub async fn connect(access: &Access) -> Result<Client, AccessError> {
    let mut config = match access {
        Access::Kubeconfig(path) => {
            let broken = |source| AccessError::Kubeconfig { path: path.clone(), source: Box::new(source) };
            let file = Kubeconfig::read_from(path).map_err(broken)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(broken)?
        }
        Access::InCluster => Config::incluster().map_err(|error| AccessError::InCluster(Box::new(error)))?,
    };
    config.connect_timeout = Some(CONNECTING);
    client(config).map_err(|error| AccessError::Credentials(Box::new(error)))
}

/// As the client that `kube` makes by itself, with connections that notice when the other side is gone.
fn client(config: Config) -> Result<Client, kube::Error> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_keepalive(Some(SILENCE));
    connector.set_keepalive_interval(Some(ASKING));
    connector.set_keepalive_retries(Some(ASKED));
    let https = config.rustls_https_connector_with_connector(connector)?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
