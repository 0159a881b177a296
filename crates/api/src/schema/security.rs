//! PeerAuthentication, RequestAuthentication and AuthorizationPolicy.

use super::shared::{attached_once, selector, target_ref, target_refs};
use super::value::{Schema, boolean, duration, list, map, object, text, texts, word};

/// The name of a header.
const HEADER: &str = "^[-_A-Za-z0-9]+$";

pub(super) fn peer_authentication() -> Schema {
    let tls = |doc| {
        let modes = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
        let mode = word(
            "STRICT accepts mutual TLS alone, PERMISSIVE also plain text, DISABLE plain text alone; UNSET asks the next wider policy.",
            modes,
        );
        object(doc, [("mode", mode)])
    };
    object(
        "Whether connections to workloads must use mutual TLS.",
        [
            (
                "selector",
                selector("The workloads that this is for; all of the namespace if not set, and of the mesh in the root namespace."),
            ),
            ("mtls", tls("What holds for all ports.")),
            (
                "portLevelMtls",
                map("What holds for single ports of the workload, by number. Needs a selector.", tls(""))
                    .entries(1, None)
                    .rule(
                        "self.all(key, key.matches('^[0-9]+$') && 0 < int(key) && int(key) <= 65535)",
                        "a port is a number from 1 to 65535",
                    ),
            ),
        ],
    )
    .rule(
        "!has(self.portLevelMtls) || (has(self.selector) && has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0)",
        "portLevelMtls needs a selector with labels",
    )
}

pub(super) fn request_authentication() -> Schema {
    let url = |doc| {
        text(doc).length(1, 2048).rule(
            "self.startsWith('http://') || self.startsWith('https://')",
            "the address begins with http:// or https://",
        )
    };
    let some = || text("").length(1, None);
    let header = object(
        "A header that holds a token.",
        [
            ("name", text("Its name.").length(1, None)),
            ("prefix", text("What stands before the token, such as \"Bearer \".")),
        ],
    )
    .required(["name"]);
    let claim = object(
        "A claim that is passed on as a header.",
        [
            ("header", text("The name of the header.").length(1, None).pattern(HEADER)),
            ("claim", text("The name of the claim; dots lead into nested ones.").length(1, None)),
        ],
    )
    .required(["header", "claim"]);
    let rule = object(
        "Tokens of one issuer.",
        [
            ("issuer", text("Who issues the tokens.").length(1, None)),
            ("audiences", list("Whom the tokens may be meant for; anybody if not set.", some())),
            ("jwksUri", url("Where the keys of the issuer are.")),
            ("jwks_uri", url("The older spelling of jwksUri.")),
            ("jwks", text("The keys of the issuer.")),
            ("fromHeaders", list("Headers that hold a token.", header)),
            ("fromParams", list("Parameters of the query that hold a token.", some())),
            ("fromCookies", list("Cookies that hold a token.", some())),
            ("outputPayloadToHeader", text("The header that passes the payload of a valid token on.")),
            ("outputClaimToHeaders", list("Claims of a valid token that are passed on as headers.", claim)),
            ("forwardOriginalToken", boolean("Passes the token itself on.")),
            ("timeout", duration("How long fetching the keys may take.")),
            (
                "spaceDelimitedClaims",
                list("Claims that hold several values between spaces.", some()).items(0, 64),
            ),
            ("presence", word("Whether a request needs a token.", ["OPTIONAL", "REQUIRED"])),
        ],
    )
    .rule(
        "(has(self.jwksUri) ? 1 : 0) + (has(self.jwks_uri) ? 1 : 0) + (has(self.jwks) ? 1 : 0) <= 1",
        "only one of jwks and jwksUri can be set",
    );
    let schema = object(
        "Which tokens of users are accepted. A request with an invalid token is refused; one without a token is not, unless an AuthorizationPolicy says so.",
        [
            ("selector", selector("The workloads that this is for; all of the namespace if not set.")),
            ("targetRef", target_ref("The older form of targetRefs, for one target.")),
            ("targetRefs", target_refs()),
            ("jwtRules", list("The issuers that are trusted.", rule).items(0, 4096)),
        ],
    );
    attached_once(schema, &["selector", "targetRef", "targetRefs"])
}

