//! `bootstrap`: what an Envoy needs to start.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use pilothouse_config::Pod;
use pilothouse_inject::bootstrap::{
    Admin, Beside, BootstrapOptions, Files, Node, Role, Security, bootstrap, root_secret, token_secret,
};
use pilothouse_runtime::{Clock, private_file};
use pilothouse_serve::identity::{self, AUDIENCE, Folders};
use serde_json::Value;

use crate::exit::{Exit, Failure, with_causes};
use crate::output::{Form, Output, render};
use crate::pods;
use crate::token::{Bearer, STATE_DIR, keys_failed, mint};
use crate::units::{Workload, duration, workload};

/// Makes the bootstrap of a workload's Envoy.
///
/// By itself it prints the bootstrap. With --write it fills a folder with everything the Envoy needs: envoy.json, its token, the root
/// certificate of the control plane, and the two files by which Envoy reads them. Running it again renews the token; Envoy
/// notices.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  pilothouse bootstrap --workload web-1.shop --config manifests/ --write /run/web-1\n  \
    envoy -c /run/web-1/envoy.json"
)]
pub(crate) struct Arguments {
    /// The pod and its namespace
    #[arg(long, value_parser = workload, value_name = "POD.NAMESPACE")]
    workload: Workload,
    /// What the proxy is
    #[arg(long, value_enum, default_value_t, value_name = "ROLE")]
    role: Kind,
    /// The folder of manifests to take labels, addresses and service account of the pod from
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// The form of the bootstrap; Envoy reads both
    #[arg(long, short, value_enum, default_value = "json", value_name = "FORM")]
    output: Form,
    #[command(flatten)]
    node: NodeArguments,
    #[command(flatten)]
    discovery: DiscoveryArguments,
    #[command(flatten)]
    ports: PortArguments,
    #[command(flatten)]
    write: WriteArguments,
}

/// What a proxy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Beside one workload.
    #[default]
    Sidecar,
    /// At the edge of the mesh.
    Gateway,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Who the proxy is, where the pod does not say it")]
