//! Templates: what a pod is made into, and patches laid over it.

use serde_json::Value;

use super::merge::merge;
use super::problem::{Findings, annotation};
use super::{INIT, PROXY, Settings, wishes};
use crate::bootstrap::Role;

/// The chosen templates.
#[derive(Debug, Default)]
pub(super) struct Templates<'s> {
    /// Which proxy is made; none if only patches were chosen.
    pub(super) role: Option<Role>,
    pub(super) patches: Vec<&'s Value>,
}

impl<'s> Templates<'s> {
    /// `written` is the annotation.
    pub(super) fn choose(written: Option<&str>, settings: &'s Settings, out: &mut Findings) -> Self {
        let written: Vec<String> = written
            .map(|names| {
                names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            })
            .filter(|names: &Vec<String>| !names.is_empty())
            .unwrap_or_else(|| settings.default_templates.clone());
        // Aliases stand for templates, not for other aliases.
        let names = written.iter().flat_map(|name| match settings.aliases.get(name) {
            Some(several) => several.iter().collect::<Vec<_>>(),
            None => vec![name],
        });
        let mut chosen = Self::default();
        let at = annotation(wishes::TEMPLATES);
        for name in names {
            let role = match name.as_str() {
                "sidecar" => Some(Role::Sidecar),
                "gateway" => Some(Role::Router),
                _ => None,
            };
            match (role, settings.templates.get(name)) {
                (Some(role), _) if chosen.role.is_some_and(|other| other != role) => {
                    out.problem(
                        &at,
                        name,
                        "cannot be had together with another proxy; choose sidecar or gateway",
                    );
                }
                (Some(role), patch) => {
                    chosen.role = Some(role);
                    chosen.patches.extend(patch);
                }
                (None, Some(patch)) => chosen.patches.push(patch),
                (None, None) => {
                    let known = settings.templates.keys().chain(settings.aliases.keys()).map(String::as_str);
                    let mut known: Vec<&str> = known.chain(["sidecar", "gateway"]).collect();
                    known.sort_unstable();
                    known.dedup();
                    out.problem(&at, name, format!("is no template; there are {}", known.join(", ")));
                }
            }
        }
        chosen
    }
}

/// The part of a patch that is not about our containers.
pub(super) fn around(patch: &Value) -> Value {
    let mut patch = patch.clone();
    for list in LISTS {
        if let Some(Value::Array(list)) = patch.pointer_mut(list) {
            list.retain(|container| !is_ours(container));
        }
    }
    patch
}

/// Whether a patch is about a field of one of our containers.
pub(super) fn has(patch: &Value, name: &str, field: &str) -> bool {
    let containers = LISTS.iter().filter_map(|list| patch.pointer(list)?.as_array()).flatten();
    containers.into_iter().any(|container| container["name"] == name && container.pointer(field).is_some())
}

/// Lays the other part over what we made. Our containers are found in whichever list they are; a patch for one that was not
/// made has no effect.
pub(super) fn lay_ours(pod: &mut Value, patch: &Value) {
    for ours in
        LISTS.iter().filter_map(|list| patch.pointer(list)?.as_array()).flatten().filter(|one| is_ours(one))
    {
        for list in LISTS {
            let Some(Value::Array(list)) = pod.pointer_mut(list) else { continue };
            for made in list.iter_mut().filter(|made| made["name"] == ours["name"]) {
                merge(made, ours);
            }
        }
    }
}

const LISTS: [&str; 2] = ["/spec/containers", "/spec/initContainers"];

fn is_ours(container: &Value) -> bool {
    container["name"] == PROXY || container["name"] == INIT
}
