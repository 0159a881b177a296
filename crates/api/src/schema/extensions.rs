//! WasmPlugin and TrafficExtension.

use super::shared::{attached_once, selector, target_ref, target_refs};
use super::value::{Schema, anything, int32, list, object, text, uint32, word};

/// A SHA-256 sum, or nothing.
const SUM: &str = "(^$|^[a-f0-9]{64}$)";

pub(super) fn wasm_plugin() -> Schema {
    let schema = object(
        "A filter in WebAssembly.",
        [
            ("selector", selector("The workloads that this is for; all of the namespace if not set.")),
            ("targetRef", target_ref("The older form of targetRefs, for one target.")),
            ("targetRefs", target_refs()),
            ("url", url()),
            ("sha256", sum()),
            ("imagePullPolicy", pull_policy()),
            ("imagePullSecret", pull_secret()),
            ("verificationKey", text("Has no effect.")),
            ("pluginConfig", anything("Settings for the module.")),
            ("pluginName", plugin_name()),
            (
                "phase",
                word(
                    "Where among the filters of the mesh it goes.",
                    ["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"],
                ),
            ),
            ("priority", priority()),
            ("failStrategy", fail_strategy()),
            ("vmConfig", vm_config()),
            ("match", matcher()),
            ("type", plugin_type()),
        ],
    )
    .required(["url"]);
    attached_once(schema, &["selector", "targetRef", "targetRefs"])
}

pub(super) fn traffic_extension() -> Schema {
    let wasm = object(
        "A filter in WebAssembly.",
        [
            ("url", url()),
            ("sha256", sum()),
            ("imagePullPolicy", pull_policy()),
            ("imagePullSecret", pull_secret()),
            ("verificationKey", text("Has no effect.")),
            ("pluginConfig", anything("Settings for the module.")),
            ("pluginName", plugin_name()),
            ("failStrategy", fail_strategy()),
            ("vmConfig", vm_config()),
            ("type", plugin_type()),
        ],
    )
    .required(["url"]);
    let lua = object("A filter in Lua.", [("inlineCode", text("The script.").length(1, 65536))])
        .required(["inlineCode"]);
    let schema = object(
        "A filter of one's own.",
        [
            ("selector", selector("The workloads that this is for; all of the namespace if not set.")),
            ("targetRefs", target_refs()),
            (
                "phase",
                word(
                    "Where among the filters of the mesh it goes.",
                    ["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"],
                ),
            ),
            ("priority", priority()),
            ("match", matcher()),
            ("wasm", wasm),
            ("lua", lua),
        ],
    )
    .one_of(["wasm", "lua"])
    .rule("has(self.wasm) || has(self.lua)", "one of wasm and lua is needed");
    attached_once(schema, &["selector", "targetRefs"])
}

fn url() -> Schema {
    text("Where the module is; without a scheme it is an OCI image.").length(1, None).rule(
        "!self.contains('://') || self.startsWith('oci://') || self.startsWith('http://') || self.startsWith('https://') || self.startsWith('file://')",
        "the address begins with oci://, http://, https:// or file://, or is the name of an image",
    )
}

fn sum() -> Schema {
    text("The SHA-256 sum of the module, hexadecimal.").pattern(SUM)
}

fn pull_policy() -> Schema {
    word("When the module is fetched again.", ["UNSPECIFIED_POLICY", "IfNotPresent", "Always"])
}

fn pull_secret() -> Schema {
    text("The secret with the credentials for fetching it.").length(1, 253)
}

fn plugin_name() -> Schema {
    text("The name of the plugin within the module.").length(1, 256)
}

fn priority() -> Schema {
    int32("The order within the phase; higher numbers come first.").nullable()
}

fn fail_strategy() -> Schema {
    word(
        "What happens to requests when the module fails: FAIL_CLOSE refuses them, FAIL_OPEN lets them pass, FAIL_RELOAD starts it again.",
        ["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"],
    )
}

fn plugin_type() -> Schema {
    word("What kind of filter it is.", ["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"])
}

fn vm_config() -> Schema {
    let variable = object(
        "A variable.",
        [
            ("name", text("Its name.").length(1, 256)),
            (
                "valueFrom",
                word("INLINE takes the value, HOST that of the proxy's environment.", ["INLINE", "HOST"]),
            ),
            ("value", text("Its value.").length(0, 2048)),
        ],
    )
    .required(["name"])
    .rule(
        "!(has(self.valueFrom) && self.valueFrom == 'HOST' && has(self.value))",
        "a value from HOST cannot be given here as well",
    );
    object(
        "The machine that runs the module.",
        [("env", list("Variables of its environment.", variable).items(0, 256).keyed_by("name"))],
    )
}

fn matcher() -> Schema {
    let port = object("A port.", [("number", uint32("Its number.").at_least(1).at_most(65_535))])
        .required(["number"]);
    let one = object(
        "Connections: all that is set must hold.",
        [
            ("mode", word("Which side of a call.", ["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"])),
            ("ports", list("The ports; one must match.", port).keyed_by("number")),
        ],
    );
    list("Which connections it is for; all if not set.", one)
}
