//! Where configuration comes from: a folder, or a site.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use pilothouse_sources::{Access, AccessError, Directory, Loaded, Site, SiteError, load_site};

use crate::exit::{Exit, Failure, with_causes};
use crate::pods;

/// What is served.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArguments {
    #[command(flatten)]
    place: Place,
    /// The DNS domain of services
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub(crate) domain: String,
    /// In Kubernetes: the namespace of the control plane, where the mesh settings are
    #[arg(long, default_value = "istio-system", value_name = "NAMESPACE")]
    namespace: String,
    /// In Kubernetes: the name of this control plane among several; objects labelled istio.io/rev for another do not count
    #[arg(long, default_value = "default", value_name = "REVISION")]
    revision: String,
    /// In Kubernetes: a further ConfigMap of that namespace, whose mesh settings hold where the own ones say nothing
    #[arg(long, value_name = "NAME")]
    shared_mesh_config: Option<String>,
}

#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Place {
    /// The folder of manifests
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// The cluster that a kubeconfig file leads to
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The cluster this runs in
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, value_name = "BOOL")]
    kubernetes: bool,
}

/// A source of configuration.
#[derive(Debug)]
pub(crate) enum Source {
    /// A folder of manifests.
    Folder(Directory),
    /// A Kubernetes cluster.
    Site(Site),
}

impl SourceArguments {
    /// Whether it is a cluster.
    pub(crate) fn is_site(&self) -> bool {
        self.place.config.is_none()
    }

    /// The DNS domain of services.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// The namespace of the control plane.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of this control plane.
    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    /// The ConfigMaps of a cluster that hold mesh settings, the one that counts most last.
    pub(crate) fn mesh_maps(&self) -> Vec<String> {
        let own = match self.revision.as_str() {
            "" | "default" => "istio".to_owned(),
            revision => format!("istio-{revision}"),
        };
        self.shared_mesh_config.iter().cloned().chain([own]).collect()
    }

    /// What the flags mean.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        let Self { place, domain, namespace, revision, shared_mesh_config } = self;
        let Place { config, kubeconfig, kubernetes } = place;
        let access = match (config, kubeconfig, kubernetes) {
            (Some(folder), ..) => {
                return Ok(Source::Folder(Directory { folder: folder.clone(), domain: domain.clone() }));
            }
            (None, Some(file), _) => Access::Kubeconfig(file.clone()),
            (None, None, true) => Access::InCluster,
            (None, None, false) => {
                return Err(Failure::usage("one of --config, --kubeconfig and --kubernetes is needed"));
            }
        };
        Ok(Source::Site(Site {
            access,
            domain: domain.clone(),
            namespace: namespace.clone(),
            revision: revision.clone(),
            shared_mesh_config: shared_mesh_config.clone(),
        }))
    }
}

/// Reads everything once.
pub(crate) fn read(source: &Source) -> Result<Loaded, Failure> {
    match source {
        Source::Folder(Directory { folder, domain }) => pods::read(folder, domain),
        Source::Site(site) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::unavailable(format_args!("cannot start threads: {error}")))?;
            runtime.block_on(load_site(site)).map_err(|error| unread(&error))
        }
    }
}

/// How a site that cannot be read ends a command.
pub(crate) fn unread(error: &SiteError) -> Failure {
    let exit = match error {
        SiteError::Access(AccessError::Kubeconfig { path, .. }) if !path.exists() => Exit::NotFound,
        SiteError::Access(AccessError::InCluster(_)) => Exit::Usage,
        SiteError::Access(_) => Exit::BadInput,
        SiteError::Unreachable(_) | SiteError::Incomplete { .. } => Exit::Unavailable,
        SiteError::Watch => Exit::Bug,
    };
    Failure::new(exit, with_causes(error))
}
