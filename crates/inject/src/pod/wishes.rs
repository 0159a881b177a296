//! What a pod asks for by its annotations, read and checked: every problem at once.

use std::collections::BTreeMap;

use pilothouse_diag::closest;
use serde_json::{Map, Value, json};

use super::decide::INJECT;
use super::duration;
use super::labels::Labels;
use super::probes::REMEMBERED;
use super::problem::{Findings, annotation};
use super::proxy_config::{Interception, is_host_and_port};
use super::{OVERRIDES, ROOT_SDS, STATUS, TOKEN_SDS};
use crate::bootstrap::Statistics;
use crate::capture::{CaptureError, CaptureFlags, plan};

/// The wishes of one pod. What is not asked for is none or empty.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) proxy_config: Option<Value>,
    pub(super) proxy_image: Option<String>,
    pub(super) image_type: Option<String>,
    pub(super) resources: Option<Value>,
    pub(super) log_level: Option<String>,
    pub(super) component_log_level: Option<String>,
    pub(super) interception: Option<Interception>,
    pub(super) native: Option<bool>,
    pub(super) rewrite_probes: Option<bool>,
    pub(super) volumes: Vec<Value>,
    pub(super) mounts: Vec<Value>,
    pub(super) bind_low_ports: bool,
    pub(super) discovery_address: Option<String>,
    pub(super) statistics: Statistics,
    pub(super) status_port: Option<u16>,
    pub(super) readiness: BTreeMap<&'static str, u32>,
    pub(super) traffic: Traffic,
    pub(super) merge_metrics: Option<bool>,
    pub(super) bootstrap_override: Option<String>,
}

/// What is captured; in the notation of `capture`.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) include_ranges: Option<String>,
    pub(super) exclude_ranges: Option<String>,
    pub(super) include_inbound: Option<String>,
    pub(super) exclude_inbound: Option<String>,
    pub(super) include_outbound: Option<String>,
    pub(super) exclude_outbound: Option<String>,
    pub(super) exclude_interfaces: Option<String>,
    pub(super) guest_interfaces: Option<String>,
}

pub(super) const PROXY_CONFIG: &str = "proxy.istio.io/config";
pub(super) const IMAGE_TYPE: &str = "sidecar.istio.io/proxyImageType";
pub(super) const DISCOVERY_ADDRESS: &str = "sidecar.istio.io/discoveryAddress";
pub(super) const TEMPLATES: &str = "inject.istio.io/templates";

/// Resources by annotation: which, and what of it.
const RESOURCES: [(&str, &str, &str); 4] = [
    ("sidecar.istio.io/proxyCPU", "requests", "cpu"),
    ("sidecar.istio.io/proxyMemory", "requests", "memory"),
    ("sidecar.istio.io/proxyCPULimit", "limits", "cpu"),
    ("sidecar.istio.io/proxyMemoryLimit", "limits", "memory"),
];

/// Accepted and without effect, with the reason.
const IGNORED: [(&str, &str); 10] = [
    ("sidecar.istio.io/agentLogLevel", "there is no agent"),
    ("sidecar.istio.io/statsInclusionPrefixes", "all statistics are kept"),
    ("sidecar.istio.io/statsInclusionSuffixes", "all statistics are kept"),
    ("sidecar.istio.io/statsInclusionRegexps", "all statistics are kept"),
    ("sidecar.istio.io/extraStatTags", "tags of statistics are not supported"),
    ("sidecar.istio.io/statsHistogramBins", "bins of histograms are not supported"),
    ("readiness.status.sidecar.istio.io/applicationPorts", "Kubernetes asks the application itself"),
    ("prometheus.istio.io/secure-port", "metrics are not merged"),
    ("prometheus.istio.io/scrape-targets", "metrics are not merged"),
    ("sidecar.istio.io/enableCoreDump", "core dumps are the business of the node"),
];

