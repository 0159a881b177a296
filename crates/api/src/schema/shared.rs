//! What several kinds have in common.

use super::value::{
    Schema, any_duration, boolean, duration, int32, list, map, object, text, text_map, texts, uint32, word,
};

/// A DNS subdomain, or nothing.
const GROUP: &str = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A kind.
const KIND: &str = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";

/// `exportTo`.
pub(super) fn export_to(doc: &str) -> Schema {
    texts(doc)
}

/// Which workloads an object is for, by labels: `selector.matchLabels`.
pub(super) fn selector(doc: &str) -> Schema {
    let value = text("").length(0, 63).rule("!self.contains('*')", "a selector knows no wildcards");
    let labels = map("The labels that a workload must have, all of them.", value)
        .entries(0, 4096)
        .rule("self.all(key, !key.contains('*'))", "a selector knows no wildcards")
        .rule("self.all(key, key.size() != 0)", "a label needs a name");
    object(doc, [("matchLabels", labels)])
}

/// The older form, `workloadSelector.labels`.
pub(super) fn workload_selector(doc: &str) -> Schema {
    let value = text("").length(0, 63).rule("!self.contains('*')", "a selector knows no wildcards");
    object(
        doc,
        [("labels", map("The labels that a workload must have, all of them.", value).entries(0, 256))],
    )
}

/// The resource that a policy is attached to.
pub(super) fn target_ref(doc: &str) -> Schema {
    object(
        doc,
        [
            (
                "group",
                text("The API group of the target; empty for Kubernetes' own.").length(0, 253).pattern(GROUP),
            ),
            ("kind", text("The kind of the target.").length(1, 63).pattern(KIND)),
            ("name", text("The name of the target.").length(1, 253)),
            (
                "namespace",
                text("Must stay empty: a target is in the namespace of the policy.")
                    .rule("self.size() == 0", "a target in another namespace is not supported"),
            ),
        ],
    )
    .required(["kind", "name"])
}

/// The resources that a policy is attached to.
pub(super) fn target_refs() -> Schema {
    list(
        "What the policy is attached to, instead of workloads picked by labels.",
        target_ref("A gateway, a gateway class, a service or a service entry."),
    )
    .items(0, 16)
}

/// The rule that a policy is attached in one way.
pub(super) fn attached_once(schema: Schema, fields: &[&str]) -> Schema {
    let count: Vec<String> = fields.iter().map(|field| format!("(has(self.{field}) ? 1 : 0)")).collect();
    let message = format!("only one of {} can be set", fields.join(", "));
    schema.rule(&format!("{} <= 1", count.join(" + ")), &message)
}

/// How a text is compared.
pub(super) fn string_match(doc: &str) -> Schema {
    object(
        doc,
        [
            ("exact", text("The whole text.")),
            ("prefix", text("How the text begins.")),
            ("regex", text("A regular expression (RE2) for the whole text.")),
        ],
    )
    .one_of(["exact", "prefix", "regex"])
}

/// Which port of a service is meant.
pub(super) fn port_selector(doc: &str) -> Schema {
    object(doc, [("number", uint32("The number of the port."))])
}

/// A service, or a part of it, that requests go to.
pub(super) fn destination(doc: &str) -> Schema {
    object(
        doc,
        [
            ("host", text("The service, by a name that the mesh knows. A short name is looked up in the namespace of the rule.")),
            ("subset", text("A subset of the service, as a DestinationRule defines it.")),
            ("port", port_selector("The port of the service; needed if it has several.")),
        ],
    )
    .required(["host"])
}

/// A port of a server.
pub(super) fn server_port(doc: &str) -> Schema {
    object(
        doc,
        [
            ("number", uint32("The number of the port.")),
            (
                "protocol",
                text("What is spoken: HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, REDIS or MYSQL."),
            ),
            ("name", text("A name for the port.")),
            ("targetPort", uint32("Has no effect.")),
        ],
    )
}