pub(super) fn authorization_policy() -> Schema {
    let schema = object(
        "Which requests are allowed. Where a policy with the action ALLOW is, only what some such policy allows passes; what a policy with DENY matches never does.",
        [
            ("selector", selector("The workloads that this is for; all of the namespace if not set.")),
            ("targetRef", target_ref("The older form of targetRefs, for one target.")),
            ("targetRefs", target_refs()),
            ("rules", list("What the policy matches: a request that matches any of these. Without rules it matches nothing.", rule()).items(0, 512)),
            ("action", word("What happens to requests that match.", ["ALLOW", "DENY", "AUDIT", "CUSTOM"])),
            (
                "provider",
                object("Who decides, for the action CUSTOM.", [("name", text("The name of an extension provider of the mesh settings."))]),
            ),
        ],
    );
    attached_once(schema, &["selector", "targetRef", "targetRefs"])
}

fn rule() -> Schema {
    let accounts = |doc| list(doc, text("").length(0, 320)).items(0, 16);
    let source = object(
        "A sender. All that is set must hold.",
        [
            ("principals", texts("Identities from certificates, as TRUSTDOMAIN/ns/NAMESPACE/sa/ACCOUNT.")),
            ("notPrincipals", texts("Identities that do not match.")),
            ("requestPrincipals", texts("Identities from tokens, as ISSUER/SUBJECT.")),
            ("notRequestPrincipals", texts("Identities from tokens that do not match.")),
            ("namespaces", texts("Namespaces of senders.")),
            ("notNamespaces", texts("Namespaces that do not match.")),
            ("ipBlocks", texts("Addresses or ranges that connections come from.")),
            ("notIpBlocks", texts("Addresses or ranges that do not match.")),
            ("remoteIpBlocks", texts("Addresses or ranges of the original client, as X-Forwarded-For or the PROXY protocol tell.")),
            ("notRemoteIpBlocks", texts("Addresses or ranges of the original client that do not match.")),
            ("serviceAccounts", accounts("Service accounts, as NAMESPACE/NAME or NAME.")),
            ("notServiceAccounts", accounts("Service accounts that do not match.")),
            ("trustDomains", texts("Trust domains of senders.")),
            ("notTrustDomains", texts("Trust domains that do not match.")),
        ],
    )
    .rule(
        "!((has(self.serviceAccounts) || has(self.notServiceAccounts)) && (has(self.principals) || has(self.notPrincipals) || has(self.namespaces) || has(self.notNamespaces)))",
        "service accounts cannot be combined with principals or namespaces",
    );
    let operation = object(
        "A request. All that is set must hold.",
        [
            ("hosts", texts("Hosts that are called.")),
            ("notHosts", texts("Hosts that do not match.")),
            ("ports", texts("Ports of the workload.")),
            ("notPorts", texts("Ports that do not match.")),
            ("methods", texts("Methods.")),
            ("notMethods", texts("Methods that do not match.")),
            ("paths", texts("Paths.")),
            ("notPaths", texts("Paths that do not match.")),
        ],
    );
    let condition = object(
        "A further condition.",
        [
            ("key", text("The attribute, such as request.headers[user-agent] or source.ip.")),
            ("values", texts("Values that match.")),
            ("notValues", texts("Values that do not match.")),
        ],
    )
    .required(["key"]);
    object(
        "What matches: a sender of from, a request of to, and all conditions of when. What is not set matches anything.",
        [
            ("from", list("Senders; one must match.", object("", [("source", source)])).items(0, 512)),
            ("to", list("Requests; one must match.", object("", [("operation", operation)]))),
            ("when", list("Conditions; all must hold.", condition)),
        ],
    )
}
