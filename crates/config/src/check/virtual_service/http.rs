//! HTTP rules.

use pilothouse_api as api;
use pilothouse_base::Name;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{Scope, action, cors, fault, matching, mirror, reachable};
use crate::check::{duration, fields, header, pattern, retry};
use crate::virtual_service::{Fault, HttpAction, HttpRule, PathRewrite, Rewrite};

pub(super) fn rules(
    written: &[api::HttpRule],
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Vec<HttpRule> {
    let found: Vec<HttpRule> = written
        .iter()
        .enumerate()
        .filter_map(|(index, raw)| rule(raw, index, &at.index(index), scope, out))
        .collect();
    reachable::report(&found, at, out);
    found
}

/// None if none of its matches can be understood.
fn rule(
    raw: &api::HttpRule,
    index: usize,
    at: &FieldPath,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<HttpRule> {
    let api::HttpRule {
        name,
        matches,
        route,
        redirect,
        direct_response,
        delegate,
        rewrite,
        timeout,
        retries,
        fault,
        mirror,
        mirrors,
        mirror_percent,
        mirror_percentage,
        cors_policy,
        headers,
    } = raw;
    let conditions = matching::matches(matches, &at.field("match"), scope, out);
    let lost = conditions.is_empty() && !matches.is_empty();
    let mut action = action::check(
        action::Written {
            route,
            redirect: redirect.as_ref(),
            direct_response: direct_response.as_ref(),
            delegate: delegate.as_ref(),
        },
        at,
        scope,
        out,
    );
    let headers = header::changes(headers.as_ref(), &at.field("headers"), out);
    let mut rewrite = match rewrite {
        None => Rewrite::default(),
        Some(raw) => {
            if let Ok(rewrite) = self::rewrite(raw, &at.field("rewrite"), out) {
                rewrite
            } else {
                action = HttpAction::Broken;
                Rewrite::default()
            }
        }
    };
    if rewrite.authority.is_some() && headers.authority.is_some() {
        out.report(catalogue::CONFLICTING_FIELDS, &at.field("rewrite").field("authority"))
            .detail("headers write the authority too")
            .effect("the one of rewrite counts");
    }
    let mut fault = fault::check(fault.as_ref(), &at.field("fault"), out);
    let without_route = [("redirect", redirect.is_some()), ("directResponse", direct_response.is_some())];
    for (field, _) in without_route.into_iter().filter(|(_, set)| *set) {
        for (other, set) in [("rewrite", raw.rewrite.is_some()), ("fault", raw.fault.is_some())] {
            if set {
                out.report(catalogue::CONFLICTING_FIELDS, &at.field(other))
                    .detail(format_args!("{field} answers without a destination"))
                    .effect(format_args!("{other} has no effect"));
            }
        }
    }
    if matches!(action, HttpAction::Redirect(_) | HttpAction::Respond(_)) {
        (rewrite, fault) = (Rewrite::default(), Fault::default());
    }
    let timeout = timeout.as_ref().and_then(|written| {
        let value = duration::any(Some(written), at, "timeout", "requests have no time limit", out)?;
        if value.is_zero() {
            out.report(catalogue::RISKY_VALUE, &at.field("timeout"))
                .value(written)
                .detail("zero is refused by admission in Istio")
                .effect("requests have no time limit")
                .help("leave the field out");
        }
        Some(value)
    });
    let mirrors =
        mirror::check(mirror.as_ref(), mirrors, *mirror_percent, mirror_percentage.as_ref(), at, scope, out);
    let rule = HttpRule {
        index,
        name: fields::name(name.as_ref()),
        matches: conditions,
        action,
        rewrite,
        timeout,
        retries: retries.as_ref().map(|raw| retry::check(raw, &at.field("retries"), out)),
        fault,
        mirrors,
        cors: cors_policy.as_ref().map(|raw| cors::check(raw, &at.field("corsPolicy"), out)),
        headers,
    };
    if lost {
        out.report(catalogue::UNREACHABLE_RULE, &at.field("match"))
            .detail("none of its matches can be understood")
            .effect("the rule is left out");
        return None;
    }
    Some(rule)
}

/// A part without which the rule must not send anything.
struct Broken;

fn rewrite(raw: &api::Rewrite, at: &FieldPath, out: &mut Diagnostics) -> Result<Rewrite, Broken> {
    const BROKEN: &str = "requests that match the rule are answered with 500";
    let api::Rewrite { uri, authority, uri_regex_rewrite } = raw;
    let authority = fields::text(authority.as_ref()).map(Name::from);
    let uri = fields::text(uri.as_ref());
    if uri.is_some() && uri_regex_rewrite.is_some() {
        out.report(catalogue::CONFLICTING_FIELDS, at)
            .detail("uri and uriRegexRewrite are both set")
            .effect(BROKEN);
        return Err(Broken);
    }
    let path = if let Some(api::RegexRewrite { pattern, rewrite }) = uri_regex_rewrite {
        let at = at.field("uriRegexRewrite");
        let pattern = fields::required(pattern.as_ref(), &at, "match", BROKEN, out).ok_or(Broken)?;
        let substitution = fields::required(rewrite.as_ref(), &at, "rewrite", BROKEN, out).ok_or(Broken)?;
        if let Some(flaw) = pattern::flaw(pattern) {
            out.report(catalogue::INVALID_REGEX, &at.field("match"))
                .value(pattern)
                .detail(flaw)
                .effect(BROKEN);
            return Err(Broken);
        }
        if let Some(group) = missing_group(substitution, pattern::groups(pattern).unwrap_or(0)) {
            out.report(catalogue::INVALID_VALUE, &at.field("rewrite"))
                .value(substitution)
                .detail(group)
                .effect(BROKEN);
            return Err(Broken);
        }
        Some(PathRewrite::Regex { pattern: Name::from(pattern), substitution: Name::from(substitution) })
    } else {
        uri.map(|uri| PathRewrite::Prefix(Name::from(uri)))
    };
    if path.is_none() && authority.is_none() {
        out.report(catalogue::REQUIRED, at)
            .detail("one of uri, uriRegexRewrite and authority is needed")
            .effect("nothing is rewritten");
    }
    Ok(Rewrite { path, authority })
}

/// What is wrong with the backslashes of a substitution, if anything is.
fn missing_group(substitution: &str, groups: usize) -> Option<String> {
    let mut rest = substitution.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            continue;
        }
        match rest.next() {
            Some('\\') => {}
            Some(digit) if digit.to_digit(10).is_some_and(|group| group as usize <= groups) => {}
            Some(digit) if digit.is_ascii_digit() => {
                return Some(format!("the expression has no group \\{digit}"));
            }
            _ => return Some("a backslash must be followed by a digit or a backslash".to_owned()),
        }
    }
    None
}
