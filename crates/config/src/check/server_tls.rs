//! `tls` of a gateway server. Whatever cannot be understood keeps the server closed.

mod termination;

use pilothouse_api as api;
use pilothouse_base::Protocol;
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use self::termination::Clients;
use super::fields;
use crate::gateway::{ServerTls, ServerTlsMode};

/// What a flaw costs.
const CLOSED: &str = "the server stays closed; the other servers are served";

/// `at` is the path of the server.
pub(super) fn check(
    raw: Option<&api::ServerTls>,
    protocol: Protocol,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<ServerTls> {
    let at = at.field("tls");
    let Some(raw) = raw else {
        if !protocol.is_tls() {
            return None;
        }
        out.report(catalogue::REQUIRED, &at)
            .detail("a port of protocol HTTPS or TLS needs it")
            .effect(CLOSED);
        return Some(ServerTls { https_redirect: false, mode: ServerTlsMode::Closed });
    };
    let mode = if protocol.is_http() {
        let mode = mode(raw, &at, out);
        if matches!(mode, ServerTlsMode::Terminate(_)) {
            out.report(catalogue::CONFLICTING_FIELDS, &at)
                .detail("the protocol of the port is plain HTTP")
                .effect(CLOSED)
                .help("set port.protocol to HTTPS");
            ServerTlsMode::Closed
        } else {
            mode
        }
    } else if protocol.is_tls() {
        mode(raw, &at, out)
    } else {
        out.report(catalogue::CONFLICTING_FIELDS, &at)
            .detail("the protocol of the port is plain text")
            .effect(CLOSED)
            .help("set port.protocol to TLS");
        ServerTlsMode::Closed
    };
    let https_redirect = raw.https_redirect.unwrap_or(false);
    if https_redirect && !protocol.is_http() {
        out.report(catalogue::RISKY_VALUE, &at.field("httpsRedirect"))
            .detail("only plain HTTP can be redirected")
            .effect("it has no effect");
    }
    Some(ServerTls { https_redirect: https_redirect && protocol.is_http(), mode })
}

fn mode(raw: &api::ServerTls, at: &FieldPath, out: &mut Diagnostics) -> ServerTlsMode {
    let clients = match raw.mode.as_deref() {
        None | Some("PASSTHROUGH") => {
            if termination::names_certificates(raw) {
                out.report(catalogue::RISKY_VALUE, at)
                    .detail("mode PASSTHROUGH terminates nothing, so the certificate is not used")
                    .effect("TLS connections are passed through");
            }
            return ServerTlsMode::Passthrough;
        }
        Some("SIMPLE") => Clients::Unasked,
        Some("MUTUAL") => Clients::Required,
        Some("OPTIONAL_MUTUAL") => Clients::Asked,
        Some(word @ ("ISTIO_MUTUAL" | "AUTO_PASSTHROUGH")) => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("mode")).value(word).effect(CLOSED);
            return ServerTlsMode::Closed;
        }
        Some(other) => {
            let words =
                ["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"];
            let words = words.map(|word| (word, ()));
            let _ = fields::word(other, &words, at, "mode", CLOSED, out);
            return ServerTlsMode::Closed;
        }
    };
    match termination::check(raw, clients, at, out) {
        Some(termination) => ServerTlsMode::Terminate(Box::new(termination)),
        None => ServerTlsMode::Closed,
    }
}

#[cfg(test)]
mod tests;