/// Read and acted on, beside those of [`RESOURCES`], [`READINESS`] and [`TRAFFIC`].
const HEEDED: [&str; 21] = [
    INJECT,
    TEMPLATES,
    PROXY_CONFIG,
    IMAGE_TYPE,
    DISCOVERY_ADDRESS,
    "sidecar.istio.io/proxyImage",
    "sidecar.istio.io/logLevel",
    "sidecar.istio.io/componentLogLevel",
    "sidecar.istio.io/interceptionMode",
    "sidecar.istio.io/nativeSidecar",
    "sidecar.istio.io/rewriteAppHTTPProbers",
    "sidecar.istio.io/bootstrapOverride",
    "sidecar.istio.io/userVolume",
    "sidecar.istio.io/userVolumeMount",
    "sidecar.istio.io/capNetBindService",
    "sidecar.istio.io/statsHistogramBuckets",
    "sidecar.istio.io/statsFlushInterval",
    "sidecar.istio.io/statsEvictionInterval",
    "sidecar.istio.io/statsCompression",
    "status.sidecar.istio.io/port",
    "prometheus.istio.io/merge-metrics",
];

/// Written by injection itself, or about workloads outside of Kubernetes. All other keys below our prefixes are mistakes.
const NO_WISHES: [&str; 7] = [
    STATUS,
    OVERRIDES,
    TOKEN_SDS,
    ROOT_SDS,
    REMEMBERED,
    "istio.io/rev",
    "proxy.istio.io/health-checks-enabled",
];

const READINESS: [(&str, &str); 3] = [
    ("readiness.status.sidecar.istio.io/initialDelaySeconds", "initialDelaySeconds"),
    ("readiness.status.sidecar.istio.io/periodSeconds", "periodSeconds"),
    ("readiness.status.sidecar.istio.io/failureThreshold", "failureThreshold"),
];

/// Traffic annotations with the flag of `capture` that each becomes.
const TRAFFIC: [(&str, &str); 9] = [
    ("traffic.sidecar.istio.io/includeOutboundIPRanges", "--istio-service-cidr"),
    ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "--istio-service-exclude-cidr"),
    ("traffic.sidecar.istio.io/includeInboundPorts", "--istio-inbound-ports"),
    ("traffic.sidecar.istio.io/excludeInboundPorts", "--istio-local-exclude-ports"),
    ("traffic.sidecar.istio.io/includeOutboundPorts", "--istio-outbound-ports"),
    ("traffic.sidecar.istio.io/excludeOutboundPorts", "--istio-local-outbound-ports-exclude"),
    ("traffic.sidecar.istio.io/excludeInterfaces", "--exclude-interfaces"),
    ("istio.io/reroute-virtual-interfaces", "--kube-virt-interfaces"),
    ("traffic.sidecar.istio.io/kubevirtInterfaces", "--kube-virt-interfaces"),
];

/// Prefixes of which every key should be known.
const PREFIXES: [&str; 7] = [
    "sidecar.istio.io/",
    "status.sidecar.istio.io/",
    "readiness.status.sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
    "proxy.istio.io/",
    "inject.istio.io/",
    "prometheus.istio.io/",
];

/// Reads all annotations.
pub(super) fn read(
    annotations: &Labels<'_>,
    parse_yaml: fn(&str) -> Result<Value, String>,
    out: &mut Findings,
) -> Wishes {
    strangers(annotations, out);
    let mut read = Reader { annotations, out };
    let mut wishes = Wishes {
        proxy_config: read.parsed(PROXY_CONFIG, "is no YAML", parse_yaml),
        proxy_image: read.text("sidecar.istio.io/proxyImage").map(str::to_owned),
        image_type: read.text(IMAGE_TYPE).map(str::to_owned),
        resources: read.resources(),
        log_level: read.log_level(),
        component_log_level: read.component_log_level(),
        interception: read.parsed("sidecar.istio.io/interceptionMode", "", |text| {
            Interception::parse(text).ok_or_else(|| "must be REDIRECT, TPROXY or NONE".to_owned())
        }),
        native: read.boolean("sidecar.istio.io/nativeSidecar"),
        rewrite_probes: read.boolean("sidecar.istio.io/rewriteAppHTTPProbers"),
        volumes: read.named("sidecar.istio.io/userVolume"),
        mounts: read.named("sidecar.istio.io/userVolumeMount"),
        bind_low_ports: read.boolean("sidecar.istio.io/capNetBindService").unwrap_or(false),
        discovery_address: read.parsed(DISCOVERY_ADDRESS, "", |text| {
            if is_host_and_port(text) {
                Ok(text.to_owned())
            } else {
                Err("is not of the form host:port".to_owned())
            }
        }),
        statistics: read.statistics(),
        status_port: read.number("status.sidecar.istio.io/port", 0),
        readiness: BTreeMap::new(),
        traffic: Traffic::default(),
        merge_metrics: read.boolean("prometheus.istio.io/merge-metrics"),
        bootstrap_override: read.text("sidecar.istio.io/bootstrapOverride").map(str::to_owned),
    };
    for (key, field) in READINESS {
        if let Some(number) =
            read.number(key, u32::from(field == "failureThreshold" || field == "periodSeconds"))
        {
            wishes.readiness.insert(field, number);
        }
    }
    wishes.traffic = read.traffic();
    if annotations.contains_key(DISCOVERY_ADDRESS) {
        out.warn(format!(
            "{} is deprecated; use {}",
            annotation(DISCOVERY_ADDRESS),
            annotation(PROXY_CONFIG)
        ));
    }
    wishes
}

