//! `pilothouse inject`, as scripts and people use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs `pilothouse inject -f -` and returns code, output and remarks.
fn inject(more: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args(["inject", "-f", "-"])
        .args(more)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

const SERVICE: &str = "# kept as it is\napiVersion: v1\nkind:   Service\nmetadata: {name: cart}\n";
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: cart}\nspec: {containers: [{name: cart, image: cart}]}\n";

#[test]
fn pods_get_a_sidecar_and_all_else_stays() {
    let (code, once, remarks) = inject(&[], &format!("{SERVICE}---\n{POD}"));
    assert_eq!((code, remarks.as_str()), (0, ""));
    let (service, pod) = once.split_once("---\n").unwrap();
    assert_eq!(service, SERVICE);
    assert!(pod.contains("name: istio-proxy") && pod.contains("restartPolicy: Always"), "{pod}");
    assert!(pod.contains("istiod.istio-system.svc"), "{pod}");
    assert_eq!(inject(&[], &once), (0, once.clone(), String::new()), "doing it again changes nothing");
}

#[test]
fn flags_and_mesh_settings_reach_the_pod() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mesh.yaml");
    let mesh = "apiVersion: v1\nkind: ConfigMap\ndata:\n  mesh: |\n    defaultConfig:\n      concurrency: 7\n      tracing: {}\n";
    std::fs::write(&file, mesh).unwrap();
    let file = file.to_str().unwrap();
    let flags =
        ["--revision", "blue", "--classic", "--proxy-image", "own/envoy:1", "--mesh-config-file", file];
    let (code, pod, remarks) = inject(&flags, POD);
    assert_eq!(code, 0, "{remarks}");
    assert!(remarks.contains("defaultConfig.tracing is not supported"), "{remarks}");
    for part in ["istiod-blue.istio-system.svc", "own/envoy:1", "- \"7\"", "istio.io/rev: blue"] {
        assert!(pod.contains(part), "{part} in {pod}");
    }
    assert!(!pod.contains("restartPolicy"), "{pod}");
}

#[test]
fn what_cannot_be_injected_stops_everything() {
    let broken = POD
        .replace("{name: cart}\nspec", "{name: cart, annotations: {sidecar.istio.io/logLevel: loud}}\nspec");
    let (code, output, remarks) = inject(&[], &format!("{POD}---\n{broken}"));
    assert_eq!((code, output.as_str()), (65, ""));
    assert!(
        remarks.contains("Pod default/cart cannot be injected:") && remarks.contains("\"loud\""),
        "{remarks}"
    );
    let (code, output, remarks) = inject(&[], "a: [\n");
    assert_eq!((code, output.as_str()), (65, ""), "{remarks}");
    let (code, ..) = inject(&["-f", "/nowhere"], POD);
    assert_eq!(code, 66);
}
