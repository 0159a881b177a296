//! Objects as files hold them: pods, and everything that holds the template of pods.

use std::fmt;

use serde_json::Value;

use crate::pod::{Injected, Outcome, Owner, Refused, Request, Settings, inject};

/// Kinds with a template of pods: group, kind, where the template is.
const KINDS: [(&str, &str, &str); 11] = [
    ("", "Pod", ""),
    ("apps", "Deployment", "/spec/template"),
    ("apps", "StatefulSet", "/spec/template"),
    ("apps", "DaemonSet", "/spec/template"),
    ("apps", "ReplicaSet", "/spec/template"),
    ("", "ReplicationController", "/spec/template"),
    ("batch", "Job", "/spec/template"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
    ("argoproj.io", "Rollout", "/spec/template"),
    ("apps.openshift.io", "DeploymentConfig", "/spec/template"),
    ("extensions", "Deployment", "/spec/template"),
];

/// Lists in lists, beyond which nobody can have meant it.
const DEEPEST: usize = 8;

/// An object after injection.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object.
    pub object: Value,
    /// Whether anything in it changed.
    pub changed: bool,
    /// What there is to say.
    pub remarks: Vec<Remark>,
    /// What could not be injected.
    pub refused: Vec<(String, Refused)>,
}

/// Something worth saying about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Kind, namespace and name.
    pub about: String,
    /// What there is to say.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, text } = self;
        write!(out, "{about}: {text}")
    }
}

/// Injects all pods and templates of an object; the items of a list each by itself. What has none stays as it is.
/// `namespace` is that of objects which name none.
pub fn inject_object(object: &Value, namespace: &str, settings: &Settings, drain: Option<&str>) -> Manifest {
    let mut done =
        Manifest { object: object.clone(), changed: false, remarks: Vec::new(), refused: Vec::new() };
    let Manifest { object, .. } = &mut done;
    let mut object = std::mem::take(object);
    walk(&mut object, namespace, settings, drain, &mut done, 0);
    done.object = object;
    done
}

fn walk(
    object: &mut Value,
    namespace: &str,
    settings: &Settings,
    drain: Option<&str>,
    done: &mut Manifest,
    depth: usize,
) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if kind.ends_with("List") && depth < DEEPEST {
        if let Some(Value::Array(items)) = object.get_mut("items") {
            for item in items {
                walk(item, namespace, settings, drain, done, depth + 1);
            }
        }
        return;
    }
    let version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let known = KINDS.iter().find(|(of, name, _)| *of == group && *name == kind);
    let Some((_, _, place)) = known else { return };
    let text = |field: &str| object["metadata"][field].as_str().filter(|text| !text.is_empty());
    let namespace = text("namespace").unwrap_or(namespace).to_owned();
    let name =
        text("name").or_else(|| text("generateName")).unwrap_or_default().trim_end_matches('-').to_owned();
    let about = format!("{kind} {namespace}/{name}");
    let Some(pod) = object.pointer_mut(place) else {
        done.remarks.push(Remark { about, text: "it has no template of pods".to_owned() });
        return;
    };
    let workload =
        (!place.is_empty()).then(|| Owner { api_version: version, kind: kind.clone(), name: name.clone() });
    let request = Request { pod, namespace: &namespace, workload, drain };
    match inject(&request, settings) {
        Ok(Outcome::Injected(injected)) => {
            let Injected { pod: new, warnings } = *injected;
            done.changed |= *pod != new;
            *pod = new;
            done.remarks.extend(warnings.into_iter().map(|text| Remark { about: about.clone(), text }));
        }
        Ok(Outcome::Skipped(skip)) => {
            done.remarks.push(Remark { about, text: format!("not injected: {skip}") });
        }
        Err(refused) => done.refused.push((about, refused)),
    }
}
