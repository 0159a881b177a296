//! What a rule does: route, redirect or answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilothouse_api as api;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, destination, redirect};
use crate::check::fields;
use crate::virtual_service::{DirectResponse, HttpAction};

/// What a rule that cannot be understood does.
pub(super) const BROKEN: &str = "requests that match the rule are answered with 500";
/// The largest body.
const LARGEST_BODY: usize = 1024 * 1024;

/// The actions as written.
#[derive(Clone, Copy)]
pub(super) struct Written<'r> {
    pub(super) route: &'r [api::HttpDestination],
    pub(super) redirect: Option<&'r api::Redirect>,
    pub(super) direct_response: Option<&'r api::DirectResponse>,
    pub(super) delegate: Option<&'r api::Delegate>,
}

pub(super) fn check(
    written: Written<'_>,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> HttpAction {
    let Written { route, redirect, direct_response, delegate } = written;
    if let Some(api::Delegate { name: _, namespace: _ }) = delegate {
        out.report(catalogue::UNSUPPORTED_FIELD, &at.field("delegate")).effect(BROKEN);
        return HttpAction::Broken;
    }
    let set = [
        ("route", !route.is_empty()),
        ("redirect", redirect.is_some()),
        ("directResponse", direct_response.is_some()),
    ];
    let set: Vec<_> = set.into_iter().filter(|(_, set)| *set).map(|(field, _)| field).collect();
    if set.len() > 1 {
        out.report(catalogue::CONFLICTING_FIELDS, at)
            .detail(format_args!("{} are set together", set.join(" and ")))
            .effect(BROKEN);
        return HttpAction::Broken;
    }
    let action = match (redirect, direct_response) {
        _ if !route.is_empty() => {
            destination::http(route, &at.field("route"), scope, out).map(HttpAction::Route)
        }
        (Some(raw), _) => redirect::check(raw, &at.field("redirect"), out).map(HttpAction::Redirect),
        (_, Some(raw)) => respond(raw, &at.field("directResponse"), out).map(HttpAction::Respond),
        (None, None) => {
            out.report(catalogue::EMPTY_ROUTE, at).effect(BROKEN);
            None
        }
    };
    action.unwrap_or(HttpAction::Broken)
}

fn respond(raw: &api::DirectResponse, at: &FieldPath, out: &mut Diagnostics) -> Option<DirectResponse> {
    let api::DirectResponse { status, body } = raw;
    let Some(status) = status else {
        out.report(catalogue::REQUIRED, &at.field("status")).effect(BROKEN);
        return None;
    };
    let status = fields::number(*status, 200..=599, at, "status", BROKEN, out)?;
    let at = at.field("body");
    let body = match body.as_ref().map(|api::HttpBody { string, bytes }| (string.as_ref(), bytes.as_ref())) {
        None | Some((None, None)) => Vec::new(),
        Some((Some(text), None)) => text.as_bytes().to_vec(),
        Some((None, Some(text))) => match STANDARD.decode(text) {
            Ok(bytes) => bytes,
            Err(error) => {
                out.report(catalogue::INVALID_VALUE, &at.field("bytes"))
                    .value(text)
                    .detail(format_args!("it is not base64: {error}"))
                    .effect(BROKEN);
                return None;
            }
        },
        Some((Some(_), Some(_))) => {
            out.report(catalogue::CONFLICTING_FIELDS, &at)
                .detail("string and bytes are both set")
                .effect(BROKEN);
            return None;
        }
    };
    if body.len() > LARGEST_BODY {
        out.report(catalogue::OUT_OF_RANGE, &at)
            .detail(format_args!("the body has {} bytes, more than 1 MiB", body.len()))
            .effect(BROKEN);
        return None;
    }
    if body.len() > 100 * 1024 {
        out.report(catalogue::RISKY_VALUE, &at)
            .detail(format_args!("the body has {} bytes, and every proxy keeps it in memory", body.len()));
    }
    Some(DirectResponse { status: u16::try_from(status).ok()?, body })
}
