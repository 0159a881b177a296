//! Gateway.

use super::shared::{server_port, server_tls};
use super::value::{Schema, list, object, text, text_map, texts};

pub(super) fn schema() -> Schema {
    let server = object(
        "A port with the hosts that are served on it.",
        [
            ("port", server_port("The port to listen on.").required(["number", "protocol", "name"])),
            ("bind", text("The address to listen on; all of them if not set.")),
            ("hosts", texts("The hosts that are served, as NAMESPACE/NAME or NAME; * stands for any, also at the beginning of a name.")),
            ("tls", server_tls("How connections are secured. Needed for HTTPS and TLS.")),
            ("defaultEndpoint", text("Has no effect.")),
            ("name", text("A name for the server, for statistics.")),
        ],
    )
    .required(["port", "hosts"]);
    object(
        "Ports at the edge of the mesh. What happens to requests that come in there is said by the VirtualServices that name the gateway.",
        [
            ("servers", list("The ports, with hosts and certificates.", server)),
            ("selector", text_map("The labels of the pods that are the gateway.")),
        ],
    )
}
