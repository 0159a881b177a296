//! ProxyConfig.

use super::shared::selector;
use super::value::{Schema, int32, map, object, text};

pub(super) fn schema() -> Schema {
    let image = object("The image of the proxy.", [("imageType", text("Which variant of the image."))]);
    object(
        "Settings that proxies get when their pods start.",
        [
            (
                "selector",
                selector("The workloads that the settings are for; all of the namespace if not set."),
            ),
            (
                "concurrency",
                int32("How many threads a proxy runs; 0 for one per processor.").at_least(0).nullable(),
            ),
            (
                "environmentVariables",
                map("Variables for the environment of the proxy.", text("").length(0, 2048)),
            ),
            ("image", image),
        ],
    )
}
