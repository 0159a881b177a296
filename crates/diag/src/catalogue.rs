//! The catalogue: every code that a user may ever see. Ids are never reused.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A part of the object has no effect, or another one than written; admission refuses it.
    Error,
    /// Probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// An entry of the catalogue.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The id, `PH` and four digits: 00xx files and shape, 01xx values, 02xx references, 03xx conflicts, 04xx security, 05xx proxies, 06xx bugs of ours.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// One line, without a full stop.
    pub title: &'static str,
    /// What it means, for the reference page and `explain`.
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = ($id:literal, $severity:ident, $title:literal, $meaning:literal);)*) => {
        $(
            $(#[$doc])*
            #[doc = $title]
            pub const $name: &Code =
                &Code { id: $id, severity: Severity::$severity, title: $title, meaning: $meaning };
        )*

        /// Every code, in order of id.
        pub const ALL: &[&Code] = &[$($name),*];
    };
}

catalogue! {
    UNREADABLE_FILE = ("PH0001", Error, "the file cannot be read as YAML or JSON",
        "The text breaks the rules of its format. Objects that the file held before stay as they were; at start they are missing.");
    NOT_AN_OBJECT = ("PH0002", Error, "the document is not a Kubernetes object",
        "apiVersion, kind or metadata.name is missing or is not text. The document has no effect.");
    UNKNOWN_KIND = ("PH0003", Warning, "the kind is not one that Pilothouse reads",
        "The object has no effect on the mesh. Only kinds of Istio and of the Gateway API, and Ingress, are reported; others are nobody's business here.");
    WRONG_SHAPE = ("PH0004", Error, "a value has the wrong type",
        "The object cannot be decoded, for example because a list stands where a map belongs. The last good version of the object stays in force; without one the object is missing.");
    UNKNOWN_FIELD = ("PH0005", Warning, "unknown field",
        "The API of this kind has no such field, so it has no effect. Often a spelling mistake or a wrong indentation.");
    UNSUPPORTED_FIELD = ("PH0006", Warning, "the field is known but has no effect yet",
        "The field belongs to the API, but Pilothouse does not act on it in this version. Everything else of the object applies.");
    DUPLICATE_OBJECT = ("PH0007", Error, "the object is defined twice",
        "Two documents define the same kind, namespace and name. The first in the order of file names counts.");
    INEFFECTIVE_FIELD = ("PH0008", Warning, "the field has no effect in Istio either",
        "The field can be set, but neither Istio nor Pilothouse acts on it.");
    DUPLICATE_KEY = ("PH0009", Warning, "the same key appears twice in a map",
        "Parsers of YAML disagree which one counts; the last one does here.");

    REQUIRED = ("PH0101", Error, "a required value is missing",
        "Without it the part of the object that encloses it has no meaning and is left out.");
    INVALID_VALUE = ("PH0102", Error, "the value is not allowed",
        "The smallest part of the object that depends on the value is left out.");
    OUT_OF_RANGE = ("PH0103", Error, "the number is out of range",
        "The smallest part of the object that depends on the value is left out.");
    INVALID_DURATION = ("PH0104", Error, "the text is not a duration",
        "Durations are written like 5s, 1.5s, 200ms or 1h30m.");
    INVALID_REGEX = ("PH0105", Error, "the regular expression does not compile",
        "The expression is not valid RE2 or its program is too large for Envoy. The match that holds it matches nothing.");
    CONFLICTING_FIELDS = ("PH0106", Error, "fields that exclude each other are set together",
        "At most one of them may be set; the part that holds them is left out unless the effect says otherwise.");
    INVALID_HOST = ("PH0107", Error, "the text is not a host name",
        "Host names have labels of letters, digits and dashes; a wildcard may only be the whole first label.");
    UNREACHABLE_RULE = ("PH0108", Warning, "the rule can never be reached",
        "An earlier rule of the same list already matches everything that this one matches.");
    WEIGHTS = ("PH0109", Error, "the weights do not make sense",
        "Weights are positive shares; their sum must not be zero.");
    EMPTY_ROUTE = ("PH0110", Error, "the rule does nothing",
        "A rule needs a route, a redirect or a direct response. Requests that match it are answered with 500.");
    DEPRECATED = ("PH0111", Warning, "the field is deprecated",
        "It still works as documented; the help names the field to use instead.");
    DUPLICATE_ENTRY = ("PH0112", Error, "the same entry appears twice in a list",
        "Only the first one counts.");
    RISKY_VALUE = ("PH0113", Warning, "the value is allowed but rarely what is meant",
        "The detail says why.");

    UNKNOWN_DESTINATION = ("PH0201", Error, "traffic is sent to a host that no service defines",
        "That share of the traffic fails with 503. The rest of the object applies.");
    UNKNOWN_SUBSET = ("PH0202", Error, "traffic is sent to a subset that no destination rule defines",
        "That share of the traffic fails with 503. The rest of the object applies.");
    UNKNOWN_PORT = ("PH0203", Error, "the service has no such port",
        "That share of the traffic fails with 503.");
    AMBIGUOUS_PORT = ("PH0204", Error, "the service has several ports and none is named",
        "The port of the listener is used if the service has it.");
    UNKNOWN_GATEWAY = ("PH0205", Error, "the gateway does not exist",
        "The rules are not served there.");
    UNKNOWN_SECRET = ("PH0206", Error, "the secret does not exist or holds no certificate",
        "Only the server that needs it stays closed; others go on.");
    UNUSED_RULE = ("PH0207", Warning, "the host is not defined by any service",
        "The rule has no effect until such a service appears.");
    EMPTY_SUBSET = ("PH0208", Warning, "no endpoint of the service has the labels of the subset",
        "Requests to the subset fail with 503 until such an endpoint appears.");
    SELECTS_NOTHING = ("PH0209", Warning, "the selector picks no workload",
        "The object has no effect until such a workload appears.");

    RULE_CONFLICT = ("PH0302", Warning, "two objects rule the same thing",
        "The older one counts; the younger one is not used there.");
    PORT_CONFLICT = ("PH0303", Error, "two services claim the same address and port",
        "Bytes are told apart by address and port alone, and HTTP cannot share an address and port with bytes. Clients that see both services reach the older one there; the other one keeps its other addresses. It is judged as the namespace of the service entry sees the mesh, with the services that others export to it: clients of a third namespace may see one of the two only.");
    SERVER_CONFLICT = ("PH0304", Error, "two gateway servers cannot share the port",
        "The first one is served; the other one is left out.");

    BAD_SECURITY_RULE = ("PH0401", Error, "a security rule cannot be understood",
        "What it would have governed is denied.");
    IGNORED_PEER_AUTHENTICATION = ("PH0402", Warning, "the policy does not count",
        "Only one policy counts per scope: the oldest. A policy with a selector in the root namespace never counts.");
    INVALID_CERTIFICATE = ("PH0403", Error, "the certificate or key cannot be used",
        "Only the server that needs it stays closed; others go on.");
    GATEWAYS_ONLY_SECRET = ("PH0404", Warning, "only gateways are given the secret",
        "A service account must not reach for every secret of its namespace, so sidecars get none, and their connections to the host fail. Gateways use the secret of their own namespace. Istio sends plain text from sidecars, in silence.");
    NOT_ENFORCED = ("PH0405", Error, "the security rule is not enforced",
        "Rules of this kind are not supported yet. Traffic goes on as if the object were not there, so what it forbids is let through. PeerAuthentication is enforced.");

    REJECTED_BY_PROXY = ("PH0501", Error, "a proxy rejected a resource",
        "The proxy keeps its last good version of the resource; everything else it was sent goes on.");
    WITHOUT_SIDECAR = ("PH0502", Warning, "the pod should have a sidecar and has none",
        "The labels of its namespace or its own ask for one, but it was made before they did, or while nobody answered. It is outside of the mesh until it is made anew.");

    BUG = ("PH0601", Error, "Pilothouse has a bug that the object brings about",
        "A part of the configuration could not be worked out. Proxies that need the part keep all of their last good state, and those that have none wait; everybody else goes on. It is tried again as soon as something changes that the part is made from.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn ids_are_unique_sorted_and_well_formed() {
        let ids: Vec<_> = ALL.iter().map(|code| code.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert!(ids.is_sorted());
        for code in ALL {
            assert!(code.id.len() == 6 && code.id.starts_with("PH"), "{}", code.id);
            assert!(code.id[2..].bytes().all(|b| b.is_ascii_digit()), "{}", code.id);
            assert!(!code.title.ends_with('.') && code.meaning.ends_with('.'), "{}", code.id);
        }
    }
}
