//! WorkloadGroup.

use super::service_entry::endpoint;
use super::shared::labels;
use super::value::{Schema, int32, list, object, text, text_map, uint32};

/// The name of a header in a probe.
const HEADER: &str = "^[-_A-Za-z0-9]+$";

pub(super) fn schema() -> Schema {
    let metadata = object(
        "Labels and annotations of the entries that are made for workloads of the group.",
        [("labels", labels("The labels.")), ("annotations", text_map("The annotations.").entries(0, 256))],
    );
    object(
        "Workloads without pods that are alike.",
        [
            ("metadata", metadata),
            ("template", endpoint("What the workloads have in common.", false)),
            ("probe", probe()),
        ],
    )
    .required(["template"])
}

fn probe() -> Schema {
    let port = |doc| uint32(doc).rule("0 < self && self <= 65535", "a port is a number from 1 to 65535");
    let header = object(
        "A header of the request.",
        [("name", text("Its name.").pattern(HEADER)), ("value", text("Its value."))],
    );
    let http = object(
        "A request that is answered with success while the workload is healthy.",
        [
            ("path", text("The path.")),
            ("port", port("The port.")),
            ("host", text("The host to connect to; the workload itself if not set.")),
            (
                "scheme",
                text("HTTP or HTTPS.").rule("self in ['', 'HTTP', 'HTTPS']", "the scheme is HTTP or HTTPS"),
            ),
            ("httpHeaders", list("Headers of the request.", header)),
        ],
    )
    .required(["port"]);
    let tcp = object(
        "A connection that is accepted while the workload is healthy.",
        [
            ("host", text("The host to connect to; the workload itself if not set.")),
            ("port", port("The port.")),
        ],
    )
    .required(["port"]);
    let exec = object(
        "A command that succeeds while the workload is healthy.",
        [("command", list("The command with its arguments.", text("").length(1, None)))],
    )
    .required(["command"]);
    let grpc = object(
        "A call of the gRPC health service.",
        [("port", port("The port.")), ("service", text("The service that is asked for."))],
    );
    let count = |doc| int32(doc).at_least(0);
    object(
        "How the health of a workload is found out.",
        [
            ("initialDelaySeconds", count("Seconds after the start before the first probe.")),
            ("timeoutSeconds", count("Seconds that a probe may take.")),
            ("periodSeconds", count("Seconds between probes.")),
            ("successThreshold", count("Successes in a row that make a workload healthy.")),
            ("failureThreshold", count("Failures in a row that make it unhealthy.")),
            ("httpGet", http),
            ("tcpSocket", tcp),
            ("exec", exec),
            ("grpc", grpc),
        ],
    )
    .one_of(["httpGet", "tcpSocket", "exec", "grpc"])
}
