//! Bootstraps as the kubelet hands them over, given to real Envoys.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The oldest supported version and the newest.
const VERSIONS: [&str; 2] = ["1.37.0", "1.40.0"];

/// The binary of a version: named by `PILOTHOUSE_ENVOY_1_37_0` and the like, else where `hack/tools.sh` puts it.
fn binary(version: &str) -> PathBuf {
    let named = std::env::var_os(format!("PILOTHOUSE_ENVOY_{}", version.replace('.', "_")));
    let path = named.map_or_else(
        || {
            let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
            let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache");
            let user = || set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pilothouse");
            let cache = set("PILOTHOUSE_CACHE").map_or_else(user, PathBuf::from);
            cache.join("envoy").join(version).join("envoy")
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "Envoy {version} is not at {}; fetch it with: hack/tools.sh envoy",
        path.display()
    );
    path
}

/// What the kubelet does with an argument (its expansion of `$(NAME)` and `$$`).
fn expand(text: &str) -> String {
    let variables = [
        ("POD_NAME", "cart-0"),
        ("POD_NAMESPACE", "shop"),
        ("INSTANCE_IP", "10.0.0.7"),
        ("INSTANCE_IPS", "10.0.0.7,fd00::7"),
        ("SERVICE_ACCOUNT", "cart"),
        ("ISTIO_META_NODE_NAME", "node-1"),
    ];
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else {
            let (name, after) = rest.strip_prefix('(').unwrap().split_once(')').unwrap();
            out.push_str(variables.iter().find(|(variable, _)| *variable == name).expect(name).1);
            rest = after;
        }
    }
    out + rest
}

/// Has both versions check a bootstrap.
pub(crate) fn validate(about: &str, argument: &str) {
    // The files of the credentials are read when Envoy runs, not when it validates.
    let bootstrap = expand(argument);
    for version in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let text = ["token", "root"].iter().fold(bootstrap.clone(), |text, name| {
            let file = folder.path().join(format!("{name}-sds.json"));
            std::fs::write(&file, "{\"resources\": []}").unwrap();
            text.replace(&format!("/etc/pilothouse/{name}-sds.json"), file.to_str().unwrap())
        });
        let output = Command::new(binary(version))
            .args(["--mode", "validate", "--log-level", "warn", "--config-yaml", &text])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{about}: Envoy {version} refuses:\n{said}");
    }
}
