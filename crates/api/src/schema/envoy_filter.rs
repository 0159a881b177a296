//! EnvoyFilter.

use super::shared::{attached_once, target_refs, workload_selector};
use super::value::{Schema, anything, int32, list, object, text, text_map, uint32, word};

pub(super) fn schema() -> Schema {
    let operation = [
        "INVALID",
        "MERGE",
        "ADD",
        "REMOVE",
        "INSERT_BEFORE",
        "INSERT_AFTER",
        "INSERT_FIRST",
        "REPLACE",
        "MERGE_AND_REPLACE_LIST",
    ];
    let places = [
        "INVALID",
        "LISTENER",
        "FILTER_CHAIN",
        "NETWORK_FILTER",
        "HTTP_FILTER",
        "ROUTE_CONFIGURATION",
        "VIRTUAL_HOST",
        "HTTP_ROUTE",
        "CLUSTER",
        "EXTENSION_CONFIG",
        "BOOTSTRAP",
        "LISTENER_FILTER",
    ];
    let patch = object(
        "What is changed.",
        [
            ("operation", word("How it is changed.", operation)),
            ("value", anything("The configuration of Envoy that is put there.")),
            (
                "filterClass",
                word(
                    "Where among the filters of the mesh a filter goes.",
                    ["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"],
                ),
            ),
        ],
    );
    let config_patch = object(
        "One change.",
        [
            ("applyTo", word("What kind of configuration is changed.", places)),
            ("match", matcher()),
            ("patch", patch),
        ],
    );
    let schema = object(
        "Changes to the configuration that a control plane makes for Envoy. They depend on how that looks, which is not promised.",
        [
            (
                "workloadSelector",
                workload_selector("The workloads that this is for; all of the namespace if not set."),
            ),
            ("targetRefs", target_refs()),
            ("configPatches", list("The changes, in order.", config_patch)),
            ("priority", int32("The order among several objects; those with lower numbers come first.")),
        ],
    );
    attached_once(schema, &["workloadSelector", "targetRefs"])
}

fn matcher() -> Schema {
    let named = |doc| object(doc, [("name", text("Its name."))]);
    let filter = |doc| {
        object(
            doc,
            [
                ("name", text("Its name.")),
                ("subFilter", named("A filter within it, such as an HTTP filter.")),
            ],
        )
    };
    let proxy = object(
        "Which proxies are meant.",
        [
            ("proxyVersion", text("A regular expression (RE2) for their version.")),
            ("metadata", text_map("Metadata that they must report.")),
        ],
    );
    let chain = object(
        "Which filter chain is meant.",
        [
            ("name", text("Its name.")),
            ("sni", text("The server name it is for.")),
            ("transportProtocol", text("The transport it is for.")),
            ("applicationProtocols", text("The application protocols it is for, separated by commas.")),
            ("filter", filter("A filter of the chain.")),
            ("destinationPort", uint32("The port it is for.")),
            ("transportSocket", text("Its transport socket.")),
        ],
    );
    let listener = object(
        "Which listeners are meant.",
        [
            ("portNumber", uint32("Their port.")),
            ("portName", text("The name of their port.")),
            ("filterChain", chain),
            ("listenerFilter", text("A listener filter.")),
            ("name", text("Their name.")),
        ],
    );
    let action = ["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"];
    let route = object(
        "Which routes are meant.",
        [("name", text("Their name.")), ("action", word("What they do.", action))],
    );
    let host = object(
        "Which virtual hosts are meant.",
        [("name", text("Their name.")), ("domainName", text("A domain they are for.")), ("route", route)],
    );
    let table = object(
        "Which route tables are meant.",
        [
            ("portNumber", uint32("The port they are for.")),
            ("portName", text("The name of that port.")),
            ("gateway", text("The gateway they are for, as NAMESPACE/NAME.")),
            ("vhost", host),
            ("name", text("Their name.")),
        ],
    );
    let cluster = object(
        "Which clusters are meant.",
        [
            ("portNumber", uint32("The port of the service.")),
            ("service", text("The service.")),
            ("subset", text("The subset of the service.")),
            ("name", text("Their name.")),
        ],
    );
    let waypoint = object(
        "Which part of a waypoint is meant.",
        [
            (
                "portNumber",
                uint32("The port.").rule("0 < self && self <= 65535", "a port is a number from 1 to 65535"),
            ),
            ("filter", filter("A filter.")),
            ("route", named("A route.")),
        ],
    );
    let contexts = ["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"];
    object(
        "Where it is changed.",
        [
            ("context", word("Which side of which proxies.", contexts)),
            ("proxy", proxy),
            ("listener", listener),
            ("routeConfiguration", table),
            ("cluster", cluster),
            ("waypoint", waypoint),
        ],
    )
    .one_of(["listener", "routeConfiguration", "cluster", "waypoint"])
    .rule(
        "has(self.waypoint) == (has(self.context) && self.context == 'WAYPOINT')",
        "waypoint and the context WAYPOINT belong together",
    )
}
