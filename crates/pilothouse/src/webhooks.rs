//! What `serve` needs to answer the API server: flags, and the settings of injection that they make.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use pilothouse_base::Name;
use pilothouse_config::CheckSettings;
use pilothouse_controllers::injection::Heard;
use pilothouse_inject::{ProxyConfigObject, Settings};
use pilothouse_runtime::Stop;
use pilothouse_serve::Webhooks;
use serde_json::Value;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::exit::Failure;
use crate::inject::{discovery_of, mesh_config};
use crate::source::SourceArguments;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Webhooks, and the pods that they inject")]
pub(crate) struct WebhookArguments {
    /// Webhooks over TLS, usually on port 15017 [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    webhook_listen: Option<SocketAddr>,
    /// MeshConfig for injection, by itself or in its ConfigMap
    #[arg(long, value_name = "FILE")]
    inject_mesh_config: Option<PathBuf>,
    /// Host and port of this control plane, as pods reach it [default: istiod[-REVISION].NAMESPACE.svc:15012]
    #[arg(long, value_name = "HOST:PORT")]
    inject_discovery_address: Option<String>,
    /// The image of the proxy
    #[arg(long, value_name = "IMAGE")]
    inject_proxy_image: Option<String>,
    /// The image with this program, which sets the rules of pods
    #[arg(long, value_name = "IMAGE")]
    inject_capture_image: Option<String>,
    /// When images are pulled [default: as Kubernetes does by itself]
    #[arg(long, value_name = "POLICY")]
    inject_pull_policy: Option<String>,
    /// The Kubernetes cluster the pods are in
    #[arg(long, default_value = "Kubernetes", value_name = "NAME")]
    inject_cluster_id: String,
    /// Ordinary containers in the place of native sidecars
    #[arg(long)]
    inject_classic: bool,
    /// Pods have addresses of IPv6 as well
    #[arg(long)]
    inject_ipv6: bool,
}

impl WebhookArguments {
    /// None if no webhook is to be served.
    pub(crate) fn settings(&self, source: &SourceArguments) -> Result<Option<Webhooks>, Failure> {
        let Some(listen) = self.webhook_listen else { return Ok(None) };
        let mesh = match &self.inject_mesh_config {
            Some(path) => vec![(path.display().to_string(), mesh_config(path)?)],
            None => Vec::new(),
        };
        let settings = self.injection(source, &mesh);
        let check =
            CheckSettings { domain: Name::from(source.domain()), parse_yaml: pilothouse_sources::parse };
        // The sender may go: what was sent last stays.
        let (_sender, injection) = watch::channel(Arc::new(settings));
        Ok(Some(Webhooks { listen, injection, check }))
    }

    /// What holds for pods now, with these mesh settings, the one that counts most last.
    fn injection(&self, source: &SourceArguments, mesh: &[(String, Value)]) -> Settings {
        let Self {
            webhook_listen: _,
            inject_mesh_config: _,
            inject_discovery_address,
            inject_proxy_image,
            inject_capture_image,
            inject_pull_policy,
            inject_cluster_id,
            inject_classic,
            inject_ipv6,
        } = self;
        let mut settings = Settings::new(pilothouse_sources::parse);
        settings.discovery_address = discovery_of(source.revision(), source.namespace());
        for (place, value) in mesh {
            for remark in settings.read_mesh(value) {
                warn!("{place}: {remark}");
            }
        }
        if let Some(address) = inject_discovery_address {
            settings.discovery_address.clone_from(address);
            settings.proxy.discovery_address = None;
        }
        source.revision().clone_into(&mut settings.revision);
        source.domain().clone_into(&mut settings.domain);
        settings.cluster_id.clone_from(inject_cluster_id);
        settings.native_sidecars = !inject_classic;
        settings.ipv6 = *inject_ipv6;
        if let Some(image) = inject_proxy_image {
            settings.proxy_image.clone_from(image);
        }
        if let Some(image) = inject_capture_image {
            settings.capture_image.clone_from(image);
        }
        settings.pull_policy.clone_from(inject_pull_policy);
        settings
    }

    /// Takes over what is heard of the cluster, for the pods made from then on, until stop is said. Settings that cannot be read
    /// leave those before in force.
    pub(crate) fn follow(
        &self,
        source: &SourceArguments,
        mut heard: watch::Receiver<Option<Heard>>,
        sender: watch::Sender<Arc<Settings>>,
        stop: Stop,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + use<> {
        let (this, source) = (self.clone(), source.clone());
        async move {
            loop {
                tokio::select! {
                    () = stop.stopped() => return Ok(()),
                    changed = heard.changed() => if changed.is_err() {
                        stop.stopped().await;
                        return Ok(());
                    },
                }
                let now = heard.borrow_and_update().clone();
                let Some(Heard { mesh, proxy_configs }) = now else { continue };
                let read: Result<Vec<_>, _> =
                    mesh.iter().map(|text| pilothouse_sources::parse(text)).collect();
                let mesh = match read {
                    Ok(read) => {
                        read.into_iter().map(|value| ("the mesh settings".to_owned(), value)).collect()
                    }
                    Err(error) => {
                        warn!(error, "the mesh settings cannot be read; pods are made by those before");
                        continue;
                    }
                };
                let mesh: Vec<(String, Value)> = mesh;
                let mut settings = this.injection(&source, &mesh);
                for object in &proxy_configs {
                    let (read, said) = ProxyConfigObject::read(object);
                    for remark in said {
                        warn!("{remark}");
                    }
                    settings.proxy_configs.push(read);
                }
                info!(
                    proxy_configs = proxy_configs.len(),
                    "pods are made by the settings of the cluster from now on"
                );
                sender.send_replace(Arc::new(settings));
            }
        }
    }
}
