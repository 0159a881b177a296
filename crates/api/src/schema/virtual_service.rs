//! VirtualService.

use super::shared::{destination, export_to, string_match};
use super::value::{
    Schema, boolean, bytes, double, duration, int32, list, map, object, text, text_map, texts, uint32, word,
};

pub(super) fn schema() -> Schema {
    object(
        "What happens to requests for a host: which destinations they go to, by what they ask for.",
        [
            (
                "hosts",
                texts(
                    "The hosts that the rules are about. A short name is looked up in the namespace of the object.",
                ),
            ),
            (
                "gateways",
                texts(
                    "Where the rules hold: gateways as NAMESPACE/NAME, or mesh for all sidecars. Only mesh if not set.",
                ),
            ),
            ("http", list("Rules for HTTP; the first that matches counts.", http())),
            (
                "tls",
                list(
                    "Rules for TLS that is not ended here, by server name; the first that matches counts.",
                    tls(),
                ),
            ),
            ("tcp", list("Rules for TCP; the first that matches counts.", tcp())),
            ("exportTo", export_to("The namespaces that see the rules: . is the own one, * all.")),
        ],
    )
}

fn http() -> Schema {
    object(
        "A rule.",
        [
            ("name", text("A name for the rule, for logs and statistics.")),
            (
                "match",
                list("What the rule is for: requests that match any of these. All if not set.", http_match()),
            ),
            ("route", list("Where the requests go, by share.", http_route())),
            ("redirect", redirect()),
            ("directResponse", direct_response()),
            ("delegate", delegate()),
            ("rewrite", rewrite()),
            ("timeout", duration("How long a request may take, with all its retries.")),
            ("retries", retries()),
            ("fault", fault()),
            ("mirror", destination("Where copies of the requests are sent. Their answers are ignored.")),
            ("mirrors", list("Several destinations for copies.", mirror())),
            ("mirror_percent", uint32("An older form of mirrorPercentage.").nullable()),
            ("mirrorPercent", uint32("An older form of mirrorPercentage.").nullable()),
            ("mirrorPercentage", percentage("The share of requests that are copied.")),
            ("corsPolicy", cors()),
            ("headers", headers("Changes to headers.")),
        ],
    )
}

fn percentage(doc: &str) -> Schema {
    object(doc, [("value", double("From 0 to 100."))])
}

fn http_match() -> Schema {
    let header = || string_match("How the value is compared; with nothing set it must only be there.");
    object(
        "Conditions; all that are set must hold.",
        [
            ("name", text("A name for the match, for logs and statistics.")),
            ("uri", string_match("The path of the request.")),
            ("scheme", string_match("The scheme of the request.")),
            ("method", string_match("The method of the request.")),
            ("authority", string_match("The host of the request.")),
            ("headers", map("Headers, by name in lower case.", header())),
            ("withoutHeaders", map("Headers that must not match, by name in lower case.", header())),
            ("queryParams", map("Parameters of the query, by name.", header())),
            ("ignoreUriCase", boolean("Compares the path without regard to case.")),
            ("port", uint32("The port that was called.")),
            ("sourceLabels", text_map("Labels of the calling workload.")),
            ("sourceNamespace", text("The namespace of the calling workload.")),
            ("gateways", texts("Where the match holds, instead of the gateways of the object.")),
            ("statPrefix", text("A prefix for statistics of this route.")),
        ],
    )
}

fn http_route() -> Schema {
    object(
        "A destination with its share.",
        [
            ("destination", destination("Where the requests go.")),
            ("weight", int32("The share of requests, relative to the other destinations.")),
            ("headers", headers("Changes to headers for this destination.")),
        ],
    )
    .required(["destination"])
}

fn mirror() -> Schema {
    object(
        "A destination for copies.",
        [
            ("destination", destination("Where copies are sent.")),
            ("percentage", percentage("The share of requests that are copied.")),
        ],
    )
    .required(["destination"])
}

fn headers(doc: &str) -> Schema {
    let edits = |doc| {
        object(
            doc,
            [
                ("set", text_map("Headers that are replaced.")),
                ("add", text_map("Headers that are added.")),
                ("remove", texts("Headers that are taken away.")),
            ],
        )
    };
    object(
        doc,
        [
            ("request", edits("Before the request is passed on.")),
            ("response", edits("Before the answer is passed back.")),
        ],
    )
}

