//! Redirects.

use pilothouse_base::Name;
use pilothouse_config::virtual_service::{Redirect, RedirectPort};
use pilothouse_envoy_api as envoy;

/// Answers with a redirect.
pub(super) fn redirect(plan: &Redirect, listener_port: u16) -> envoy::route::route::Action {
    use envoy::route::redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier};
    let Redirect { path, authority, scheme, port, code } = plan;
    let response_code = match code {
        302 => RedirectResponseCode::Found,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        _ => RedirectResponseCode::MovedPermanently,
    };
    let port = match port {
        RedirectPort::Default => 0,
        RedirectPort::Number(port) => *port,
        RedirectPort::OfListener => listener_port,
    };
    // The port that the scheme implies is not written. Without a new scheme, a listener on 80 or 443 speaks the usual one.
    let implied = matches!(
        (scheme.as_ref().map(Name::as_str), port),
        (None | Some("http"), 80) | (None | Some("https"), 443)
    );
    envoy::route::route::Action::Redirect(envoy::route::RedirectAction {
        host_redirect: authority.as_ref().map(ToString::to_string).unwrap_or_default(),
        port_redirect: if implied { 0 } else { u32::from(port) },
        response_code: response_code.into(),
        scheme_rewrite_specifier: scheme
            .as_ref()
            .map(|scheme| SchemeRewriteSpecifier::SchemeRedirect(scheme.to_string())),
        path_rewrite_specifier: path
            .as_ref()
            .map(|path| PathRewriteSpecifier::PathRedirect(path.to_string())),
        ..Default::default()
    })
}
