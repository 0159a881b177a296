//! A second control plane beside the first: its manifests, made of those of the first, and tags that point to it.

use pilothouse_inject::select::{Revision, entries};
use serde_json::{Value, json};

/// The label by which namespaces, pods and objects name a control plane.
const REVISION: &str = "istio.io/rev";
/// The label of a tag.
const TAG: &str = "istio.io/tag";
/// The control plane that needs no name.
pub(super) const DEFAULT: &str = "default";

/// Turns an object of the first control plane into that of another one. What all share (namespace, account, roles) stays.
pub(super) fn revise(object: &mut Value, revision: &str) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let own = [
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ];
    if !own.contains(&kind.as_str()) {
        return;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    object["metadata"]["name"] = match name.strip_prefix("istio-validator-") {
        Some(rest) => json!(format!("istio-validator-{revision}-{rest}")),
        None => json!(format!("{name}-{revision}")),
    };
    object["metadata"]["labels"][REVISION] = json!(revision);
    let address = format!("istiod-{revision}");
    match kind.as_str() {
        "ConfigMap" => {
            let mesh = object["data"]["mesh"].as_str().unwrap_or_default();
            object["data"]["mesh"] = json!(mesh.replace("istiod.", &format!("{address}.")));
        }
        "Service" => object["spec"]["selector"] = json!({"app": "istiod", REVISION: revision}),
        "PodDisruptionBudget" => {
            object["spec"]["selector"]["matchLabels"] = json!({"app": "istiod", REVISION: revision});
        }
        "Deployment" => {
            let spec = &mut object["spec"];
            spec["selector"]["matchLabels"] = json!({"app": "istiod", REVISION: revision});
            let labels = &mut spec["template"]["metadata"]["labels"];
            labels[REVISION] = json!(revision);
            // The Service of the first control plane picks its pods by this label.
            labels["istio"] = json!("istiod");
            let pod = &mut spec["template"]["spec"];
            if let Some(Value::Array(args)) = pod["containers"][0].get_mut("args") {
                args.push(json!(format!("--revision={revision}")));
            }
            for volume in pod["volumes"].as_array_mut().into_iter().flatten() {
                if volume["configMap"]["name"] == "istio" {
                    volume["configMap"]["name"] = json!(format!("istio-{revision}"));
                }
            }
        }
        "MutatingWebhookConfiguration" => webhooks(object, revision, &address),
        _ => {
            for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
                let name = webhook["name"].as_str().unwrap_or_default();
                webhook["name"] = json!(format!("rev.{name}"));
                webhook["clientConfig"]["service"]["name"] = json!(address);
                webhook["objectSelector"] =
                    json!({"matchExpressions": [{"key": REVISION, "operator": "In", "values": [revision]}]});
            }
        }
    }
}

/// The webhooks by which namespaces and pods that say `istio.io/rev: TAG` reach a control plane. `first` is the configuration of the
/// control plane that needs no name.
pub(super) fn tag(first: &Value, tag: &str, revision: &str) -> Value {
    let mut object = first.clone();
    object["metadata"]["name"] = json!(format!("istio-revision-tag-{tag}"));
    let labels = &mut object["metadata"]["labels"];
    labels[TAG] = json!(tag);
    labels[REVISION] = json!(revision);
    let address = if revision == DEFAULT { "istiod".to_owned() } else { format!("istiod-{revision}") };
    webhooks(&mut object, tag, &address);
    object
}

/// The entries for those who ask by a name. The one named `default` also serves who names none.
fn webhooks(object: &mut Value, name: &str, address: &str) {
    let model = object["webhooks"][0].clone();
    let asked = Revision { name: name.to_owned(), is_default: name == DEFAULT, by_default: false };
    let made = entries(&asked).into_iter().map(|entry| {
        let mut webhook = model.clone();
        webhook["name"] = json!(format!("{}sidecar-injector.istio.io", entry.prefix));
        webhook["clientConfig"]["service"]["name"] = json!(address);
        webhook["namespaceSelector"] = entry.namespaces;
        webhook["objectSelector"] = entry.pods;
        webhook
    });
    object["webhooks"] = made.collect();
}

/// Whether a text may be the name of a revision or tag: it becomes a part of the names of objects.
pub(super) fn name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=56).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("write lower-case letters, digits and -, at most 56".to_owned())
    }
}