struct NodeArguments {
    /// An address of the pod; can be repeated, the primary one first
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// A label of the pod; can be repeated
    #[arg(long, value_parser = label, value_name = "NAME=VALUE")]
    label: Vec<(String, String)>,
    /// The service account of the pod
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// The uid of the pod
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// The DNS domain of services
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    domain: String,
    /// The Kubernetes cluster it runs in
    #[arg(long, default_value = "Kubernetes", value_name = "NAME")]
    cluster_id: String,
    /// Its network, if there are several
    #[arg(long, default_value = "", value_name = "NAME")]
    network: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The control plane")]
struct DiscoveryArguments {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:15012", value_name = "HOST:PORT")]
    discovery_address: String,
    /// The name its certificate must have [default: the host above]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Connect in plain text, for a control plane on loopback
    #[arg(long)]
    plaintext: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Where Envoy listens by itself")]
struct PortArguments {
    /// The port of Envoy's administration, on 127.0.0.1
    #[arg(long, default_value_t = 15000, value_name = "PORT")]
    admin_port: u16,
    /// A UNIX socket for Envoy's administration, instead of a port
    #[arg(long, value_name = "PATH")]
    admin_pipe: Option<String>,
    /// The port of the readiness listener; 0 for none
    #[arg(long, default_value_t = 15021, value_name = "PORT")]
    ready_port: u16,
    /// The port of the metrics listener; 0 for none
    #[arg(long, default_value_t = 15090, value_name = "PORT")]
    metrics_port: u16,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
struct WriteArguments {
    /// The folder to fill
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// The folder in which Envoy finds the files, if it sees another file system
    #[arg(long, value_name = "DIR")]
    files_dir: Option<String>,
    /// Who is to own the files
    #[arg(long, value_parser = owner, value_name = "UID:GID")]
    owner: Option<(u32, u32)>,
    /// How long the token is good, at most 24h
    #[arg(long, value_parser = duration, default_value = "12h", value_name = "DURATION")]
    token_ttl: Duration,
    /// Who may accept the token
    #[arg(long, default_value = AUDIENCE, value_name = "AUDIENCE")]
    audience: String,
    /// The folder of the daemon's keys
    #[arg(long, default_value = STATE_DIR, value_name = "DIR")]
    state_dir: PathBuf,
    /// The folder of a given CA, as for serve
    #[arg(long, value_name = "DIR")]
    cacerts_dir: Option<PathBuf>,
    /// Written into the root if it has to be made first, as for serve
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    trust_domain: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { workload, role, config, output: form, node, discovery, ports, write } = arguments;
    let pod = match config {
        Some(folder) => Some(pods::find(&pods::read(folder, &node.domain)?, workload)?),
        None => None,
    };
    let pod = pod.as_deref();
    let (host, port) = host_and_port(&discovery.discovery_address)?;
    let server_name = discovery.server_name.clone().unwrap_or_else(|| host.clone());
    let folder = match (&write.files_dir, &write.write) {
        (Some(folder), _) => folder.clone(),
        (None, Some(folder)) => absolute(folder)?,
        (None, None) => "/var/run/secrets/pilothouse".to_owned(),
    };
    let files = Files::in_directory(&folder);
    let security = if discovery.plaintext {
        Security::Insecure
    } else {
        Security::Tls { server_name: server_name.clone(), files: files.clone() }
    };
    let addresses = match pod {
        Some(pod) if node.ip.is_empty() => pod.addresses.clone(),
        _ => node.ip.clone(),
    };
    let options = BootstrapOptions {
        node: node_of(workload, *role, pod, &addresses, node),
        discovery_host: host,
        discovery_port: port,
        security,
        admin: ports.admin_pipe.clone().map_or(Admin::Port(ports.admin_port), Admin::Pipe),
        ready_port: Some(ports.ready_port).filter(|port| *port != 0),
        metrics_port: Some(ports.metrics_port).filter(|port| *port != 0),
        ipv6: addresses.iter().any(IpAddr::is_ipv6),
        beside: Beside::default(),
    };
    let made = bootstrap(&options).map_err(Failure::usage)?;
    let Some(into) = &write.write else {
        output.value(*form, &made)?;
        return Ok(Exit::Fine);
    };
    let folder = Folder { path: into, owner: write.owner };
    folder.create()?;
    if !discovery.plaintext {
        let bearer = Bearer::new(workload, pod, node.service_account.as_deref(), node.uid.as_deref());
        credentials(&folder, &files, &bearer, &server_name, write)?;
    }
    folder.value("envoy.json", &made)?;
    output.remark(&format!("wrote {}\n", into.join("envoy.json").display()));
    Ok(Exit::Fine)
}

/// Writes token and root with the files that name them. The names are those of [`Files::in_directory`].
fn credentials(
    folder: &Folder<'_>,
    files: &Files,
    bearer: &Bearer<'_>,
    server_name: &str,
    arguments: &WriteArguments,
) -> Result<(), Failure> {
    let WriteArguments { token_ttl, audience, state_dir, cacerts_dir, trust_domain, .. } = arguments;
    let folders = Folders { state: state_dir.clone(), cacerts: cacerts_dir.clone() };
    let keys = identity::load_or_create(&folders, trust_domain, Clock::system().now())
        .map_err(|error| keys_failed(&error))?;
    folder.bytes("root-cert.pem", keys.authority.roots().pem().as_bytes())?;
    let token = mint(bearer, audience, *token_ttl, state_dir)?;
    folder.bytes("istio-token", token.expose().as_bytes())?;
    folder.value("token-sds.json", &token_secret(files))?;
    folder.value("root-sds.json", &root_secret(files, server_name))
}

fn node_of(
    workload: &Workload,
    role: Kind,
    pod: Option<&Pod>,
    addresses: &[IpAddr],
    arguments: &NodeArguments,
) -> Node {
    let NodeArguments { ip: _, label, service_account, uid: _, domain, cluster_id, network } = arguments;
    let mut labels: std::collections::BTreeMap<String, String> = pod
        .map(|pod| pod.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
        .unwrap_or_default();
    labels.extend(label.iter().cloned());
    let of_pod = pod.map(|pod| pod.service_account.to_string());
    Node {
        role: match role {
            Kind::Sidecar => Role::Sidecar,
            Kind::Gateway => Role::Router,
        },
        pod: workload.pod.clone(),
        namespace: workload.namespace.clone(),
        service_account: service_account.clone().or(of_pod).unwrap_or_else(|| "default".to_owned()),
        domain: domain.clone(),
        address: addresses.first().map(ToString::to_string).unwrap_or_default(),
        all_addresses: addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        labels,
        cluster_id: cluster_id.clone(),
        network: network.clone(),
        workload: pod.map(|pod| pod.workload.to_string()).unwrap_or_default(),
        metadata: std::collections::BTreeMap::new(),
    }
}

/// A folder that is filled file by file, each complete or not there.
struct Folder<'p> {
    path: &'p Path,
    owner: Option<(u32, u32)>,
}

impl Folder<'_> {
    fn create(&self) -> Result<(), Failure> {
        private_file::create_folder(self.path).map_err(|error| Failure::bad_input(with_causes(&error)))?;
        self.give(self.path)
    }

    fn value(&self, name: &str, value: &Value) -> Result<(), Failure> {
        self.bytes(name, render(Form::Json, value)?.as_bytes())
    }

    /// The owner is set before the file takes its place: Envoy looks as soon as it does.
    fn bytes(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let (path, beside) = (self.path.join(name), self.path.join(format!(".{name}.next")));
        private_file::write(&beside, content).map_err(|error| Failure::bad_input(with_causes(&error)))?;
        self.give(&beside)?;
        fs::rename(&beside, &path)
            .map_err(|error| Failure::bad_input(format_args!("cannot write {}: {error}", path.display())))
    }

    fn give(&self, path: &Path) -> Result<(), Failure> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|error| {
            Failure::bad_input(format_args!("cannot give {} to {uid}:{gid}: {error}", path.display()))
        })
    }
}

fn absolute(path: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(path)
        .map_err(|error| Failure::bad_input(format_args!("{}: {error}", path.display())))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format_args!("the path {} is not UTF-8", path.display())))
}

fn host_and_port(text: &str) -> Result<(String, u16), Failure> {
    let wrong = || Failure::usage(format_args!("--discovery-address {text:?} is not of the form HOST:PORT"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((host.to_owned(), port.parse().map_err(|_| wrong())?))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("{text:?} is not of the form UID:GID with numbers");
    let (uid, gid) = text.split_once(':').ok_or_else(wrong)?;
    Ok((uid.parse().map_err(|_| wrong())?, gid.parse().map_err(|_| wrong())?))
}
