//! Telemetry.

use super::shared::{attached_once, selector, target_ref, target_refs};
use super::value::{Schema, boolean, double, duration, list, map, object, text, word};

pub(super) fn schema() -> Schema {
    let schema = object(
        "What is measured, traced and logged.",
        [
            ("selector", selector("The workloads that this is for; all of the namespace if not set.")),
            ("targetRef", target_ref("The older form of targetRefs, for one target.")),
            ("targetRefs", target_refs()),
            ("tracing", list("Traces.", tracing())),
            ("metrics", list("Metrics.", metrics())),
            ("accessLogging", list("Logs of requests.", access_logging())),
        ],
    );
    attached_once(schema, &["selector", "targetRef", "targetRefs"])
}

fn mode() -> Schema {
    word("Which side of a call.", ["CLIENT_AND_SERVER", "CLIENT", "SERVER"])
}

fn providers() -> Schema {
    let provider =
        object("An extension provider of the mesh settings.", [("name", text("Its name.").length(1, None))])
            .required(["name"]);
    list("Who is told; the default of the mesh if not set.", provider)
}

fn tracing() -> Schema {
    let some = |doc| text(doc).length(1, None);
    let literal = object("A fixed value.", [("value", some("The value."))]).required(["value"]);
    let environment = object(
        "A variable of the proxy's environment.",
        [("name", some("Its name.")), ("defaultValue", text("The value if it is not set."))],
    )
    .required(["name"]);
    let header = object(
        "A header of the request.",
        [("name", some("Its name.")), ("defaultValue", text("The value if it is not there."))],
    )
    .required(["name"]);
    let formatter =
        object("A format of Envoy's access log.", [("value", some("The format."))]).required(["value"]);
    let tag = object(
        "Where the value of a tag comes from.",
        [("literal", literal), ("environment", environment), ("header", header), ("formatter", formatter)],
    )
    .one_of(["literal", "environment", "header", "formatter"]);
    object(
        "Settings for traces.",
        [
            ("match", object("Which calls are meant.", [("mode", mode())])),
            ("providers", providers()),
            (
                "randomSamplingPercentage",
                double("The share of requests that are traced, from 0 to 100.")
                    .at_least(0)
                    .at_most(100)
                    .nullable(),
            ),
            ("disableSpanReporting", boolean("Reports nothing, while the context is passed on.").nullable()),
            ("disableContextPropagation", boolean("Does not pass the context on.").nullable()),
            ("customTags", map("Further tags, by name.", tag)),
            (
                "useRequestIdForTraceSampling",
                boolean("Decides by the request's id whether it is traced.").nullable(),
            ),
            ("enableIstioTags", boolean("Adds the tags that name workloads of the mesh.").nullable()),
        ],
    )
}

fn metrics() -> Schema {
    let names = [
        "ALL_METRICS",
        "REQUEST_COUNT",
        "REQUEST_DURATION",
        "REQUEST_SIZE",
        "RESPONSE_SIZE",
        "TCP_OPENED_CONNECTIONS",
        "TCP_CLOSED_CONNECTIONS",
        "TCP_SENT_BYTES",
        "TCP_RECEIVED_BYTES",
        "GRPC_REQUEST_MESSAGES",
        "GRPC_RESPONSE_MESSAGES",
    ];
    let matcher = object(
        "Which metrics are meant.",
        [
            ("metric", word("One of the metrics of the mesh.", names)),
            ("customMetric", text("Another metric, by name.").length(1, None)),
            ("mode", mode()),
        ],
    )
    .one_of(["metric", "customMetric"]);
    let tag = object(
        "What happens to a tag.",
        [
            ("operation", word("UPSERT sets it, REMOVE leaves it out.", ["UPSERT", "REMOVE"])),
            ("value", text("An expression for its value.")),
        ],
    )
    .rule(
        "!has(self.operation) || self.operation != 'UPSERT' || (has(self.value) && self.value != '')",
        "UPSERT needs a value",
    )
    .rule("!has(self.operation) || self.operation != 'REMOVE' || !has(self.value)", "REMOVE takes no value");
    let change = object(
        "A change to metrics.",
        [
            ("match", matcher),
            ("disabled", boolean("Leaves them out.").nullable()),
            ("tagOverrides", map("Changes of their tags, by name.", tag)),
        ],
    );
    object(
        "Settings for metrics.",
        [
            ("providers", providers()),
            ("overrides", list("Changes, in order.", change)),
            ("reportingInterval", duration("How often open TCP connections are reported.")),
        ],
    )
}

fn access_logging() -> Schema {
    object(
        "Settings for logs of requests.",
        [
            ("match", object("Which calls are meant.", [("mode", mode())])),
            ("providers", providers()),
            ("disabled", boolean("Logs nothing.").nullable()),
            (
                "filter",
                object(
                    "Which requests are logged.",
                    [("expression", text("A CEL expression that holds for them."))],
                ),
            ),
        ],
    )
}
