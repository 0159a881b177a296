//! Looking up a pod in a folder of manifests.

use std::path::Path;
use std::sync::Arc;

use pilothouse_base::{Kind, ObjectKey};
use pilothouse_config::{Object, Pod};
use pilothouse_diag::closest;
use pilothouse_sources::{Loaded, load};
use pilothouse_world::Change;

use crate::exit::Failure;
use crate::units::Workload;

/// What a folder holds.
pub(crate) fn read(folder: &Path, domain: &str) -> Result<Loaded, Failure> {
    load(&[folder.to_owned()], None, domain).map_err(Failure::not_found)
}

/// The pod of a name; workloads without pods stand for one named like them.
pub(crate) fn find(loaded: &Loaded, workload: &Workload) -> Result<Arc<Pod>, Failure> {
    let Workload { pod, namespace } = workload;
    let wanted = ObjectKey::new(Kind::Pod, namespace.as_str(), pod.as_str());
    let pods = loaded.changes.iter().filter_map(|change| match change {
        Change::Apply { key, object: Object::Pod(pod), .. } => Some((key, pod)),
        _ => None,
    });
    let mut names = Vec::new();
    for (key, pod) in pods {
        if *key == wanted {
            return Ok(Arc::clone(pod));
        }
        names.push(format!("{}.{}", key.name, key.namespace));
    }
    let near = closest(&format!("{pod}.{namespace}"), names.iter().map(String::as_str));
    let hint = match (near, names.is_empty()) {
        (Some(near), _) => format!("; did you mean {near}?"),
        (None, true) => "; there are no pods at all".to_owned(),
        (None, false) => format!("; there are {}", listed(&names)),
    };
    Err(Failure::not_found(format_args!("there is no pod {pod}.{namespace}{hint}")))
}

/// The first few of many names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 8;
    let first = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{first} and {} more", names.len() - MOST) } else { first }
}
