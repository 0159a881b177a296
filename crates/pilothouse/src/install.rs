//! `install`: what a cluster needs to run Pilothouse.

use clap::Args;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output, render};

/// Prints the manifests of the control plane.
///
/// They are those of the folder manifests/ of the sources: namespace, service account, the two roles (what is read, what is
/// written), mesh settings, Service, Deployment, disruption budget and webhooks. Removing them again leaves nothing behind but
/// the root certificates in the namespaces.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse install | kubectl apply -f -\n  \
    pilothouse install --image own/pilothouse:1 --proxy-image own/envoy:v1.40.0 | kubectl apply -f -\n  \
    pilothouse install | kubectl delete -f -")]
pub(crate) struct Arguments {
    /// The image with this program, for the control plane and for the init container of pods
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The image of the proxy of pods
    #[arg(long, value_name = "IMAGE")]
    proxy_image: Option<String>,
    /// When images are pulled [default: as Kubernetes does by itself]
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<String>,
    /// How many replicas the control plane has
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<u32>,
}

/// In the order in which they are applied.
const MANIFESTS: [(&str, &str); 10] = [
    ("namespace.yaml", include_str!("../../../manifests/namespace.yaml")),
    ("service-account.yaml", include_str!("../../../manifests/service-account.yaml")),
    ("role-reader.yaml", include_str!("../../../manifests/role-reader.yaml")),
    ("role-writer.yaml", include_str!("../../../manifests/role-writer.yaml")),
    ("mesh-config.yaml", include_str!("../../../manifests/mesh-config.yaml")),
    ("service.yaml", include_str!("../../../manifests/service.yaml")),
    ("deployment.yaml", include_str!("../../../manifests/deployment.yaml")),
    ("disruption-budget.yaml", include_str!("../../../manifests/disruption-budget.yaml")),
    ("mutating-webhook.yaml", include_str!("../../../manifests/mutating-webhook.yaml")),
    ("validating-webhook.yaml", include_str!("../../../manifests/validating-webhook.yaml")),
];

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    output.answer(&manifests(arguments)?);
    Ok(Exit::Fine)
}

fn manifests(arguments: &Arguments) -> Result<String, Failure> {
    let mut documents = Vec::new();
    for (name, text) in MANIFESTS {
        documents.push(if name == "deployment.yaml" {
            deployment(text, arguments)?
        } else {
            text.to_owned()
        });
    }
    Ok(documents.join("---\n"))
}

/// The Deployment as asked for; as it is written if nothing is asked for.
fn deployment(text: &str, arguments: &Arguments) -> Result<String, Failure> {
    let Arguments { image, proxy_image, pull_policy, replicas } = arguments;
    if image.is_none() && proxy_image.is_none() && pull_policy.is_none() && replicas.is_none() {
        return Ok(text.to_owned());
    }
    let mut object = pilothouse_sources::parse(text).map_err(Failure::bug)?;
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = json!(replicas);
    }
    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    let mut flags = Vec::new();
    if let Some(image) = image {
        container["image"] = json!(image);
        flags.push(format!("--inject-capture-image={image}"));
    }
    if let Some(image) = proxy_image {
        flags.push(format!("--inject-proxy-image={image}"));
    }
    if let Some(policy) = pull_policy {
        container["imagePullPolicy"] = json!(policy);
        flags.push(format!("--inject-pull-policy={policy}"));
    }
    if let Some(Value::Array(args)) = container.get_mut("args") {
        args.extend(flags.into_iter().map(Value::from));
    }
    render(Form::Yaml, &object)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pilothouse_inject::select::{Revision, entries};

    use super::*;

    fn objects() -> Vec<Value> {
        let texts = MANIFESTS.iter().flat_map(|(_, text)| text.split("\n---\n"));
        texts.map(|text| pilothouse_sources::parse(text).unwrap()).collect()
    }

    fn of_kind(kind: &str) -> Value {
        objects().into_iter().find(|object| object["kind"] == kind).unwrap()
    }

    #[test]
    fn the_folder_holds_what_is_printed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let files: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        let known = MANIFESTS.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(files, known.chain(["kustomization.yaml".to_owned()]).collect());
        let kustomization = std::fs::read(format!("{folder}/kustomization.yaml")).unwrap();
        let kustomization = pilothouse_sources::parse(std::str::from_utf8(&kustomization).unwrap()).unwrap();
        assert_eq!(kustomization["resources"], json!(MANIFESTS.map(|(name, _)| name)));
    }

    #[test]
    fn selectors_of_the_webhook_are_those_of_injection() {
        let revision = Revision { name: "default".to_owned(), is_default: true, by_default: false };
        let configuration = of_kind("MutatingWebhookConfiguration");
        let written: Vec<Value> = configuration["webhooks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|webhook| {
                assert_eq!(webhook["failurePolicy"], "Fail");
                assert_eq!(webhook["clientConfig"]["service"]["path"], "/inject");
                json!([webhook["name"], webhook["namespaceSelector"], webhook["objectSelector"]])
            })
            .collect();
        let made: Vec<Value> = entries(&revision)
            .into_iter()
            .map(|entry| {
                json!([format!("{}sidecar-injector.istio.io", entry.prefix), entry.namespaces, entry.pods])
            })
            .collect();
        assert_eq!(written, made);
    }

    #[test]
    fn the_deployment_runs_with_flags_that_exist() {
        let deployment = of_kind("Deployment");
        let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone();
        let args: Vec<&str> = args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let typed = ["pilothouse"].into_iter().chain(args.iter().copied()).map(Into::into);
        let parsed = crate::arguments::parse(typed, &Default::default());
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    }

    #[test]
    fn images_reach_the_control_plane_and_the_pods() {
        let arguments = Arguments {
            image: Some("own/pilothouse:1".to_owned()),
            proxy_image: Some("own/envoy:1".to_owned()),
            pull_policy: Some("Never".to_owned()),
            replicas: Some(1),
        };
        let deployment = deployment(MANIFESTS[6].1, &arguments).unwrap();
        let deployment = pilothouse_sources::parse(&deployment).unwrap();
        assert_eq!(deployment["spec"]["replicas"], 1);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            (&container["image"], &container["imagePullPolicy"]),
            (&json!("own/pilothouse:1"), &json!("Never"))
        );
        for flag in [
            "--inject-capture-image=own/pilothouse:1",
            "--inject-proxy-image=own/envoy:1",
            "--inject-pull-policy=Never",
        ] {
            assert!(container["args"].as_array().unwrap().contains(&json!(flag)), "{flag}");
        }
        let plain = Arguments { image: None, proxy_image: None, pull_policy: None, replicas: None };
        assert!(manifests(&plain).unwrap().contains(MANIFESTS[6].1));
    }
}
