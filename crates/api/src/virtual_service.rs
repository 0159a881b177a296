//! VirtualService (`networking.istio.io`).

use serde::Deserialize;

use crate::{Int, List, Map};

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualService {
    /// Hosts; none makes it a delegate.
    pub hosts: List<String>,
    /// `mesh` and gateways.
    pub gateways: List<String>,
    /// HTTP rules.
    pub http: List<HttpRule>,
    /// TLS rules.
    pub tls: List<TlsRule>,
    /// TCP rules.
    pub tcp: List<TcpRule>,
    /// Who may see it.
    pub export_to: List<String>,
}

/// An entry of `http`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRule {
    /// Its name.
    pub name: Option<String>,
    /// Any of these.
    #[serde(rename = "match")]
    pub matches: List<HttpMatch>,
    /// Destinations.
    pub route: List<HttpDestination>,
    /// Redirect instead.
    pub redirect: Option<Redirect>,
    /// Answer instead.
    pub direct_response: Option<DirectResponse>,
    /// Another virtual service goes on.
    pub delegate: Option<Delegate>,
    /// Rewrite.
    pub rewrite: Option<Rewrite>,
    /// Timeout.
    pub timeout: Option<String>,
    /// Retries.
    pub retries: Option<Retry>,
    /// Faults.
    pub fault: Option<Fault>,
    /// A copy of the traffic.
    pub mirror: Option<Destination>,
    /// Copies of the traffic.
    pub mirrors: List<Mirror>,
    /// Deprecated share of the copy, in per cent.
    #[serde(alias = "mirror_percent")]
    pub mirror_percent: Option<Int>,
    /// Share of the copy.
    pub mirror_percentage: Option<PercentValue>,
    /// CORS.
    pub cors_policy: Option<Cors>,
    /// Header changes.
    pub headers: Option<Headers>,
}

/// A wrapped share in per cent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PercentValue {
    /// 0 to 100.
    pub value: Option<f64>,
}

/// `delegate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Delegate {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// An entry of `match`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpMatch {
    /// Its name.
    pub name: Option<String>,
    /// The path.
    pub uri: Option<StringMatch>,
    /// The scheme.
    pub scheme: Option<StringMatch>,
    /// The method.
    pub method: Option<StringMatch>,
    /// The host header.
    pub authority: Option<StringMatch>,
    /// Headers that must match.
    pub headers: Map<StringMatch>,
    /// Headers that must not match.
    pub without_headers: Map<StringMatch>,
    /// Query parameters.
    pub query_params: Map<StringMatch>,
    /// The case of the path does not matter.
    pub ignore_uri_case: Option<bool>,
    /// Port of the listener.
    pub port: Option<Int>,
    /// Labels of the client.
    pub source_labels: Map<String>,
    /// Namespace of the client.
    pub source_namespace: Option<String>,
    /// Replaces the gateways of the object.
    pub gateways: List<String>,
    /// Prefix of statistics.
    pub stat_prefix: Option<String>,
}

/// A match of a text; none of the three means presence where a value may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StringMatch {
    /// The whole text.
    pub exact: Option<String>,
    /// Its beginning.
    pub prefix: Option<String>,
    /// RE2 for the whole text.
    pub regex: Option<String>,
}

/// An entry of `http.route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpDestination {
    /// Where.
    pub destination: Option<Destination>,
    /// Its share.
    pub weight: Option<Int>,
    /// Header changes for this destination.
    pub headers: Option<Headers>,
}

/// A destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Destination {
    /// The host.
    pub host: Option<String>,
    /// The subset.
    pub subset: Option<String>,
    /// The port.
    pub port: Option<PortSelector>,
}

/// A port by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PortSelector {
    /// The number.
    pub number: Option<Int>,
}

/// `headers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Headers {
    /// Of the request.
    pub request: Option<HeaderEdits>,
    /// Of the response.
    pub response: Option<HeaderEdits>,
}

/// Edits of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HeaderEdits {
    /// Replaced.
    pub set: Map<String>,
    /// Added.
    pub add: Map<String>,
    /// Removed.
    pub remove: List<String>,
}

