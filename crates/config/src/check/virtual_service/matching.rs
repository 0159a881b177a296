//! Matches of HTTP rules. A match that cannot be understood matches nothing.

use std::collections::BTreeMap;

use pilothouse_api as api;
use pilothouse_base::{Labels, Name, Namespace};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::Scope;
use crate::check::{fields, header, host, labels, pattern};
use crate::virtual_service::{GatewayRef, HttpMatch, StringMatch, ValueMatch};

/// What a flaw costs.
pub(super) const LOST: &str = "the match matches nothing; the other matches count";

pub(super) fn matches(
    written: &[api::HttpMatch],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Vec<HttpMatch> {
    let one = |(index, raw): (usize, &api::HttpMatch)| one(raw, index, &at.index(index), scope, out).ok();
    written.iter().enumerate().filter_map(one).collect()
}

/// A finding was made; the match is left out.
pub(super) struct Unusable;

fn one(
    raw: &api::HttpMatch,
    index: usize,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<HttpMatch, Unusable> {
    let api::HttpMatch {
        name,
        uri,
        scheme,
        method,
        authority,
        headers,
        without_headers,
        query_params,
        ignore_uri_case,
        port,
        source_labels,
        source_namespace,
        gateways,
        stat_prefix,
    } = raw;
    // Everything is looked at before giving up, so that all findings come at once.
    let uri = text(uri.as_ref(), &at.field("uri"), true, out);
    let scheme = text(scheme.as_ref(), &at.field("scheme"), false, out);
    let method = text(method.as_ref(), &at.field("method"), false, out);
    let authority = text(authority.as_ref(), &at.field("authority"), false, out);
    let headers = header_matches(headers, &at.field("headers"), false, out);
    let without_headers = header_matches(without_headers, &at.field("withoutHeaders"), true, out);
    let query = query_matches(query_params, &at.field("queryParams"), out);
    let client = client(*port, source_labels, source_namespace.as_ref(), gateways, at, scope, out);
    let Client { port, source_labels, source_namespace, gateways } = client?;
    Ok(HttpMatch {
        index,
        name: fields::name(name.as_ref()),
        uri: uri?,
        ignore_uri_case: ignore_uri_case.unwrap_or(false),
        scheme: scheme?,
        method: method?,
        authority: authority?,
        headers: headers?,
        without_headers: without_headers?,
        query: query?,
        port,
        source_labels,
        source_namespace,
        gateways,
        stat_prefix: fields::name(stat_prefix.as_ref()),
    })
}

/// The conditions on listener and client that all kinds of matches share.
pub(super) struct Client {
    pub(super) port: Option<u16>,
    pub(super) source_labels: Labels,
    pub(super) source_namespace: Option<Namespace>,
    pub(super) gateways: Option<Vec<GatewayRef>>,
}

pub(super) fn client(
    port: Option<api::Int>,
    source_labels: &BTreeMap<String, String>,
    source_namespace: Option<&String>,
    gateways: &[String],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<Client, Unusable> {
    let port = match port.filter(|port| port.0 != 0) {
        None => Ok(None),
        Some(port) => fields::port(port, at, "port", LOST, out).map(Some).ok_or(Unusable),
    };
    let source_labels = labels::labels(source_labels, &at.field("sourceLabels"), LOST, out).ok_or(Unusable);
    let source_namespace = match fields::text(source_namespace) {
        Some(name) if !host::is_label(name) => {
            out.report(catalogue::INVALID_VALUE, &at.field("sourceNamespace"))
                .value(name)
                .detail("it is no namespace")
                .effect(LOST);
            Err(Unusable)
        }
        name => Ok(name.map(Namespace::from)),
    };
    // Without any gateway that can be read, the match is bound to nothing.
    let gateways = (!gateways.is_empty())
        .then(|| super::gateways(gateways, &at.field("gateways"), scope.namespace, out));
    if gateways.as_ref().is_some_and(Vec::is_empty) {
        return Err(Unusable);
    }
    Ok(Client { port: port?, source_labels: source_labels?, source_namespace: source_namespace?, gateways })
}

/// One of `exact`, `prefix` and `regex`; `Ok(None)` if none is written.
pub(super) fn string(
    raw: &api::StringMatch,
    at: &FieldPath,
    empty_prefix: bool,
    effect: &str,
    out: &mut Diagnostics,
) -> Result<Option<StringMatch>, Unusable> {
    let api::StringMatch { exact, prefix, regex } = raw;
    match (exact, prefix, regex) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(StringMatch::Exact(Name::from(text.as_str())))),
        (None, Some(text), None) if text.is_empty() && !empty_prefix => {
            out.report(catalogue::INVALID_VALUE, &at.field("prefix"))
                .value(text)
                .detail("every text has the empty prefix")
                .effect(effect);
            Err(Unusable)
        }
        (None, Some(text), None) => Ok(Some(StringMatch::Prefix(Name::from(text.as_str())))),
        (None, None, Some(text)) => match pattern::flaw(text) {
            None => Ok(Some(StringMatch::Regex(Name::from(text.as_str())))),
            Some(flaw) => {
                out.report(catalogue::INVALID_REGEX, &at.field("regex"))
                    .value(text)
                    .detail(flaw)
                    .effect(effect);
                Err(Unusable)
            }
        },
        _ => {
            out.report(catalogue::CONFLICTING_FIELDS, at)
                .detail("only one of exact, prefix and regex may be set")
                .effect(effect);
            Err(Unusable)
        }
    }
}

fn text(
    raw: Option<&api::StringMatch>,
    at: &FieldPath,
    empty_prefix: bool,
    out: &mut Diagnostics,
) -> Result<Option<StringMatch>, Unusable> {
    raw.map_or(Ok(None), |raw| string(raw, at, empty_prefix, LOST, out))
}

fn header_matches(
    written: &BTreeMap<String, api::StringMatch>,
    at: &FieldPath,
    inverted: bool,
    out: &mut Diagnostics,
) -> Result<BTreeMap<Name, ValueMatch>, Unusable> {
    let mut found = BTreeMap::new();
    let mut good = true;
    for (key, raw) in written {
        let at = at.key(key);
        let name = if key.to_ascii_lowercase().starts_with("@request.auth.claims") {
            out.report(catalogue::UNSUPPORTED_FIELD, &at)
                .detail("claims of a token cannot be matched yet")
                .effect(LOST);
            None
        } else {
            match header::match_name(key) {
                Ok(name) => Some(name),
                Err(flaw) => {
                    out.report(catalogue::INVALID_VALUE, &at).value(key).detail(flaw).effect(LOST);
                    None
                }
            }
        };
        // The text "*" is no expression, but it is how absence has long been written.
        let any = inverted && raw.regex.as_deref() == Some("*");
        let value = if any { Ok(None) } else { string(raw, &at, false, LOST, out) };
        match (name, value) {
            (Some(name), Ok(value)) => {
                found.insert(name, value.map_or(ValueMatch::Present, ValueMatch::Text));
            }
            _ => good = false,
        }
    }
    if good { Ok(found) } else { Err(Unusable) }
}

fn query_matches(
    written: &BTreeMap<String, api::StringMatch>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Result<BTreeMap<Name, ValueMatch>, Unusable> {
    let mut found = BTreeMap::new();
    let mut good = true;
    for (key, raw) in written {
        let at = at.key(key);
        if key.is_empty() || key.len() > 1024 {
            out.report(catalogue::INVALID_VALUE, &at)
                .detail("a parameter has a name of 1 to 1024 bytes")
                .effect(LOST);
            good = false;
        }
        match string(raw, &at, false, LOST, out) {
            Ok(value) => {
                found.insert(Name::from(key.as_str()), value.map_or(ValueMatch::Present, ValueMatch::Text));
            }
            Err(Unusable) => good = false,
        }
    }
    if good { Ok(found) } else { Err(Unusable) }
}
