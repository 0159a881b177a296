//! DestinationRule.

use super::shared::{connection_pool, export_to, port_selector, selector};
use super::value::{
    Schema, any_duration, boolean, double, duration, int32, list, map, object, text, text_map, texts, uint32,
    uint64, word,
};

pub(super) fn schema() -> Schema {
    let subset = object(
        "A part of the service's endpoints.",
        [
            ("name", text("Its name, for VirtualServices.")),
            ("labels", text_map("The labels that its endpoints have.")),
            ("trafficPolicy", traffic_policy("What differs for the subset.")),
        ],
    )
    .required(["name"]);
    object(
        "How requests are sent to a service once it is chosen: over which endpoints they are spread, and over what kind of connections.",
        [
            ("host", text("The service, by a name that the mesh knows; * stands for any at the beginning. A short name is looked up in the namespace of the rule.")),
            ("trafficPolicy", traffic_policy("What holds for the whole service.")),
            ("subsets", list("Parts of the service, such as versions.", subset)),
            ("exportTo", export_to("The namespaces whose workloads the rule is for: . is the own one, * all.")),
            ("workloadSelector", selector("The workloads of the own namespace that the rule is for; all if not set.")),
        ],
    )
    .required(["host"])
}

/// What several levels can say.
fn common() -> [(&'static str, Schema); 4] {
    [
        ("loadBalancer", load_balancer()),
        ("connectionPool", connection_pool("Limits of connections and requests.")),
        ("outlierDetection", outlier_detection()),
        ("tls", client_tls()),
    ]
}

fn traffic_policy(doc: &str) -> Schema {
    let [balancer, pool, outliers, tls] = common();
    let port = object(
        "What differs for a port. What is not set here has its default, not what holds for the service.",
        [("port", port_selector("The port.")), balancer.clone(), pool.clone(), outliers.clone(), tls.clone()],
    );
    let tunnel = object(
        "Sends connections through a proxy.",
        [
            ("protocol", text("How the proxy is asked: CONNECT or POST.")),
            ("targetHost", text("The host the proxy connects to.")),
            ("targetPort", uint32("The port the proxy connects to.")),
        ],
    )
    .required(["targetHost", "targetPort"]);
    let budget = object(
        "How many requests may be retries.",
        [
            (
                "percent",
                double("Their share of all requests, from 0 to 100.").at_least(0).at_most(100).nullable(),
            ),
            ("minRetryConcurrency", uint32("How many are allowed however few requests there are.")),
            ("budgetInterval", any_duration("The time over which requests are counted.")),
        ],
    );
    object(
        doc,
        [
            balancer,
            pool,
            outliers,
            tls,
            ("portLevelSettings", list("What differs for single ports.", port).items(0, 4096)),
            ("tunnel", tunnel),
            (
                "proxyProtocol",
                object(
                    "Sends the address of the client ahead by the PROXY protocol.",
                    [("version", word("Which version of it.", ["V1", "V2"]))],
                ),
            ),
            ("retryBudget", budget),
        ],
    )
}

fn load_balancer() -> Schema {
    let simple = ["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"];
    let utilization = object(
        "Spreads requests by the load that endpoints report.",
        [
            ("errorUtilizationPenaltyPercent", uint32("How much errors count as load.")),
            ("metricNamesForComputingUtilization", texts("The reported metrics that count as load.")),
            ("weightExpirationPeriod", any_duration("How long a report counts.")),
            ("weightStabilizationPeriod", any_duration("How long an endpoint reports before that counts.")),
            ("weightUpdatePeriod", any_duration("How often shares are computed.")),
        ],
    );
    let warmup = object(
        "Gives new endpoints few requests at first.",
        [
            ("duration", duration("How long it takes until they get their full share.")),
            (
                "minimumPercent",
                double("The share they begin with, in percent.").at_least(0).at_most(100).nullable(),
            ),
            (
                "aggression",
                double("How fast the share grows: 1 evenly, more faster at first.").at_least(0).nullable(),
            ),
        ],
    )
    .required(["duration"]);
    object(
        "How requests are spread over endpoints.",
        [
            ("simple", word("A way that needs no settings.", simple)),
            ("consistentHash", consistent_hash()),
            ("backendUtilization", utilization),
            ("localityLbSetting", locality()),
            ("zoneAwareLbSetting", zone_aware()),
            ("warmup", warmup),
            ("warmupDurationSecs", duration("An older form of warmup.")),
        ],
    )
    .one_of(["simple", "consistentHash", "backendUtilization"])
}

fn consistent_hash() -> Schema {
    let attribute =
        object("An attribute of the cookie.", [("name", text("Its name.")), ("value", text("Its value."))])
            .required(["name"]);
    let cookie = object(
        "By a cookie, which is set if it is not there.",
        [
            ("name", text("Its name.")),
            ("path", text("Its path.")),
            ("ttl", any_duration("How long it lives; 0s ends with the browser.")),
            ("attributes", list("Its further attributes.", attribute)),
        ],
    )
    .required(["name"]);
    object(
        "Sends alike requests to the same endpoint.",
        [
            ("httpHeaderName", text("By a header.")),
            ("httpCookie", cookie),
            ("useSourceIp", boolean("By the address of the client.")),
            ("httpQueryParameterName", text("By a parameter of the query.")),
            (
                "ringHash",
                object("Uses a ring.", [("minimumRingSize", uint64("The least number of places on it."))]),
            ),
            (
                "maglev",
                object("Uses a Maglev table.", [("tableSize", uint64("The number of its places, a prime."))]),
            ),
            ("minimumRingSize", uint64("An older form of ringHash.")),
        ],
    )
    .one_of(["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"])
    .one_of(["ringHash", "maglev"])
}

fn failover() -> Schema {
    let one = object(
        "A region and the next one.",
        [("from", text("The region of the client.")), ("to", text("The region that is next."))],
    );
    list("Which region is next when endpoints of the own one fail.", one)
}

fn locality() -> Schema {
    let share = object(
        "Shares for clients of a locality.",
        [
            (
                "from",
                text("The locality of the client, as REGION/ZONE/SUBZONE; * stands for any at the end."),
            ),
            ("to", map("Shares in percent, by locality of the endpoints.", uint32(""))),
        ],
    );
    object(
        "How near and far endpoints share requests.",
        [
            ("distribute", list("Fixed shares.", share)),
            ("failover", failover()),
            (
                "failoverPriority",
                texts("Labels that tell how near an endpoint is, the most important first."),
            ),
            ("enabled", boolean("Whether any of this holds.").nullable()),
        ],
    )
}

fn zone_aware() -> Schema {
    object(
        "Keeps requests in the zone of the client as far as its endpoints can take them.",
        [
            ("enabled", boolean("Whether this holds.").nullable()),
            (
                "minClusterSize",
                uint32("The least number of endpoints for which it holds.").at_least(1).nullable(),
            ),
            ("failover", failover()),
            (
                "failoverPriority",
                texts("Labels that tell how near an endpoint is, the most important first."),
            ),
        ],
    )
}

fn outlier_detection() -> Schema {
    let count = |doc| uint32(doc).nullable();
    object(
        "Takes endpoints that fail out for a while.",
        [
            ("consecutiveErrors", int32("An older form of consecutive5xxErrors.")),
            ("splitExternalLocalOriginErrors", boolean("Counts failures to connect by themselves.")),
            (
                "consecutiveLocalOriginFailures",
                count("How many failures to connect in a row take an endpoint out."),
            ),
            (
                "consecutiveGatewayErrors",
                count("How many answers 502, 503 or 504 in a row take an endpoint out."),
            ),
            ("consecutive5xxErrors", count("How many answers of 500 or more in a row take an endpoint out.")),
            ("interval", duration("The time between looks at all endpoints.")),
            (
                "baseEjectionTime",
                duration("How long an endpoint is out the first time; longer each time after."),
            ),
            ("maxEjectionPercent", int32("The greatest share of endpoints that may be out.")),
            (
                "minHealthPercent",
                int32("The least share of healthy endpoints; below it nothing is taken out."),
            ),
            ("outlierDetectionHttpErrorCodes", list("The status codes that count as failures.", int_code())),
        ],
    )
}

fn int_code() -> Schema {
    uint32("").at_least(100).at_most(599)
}

fn client_tls() -> Schema {
    object(
        "How connections to the service are secured.",
        [
            (
                "mode",
                word(
                    "DISABLE uses none, SIMPLE checks the server, MUTUAL also shows a certificate, ISTIO_MUTUAL uses the certificates of the mesh.",
                    ["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"],
                ),
            ),
            ("clientCertificate", text("The file with the certificate chain to show.")),
            ("privateKey", text("The file with its key.")),
            (
                "caCertificates",
                text("The file with the roots that the server's certificate is checked against."),
            ),
            ("caCrl", text("The file with certificates that were revoked.")),
            ("credentialName", text("The secret with certificate, key and roots.")),
            ("subjectAltNames", texts("The names that the server's certificate may have.")),
            ("sni", text("The server name that is asked for.")),
            ("insecureSkipVerify", boolean("Accepts any certificate of the server.").nullable()),
        ],
    )
}
