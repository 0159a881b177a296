//! Access logs.
//!
//! Streams of the process are written by their own loggers: opening `/dev/stdout` as a file fails where the stream belongs
//! to another user, and then Envoy refuses every listener.

use pilothouse_config::mesh::AccessLog;
use pilothouse_envoy_api as envoy;

use crate::format;
use crate::metadata::{structure, text};

/// Istio's line.
const LINE: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% ",
    "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% ",
    "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ",
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" ",
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% ",
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ",
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n",
);

/// Istio's keys for lines of JSON.
const KEYS: [(&str, &str); 23] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// Logs of requests or connections.
pub(crate) fn access_log(settings: Option<&AccessLog>) -> Vec<envoy::access_log::AccessLog> {
    settings.map(|settings| logger(settings, None)).into_iter().collect()
}

/// Logs connections that no filter chain matched, which no other log sees.
pub(crate) fn of_unmatched(settings: Option<&AccessLog>) -> Vec<envoy::access_log::AccessLog> {
    let only_unmatched = envoy::access_log::AccessLogFilter {
        filter_specifier: Some(envoy::access_log::access_log_filter::FilterSpecifier::ResponseFlagFilter(
            envoy::access_log::ResponseFlagFilter { flags: vec!["NR".into()] },
        )),
    };
    settings.map(|settings| logger(settings, Some(only_unmatched))).into_iter().collect()
}

fn logger(
    settings: &AccessLog,
    filter: Option<envoy::access_log::AccessLogFilter>,
) -> envoy::access_log::AccessLog {
    use envoy::{file_access_log as file, stream_access_log as stream};
    let AccessLog { path, format, json } = settings;
    let format = if *json { json_lines(format.as_deref()) } else { text_lines(format.as_deref()) };
    let (name, config) = match path.as_str() {
        "/dev/stdout" => {
            let access_log_format = Some(stream::stdout_access_log::AccessLogFormat::LogFormat(format));
            ("envoy.access_loggers.stdout", envoy::pack(&stream::StdoutAccessLog { access_log_format }))
        }
        "/dev/stderr" => {
            let access_log_format = Some(stream::stderr_access_log::AccessLogFormat::LogFormat(format));
            ("envoy.access_loggers.stderr", envoy::pack(&stream::StderrAccessLog { access_log_format }))
        }
        path => {
            let access_log_format = Some(file::file_access_log::AccessLogFormat::LogFormat(format));
            let logger = file::FileAccessLog { path: path.to_owned(), access_log_format };
            ("envoy.access_loggers.file", envoy::pack(&logger))
        }
    };
    envoy::access_log::AccessLog {
        name: name.into(),
        filter,
        config_type: Some(envoy::access_log::access_log::ConfigType::TypedConfig(config)),
    }
}

/// The user's line if it is one, else Istio's. A line ends with a line break.
fn text_lines(format: Option<&str>) -> envoy::core::SubstitutionFormatString {
    let line = match format.filter(|format| format::valid(format)) {
        Some(format) if format.ends_with('\n') => format.to_owned(),
        Some(format) => format!("{format}\n"),
        None => LINE.to_owned(),
    };
    format::text(line)
}

/// The user's keys if the text is an object of texts, else Istio's.
fn json_lines(format: Option<&str>) -> envoy::core::SubstitutionFormatString {
    let keys = format
        .and_then(|format| serde_json::from_str::<serde_json::Map<_, _>>(format).ok())
        .and_then(|object| object.into_iter().map(|(key, value)| Some((key, operators(value)?))).collect())
        .map_or_else(
            || structure(KEYS.map(|(key, operator)| (key, text(operator)))),
            |fields| envoy::Struct { fields },
        );
    envoy::core::SubstitutionFormatString {
        format: Some(envoy::core::substitution_format_string::Format::JsonFormat(keys)),
        ..Default::default()
    }
}

/// A value of a JSON format, if Envoy takes it.
fn operators(value: serde_json::Value) -> Option<envoy::Value> {
    use envoy::value::Kind;
    let kind = match value {
        serde_json::Value::String(text) if format::valid(&text) => Kind::StringValue(text),
        serde_json::Value::Object(object) => {
            let fields = object.into_iter().map(|(key, value)| Some((key, operators(value)?)));
            Kind::StructValue(envoy::Struct { fields: fields.collect::<Option<_>>()? })
        }
        _ => return None,
    };
    Some(envoy::Value { kind: Some(kind) })
}

#[cfg(test)]
mod tests;
