//! Mesh settings. A setting that cannot be understood keeps its default.

use std::time::Duration;

use pilothouse_api as api;
use pilothouse_api::k8s_openapi::api::core::v1 as core;
use pilothouse_base::{Name, Namespace};
use pilothouse_diag::{Diagnostics, FieldPath, catalogue};

use super::{CheckSettings, discovery, duration, export, fields, host, retry, unread};
use crate::mesh::{AccessLog, OutboundPolicy, PathNormalization};
use crate::{ExportTo, Mesh};

/// What a wrong setting costs.
const DEFAULT: &str = "the default is used";

/// None if the text cannot be decoded, so that the former settings hold, or if there is no such text: then the object only
/// happens to have the name.
pub(super) fn check(raw: &core::ConfigMap, settings: &CheckSettings, out: &mut Diagnostics) -> Option<Mesh> {
    let at = FieldPath::parse("data").field("mesh");
    let data = raw.data.as_ref()?;
    let text = data.get("mesh")?;
    let networks = data.get("meshNetworks").map_or("", |text| text.trim());
    if !networks.is_empty() && networks != "networks: {}" {
        out.report(catalogue::UNSUPPORTED_FIELD, &FieldPath::parse("data").field("meshNetworks"))
            .effect("networks are not told apart");
    }
    let keep = "the former mesh settings hold; at start the defaults";
    let value = match (settings.parse_yaml)(text) {
        Ok(value) => value,
        Err(error) => {
            out.report(catalogue::UNREADABLE_FILE, &at).detail(error).effect(keep);
            return None;
        }
    };
    match api::decode_mesh(&value) {
        Ok((mesh, left)) => {
            unread::report(&left, "data.mesh.", out);
            // Which namespaces count is not guessed at: nothing of a mesh may appear or vanish by a slip of the pen.
            let discovery =
                discovery::check(&mesh.discovery_selectors, &at.field("discoverySelectors"), keep, out)?;
            Some(Mesh { discovery, ..mesh_config(&mesh, settings, &at, out) })
        }
        Err((path, message)) => {
            let path = if path.is_empty() { at } else { FieldPath::parse(&format!("data.mesh.{path}")) };
            out.report(catalogue::WRONG_SHAPE, &path).detail(message).effect(keep);
            None
        }
    }
}

fn defaults(settings: &CheckSettings) -> Mesh {
    Mesh { domain: settings.domain.clone(), ..Mesh::default() }
}

