//! VirtualService: how requests and connections to a host are routed.

use std::collections::BTreeMap;
use std::time::Duration;

use pilothouse_base::{Hostname, Labels, Name, Namespace, Percent};
use serde::Serialize;

use crate::{ExportTo, Meta};

/// A checked VirtualService.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct VirtualService {
    /// The object.
    pub meta: Meta,
    /// Its hosts, complete; some may be wildcards.
    pub hosts: Vec<Hostname>,
    /// The position of each of them in `spec.hosts`, where those that were left out are counted too.
    pub host_places: Vec<usize>,
    /// Where it applies.
    pub gateways: Vec<GatewayRef>,
    /// Who may see it.
    pub export_to: ExportTo,
    /// HTTP rules, in order.
    pub http: Vec<HttpRule>,
    /// TLS rules, in order.
    pub tls: Vec<TlsRule>,
    /// TCP rules, in order.
    pub tcp: Vec<TcpRule>,
}

/// An entry of `gateways`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum GatewayRef {
    /// `mesh`: all sidecars.
    Mesh,
    /// A Gateway object.
    Named(Namespace, Name),
}

/// One HTTP rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpRule {
    /// Its position in `spec.http`.
    pub index: usize,
    /// `name`, empty if not written.
    pub name: Name,
    /// Any of these; empty matches everything. Matches that could not be understood are left out; if none is left, the
    /// whole rule is.
    pub matches: Vec<HttpMatch>,
    /// What is done.
    pub action: HttpAction,
    /// `rewrite`.
    pub rewrite: Rewrite,
    /// `timeout`; none or zero: no limit.
    pub timeout: Option<Duration>,
    /// `retries`; none: the default of the mesh.
    pub retries: Option<Retry>,
    /// `fault`.
    pub fault: Fault,
    /// `mirror` and `mirrors`.
    pub mirrors: Vec<Mirror>,
    /// `corsPolicy`.
    pub cors: Option<Cors>,
    /// `headers`.
    pub headers: HeaderChanges,
}

/// What an HTTP rule does with a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum HttpAction {
    /// Sends it on; never empty.
    Route(Vec<HttpDestination>),
    /// Answers with a redirect.
    Redirect(Redirect),
    /// Answers directly.
    Respond(DirectResponse),
    /// The rule could not be understood: answers 500, so that the mistake is seen and siblings live on.
    Broken,
}

/// An entry of `http.route`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpDestination {
    /// Its position in `route`.
    pub index: usize,
    /// Where.
    pub destination: Destination,
    /// Its share; without meaning when it is the only one.
    pub weight: u32,
    /// `headers` for this destination.
    pub headers: HeaderChanges,
}

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Destination {
    /// The host, complete.
    pub host: Hostname,
    /// The subset, if any.
    pub subset: Option<Name>,
    /// The port; none: the only one of the service, else that of the listener.
    pub port: Option<u16>,
}

/// One alternative of a match; all its parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct HttpMatch {
    /// Its position in `match`.
    pub index: usize,
    /// `name`, empty if not written.
    pub name: Name,
    /// `uri`.
    pub uri: Option<StringMatch>,
    /// `ignoreUriCase`.
    pub ignore_uri_case: bool,
    /// `scheme`.
    pub scheme: Option<StringMatch>,
    /// `method`.
    pub method: Option<StringMatch>,
    /// `authority`.
    pub authority: Option<StringMatch>,
    /// `headers`, names in lower case.
    pub headers: BTreeMap<Name, ValueMatch>,
    /// `withoutHeaders`, names in lower case.
    pub without_headers: BTreeMap<Name, ValueMatch>,
    /// `queryParams`.
    pub query: BTreeMap<Name, ValueMatch>,
    /// `port` of the listener.
    pub port: Option<u16>,
    /// `sourceLabels`.
    pub source_labels: Labels,
    /// `sourceNamespace`.
    pub source_namespace: Option<Namespace>,
    /// `gateways`, if they replace those of the object.
    pub gateways: Option<Vec<GatewayRef>>,
    /// `statPrefix`, empty if not written.
    pub stat_prefix: Name,
}

impl HttpMatch {
    /// The prefix of the path, if nothing else is asked of a request; every path has the empty one. What is asked of the
    /// client and of the listener is not looked at, see [`HttpMatch::is_for_every_client`].
    pub fn only_prefix(&self) -> Option<&str> {
        let Self {
            index: _,
            name: _,
            uri,
            ignore_uri_case: _,
            scheme: None,
            method: None,
            authority: None,
            headers,
            without_headers,
            query,
            port: _,
            source_labels: _,
            source_namespace: _,
            gateways: _,
            stat_prefix: _,
        } = self
        else {
            return None;
        };
        if !(headers.is_empty() && without_headers.is_empty() && query.is_empty()) {
            return None;
        }
        match uri {
            None => Some(""),
            Some(StringMatch::Prefix(prefix)) if *prefix == "/" => Some(""),
            Some(StringMatch::Prefix(prefix)) => Some(prefix.as_str()),
            Some(StringMatch::Regex(regex)) => (*regex == "*" || *regex == ".*").then_some(""),
            Some(StringMatch::Exact(_)) => None,
        }
    }

    /// Whether it takes every request of the clients that it is for.
    pub fn takes_everything(&self) -> bool {
        self.only_prefix() == Some("")
    }

    /// Whether it is for every client, port and gateway of its object.
    pub fn is_for_every_client(&self) -> bool {
        self.port.is_none()
            && self.source_labels.is_empty()
            && self.source_namespace.is_none()
            && self.gateways.is_none()
    }
}

