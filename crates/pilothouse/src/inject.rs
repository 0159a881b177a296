//! `inject`: manifests with their sidecars.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use pilothouse_inject::Settings;
use pilothouse_inject::manifest::inject_object;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output, render};

/// Adds the proxy to the pods of manifests.
///
/// Reads YAML and prints it with a sidecar in every pod and every template of pods; documents without one are printed as
/// they were. It is what the webhook does, for those who want to see it or to apply it themselves. Doing it again changes
/// nothing. What there is to say goes to standard error; when something cannot be injected, nothing is printed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse inject -f shop.yaml | kubectl apply -f -\n  \
    helm template shop | pilothouse inject -f -\n  pilothouse inject -f shop.yaml --revision blue --classic")]
pub(crate) struct Arguments {
    /// A file of manifests; - is standard input
    #[arg(long, short, required = true, value_name = "FILE")]
    filename: Vec<PathBuf>,
    /// The namespace of objects that name none
    #[arg(long, short, default_value = "default", value_name = "NAMESPACE")]
    namespace: String,
    #[command(flatten)]
    mesh: MeshArguments,
    #[command(flatten)]
    proxy: ProxyArguments,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The mesh")]
struct MeshArguments {
    /// MeshConfig, by itself or in its ConfigMap
    #[arg(long, value_name = "FILE")]
    mesh_config_file: Option<PathBuf>,
    /// Host and port of the control plane [default: istiod[-REVISION].istio-system.svc:15012]
    #[arg(long, value_name = "HOST:PORT")]
    discovery_address: Option<String>,
    /// The revision that injects
    #[arg(long, default_value = "default", value_name = "NAME")]
    revision: String,
    /// The DNS domain of services
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    domain: String,
    /// The Kubernetes cluster the pods are for
    #[arg(long, default_value = "Kubernetes", value_name = "NAME")]
    cluster_id: String,
    /// The network the pods are in, if there are several
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    network: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The proxy")]
struct ProxyArguments {
    /// The image of the proxy
    #[arg(long, value_name = "IMAGE")]
    proxy_image: Option<String>,
    /// The image with this program, which sets the rules of the pod
    #[arg(long, value_name = "IMAGE")]
    capture_image: Option<String>,
    /// An ordinary container in the place of a native sidecar
    #[arg(long)]
    classic: bool,
    /// Pods have addresses of IPv6 as well
    #[arg(long)]
    ipv6: bool,
    /// A text nobody can guess: the proxy begins to drain when the pod ends, and nobody else can make it
    #[arg(long, value_name = "TEXT")]
    drain_key: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { filename, namespace, mesh, proxy } = arguments;
    let settings = settings(mesh, proxy, output)?;
    let mut answer = String::new();
    let mut refused = 0;
    for path in filename {
        let text = read(path)?;
        for document in documents(&text) {
            let object = pilothouse_sources::parse(document)
                .map_err(|error| Failure::bad_input(format_args!("{}: {error}", path.display())))?;
            let done = inject_object(&object, namespace, &settings, proxy.drain_key.as_deref());
            for remark in &done.remarks {
                output.remark(&format!("{remark}\n"));
            }
            for (about, why) in &done.refused {
                refused += 1;
                output.remark(&format!("{about} cannot be injected:\n{why}\n"));
            }
            if !answer.is_empty() {
                answer.push_str("---\n");
            }
            if done.changed {
                answer.push_str(&render(Form::Yaml, &done.object)?);
            } else {
                answer.push_str(document);
                if !answer.ends_with('\n') {
                    answer.push('\n');
                }
            }
        }
    }
    if refused > 0 {
        return Err(Failure::bad_input(format_args!(
            "{refused} {} cannot be injected; nothing was printed",
            if refused == 1 { "object" } else { "objects" }
        )));
    }
    output.answer(&answer);
    Ok(Exit::Fine)
}

fn settings(mesh: &MeshArguments, proxy: &ProxyArguments, output: &mut Output) -> Result<Settings, Failure> {
    let MeshArguments { mesh_config_file, discovery_address, revision, domain, cluster_id, network } = mesh;
    let ProxyArguments { proxy_image, capture_image, classic, ipv6, drain_key: _ } = proxy;
    let mut settings = Settings::new(pilothouse_sources::parse);
    settings.discovery_address = discovery_of(revision, "istio-system");
    if let Some(path) = mesh_config_file {
        let value = mesh_config(path)?;
        for remark in settings.read_mesh(&value) {
            output.remark(&format!("{}: {remark}\n", path.display()));
        }
    }
    if let Some(address) = discovery_address {
        settings.discovery_address.clone_from(address);
        settings.proxy.discovery_address = None;
    }
    settings.revision.clone_from(revision);
    settings.domain.clone_from(domain);
    settings.cluster_id.clone_from(cluster_id);
    settings.network.clone_from(network);
    settings.native_sidecars = !classic;
    settings.ipv6 = *ipv6;
    if let Some(image) = proxy_image {
        settings.proxy_image.clone_from(image);
    }
    if let Some(image) = capture_image {
        settings.capture_image.clone_from(image);
    }
    Ok(settings)
}

/// Where the control plane of a revision listens unless it is said.
pub(crate) fn discovery_of(revision: &str, namespace: &str) -> String {
    match revision {
        "default" => format!("istiod.{namespace}.svc:15012"),
        other => format!("istiod-{other}.{namespace}.svc:15012"),
    }
}

/// MeshConfig as such, or the text of it in a ConfigMap.
pub(crate) fn mesh_config(path: &Path) -> Result<Value, Failure> {
    let wrong = |error: String| Failure::bad_input(format_args!("{}: {error}", path.display()));
    let value = pilothouse_sources::parse(&read(path)?).map_err(wrong)?;
    if value["kind"] != "ConfigMap" {
        return Ok(value);
    }
    let Some(text) = value["data"]["mesh"].as_str() else {
        return Err(wrong("the ConfigMap has no key mesh".to_owned()));
    };
    pilothouse_sources::parse(text).map_err(wrong)
}

/// The documents of a file that hold anything. A line that begins with `---` ends a document, wherever it stands.
fn documents(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker {
            documents.push(&text[begin..at]);
            begin = at + 3;
        }
        at += line.len();
    }
    documents.push(&text[begin..]);
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|document| document.lines().any(says));
    documents.into_iter().map(|document| document.trim_start_matches(['\r', '\n'])).collect()
}

