//! Format strings with `%OPERATORS%`.
//!
//! Users write them in header values and access log formats. Envoy refuses a whole resource for one unknown operator, so a
//! text that is no format to every supported Envoy never reaches it as one.

use pilothouse_envoy_api as envoy;

/// Operators without an argument, known to every supported Envoy.
const PLAIN: &[&str] = &[
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DURATION",
    "FILTER_CHAIN_NAME",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "HOSTNAME",
    "PROTOCOL",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_TX_DURATION",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "RESPONSE_TX_DURATION",
    "ROUTE_NAME",
    "START_TIME",
    "STREAM_ID",
    "TRACE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_HOST",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_URI_SAN",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

/// Operators that read something by name, known to every supported Envoy.
const NAMED: &[&str] =
    &["CLUSTER_METADATA", "DYNAMIC_METADATA", "ENVIRONMENT", "REQ", "RESP", "TRAILER", "UPSTREAM_METADATA"];

/// A format as it is.
pub(crate) fn text(format: impl Into<String>) -> envoy::core::SubstitutionFormatString {
    envoy::core::SubstitutionFormatString {
        format: Some(envoy::core::substitution_format_string::Format::TextFormatSource(
            envoy::core::DataSource {
                specifier: Some(envoy::core::data_source::Specifier::InlineString(format.into())),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

/// A text that Envoy reads as a format: as it is if it is one, with each `%` doubled (which means `%`) otherwise.
pub(crate) fn literal_unless_valid(text: &str) -> String {
    if valid(text) { text.to_owned() } else { text.replace('%', "%%") }
}

/// Whether every supported Envoy takes a text as a format.
pub(crate) fn valid(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let Some(after) = after.strip_prefix('%').or_else(|| operator(after)) else { return false };
        rest = after;
    }
    true
}

/// What follows an operator whose opening `%` is taken off already.
fn operator(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))?;
    let (name, mut rest) = text.split_at(end);
    if let Some(inner) = rest.strip_prefix('(') {
        let (argument, after) = inner.split_once(')')?;
        rest = after;
        let plausible = !argument.is_empty()
            && argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:.?/".contains(&b));
        if !(NAMED.contains(&name) && plausible && argument.matches('?').count() <= 1) {
            // The argument of START_TIME is a time format with its own rules; it only appears in logs.
            return None;
        }
    } else if !PLAIN.contains(&name) {
        return None;
    }
    if let Some(length) = rest.strip_prefix(':') {
        let digits = length.find('%')?;
        if !(1..=9).contains(&digits) || !length[..digits].bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Only operators with an argument may be cut off at a length.
        if !NAMED.contains(&name) {
            return None;
        }
        rest = &length[digits..];
    }
    rest.strip_prefix('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_kept_and_other_texts_stay_what_they_say() {
        for (text, valid_format) in [
            ("", true),
            ("plain", true),
            ("%%", true),
            ("a%%b", true),
            ("%REQ(:PATH)%", true),
            ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):10%", true),
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", true),
            ("%UPSTREAM_METADATA(istio:workload)%", true),
            ("100%", false),
            ("50%off", false),
            ("%NOPE%", false),
            ("%REQ%", false),
            ("%REQ()%", false),
            ("%PROTOCOL(x)%", false),
            ("%PROTOCOL", false),
            ("%REQ(a:x", false),
            ("%REQ(a):%", false),
            ("%%%", false),
            ("%ä%", false),
        ] {
            assert_eq!(valid(text), valid_format, "{text:?}");
        }
        assert_eq!(literal_unless_valid("100%"), "100%%");
        assert_eq!(literal_unless_valid("%PROTOCOL%"), "%PROTOCOL%");
    }
}
