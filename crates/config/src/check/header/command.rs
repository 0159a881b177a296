//! The commands of Envoy's formatter that header values may hold.
//!
//! Envoy refuses a whole virtual host for one command it does not know, so each is looked up here. The lists hold what both
//! Envoy 1.37.0 and 1.40.0 accept in a header value.

use super::is_token;

/// Commands without arguments.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "ACCESS_LOG_TYPE", "BYTES_RECEIVED", "BYTES_RETRANSMITTED", "BYTES_SENT", "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS", "CUSTOM_FLAGS", "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_PORT", "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED", "DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_EMAIL_SAN", "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "DOWNSTREAM_PEER_CHAIN_SERIALS",
    "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_EMAIL_SAN", "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_IP_SAN", "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_OTHERNAME_SAN", "DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT", "DURATION",
    "FILTER_CHAIN_NAME", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "HOSTNAME", "LOCAL_REPLY_BODY", "PROTOCOL",
    "REQUESTED_SERVER_NAME", "REQUEST_DURATION", "REQUEST_HEADERS_BYTES", "REQUEST_TX_DURATION", "RESPONSE_CODE",
    "RESPONSE_DURATION", "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG", "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES",
    "RESPONSE_TX_DURATION", "ROUNDTRIP_DURATION", "ROUTE_NAME", "STREAM_ID", "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT", "TRACE_ID", "UNIQUE_ID", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID", "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HOST", "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT", "UPSTREAM_LOCAL_ADDRESS", "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_DNS_SAN", "UPSTREAM_LOCAL_IP_SAN", "UPSTREAM_LOCAL_PORT", "UPSTREAM_LOCAL_URI_SAN",
    "UPSTREAM_PEER_CERT", "UPSTREAM_PEER_DNS_SAN", "UPSTREAM_PEER_IP_SAN", "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_PROTOCOL", "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT", "UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_WIRE_BYTES_RECEIVED", "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

/// Commands that take a format, or nothing.
const DATES: &[&str] = &[
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "EMIT_TIME",
    "EMIT_TIME_LOCAL",
    "RESPONSE_CODE_DETAILS",
    "START_TIME",
    "START_TIME_LOCAL",
    "UPSTREAM_PEER_CERT_V_END",
    "UPSTREAM_PEER_CERT_V_START",
];

/// Commands whose argument is a header, or two with a question mark between them.
const HEADERS: &[&str] = &["REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "RESPONSE_TRAILER", "TRAILER"];

/// Commands whose argument is free, and whether a length may follow.
const FREE: &[(&str, bool)] = &[
    ("CLUSTER_METADATA", false),
    ("DYNAMIC_METADATA", true),
    ("ENVIRONMENT", true),
    ("QUERY_PARAM", true),
    ("UPSTREAM_METADATA", false),
];

/// Commands whose argument is a key of the filter state, `PLAIN` or `TYPED` after it allowed.
const STATES: &[&str] = &["FILTER_STATE", "UPSTREAM_FILTER_STATE"];

/// What is wrong with a command; none if nothing is.
pub(super) fn flaw(name: &str, argument: Option<&str>, length: bool) -> Option<&'static str> {
    const NO_LENGTH: &str = "the command takes no length";
    let given = argument.filter(|text| !text.is_empty());
    if PLAIN.contains(&name) || name == "PATH" {
        return match (argument, length) {
            (Some(_), _) => Some("the command takes no argument"),
            (None, true) if name != "PATH" => Some(NO_LENGTH),
            _ => None,
        };
    }
    if DATES.contains(&name) {
        return length.then_some(NO_LENGTH);
    }
    let headers = HEADERS.contains(&name);
    let free = FREE.iter().find(|(known, _)| *known == name);
    if !headers && free.is_none() && !STATES.contains(&name) {
        return Some("Envoy has no such command, or none that can be checked here");
    }
    let Some(argument) = given else { return Some("the command needs an argument") };
    if headers {
        let good = |part: &str| is_token(part.strip_prefix(':').unwrap_or(part));
        let (first, second) = argument.split_once('?').map_or((argument, None), |(a, b)| (a, Some(b)));
        return (!good(first) || !second.is_none_or(good)).then_some("the argument is no header name");
    }
    if let Some((_, lengths)) = free {
        return (length && !lengths).then_some(NO_LENGTH);
    }
    match argument.split_once(':') {
        None | Some((_, "PLAIN" | "TYPED")) => None,
        Some(_) => Some("after the key only PLAIN or TYPED may follow"),
    }
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn what_envoy_takes() {
        for (name, argument, length) in [
            ("DOWNSTREAM_REMOTE_ADDRESS", None, false),
            ("START_TIME", None, false),
            ("START_TIME", Some("%s"), false),
            ("REQ", Some(":path"), true),
            ("REQ", Some("x-a?:authority"), false),
            ("UPSTREAM_METADATA", Some("a:b"), false),
            ("FILTER_STATE", Some("key:PLAIN"), false),
            ("PATH", None, true),
        ] {
            assert_eq!(flaw(name, argument, length), None, "{name} {argument:?} {length}");
        }
        for (name, argument, length) in [
            ("FOO", None, false),
            ("CEL", Some("x"), false),
            ("REQ", None, false),
            ("REQ", Some("a:b"), false),
            ("REQ", Some(""), false),
            ("PROTOCOL", None, true),
            ("PROTOCOL", Some("x"), false),
            ("FILTER_STATE", Some("key:ODD"), false),
        ] {
            assert!(flaw(name, argument, length).is_some(), "{name} {argument:?} {length}");
        }
    }
}