/// A match of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum StringMatch {
    /// The whole text.
    Exact(Name),
    /// Its beginning.
    Prefix(Name),
    /// The whole text matches this RE2 expression.
    Regex(Name),
}

/// A match of a value that may be absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ValueMatch {
    /// It is there.
    Present,
    /// It is there and matches.
    Text(StringMatch),
}

/// Header changes of a request on its way and of the response on its way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct HeaderChanges {
    /// Of the request.
    pub request: HeaderEdits,
    /// Of the response.
    pub response: HeaderEdits,
    /// `host` or `:authority` of the request as set by header operations.
    pub authority: Option<Name>,
}

/// Edits of one set of headers; `host` and names that start with a colon are taken out already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct HeaderEdits {
    /// Replaced or added.
    pub set: BTreeMap<Name, Name>,
    /// Added beside values that are there.
    pub add: BTreeMap<Name, Name>,
    /// Removed.
    pub remove: Vec<Name>,
}

/// `rewrite`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Rewrite {
    /// What the path becomes.
    pub path: Option<PathRewrite>,
    /// What the authority becomes.
    pub authority: Option<Name>,
}

/// How a path is rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum PathRewrite {
    /// The matched prefix (or the whole exact path) is replaced.
    Prefix(Name),
    /// What matches is replaced, with `\1` for groups.
    Regex {
        /// The RE2 expression.
        pattern: Name,
        /// The replacement.
        substitution: Name,
    },
}

/// `retries`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Retry {
    /// Attempts after the first; zero: none.
    pub attempts: u32,
    /// `perTryTimeout`.
    pub per_try_timeout: Option<Duration>,
    /// Envoy's retry conditions, comma separated, status codes taken out; empty: the default list.
    pub retry_on: Name,
    /// Status codes from `retryOn`.
    pub status_codes: Vec<u32>,
    /// `retryRemoteLocalities`.
    pub remote_localities: bool,
    /// `retryIgnorePreviousHosts`; none: the default.
    pub ignore_previous_hosts: Option<bool>,
    /// `backoff`: the base interval.
    pub backoff: Option<Duration>,
}

/// `fault`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Fault {
    /// Delays this share of requests.
    pub delay: Option<(Percent, Duration)>,
    /// Ends this share of requests.
    pub abort: Option<(Percent, Abort)>,
}

/// How a request is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Abort {
    /// With an HTTP status, 200 to 599.
    Http(u16),
    /// With a gRPC status.
    Grpc(u32),
}

/// An entry of `mirrors`, or `mirror`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Mirror {
    /// Its position in `mirrors`; none for the single `mirror`.
    pub index: Option<usize>,
    /// Where copies go.
    pub destination: Destination,
    /// The share that is copied.
    pub share: Percent,
}

/// `corsPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Cors {
    /// `allowOrigins`.
    pub origins: Vec<StringMatch>,
    /// `allowMethods`.
    pub methods: Vec<Name>,
    /// `allowHeaders`.
    pub headers: Vec<Name>,
    /// `exposeHeaders`.
    pub expose: Vec<Name>,
    /// `maxAge`, whole seconds count.
    pub max_age: Option<Duration>,
    /// `allowCredentials`.
    pub credentials: Option<bool>,
    /// `unmatchedPreflights` is not `IGNORE`.
    pub forward_unmatched: bool,
}

/// `redirect`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Redirect {
    /// `uri`, empty keeps the path.
    pub path: Option<Name>,
    /// `authority`.
    pub authority: Option<Name>,
    /// `scheme`.
    pub scheme: Option<Name>,
    /// `port` or `derivePort`.
    pub port: RedirectPort,
    /// 301, 302, 303, 307 or 308.
    pub code: u16,
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum RedirectPort {
    /// That of the protocol (also `FROM_PROTOCOL_DEFAULT`).
    Default,
    /// A number.
    Number(u16),
    /// `FROM_REQUEST_PORT`: that of the listener.
    OfListener,
}

/// `directResponse`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// The body, up to 1 MiB.
    pub body: Vec<u8>,
}

/// One TCP rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TcpRule {
    /// Its position in `spec.tcp`.
    pub index: usize,
    /// Any of these; empty matches everything.
    pub matches: Vec<L4Match>,
    /// Where; never empty.
    pub route: Vec<L4Destination>,
}

/// One TLS rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TlsRule {
    /// Its position in `spec.tls`.
    pub index: usize,
    /// Any of these; never empty.
    pub matches: Vec<L4Match>,
    /// Where; never empty.
    pub route: Vec<L4Destination>,
}

/// One alternative of a TCP or TLS match; all its parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct L4Match {
    /// Its position in `match`.
    pub index: usize,
    /// `sniHosts`; only for TLS rules, where it is never empty.
    pub sni_hosts: Vec<Hostname>,
    /// `port` of the listener.
    pub port: Option<u16>,
    /// `sourceLabels`.
    pub source_labels: Labels,
    /// `sourceNamespace`.
    pub source_namespace: Option<Namespace>,
    /// `gateways`, if they replace those of the object.
    pub gateways: Option<Vec<GatewayRef>>,
}

/// An entry of `tcp.route` or `tls.route`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct L4Destination {
    /// Its position in `route`.
    pub index: usize,
    /// Where.
    pub destination: Destination,
    /// Its share; without meaning when it is the only one.
    pub weight: u32,
}