/// Annotations of pods that injection acts on.
pub fn heeded() -> impl Iterator<Item = &'static str> {
    let traffic = TRAFFIC.iter().chain(&READINESS).map(|(key, _)| *key);
    HEEDED.into_iter().chain(traffic).chain(RESOURCES.iter().map(|(key, ..)| *key))
}

/// Annotations of pods that injection accepts and that have no effect.
pub fn ignored() -> impl Iterator<Item = &'static str> {
    IGNORED.iter().map(|(key, _)| *key)
}

/// Says what is accepted without effect, and which keys nobody knows.
fn strangers(annotations: &Labels<'_>, out: &mut Findings) {
    let known = || heeded().chain(NO_WISHES);
    for (key, value) in annotations {
        if let Some((_, reason)) = IGNORED.iter().find(|(ignored, _)| ignored == key) {
            out.warn(format!("{} has no effect: {reason}", annotation(key)));
        } else if *key == INJECT {
            out.warn(format!("{} is deprecated; write the label of the same name", annotation(key)));
        } else if *key == "traffic.sidecar.istio.io/kubevirtInterfaces" {
            out.warn(format!(
                "{} is deprecated; use {}",
                annotation(key),
                annotation("istio.io/reroute-virtual-interfaces")
            ));
        } else if PREFIXES.iter().any(|prefix| key.starts_with(prefix)) && !known().any(|known| known == *key)
        {
            let hint = closest(key, known()).map_or(String::new(), |near| format!("; did you mean {near}?"));
            out.warn(format!("{} ({value:?}) is not known and has no effect{hint}", annotation(key)));
        }
    }
}

struct Reader<'r, 'p> {
    annotations: &'r Labels<'p>,
    out: &'r mut Findings,
}