fn read(path: &Path) -> Result<String, Failure> {
    /// As for files.
    const MOST: u64 = 64 << 20;
    let failed = |error: std::io::Error| {
        let message = format!("cannot read {}: {error}", path.display());
        if error.kind() == std::io::ErrorKind::NotFound {
            Failure::not_found(message)
        } else {
            Failure::bad_input(message)
        }
    };
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(MOST + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MOST + 1).read_to_string(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > MOST {
        return Err(Failure::bad_input(format_args!("{} is longer than {} MiB", path.display(), MOST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What is said of annotations in files, in `docs/reference/support.md` and by the webhook is one thing.
    #[test]
    fn annotations_have_an_effect_where_injection_acts_on_them() {
        let published: BTreeMap<&str, _> = pilothouse_api::catalogue::fields()
            .filter(|field| field.kind == "annotation")
            .map(|field| (field.path, field.reason()))
            .collect();
        for name in pilothouse_inject::heeded() {
            assert_eq!(published.get(name), Some(&None), "{name}");
        }
        for name in pilothouse_inject::ignored() {
            assert_ne!(published.get(name), Some(&None), "{name}");
        }
        let elsewhere = ["networking.istio.io/exportTo", "networking.istio.io/traffic-distribution"];
        for (name, _) in published.iter().filter(|(_, reason)| reason.is_none()) {
            let heeded = pilothouse_inject::heeded().any(|one| one == *name);
            assert!(heeded || elsewhere.contains(name), "{name} is said to have an effect");
        }
    }

    #[test]
    fn documents_end_at_their_marker() {
        let table: [(&str, &[&str]); 7] = [
            ("a: 1\n", &["a: 1\n"]),
            ("---\na: 1\n---\nb: 2\n", &["a: 1\n", "b: 2\n"]),
            ("# only a word\n---\n\n--- # next\na: |\n  ---\n  x\n", &[" # next\na: |\n  ---\n  x\n"]),
            ("a: 1\n---", &["a: 1\n"]),
            ("---- a\n", &["---- a\n"]),
            ("a: 1\r\n---\r\nb: 2", &["a: 1\r\n", "b: 2"]),
            ("", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(documents(text), expected, "{text:?}");
        }
    }
}
