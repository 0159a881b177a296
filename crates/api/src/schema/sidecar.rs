//! Sidecar.

use super::shared::{connection_pool, destination, server_port, server_tls, workload_selector};
use super::value::{Schema, list, object, text, texts, word};

pub(super) fn schema() -> Schema {
    let capture = |doc| word(doc, ["DEFAULT", "IPTABLES", "NONE"]);
    let ingress = object(
        "A port that the workload serves.",
        [
            ("port", server_port("The port.")),
            ("bind", text("The address to listen on.")),
            ("captureMode", capture("How connections reach the proxy.")),
            (
                "defaultEndpoint",
                text("Where the application listens: 127.0.0.1:PORT, 0.0.0.0:PORT or unix:///PATH."),
            ),
            ("tls", server_tls("How connections from outside of the mesh are secured.")),
            ("connectionPool", connection_pool("Limits towards the application.")),
        ],
    )
    .required(["port"]);
    let egress = object(
        "Services that the workload calls.",
        [
            ("port", server_port("The port they are called at; all of them if not set.")),
            ("bind", text("The address to listen on.")),
            ("captureMode", capture("How connections reach the proxy.")),
            ("hosts", texts("The services, as NAMESPACE/NAME; * stands for any, . for the own namespace.")),
        ],
    )
    .required(["hosts"]);
    let outbound = object(
        "What happens to calls of hosts that the mesh does not know.",
        [
            (
                "mode",
                word("REGISTRY_ONLY refuses them, ALLOW_ANY lets them pass.", ["REGISTRY_ONLY", "ALLOW_ANY"]),
            ),
            ("egressProxy", destination("Where they are sent instead.")),
        ],
    );
    object(
        "What a proxy takes in and what it can reach. Without one, it can reach all services that are exported to it.",
        [
            (
                "workloadSelector",
                workload_selector("The workloads that this is for; all of the namespace if not set."),
            ),
            ("ingress", list("The ports that the workload serves.", ingress)),
            ("egress", list("The services that the workload can reach.", egress)),
            ("inboundConnectionPool", connection_pool("Limits towards the application, for all ports.")),
            ("outboundTrafficPolicy", outbound),
        ],
    )
}
