//! Where the server is, and how it is trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, ServerName};

/// A server of aggregated discovery.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) address: String,
    pub(crate) tls: Option<Tls>,
}

/// What a TLS connection needs.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// The server cannot be trusted as asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The file of roots is of no use.
    #[error("{}: no certificates of use", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing where it is empty.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// That is no name of a server.
    #[error("{name:?} is no name of a server")]
    Name {
        /// What was given.
        name: String,
        /// Why not.
        source: InvalidDnsNameError,
    },
}

impl Target {
    /// In plain text, at `HOST:PORT`.
    pub fn plain(address: impl Into<String>) -> Self {
        Self { address: address.into(), tls: None }
    }

    /// Over TLS, for a server with this name that one of the roots in a PEM file vouches for. Sessions are not resumed, as after a
    /// restart of all proxies.
    pub fn tls(address: impl Into<String>, roots: &Path, name: &str) -> Result<Self, TargetError> {
        let unusable = |source: Option<Box<dyn std::error::Error + Send + Sync>>| TargetError::Roots {
            path: roots.to_owned(),
            source,
        };
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(roots).map_err(|error| unusable(Some(error.into())))? {
            let root = root.map_err(|error| unusable(Some(error.into())))?;
            store.add(root).map_err(|error| unusable(Some(error.into())))?;
        }
        if store.is_empty() {
            return Err(unusable(None));
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(Some(error.into())))?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(name.to_owned())
            .map_err(|source| TargetError::Name { name: name.to_owned(), source })?;
        Ok(Self { address: address.into(), tls: Some(Tls { config: Arc::new(config), name }) })
    }
}