fn mesh_config(
    raw: &api::MeshConfig,
    settings: &CheckSettings,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Mesh {
    let defaults = defaults(settings);
    let api::MeshConfig {
        trust_domain,
        trust_domain_aliases,
        root_namespace,
        connect_timeout,
        protocol_detection_timeout,
        outbound_traffic_policy,
        enable_auto_mtls,
        access_log_file,
        access_log_format,
        access_log_encoding,
        default_http_retry_policy,
        default_service_export_to,
        default_virtual_service_export_to,
        default_destination_rule_export_to,
        path_normalization,
        // Checked by the caller.
        discovery_selectors: _,
    } = raw;
    let root_namespace = match fields::text(root_namespace.as_ref()) {
        Some(name) if host::is_label(name) => Namespace::from(name),
        Some(name) => {
            out.report(catalogue::INVALID_VALUE, &at.field("rootNamespace"))
                .value(name)
                .detail("it is no namespace")
                .effect(DEFAULT);
            defaults.root_namespace
        }
        None => defaults.root_namespace,
    };
    let mut trust_domain_aliases: Vec<Name> = trust_domain_aliases
        .iter()
        .enumerate()
        .filter_map(|(index, text)| {
            self::trust_domain(text, &at.field("trustDomainAliases").index(index), out)
        })
        .collect();
    trust_domain_aliases.sort();
    trust_domain_aliases.dedup();
    let mut exported = |written: &api::List<String>, field: &str| {
        let at = at.field(field);
        let entries = written.iter().map(String::as_str);
        // `.` in a default means the namespace of each object.
        if written.iter().any(|entry| entry == ".") {
            if written.len() > 1 {
                out.report(catalogue::UNSUPPORTED_FIELD, &at)
                    .value(written.join(", "))
                    .detail("\".\" cannot be combined with other entries here")
                    .effect("objects that say nothing are seen by their own namespace alone");
            }
            return ExportTo::Own;
        }
        export::export_to(entries, &root_namespace, false, |index| at.index(index), out)
    };
    let service_export = exported(default_service_export_to, "defaultServiceExportTo");
    let virtual_service_export = exported(default_virtual_service_export_to, "defaultVirtualServiceExportTo");
    let destination_rule_export =
        exported(default_destination_rule_export_to, "defaultDestinationRuleExportTo");
    let detection =
        duration::any(protocol_detection_timeout.as_ref(), at, "protocolDetectionTimeout", DEFAULT, out);
    Mesh {
        trust_domain: fields::text(trust_domain.as_ref())
            .and_then(|text| self::trust_domain(text, &at.field("trustDomain"), out))
            .unwrap_or(defaults.trust_domain),
        trust_domain_aliases,
        domain: defaults.domain,
        connect_timeout: connect_timeout_of(connect_timeout.as_ref(), at, out)
            .unwrap_or(defaults.connect_timeout),
        protocol_detection_timeout: detection
            .filter(|value| !value.is_zero())
            .unwrap_or(defaults.protocol_detection_timeout),
        outbound: outbound_traffic_policy.as_ref().map_or(defaults.outbound, |raw| outbound(raw, at, out)),
        auto_mtls: enable_auto_mtls.unwrap_or(defaults.auto_mtls),
        access_log: access_log(
            access_log_file.as_ref(),
            access_log_format.as_ref(),
            access_log_encoding.as_ref(),
            at,
            out,
        ),
        default_retry: default_http_retry_policy
            .as_ref()
            .map(|raw| retry::check(raw, &at.field("defaultHttpRetryPolicy"), out)),
        service_export,
        virtual_service_export,
        destination_rule_export,
        path_normalization: path_normalization
            .as_ref()
            .and_then(|raw| normalization(raw, &at.field("pathNormalization"), out))
            .unwrap_or(defaults.path_normalization),
        root_namespace,
        discovery: Vec::new(),
    }
}

fn trust_domain(text: &str, at: &FieldPath, out: &mut Diagnostics) -> Option<Name> {
    let good = text.len() <= 255 && text.split('.').all(host::is_label);
    if !good {
        out.report(catalogue::INVALID_VALUE, at)
            .value(text)
            .detail("a trust domain consists of DNS labels between dots")
            .effect(DEFAULT);
    }
    good.then(|| Name::from(text))
}

fn connect_timeout_of(written: Option<&String>, at: &FieldPath, out: &mut Diagnostics) -> Option<Duration> {
    let value = duration::positive(written, at, "connectTimeout", DEFAULT, out)?;
    if value > Duration::from_hours(1) {
        out.report(catalogue::OUT_OF_RANGE, &at.field("connectTimeout"))
            .value(written.map_or("", String::as_str))
            .detail("it must be from 1ms to 1h")
            .effect(DEFAULT);
        return None;
    }
    Some(value)
}

fn outbound(raw: &api::OutboundTrafficPolicy, at: &FieldPath, out: &mut Diagnostics) -> OutboundPolicy {
    const CLOSED: &str = "it is read as REGISTRY_ONLY: hosts outside the registry are refused";
    let at = at.field("outboundTrafficPolicy");
    let api::OutboundTrafficPolicy { mode } = raw;
    match mode.as_deref() {
        // The zero value of the API.
        None => OutboundPolicy::RegistryOnly,
        Some("ALLOW_ANY_DYNAMIC_DNS") => {
            out.report(catalogue::UNSUPPORTED_FIELD, &at.field("mode"))
                .value("ALLOW_ANY_DYNAMIC_DNS")
                .effect("it is read as ALLOW_ANY");
            OutboundPolicy::AllowAny
        }
        Some(written) => {
            let words =
                [("REGISTRY_ONLY", OutboundPolicy::RegistryOnly), ("ALLOW_ANY", OutboundPolicy::AllowAny)];
            fields::word(written, &words, &at, "mode", CLOSED, out).unwrap_or(OutboundPolicy::RegistryOnly)
        }
    }
}

fn access_log(
    file: Option<&String>,
    format: Option<&String>,
    encoding: Option<&String>,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<AccessLog> {
    let words = [("TEXT", false), ("JSON", true)];
    let json = encoding.is_some_and(|written| {
        fields::word(written, &words, at, "accessLogEncoding", "lines are text", out).unwrap_or(false)
    });
    Some(AccessLog {
        path: fields::text(file)?.to_owned(),
        format: fields::text(format).map(str::to_owned),
        json,
    })
}

fn normalization(
    raw: &api::PathNormalization,
    at: &FieldPath,
    out: &mut Diagnostics,
) -> Option<PathNormalization> {
    let api::PathNormalization { normalization } = raw;
    let words = [
        ("DEFAULT", PathNormalization::Base),
        ("NONE", PathNormalization::None),
        ("BASE", PathNormalization::Base),
        ("MERGE_SLASHES", PathNormalization::MergeSlashes),
        ("DECODE_AND_MERGE_SLASHES", PathNormalization::DecodeAndMergeSlashes),
    ];
    fields::word(normalization.as_ref()?, &words, at, "normalization", DEFAULT, out)
}

#[cfg(test)]
mod tests;
