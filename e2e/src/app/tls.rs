//! HTTP over the application's own TLS, with a certificate made at start.

use std::sync::Arc;

use anyhow::Result;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{App, Settings, http};

/// An acceptor with a self-signed certificate for the application's hosts.
pub(super) fn acceptor(settings: &Settings) -> Result<TlsAcceptor> {
    let mut names = settings.hosts.clone();
    names.push(settings.name.clone());
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

pub(super) async fn serve(app: Arc<App>, listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, peer)) = listener.accept().await {
        let (app, acceptor) = (app.clone(), acceptor.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let sni = stream.get_ref().1.server_name().map(ToOwned::to_owned);
                http::connection(app, stream, peer.to_string(), sni).await;
            }
        });
    }
}
