//! Header changes.

use std::collections::BTreeMap;

use pilothouse_base::Name;
use pilothouse_config::virtual_service::{HeaderChanges, HeaderEdits};
use pilothouse_envoy_api as envoy;

use crate::format;

/// What a route or a weighted cluster does to headers.
#[derive(Default)]
pub(super) struct Mutations {
    pub(super) request_add: Vec<envoy::core::HeaderValueOption>,
    pub(super) request_remove: Vec<String>,
    pub(super) response_add: Vec<envoy::core::HeaderValueOption>,
    pub(super) response_remove: Vec<String>,
}

impl Mutations {
    /// Those of a plan.
    pub(super) fn of(changes: &HeaderChanges) -> Self {
        let mut mutations = Self::default();
        mutations.append(changes);
        mutations
    }

    /// Adds those of a plan behind what is there, so that they have the last word. The authority is no header to Envoy.
    pub(super) fn append(&mut self, changes: &HeaderChanges) {
        let HeaderChanges { request, response, authority: _ } = changes;
        edit(request, &mut self.request_add, &mut self.request_remove);
        edit(response, &mut self.response_add, &mut self.response_remove);
    }
}

fn edit(edits: &HeaderEdits, adds: &mut Vec<envoy::core::HeaderValueOption>, removes: &mut Vec<String>) {
    use envoy::core::header_value_option::HeaderAppendAction;
    let HeaderEdits { set, add, remove } = edits;
    let mut push = |headers: &BTreeMap<Name, Name>, action: HeaderAppendAction| {
        adds.extend(headers.iter().map(|(key, value)| envoy::core::HeaderValueOption {
            header: Some(envoy::core::HeaderValue {
                key: key.to_string(),
                value: format::literal_unless_valid(value.as_str()),
                ..Default::default()
            }),
            append_action: action.into(),
            // An empty value is what was asked for; Envoy drops such a header otherwise.
            keep_empty_value: value.as_str().is_empty(),
            ..Default::default()
        }));
    };
    push(set, HeaderAppendAction::OverwriteIfExistsOrAdd);
    push(add, HeaderAppendAction::AppendIfExistsOrAdd);
    removes.extend(remove.iter().map(Name::to_string));
}
