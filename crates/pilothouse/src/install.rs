//! `install`: what a cluster needs to run Pilothouse.

use clap::Args;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output, render};

mod revision;

/// Prints the manifests of the control plane.
///
/// They are those of the folder manifests/ of the sources: namespace, service account, the two roles (what is read, what is
/// written), mesh settings, Service, Deployment, disruption budget and webhooks. Removing them again leaves nothing behind but
/// the root certificates in the namespaces.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse install | kubectl apply -f -\n  \
    pilothouse install --image own/pilothouse:1 --proxy-image own/envoy:v1.40.0 | kubectl apply -f -\n  \
    pilothouse install --revision canary | kubectl apply -f -\n  \
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
    /// The name of this control plane beside others: namespaces and pods labelled istio.io/rev=NAME use it
    #[arg(long, value_parser = revision::name, default_value = revision::DEFAULT, value_name = "NAME")]
    revision: String,
    /// Another name that leads to this control plane, so that namespaces need no new label when it moves on; can be repeated
    #[arg(long, value_parser = revision::name, value_delimiter = ',', value_name = "NAME")]
    tag: Vec<String>,
    /// Print the webhooks of the tags alone
    #[arg(long, requires = "tag")]
    only_tags: bool,
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
    for (name, text) in MANIFESTS.into_iter().filter(|_| !arguments.only_tags) {
        documents.push(if name == "deployment.yaml" {
            deployment(text, arguments)?
        } else {
            revised(text, &arguments.revision)?
        });
    }
    for tag in &arguments.tag {
        let (_, first) = MANIFESTS[8];
        let first = pilothouse_sources::parse(first).map_err(Failure::bug)?;
        documents.push(render(Form::Yaml, &revision::tag(&first, tag, &arguments.revision))?);
    }
    Ok(documents.join("---\n"))
}

/// The document for a control plane; as it is written for the one that needs no name.
fn revised(text: &str, name: &str) -> Result<String, Failure> {
    // What holds several documents is shared by all control planes.
    if name == revision::DEFAULT || text.contains("\n---\n") {
        return Ok(text.to_owned());
    }
    let mut object = pilothouse_sources::parse(text).map_err(Failure::bug)?;
    revision::revise(&mut object, name);
    render(Form::Yaml, &object)
}

/// The Deployment as asked for; as it is written if nothing is asked for.
fn deployment(text: &str, arguments: &Arguments) -> Result<String, Failure> {
    let Arguments { image, proxy_image, pull_policy, replicas, revision, tag: _, only_tags: _ } = arguments;
    let plain = image.is_none() && proxy_image.is_none() && pull_policy.is_none() && replicas.is_none();
    if plain && revision == revision::DEFAULT {
        return Ok(text.to_owned());
    }
    let mut object = pilothouse_sources::parse(text).map_err(Failure::bug)?;
    if revision != revision::DEFAULT {
        revision::revise(&mut object, revision);
    }
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
            ..plain()
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
        assert!(manifests(&plain()).unwrap().contains(MANIFESTS[6].1));
    }

    fn plain() -> Arguments {
        Arguments {
            image: None,
            proxy_image: None,
            pull_policy: None,
            replicas: None,
            revision: revision::DEFAULT.to_owned(),
            tag: Vec::new(),
            only_tags: false,
        }
    }

    fn printed(arguments: &Arguments) -> Vec<Value> {
        let text = manifests(arguments).unwrap();
        text.split("---\n").map(|text| pilothouse_sources::parse(text).unwrap()).collect()
    }

    #[test]
    fn two_control_planes_share_what_is_the_meshs_and_nothing_else() {
        let names = |objects: &[Value]| -> BTreeSet<String> {
            objects
                .iter()
                .map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"]))
                .collect()
        };
        let (first, second) =
            (printed(&plain()), printed(&Arguments { revision: "canary".to_owned(), ..plain() }));
        let shared: BTreeSet<String> = names(&first).intersection(&names(&second)).cloned().collect();
        let expected = [
            ("Namespace", "istio-system"),
            ("ServiceAccount", "istiod"),
            ("ClusterRole", "pilothouse-reader"),
            ("ClusterRoleBinding", "pilothouse-reader"),
            ("ClusterRole", "pilothouse-writer"),
            ("ClusterRoleBinding", "pilothouse-writer"),
            ("Role", "pilothouse-writer"),
            ("RoleBinding", "pilothouse-writer"),
        ];
        assert_eq!(shared, expected.map(|(kind, name)| format!("{kind:?}/{name:?}")).into());
        assert_eq!(first.len(), second.len());

        // Neither Service picks pods of the other.
        let of =
            |objects: &[Value], kind: &str| objects.iter().find(|one| one["kind"] == kind).unwrap().clone();
        let fits = |service: &Value, deployment: &Value| {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            service["spec"]["selector"].as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
        };
        for (one, objects) in [&first, &second].into_iter().enumerate() {
            for (other, pods) in [&first, &second].into_iter().enumerate() {
                assert_eq!(fits(&of(objects, "Service"), &of(pods, "Deployment")), one == other);
            }
            let deployment = of(objects, "Deployment");
            let (chosen, template) =
                (&deployment["spec"]["selector"]["matchLabels"], &deployment["spec"]["template"]);
            for (key, value) in chosen.as_object().unwrap() {
                assert_eq!(template["metadata"]["labels"][key], *value, "{key}");
            }
        }
        let args = of(&second, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"].clone();
        assert!(args.as_array().unwrap().contains(&json!("--revision=canary")));
        let mesh = of(&second, "ConfigMap")["data"]["mesh"].as_str().unwrap().to_owned();
        assert!(mesh.contains("discoveryAddress: istiod-canary.istio-system.svc:15012"), "{mesh}");
    }

    #[test]
    fn a_tag_leads_to_the_control_plane_it_names() {
        let tags = Arguments {
            revision: "canary".to_owned(),
            tag: vec!["prod".to_owned()],
            only_tags: true,
            ..plain()
        };
        let [tag] = &printed(&tags)[..] else { panic!("one object") };
        assert_eq!(tag["metadata"]["name"], "istio-revision-tag-prod");
        assert_eq!(tag["metadata"]["labels"]["istio.io/rev"], "canary");
        assert_eq!(tag["metadata"]["labels"]["istio.io/tag"], "prod");
        let webhooks = tag["webhooks"].as_array().unwrap();
        assert_eq!(webhooks.len(), 2);
        for webhook in webhooks {
            assert_eq!(webhook["clientConfig"]["service"]["name"], "istiod-canary");
            assert!(webhook.to_string().contains("[\"prod\"]"), "{webhook}");
        }
        assert!(
            revision::name("Prod").is_err() && revision::name("-a").is_err() && revision::name("").is_err()
        );
    }
}