impl<'p> Reader<'_, 'p> {
    /// What is written, even if it is empty.
    fn written(&self, key: &str) -> Option<&'p str> {
        self.annotations.get(key).copied()
    }

    /// What is written, if it says anything.
    fn text(&self, key: &str) -> Option<&'p str> {
        self.written(key).map(str::trim).filter(|text| !text.is_empty())
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let reason = if what.is_empty() { reason } else { format!("{what}: {reason}") };
                self.out.problem(annotation(key), text, reason);
                None
            }
        }
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, "", |text| match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        })
    }

    fn number<N: TryFrom<u64>>(&mut self, key: &str, least: u32) -> Option<N> {
        self.parsed(key, "", |text| {
            let number = text.parse::<u64>().ok().filter(|number| *number >= u64::from(least));
            // Kubernetes counts seconds and attempts with 31 bits.
            let number = number.filter(|number| i32::try_from(*number).is_ok());
            number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
                format!(
                    "must be a whole number{}",
                    if least > 0 { format!(" from {least}") } else { String::new() }
                )
            })
        })
    }

    /// All or nothing: where one is annotated, the mesh's are not used.
    fn resources(&mut self) -> Option<Value> {
        let mut resources: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        let mut annotated = false;
        for (key, part, what) in RESOURCES {
            annotated |= self.written(key).is_some();
            let quantity = self.parsed(key, "", |text| {
                if is_quantity(text) {
                    Ok(text.to_owned())
                } else {
                    Err("is no quantity; write it like 100m, 0.5 or 128Mi".to_owned())
                }
            });
            if let Some(quantity) = quantity {
                resources.entry(part).or_default().insert(what.to_owned(), json!(quantity));
            }
        }
        annotated.then(|| json!(resources))
    }

    fn log_level(&mut self) -> Option<String> {
        self.parsed("sidecar.istio.io/logLevel", "", |text| {
            if LEVELS.contains(&text) {
                Ok(text.to_owned())
            } else {
                Err(format!("must be one of {}", LEVELS.join(", ")))
            }
        })
    }

    fn component_log_level(&mut self) -> Option<String> {
        self.parsed("sidecar.istio.io/componentLogLevel", "", |text| {
            let good = |part: &str| {
                part.split_once(':').is_some_and(|(component, level)| {
                    !component.is_empty()
                        && component
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.*/".contains(&byte))
                        && LEVELS.contains(&level)
                })
            };
            if text.split(',').all(good) {
                Ok(text.to_owned())
            } else {
                Err("is not of the form component:level,component:level".to_owned())
            }
        })
    }

    /// Volumes or mounts: a list, or the map from name to the rest that is the older form.
    fn named(&mut self, key: &str) -> Vec<Value> {
        let found = self.parsed(key, "", |text| {
            let wrong = "must be a JSON list of objects with a name, or a map from name to the rest of each";
            let value: Value = serde_json::from_str(text).map_err(|error| format!("{wrong}: {error}"))?;
            let entries: Vec<Value> = match value {
                Value::Array(entries) => entries,
                Value::Object(entries) => entries
                    .into_iter()
                    .map(|(name, mut rest)| {
                        if let Some(rest) = rest.as_object_mut() {
                            rest.insert("name".to_owned(), json!(name));
                        }
                        rest
                    })
                    .collect(),
                _ => return Err(wrong.to_owned()),
            };
            let good =
                entries.iter().all(|entry| entry["name"].as_str().is_some_and(|name| !name.is_empty()));
            if good { Ok(entries) } else { Err(wrong.to_owned()) }
        });
        found.unwrap_or_default()
    }

    fn statistics(&mut self) -> Statistics {
        let mut interval = |key: &str| {
            self.parsed(key, "", |text| {
                let milliseconds = duration::milliseconds(text).filter(|milliseconds| *milliseconds > 0);
                milliseconds.ok_or_else(|| "is no duration; write it like 10s".to_owned())
            })
        };
        let flush = interval("sidecar.istio.io/statsFlushInterval");
        let eviction = interval("sidecar.istio.io/statsEvictionInterval");
        if let Some(eviction) = eviction.filter(|eviction| eviction % flush.unwrap_or(5000) != 0) {
            let key = annotation("sidecar.istio.io/statsEvictionInterval");
            let every = duration::protobuf(flush.unwrap_or(5000));
            self.out.problem(
                key,
                duration::protobuf(eviction),
                format!("must be a multiple of the flush interval {every}"),
            );
        }
        let buckets = self.parsed("sidecar.istio.io/statsHistogramBuckets", "", |text| {
            let buckets: BTreeMap<String, Vec<serde_json::Number>> = serde_json::from_str(text)
                .map_err(|error| format!("must be a JSON map from prefix to a list of numbers: {error}"))?;
            let rises = |list: &Vec<serde_json::Number>| {
                let numbers: Vec<f64> = list.iter().filter_map(serde_json::Number::as_f64).collect();
                !numbers.is_empty() && numbers[0] > 0.0 && numbers.windows(2).all(|pair| pair[0] < pair[1])
            };
            let good = buckets.iter().all(|(prefix, list)| !prefix.is_empty() && rises(list));
            if good { Ok(buckets) } else { Err("must name buckets above zero in rising order".to_owned()) }
        });
        let compressed = match self.text("sidecar.istio.io/statsCompression") {
            Some("false" | "none") => false,
            Some("brotli" | "zstd") => {
                self.out.warn(format!(
                    "{} is read as gzip, the one form there is",
                    annotation("sidecar.istio.io/statsCompression")
                ));
                true
            }
            _ => true,
        };
        Statistics {
            compressed,
            flush_interval: flush.map(duration::protobuf),
            eviction_interval: eviction.map(duration::protobuf),
            buckets: buckets.unwrap_or_default(),
        }
    }

    /// The rules are made as the init container will make them, so that what it would refuse is refused here.
    fn traffic(&mut self) -> Traffic {
        let value = |key: &str| self.written(key).map(|text| text.trim().to_owned());
        let [(include_ranges, _), (exclude_ranges, _), (include_inbound, _), (exclude_inbound, _), ..] =
            TRAFFIC;
        let [.., (include_outbound, _), (exclude_outbound, _), (interfaces, _), (guests, _), (old_guests, _)] =
            TRAFFIC;
        let traffic = Traffic {
            include_ranges: value(include_ranges),
            exclude_ranges: value(exclude_ranges),
            include_inbound: value(include_inbound),
            exclude_inbound: value(exclude_inbound),
            include_outbound: value(include_outbound),
            exclude_outbound: value(exclude_outbound),
            exclude_interfaces: value(interfaces),
            guest_interfaces: value(guests).or_else(|| value(old_guests)),
        };
        if let Err(CaptureError::Invalid { problems }) = plan(&traffic.flags()) {
            for problem in problems {
                let key =
                    TRAFFIC.iter().find(|(key, flag)| *flag == problem.flag && self.written(key).is_some());
                let at = key.map_or_else(|| problem.flag.to_owned(), |(key, _)| annotation(key));
                self.out.problem(at, &problem.value, in_annotations(problem.reason));
            }
        }
        traffic
    }
}