/// `redirect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redirect {
    /// The new path.
    pub uri: Option<String>,
    /// What the matched prefix becomes.
    pub prefix_rewrite: Option<String>,
    /// The new authority.
    pub authority: Option<String>,
    /// The new port.
    pub port: Option<Int>,
    /// `FROM_PROTOCOL_DEFAULT` or `FROM_REQUEST_PORT`.
    pub derive_port: Option<String>,
    /// The new scheme.
    pub scheme: Option<String>,
    /// The status.
    pub redirect_code: Option<Int>,
}

/// `directResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DirectResponse {
    /// The status.
    pub status: Option<Int>,
    /// The body.
    pub body: Option<HttpBody>,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpBody {
    /// As text.
    pub string: Option<String>,
    /// As base64.
    pub bytes: Option<String>,
}

/// `rewrite`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rewrite {
    /// What the matched part becomes.
    pub uri: Option<String>,
    /// What the authority becomes.
    pub authority: Option<String>,
    /// Rewrite by expression.
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// `uriRegexRewrite`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RegexRewrite {
    /// The expression.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// The replacement.
    pub rewrite: Option<String>,
}

/// `retries`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// Attempts after the first.
    pub attempts: Option<Int>,
    /// Limit of each try.
    pub per_try_timeout: Option<String>,
    /// Conditions and status codes.
    pub retry_on: Option<String>,
    /// Also in other localities.
    pub retry_remote_localities: Option<bool>,
    /// Not where it was tried before.
    pub retry_ignore_previous_hosts: Option<bool>,
    /// Base interval.
    pub backoff: Option<String>,
}

/// `fault`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// Delay.
    pub delay: Option<FaultDelay>,
    /// Abort.
    pub abort: Option<FaultAbort>,
}

/// `fault.delay`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultDelay {
    /// How long.
    pub fixed_delay: Option<String>,
    /// The share.
    pub percentage: Option<PercentValue>,
    /// Deprecated share in whole per cent.
    pub percent: Option<Int>,
}

/// `fault.abort`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultAbort {
    /// With an HTTP status.
    pub http_status: Option<Int>,
    /// With a gRPC status by name.
    pub grpc_status: Option<String>,
    /// The share.
    pub percentage: Option<PercentValue>,
}

/// An entry of `mirrors`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mirror {
    /// Where.
    pub destination: Option<Destination>,
    /// The share.
    pub percentage: Option<PercentValue>,
}

/// `corsPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cors {
    /// Origins.
    pub allow_origins: List<StringMatch>,
    /// Deprecated exact origins.
    pub allow_origin: List<String>,
    /// Methods.
    pub allow_methods: List<String>,
    /// Request headers.
    pub allow_headers: List<String>,
    /// Response headers.
    pub expose_headers: List<String>,
    /// How long a preflight holds.
    pub max_age: Option<String>,
    /// Credentials.
    pub allow_credentials: Option<bool>,
    /// `FORWARD` or `IGNORE`.
    pub unmatched_preflights: Option<String>,
}

/// An entry of `tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TlsRule {
    /// Any of these.
    #[serde(rename = "match")]
    pub matches: List<TlsMatch>,
    /// Destinations.
    pub route: List<TcpDestination>,
}

/// An entry of `tls.match`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsMatch {
    /// Server names.
    pub sni_hosts: List<String>,
    /// Destination ranges.
    pub destination_subnets: List<String>,
    /// Port of the listener.
    pub port: Option<Int>,
    /// Labels of the client.
    pub source_labels: Map<String>,
    /// Replaces the gateways of the object.
    pub gateways: List<String>,
    /// Namespace of the client.
    pub source_namespace: Option<String>,
}

/// An entry of `tcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TcpRule {
    /// Any of these.
    #[serde(rename = "match")]
    pub matches: List<TcpMatch>,
    /// Destinations.
    pub route: List<TcpDestination>,
}

/// An entry of `tcp.match`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpMatch {
    /// Destination ranges.
    pub destination_subnets: List<String>,
    /// Port of the listener.
    pub port: Option<Int>,
    /// Labels of the client.
    pub source_labels: Map<String>,
    /// Replaces the gateways of the object.
    pub gateways: List<String>,
    /// Namespace of the client.
    pub source_namespace: Option<String>,
}

/// An entry of `tcp.route` or `tls.route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TcpDestination {
    /// Where.
    pub destination: Option<Destination>,
    /// Its share.
    pub weight: Option<Int>,
}
