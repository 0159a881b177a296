//! Which requests a route takes.

use std::collections::BTreeMap;

use pilothouse_base::Name;
use pilothouse_config::virtual_service::{HttpMatch, StringMatch, ValueMatch};
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::RouteMatchPlan;

/// The match of a plan.
pub(super) fn route_match(plan: &RouteMatchPlan) -> envoy::route::RouteMatch {
    match plan {
        RouteMatchPlan::All => everything(),
        RouteMatchPlan::Http(http) => of_http(http),
    }
}

/// Takes every request.
pub(super) fn everything() -> envoy::route::RouteMatch {
    envoy::route::RouteMatch {
        path_specifier: Some(envoy::route::route_match::PathSpecifier::Prefix("/".into())),
        ..Default::default()
    }
}

/// The statistics that requests of a match are counted in, if it names some.
pub(super) fn stat_prefix(plan: &RouteMatchPlan) -> String {
    match plan {
        RouteMatchPlan::All => String::new(),
        RouteMatchPlan::Http(http) => http.stat_prefix.to_string(),
    }
}

fn of_http(plan: &HttpMatch) -> envoy::route::RouteMatch {
    use envoy::route::route_match::PathSpecifier;
    let HttpMatch {
        uri,
        ignore_uri_case,
        scheme,
        method,
        authority,
        headers,
        without_headers,
        query,
        stat_prefix: _,
        index: _,
        name: _,
        port: _,
        source_labels: _,
        source_namespace: _,
        gateways: _,
    } = plan;
    let path = match uri {
        None => PathSpecifier::Prefix("/".into()),
        Some(StringMatch::Exact(path)) => PathSpecifier::Path(path.to_string()),
        // A prefix of the text, as users of the API expect: `/foo` takes `/foobar` as well.
        Some(StringMatch::Prefix(prefix)) => PathSpecifier::Prefix(prefix.to_string()),
        Some(StringMatch::Regex(regex)) => PathSpecifier::SafeRegex(self::regex(regex)),
    };
    let pseudo = [(":method", method), (":authority", authority), (":scheme", scheme)]
        .into_iter()
        .filter_map(|(name, value)| Some(header(name, &ValueMatch::Text(value.clone()?))));
    envoy::route::RouteMatch {
        case_sensitive: Some(envoy::boolean(!ignore_uri_case)),
        headers: headers
            .iter()
            .map(|(name, value)| header(name.as_str(), value))
            .chain(without_headers.iter().map(|(name, value)| without(name.as_str(), value)))
            .chain(pseudo)
            .collect(),
        query_parameters: parameters(query),
        path_specifier: Some(path),
        ..Default::default()
    }
}

fn header(name: &str, value: &ValueMatch) -> envoy::route::HeaderMatcher {
    use envoy::route::header_matcher::HeaderMatchSpecifier;
    envoy::route::HeaderMatcher {
        name: name.into(),
        header_match_specifier: Some(match value {
            ValueMatch::Present => HeaderMatchSpecifier::PresentMatch(true),
            ValueMatch::Text(text) => HeaderMatchSpecifier::StringMatch(string(text)),
        }),
        ..Default::default()
    }
}

/// The opposite. A header that is missing does not have the value, so it satisfies this.
fn without(name: &str, value: &ValueMatch) -> envoy::route::HeaderMatcher {
    envoy::route::HeaderMatcher {
        invert_match: true,
        // Without this Envoy calls a match on a missing header false before it inverts.
        treat_missing_header_as_empty: matches!(value, ValueMatch::Text(_)),
        ..header(name, value)
    }
}

fn parameters(query: &BTreeMap<Name, ValueMatch>) -> Vec<envoy::route::QueryParameterMatcher> {
    use envoy::route::query_parameter_matcher::QueryParameterMatchSpecifier;
    query
        .iter()
        .map(|(name, value)| envoy::route::QueryParameterMatcher {
            name: name.to_string(),
            query_parameter_match_specifier: Some(match value {
                ValueMatch::Present => QueryParameterMatchSpecifier::PresentMatch(true),
                ValueMatch::Text(text) => QueryParameterMatchSpecifier::StringMatch(string(text)),
            }),
        })
        .collect()
}

/// A match of a text.
pub(super) fn string(text: &StringMatch) -> envoy::matcher::StringMatcher {
    use envoy::matcher::string_matcher::MatchPattern;
    envoy::matcher::StringMatcher {
        match_pattern: Some(match text {
            StringMatch::Exact(text) => MatchPattern::Exact(text.to_string()),
            // Envoy refuses an empty prefix, which is the prefix of everything.
            StringMatch::Prefix(text) if text.as_str().is_empty() => {
                MatchPattern::SafeRegex(envoy::matcher::RegexMatcher {
                    regex: ".*".into(),
                    ..Default::default()
                })
            }
            StringMatch::Prefix(text) => MatchPattern::Prefix(text.to_string()),
            StringMatch::Regex(text) => MatchPattern::SafeRegex(regex(text)),
        }),
        ignore_case: false,
    }
}

/// An RE2 expression for the whole text.
pub(super) fn regex(expression: &Name) -> envoy::matcher::RegexMatcher {
    envoy::matcher::RegexMatcher { regex: expression.to_string(), ..Default::default() }
}

#[cfg(test)]
mod tests;
