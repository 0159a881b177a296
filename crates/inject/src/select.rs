//! Which pods reach the webhook: the API server decides by labels of namespace and pod alone.

use serde_json::{Value, json};

pub use crate::pod::SYSTEM_NAMESPACES;
use crate::pod::labels::Labels;
use crate::pod::labels_of;

const INJECTION: &str = "istio-injection";
const REVISION: &str = "istio.io/rev";
const INJECT: &str = "sidecar.istio.io/inject";

/// A control plane as namespaces and pods name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its name, or the name of a tag that points to it; `default` if it has none.
    pub name: String,
    /// Whether it serves namespaces and pods that name no revision.
    pub is_default: bool,
    /// Whether it injects pods that say nothing, in namespaces that say nothing.
    pub by_default: bool,
}

/// One entry of the webhook configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What stands before `sidecar-injector.istio.io` in its name.
    pub prefix: &'static str,
    /// `namespaceSelector`.
    pub namespaces: Value,
    /// `objectSelector`.
    pub pods: Value,
}

/// The entries of the webhook configuration of a revision.
pub fn entries(revision: &Revision) -> Vec<Entry> {
    let is = |key: &str, operator: &str, values: &[&str]| json!({"key": key, "operator": operator, "values": values});
    let any = |key: &str, operator: &str| json!({"key": key, "operator": operator});
    let all = |expressions: Vec<Value>| json!({"matchExpressions": expressions});
    let name = revision.name.as_str();
    let unlabelled = || vec![any(INJECTION, "DoesNotExist"), any(REVISION, "DoesNotExist")];
    let willing = || is(INJECT, "NotIn", &["false"]);
    let mut entries = vec![
        Entry {
            prefix: "rev.namespace.",
            namespaces: all(vec![is(REVISION, "In", &[name]), any(INJECTION, "DoesNotExist")]),
            pods: all(vec![willing()]),
        },
        Entry {
            prefix: "rev.object.",
            namespaces: all(unlabelled()),
            pods: all(vec![willing(), is(REVISION, "In", &[name])]),
        },
    ];
    if revision.is_default {
        entries.push(Entry {
            prefix: "namespace.",
            namespaces: all(vec![is(INJECTION, "In", &["enabled"])]),
            pods: all(vec![willing()]),
        });
        entries.push(Entry {
            prefix: "object.",
            namespaces: all(unlabelled()),
            pods: all(vec![is(INJECT, "In", &["true"]), any(REVISION, "DoesNotExist")]),
        });
        if revision.by_default {
            let mut namespaces = unlabelled();
            namespaces.push(is("kubernetes.io/metadata.name", "NotIn", &SYSTEM_NAMESPACES));
            entries.push(Entry {
                prefix: "auto.",
                namespaces: all(namespaces),
                pods: all(vec![any(INJECT, "DoesNotExist"), any(REVISION, "DoesNotExist")]),
            });
        }
    }
    entries
}

/// The first entry that sends a pod to the webhook of a revision; none if the API server does not ask it. Takes the two
/// objects, of which only the labels are read; those of a namespace hold its name, as the API server sees to.
pub fn selecting(namespace: &Value, pod: &Value, revision: &Revision) -> Option<Entry> {
    let (namespace, pod): (Labels<'_>, Labels<'_>) = (labels_of(namespace), labels_of(pod));
    entries(revision).into_iter().find(|entry| {
        crate::pod::labels::fits(&entry.namespaces, &namespace) && crate::pod::labels::fits(&entry.pods, &pod)
    })
}

#[cfg(test)]
mod tests;