/// How a server does TLS.
pub(super) fn server_tls(doc: &str) -> Schema {
    let version = |doc| word(doc, ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]);
    let certificate = object(
        "A certificate with its key.",
        [
            ("serverCertificate", text("The file with the certificate chain.")),
            ("privateKey", text("The file with the key.")),
            ("caCertificates", text("Has no effect; set it beside the list.")),
        ],
    );
    object(
        doc,
        [
            ("httpsRedirect", boolean("Answers plain HTTP with a redirect to HTTPS.")),
            (
                "mode",
                word(
                    "How connections are secured: PASSTHROUGH leaves TLS to the destination, SIMPLE ends it here, MUTUAL also asks the client for a certificate, OPTIONAL_MUTUAL accepts none, ISTIO_MUTUAL uses the certificates of the mesh.",
                    ["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"],
                ),
            ),
            ("serverCertificate", text("The file with the certificate chain.")),
            ("privateKey", text("The file with the key.")),
            ("caCertificates", text("The file with the roots that certificates of clients are checked against.")),
            ("caCrl", text("The file with the certificates of clients that were revoked.")),
            ("credentialName", text("The secret with certificate and key, in the namespace of the gateway's workload.")),
            ("credentialNames", texts("Secrets with certificates of different key types, such as RSA and ECDSA.").items(1, 2)),
            ("caCertCredentialName", text("The secret with the roots that certificates of clients are checked against.")),
            ("tlsCertificates", list("Certificates of different key types, from files.", certificate).items(1, 2)),
            ("subjectAltNames", texts("The names that a certificate of a client may have.")),
            ("verifyCertificateSpki", texts("Hashes of the public keys that clients may have: SHA-256, base64.")),
            ("verifyCertificateHash", texts("Hashes of the certificates that clients may have: SHA-256, hexadecimal.")),
            ("minProtocolVersion", version("The oldest version of TLS that is accepted.")),
            ("maxProtocolVersion", version("The newest version of TLS that is accepted.")),
            ("cipherSuites", texts("The cipher suites that are accepted, for TLS up to 1.2.")),
            ("ecdhCurves", texts("The curves for key exchange that are accepted.")),
            ("insecureSkipVerify", boolean("Accepts any certificate of a client.").nullable()),
        ],
    )
    .rule(
        "!(has(self.credentialNames) && has(self.tlsCertificates))",
        "credentialNames and tlsCertificates cannot both be set",
    )
    .rule(
        "!(has(self.credentialNames) && has(self.credentialName))",
        "credentialNames and credentialName cannot both be set",
    )
}

/// Limits of connections and requests.
pub(super) fn connection_pool(doc: &str) -> Schema {
    let keepalive = object(
        "Probes of idle connections by the kernel.",
        [
            ("probes", uint32("Unanswered probes before the connection counts as broken.")),
            ("time", duration("How long a connection is idle before it is probed.")),
            ("interval", duration("The time between probes.")),
        ],
    );
    let tcp = object(
        "Limits of connections.",
        [
            ("maxConnections", int32("The most connections to one destination.")),
            ("connectTimeout", duration("How long connecting may take.")),
            ("tcpKeepalive", keepalive),
            ("maxConnectionDuration", duration("How long a connection may last.")),
            ("idleTimeout", any_duration("How long a connection may be idle; 0s is for ever.")),
        ],
    );
    let ping = object(
        "Pings on HTTP/2 connections.",
        [
            ("interval", duration("The time between pings.")),
            ("timeout", duration("How long an answer may take before the connection counts as broken.")),
        ],
    );
    let http = object(
        "Limits of requests.",
        [
            ("http1MaxPendingRequests", int32("The most requests that wait for a connection.")),
            ("http2MaxRequests", int32("The most requests at a time, whatever version of HTTP.")),
            (
                "maxRequestsPerConnection",
                int32("The most requests on one connection; 1 uses each for one request."),
            ),
            ("maxRetries", int32("The most retries at a time.")),
            ("maxConcurrentStreams", int32("The most streams at a time on an HTTP/2 connection.")),
            ("idleTimeout", duration("How long a connection without requests is kept.")),
            (
                "h2UpgradePolicy",
                word("Whether HTTP/1.1 requests travel as HTTP/2.", ["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]),
            ),
            ("useClientProtocol", boolean("Uses the version of HTTP that the client used.")),
            ("http2KeepAlive", ping),
        ],
    );
    object(doc, [("tcp", tcp), ("http", http)])
}

/// Labels, as metadata has them.
pub(super) fn labels(doc: &str) -> Schema {
    text_map(doc).entries(0, 256)
}
