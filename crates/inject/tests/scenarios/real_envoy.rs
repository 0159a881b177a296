//! Bootstraps as the kubelet hands them over, given to real Envoys.

use pilothouse_testkit::envoy::{Form, VERSIONS, judged_by};

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
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = ["token", "root"].iter().fold(expand(argument), |text, name| {
        let file = folder.path().join(format!("{name}-sds.json"));
        std::fs::write(&file, "{\"resources\": []}").unwrap();
        text.replace(&format!("/etc/pilothouse/{name}-sds.json"), file.to_str().unwrap())
    });
    for version in VERSIONS {
        if let Err(why) = judged_by(version, Form::Json, bootstrap.as_bytes()) {
            panic!("{about}: Envoy {version} refuses:\n{why}");
        }
    }
}
