//! `corsPolicy`. An entry that cannot be understood allows nothing.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::matching::{self, Unusable};
use crate::check::{duration, fields, header};
use crate::virtual_service::{Cors, StringMatch};

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

pub(super) fn check(raw: &api::Cors, at: &FieldPath, out: &mut Diagnostics) -> Cors {
    let api::Cors {
        allow_origins,
        allow_origin,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
        allow_credentials,
        unmatched_preflights,
    } = raw;
    let mut origins = self::origins(allow_origins, &at.field("allowOrigins"), out);
    if !allow_origin.is_empty() {
        let report = out.report(catalogue::DEPRECATED, &at.field("allowOrigin"));
        report.help("write allowOrigins with exact");
        if allow_origins.is_empty() {
            origins = allow_origin.iter().map(|text| StringMatch::Exact(Name::from(text.as_str()))).collect();
        } else {
            report.effect("allowOrigins counts");
        }
    }
    let methods = at.field("allowMethods");
    let allowed = allow_methods.iter().enumerate().filter(|(index, method)| {
        let good = METHODS.contains(&method.as_str());
        if !good {
            out.report(catalogue::INVALID_VALUE, &methods.index(*index))
                .value(method)
                .effect("the method is not allowed")
                .help_closest(&method.to_ascii_uppercase(), METHODS);
        }
        good
    });
    let methods = allowed.map(|(_, method)| Name::from(method.as_str())).collect();
    let max_age = duration::positive(max_age.as_ref(), at, "maxAge", "browsers use their default", out);
    if max_age.is_some_and(|age| age.subsec_nanos() != 0) {
        out.report(catalogue::INVALID_DURATION, &at.field("maxAge"))
            .detail("whole seconds are expected")
            .effect("the fraction is dropped");
    }
    let words = [("UNSPECIFIED", true), ("FORWARD", true), ("IGNORE", false)];
    let forward_unmatched = unmatched_preflights.as_ref().is_none_or(|written| {
        let effect = "it is read as FORWARD";
        fields::word(written, &words, at, "unmatchedPreflights", effect, out).unwrap_or(true)
    });
    Cors {
        origins,
        methods,
        headers: header::names(allow_headers, at, "allowHeaders", out),
        expose: header::names(expose_headers, at, "exposeHeaders", out),
        max_age,
        credentials: *allow_credentials,
        forward_unmatched,
    }
}

fn origins(written: &[api::StringMatch], at: &FieldPath, out: &mut Diagnostics) -> Vec<StringMatch> {
    const LOST: &str = "the entry allows no origin";
    let mut found = Vec::with_capacity(written.len());
    for (index, raw) in written.iter().enumerate() {
        let at = at.index(index);
        match matching::string(raw, &at, false, LOST, out) {
            Ok(Some(StringMatch::Exact(text))) if text == "" => {
                out.report(catalogue::INVALID_VALUE, &at.field("exact")).value("").effect(LOST);
            }
            Ok(Some(one)) => found.push(one),
            Ok(None) => {
                out.report(catalogue::REQUIRED, &at)
                    .detail("one of exact, prefix and regex is needed")
                    .effect(LOST);
            }
            Err(Unusable) => {}
        }
    }
    found
}