/// Some advice of `capture` names its flags.
fn in_annotations(reason: &str) -> String {
    TRAFFIC.iter().fold(reason.to_owned(), |text, (key, flag)| text.replace(flag, key))
}

impl Traffic {
    /// As flags of `capture`.
    pub(super) fn flags(&self) -> CaptureFlags {
        let usual = CaptureFlags::default();
        let Self {
            include_ranges,
            exclude_ranges,
            include_inbound,
            exclude_inbound,
            include_outbound,
            exclude_outbound,
            exclude_interfaces,
            guest_interfaces,
        } = self;
        let or = |written: &Option<String>, usual: String| written.clone().unwrap_or(usual);
        CaptureFlags {
            service_cidr: or(include_ranges, usual.service_cidr.clone()),
            service_exclude_cidr: or(exclude_ranges, usual.service_exclude_cidr.clone()),
            inbound_ports: or(include_inbound, usual.inbound_ports.clone()),
            local_exclude_ports: match exclude_inbound.as_deref() {
                Some(ports) if !ports.is_empty() => format!("{},{ports}", usual.local_exclude_ports),
                _ => usual.local_exclude_ports.clone(),
            },
            outbound_ports: or(include_outbound, usual.outbound_ports.clone()),
            local_outbound_ports_exclude: or(exclude_outbound, usual.local_outbound_ports_exclude.clone()),
            exclude_interfaces: or(exclude_interfaces, usual.exclude_interfaces.clone()),
            virtual_interfaces: or(guest_interfaces, usual.virtual_interfaces.clone()),
            ..usual
        }
    }
}

/// Envoy's levels.
const LEVELS: [&str; 7] = ["trace", "debug", "info", "warning", "error", "critical", "off"];

/// Whether a text is a quantity of Kubernetes that is not negative.
fn is_quantity(text: &str) -> bool {
    let number = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.strip_prefix('+').map_or(text.split_at(number), |text| {
        text.split_at(
            text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len()),
        )
    });
    let exponent = |rest: &str| {
        let digits = rest.trim_start_matches(['+', '-']);
        rest.len() - digits.len() <= 1
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let suffix_fits = match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi"
        | "Ei" => true,
        other => other.strip_prefix(['e', 'E']).is_some_and(exponent),
    };
    number.matches('.').count() <= 1 && number.bytes().any(|byte| byte.is_ascii_digit()) && suffix_fits
}

#[cfg(test)]
mod tests;
