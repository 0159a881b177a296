//! ServiceEntry and WorkloadEntry.

use super::shared::{export_to, labels, workload_selector};
use super::value::{Schema, list, map, object, text, texts, uint32, word};

pub(super) fn schema() -> Schema {
    let port = object(
        "A port of the services.",
        [
            (
                "number",
                uint32("The number that clients dial.")
                    .rule("0 < self && self <= 65535", "a port is a number from 1 to 65535"),
            ),
            (
                "protocol",
                text("What is spoken: HTTP, HTTPS, HTTP2, GRPC, TLS, TCP, MONGO, REDIS or MYSQL.")
                    .length(0, 256),
            ),
            ("name", text("A name for the port.").length(0, 256)),
            (
                "targetPort",
                uint32("The number that endpoints listen on, if it is another one.")
                    .rule("0 < self && self <= 65535", "a port is a number from 1 to 65535"),
            ),
        ],
    )
    .required(["number", "name"]);
    let host = text("").rule("self != '*'", "a host cannot be * alone");
    object(
        "Services that the mesh does not know by itself: outside of it, or on workloads without pods.",
        [
            ("hosts", list("The names of the services.", host).items(1, 256)),
            ("addresses", list("Virtual addresses or ranges of the services.", text("").length(0, 64)).items(0, 256)),
            (
                "ports",
                list("The ports of the services.", port).items(0, 256).keyed_by("name").rule(
                    "self.all(a, self.exists_one(b, a.number == b.number))",
                    "a port number can be used once",
                ),
            ),
            (
                "location",
                word("Whether the services are outside of the mesh or part of it.", ["MESH_EXTERNAL", "MESH_INTERNAL"]),
            ),
            (
                "resolution",
                word(
                    "How endpoints are found: NONE sends to the address that was dialled, STATIC to the endpoints, DNS and DNS_ROUND_ROBIN to what the name stands for.",
                    ["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"],
                ),
            ),
            ("endpoints", list("The endpoints of the services.", endpoint("An endpoint.", true)).items(0, 4096)),
            ("workloadSelector", workload_selector("The workloads that are the endpoints, pods and workload entries.")),
            ("exportTo", export_to("The namespaces that see the services: . is the own one, * all, ~ none.")),
            ("subjectAltNames", texts("The names that certificates of the endpoints may have.")),
        ],
    )
    .required(["hosts"])
    .rule(
        "!(has(self.workloadSelector) && has(self.endpoints))",
        "only one of workloadSelector and endpoints can be set",
    )
    .rule(
        "!(has(self.addresses) && self.addresses.exists(one, one.contains('/')) && has(self.resolution) && !(self.resolution in ['NONE', 'STATIC']))",
        "address ranges need the resolution NONE or STATIC",
    )
    .rule(
        "!((!has(self.resolution) || self.resolution == 'NONE') && has(self.endpoints) && self.endpoints.size() > 0)",
        "the resolution NONE takes no endpoints",
    )
    .rule(
        "!(has(self.resolution) && self.resolution == 'DNS_ROUND_ROBIN' && has(self.endpoints) && self.endpoints.size() > 1)",
        "the resolution DNS_ROUND_ROBIN takes one endpoint",
    )
}

pub(super) fn workload_entry() -> Schema {
    endpoint("A workload without a pod, such as a process on a virtual machine.", true)
}

/// A workload; the template of a group needs no address.
pub(super) fn endpoint(doc: &str, addressed: bool) -> Schema {
    let address = text("Where it listens: an IP address, a name (with DNS resolution), or the path of a socket as unix:///PATH.")
        .length(0, 256)
        .rule(
            "!self.startsWith('unix://') || self.substring(7, 8) == '/' || self.substring(7, 8) == '@'",
            "a unix address is an absolute path, or an abstract name that begins with @",
        )
        .rule("!self.startsWith('unix://') || !self.endsWith('/')", "a unix address names a socket, not a folder");
    let ports = map("The numbers it listens on, by the names of the service's ports.", uint32(""))
        .entries(0, 128)
        .rule("self.all(name, 0 < self[name] && self[name] <= 65535)", "a port is a number from 1 to 65535")
        .rule(
            "self.all(name, name.size() < 63 && name.matches('^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$'))",
            "the name of a port is a DNS label",
        );
    let schema = object(
        doc,
        [
            ("address", address),
            ("ports", ports),
            ("labels", labels("Its labels, for selectors and subsets.")),
            ("network", text("The network it is in.").length(0, 2048)),
            ("locality", text("Where it runs: REGION/ZONE/SUBZONE.").length(0, 2048)),
            ("weight", uint32("Its share of requests, relative to the other endpoints.")),
            ("serviceAccount", text("The service account it runs as; it has one if it is part of the mesh.").length(0, 253)),
        ],
    )
    .rule(
        "!(has(self.address) && self.address.startsWith('unix://') && has(self.ports) && self.ports.size() > 0)",
        "a unix address takes no ports",
    );
    if addressed {
        schema.rule("has(self.address) || has(self.network)", "an address is needed")
    } else {
        schema
    }
}