fn redirect() -> Schema {
    object(
        "Answers with a redirect.",
        [
            ("uri", text("The new path.")),
            ("prefixRewrite", text("What takes the place of the matched prefix of the path.")),
            ("authority", text("The new host.")),
            ("scheme", text("The new scheme, http or https.")),
            ("port", uint32("The new port.")),
            (
                "derivePort",
                word("Where the new port comes from.", ["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]),
            ),
            ("redirectCode", uint32("The status, 301 if not set.")),
        ],
    )
    .one_of(["port", "derivePort"])
}

fn direct_response() -> Schema {
    let body = object("The body.", [("string", text("As text.")), ("bytes", bytes("As bytes, in base64."))])
        .one_of(["string", "bytes"]);
    object("Answers by itself.", [("status", uint32("The status.")), ("body", body)]).required(["status"])
}

fn delegate() -> Schema {
    object(
        "Another VirtualService whose rules are put here. It has no hosts of its own.",
        [("name", text("Its name.")), ("namespace", text("Its namespace; the own one if not set."))],
    )
}

fn rewrite() -> Schema {
    let regex = object(
        "Replaces what a regular expression finds in the path.",
        [
            ("match", text("The regular expression (RE2).")),
            ("rewrite", text(r"What takes its place; \1 stands for the first group.")),
        ],
    );
    object(
        "Changes the request before it is passed on.",
        [
            ("uri", text("What takes the place of the matched path or prefix.")),
            ("authority", text("The new host.")),
            ("uriRegexRewrite", regex),
        ],
    )
}

fn retries() -> Schema {
    object(
        "When a request is sent again.",
        [
            ("attempts", int32("How often at most; 0 never.")),
            ("perTryTimeout", duration("How long each attempt may take.")),
            (
                "retryOn",
                text(
                    "On which failures, as Envoy names them, and on which status codes; separated by commas.",
                ),
            ),
            ("retryRemoteLocalities", boolean("Whether other localities may be tried.").nullable()),
            ("retryIgnorePreviousHosts", boolean("Whether endpoints that failed are left out.").nullable()),
            ("backoff", duration("The shortest time between attempts.")),
        ],
    )
}

fn fault() -> Schema {
    let delay = object(
        "Lets requests wait.",
        [
            ("percent", int32("An older form of percentage.")),
            ("percentage", percentage("The share of requests that wait.")),
            ("fixedDelay", duration("How long they wait.")),
            ("exponentialDelay", duration("Has no effect.")),
        ],
    )
    .one_of(["fixedDelay", "exponentialDelay"]);
    let abort = object(
        "Answers requests with an error.",
        [
            ("httpStatus", int32("The status of HTTP.")),
            ("grpcStatus", text("The status of gRPC, by name.")),
            ("http2Error", text("Has no effect.")),
            ("percentage", percentage("The share of requests that are answered so.")),
        ],
    )
    .one_of(["httpStatus", "grpcStatus", "http2Error"]);
    object("Faults that are made on purpose, for tests.", [("delay", delay), ("abort", abort)])
}

fn cors() -> Schema {
    object(
        "Which other sites' pages may call.",
        [
            ("allowOrigin", texts("An older form of allowOrigins.")),
            (
                "allowOrigins",
                list("The origins of pages that may call.", string_match("How an origin is compared.")),
            ),
            ("allowMethods", texts("The methods they may use.")),
            ("allowHeaders", texts("The headers they may send.")),
            ("exposeHeaders", texts("The headers they may read.")),
            ("maxAge", duration("How long a browser may remember the answer.")),
            ("allowCredentials", boolean("Whether they may send credentials.").nullable()),
            (
                "unmatchedPreflights",
                word(
                    "Whether preflight requests of other origins are passed on.",
                    ["UNSPECIFIED", "FORWARD", "IGNORE"],
                ),
            ),
        ],
    )
}

fn l4_route() -> Schema {
    object(
        "A destination with its share.",
        [
            ("destination", destination("Where connections go.")),
            ("weight", int32("The share of connections, relative to the other destinations.")),
        ],
    )
    .required(["destination"])
}

fn tls() -> Schema {
    let matcher = object(
        "Conditions; all that are set must hold.",
        [
            ("sniHosts", texts("The server names; * stands for any label at the beginning.")),
            ("destinationSubnets", texts("Addresses or ranges that were dialled.")),
            ("port", uint32("The port that was dialled.")),
            ("sourceLabels", text_map("Labels of the calling workload.")),
            ("sourceNamespace", text("The namespace of the calling workload.")),
            ("gateways", texts("Where the match holds, instead of the gateways of the object.")),
        ],
    )
    .required(["sniHosts"]);
    object(
        "A rule.",
        [
            ("match", list("What the rule is for: connections that match any of these.", matcher)),
            ("route", list("Where the connections go, by share.", l4_route())),
        ],
    )
    .required(["match"])
}

fn tcp() -> Schema {
    let matcher = object(
        "Conditions; all that are set must hold.",
        [
            ("destinationSubnets", texts("Addresses or ranges that were dialled.")),
            ("port", uint32("The port that was dialled.")),
            ("sourceLabels", text_map("Labels of the calling workload.")),
            ("sourceNamespace", text("The namespace of the calling workload.")),
            ("sourceSubnet", text("Has no effect.")),
            ("gateways", texts("Where the match holds, instead of the gateways of the object.")),
        ],
    );
    object(
        "A rule.",
        [
            (
                "match",
                list("What the rule is for: connections that match any of these. All if not set.", matcher),
            ),
            ("route", list("Where the connections go, by share.", l4_route())),
        ],
    )
}
