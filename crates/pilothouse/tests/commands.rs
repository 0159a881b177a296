//! The built binary, as scripts and people use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the binary in an empty environment.
fn pilothouse(arguments: &[&str]) -> Run {
    with_input(arguments, "")
}

fn with_input(arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended before it is written.
    let _not_read = child.stdin.take().unwrap().write_all(input.as_bytes());
    Run::of(child.wait_with_output().unwrap())
}

/// What a command printed and how it ended.
struct Run {
    code: i32,
    answer: String,
    remarks: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("commands are not killed"),
            answer: String::from_utf8(output.stdout).unwrap(),
            remarks: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.answer, self.remarks);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.answer).unwrap()
    }
}

/// The folder of manifests beside this file.
fn shop() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shop").to_str().unwrap().to_owned()
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

/// A rule and a destination for hosts that nobody defines.
const UNRELATED: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: shop }
spec:
  hosts: [ cart ]
  http: [{ route: [{ destination: { host: cart } }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart, namespace: shop }
spec: { host: cart }
";

const TYPO: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: shop }
spec:
  hosts: [ cart ]
  http:
  - route: [ { destination: { host: cart } } ]
    timout: 5s
";

#[test]
fn usage_errors_end_with_64_and_help_with_0() {
    for wrong in
        [&[][..], &["frobnicate"], &["validate"], &["generate", "--config", "x"], &["token"], &["serve"]]
    {
        let run = pilothouse(wrong).ends(64);
        assert!(run.answer.is_empty(), "{}", run.answer);
        assert!(!run.remarks.is_empty());
    }
    for command in
        ["serve", "validate", "generate", "bootstrap", "capture", "token", "proxy-status", "explain"]
    {
        let run = pilothouse(&[command, "--help"]).ends(0);
        assert!(run.answer.contains("Usage: pilothouse"), "{}", run.answer);
    }
    assert!(pilothouse(&["--help"]).ends(0).answer.contains("serve --config manifests/"));
    assert!(pilothouse(&["--version"]).ends(0).answer.starts_with("pilothouse "));
}

#[test]
fn validate_is_silent_on_good_manifests() {
    let run = pilothouse(&["validate", &shop()]).ends(0);
    assert_eq!(run.answer, "");
    assert_eq!(run.remarks, "8 objects in 3 files: nothing to say\n");
}

#[test]
fn validate_names_place_and_help() {
    let run = with_input(&["validate", "-"], TYPO).ends(0);
    for part in
        ["warning[PH0005]: unknown field", "-:8:13", "spec.http[0].timout", "did you mean \"timeout\"?"]
    {
        assert!(run.answer.contains(part), "{part}: {}", run.answer);
    }
    let run = with_input(&["validate", "-", "-o", "json"], TYPO).ends(0);
    let report = run.json();
    assert_eq!(report["findings"][0]["code"], "PH0005");
    assert_eq!(report["findings"][0]["place"]["line"], 8);
    assert_eq!(report["objects"], 1);
    let run = with_input(&["validate", "-", "-o", "yaml"], TYPO).ends(0);
    assert!(run.answer.contains("code: PH0005"), "{}", run.answer);
}

#[test]
fn validate_looks_at_all_objects_together_unless_told_otherwise() {
    let run = with_input(&["validate", "-", "-o", "json"], UNRELATED).ends(1);
    let report = run.json();
    let codes: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["PH0201", "PH0207"]);
    assert_eq!(report["findings"][0]["place"]["line"], 6);
    let run = with_input(&["validate", "-", "--alone"], UNRELATED).ends(0);
    assert_eq!(run.answer, "");
    // One object says nothing about the mesh around it.
    with_input(&["validate", "-"], UNRELATED.split_once("---").unwrap().0).ends(0);
    // The demo's manifests are a whole mesh, and generate finds the same in it.
    let generated = pilothouse(&["generate", "--config", &shop(), "--proxy", "web.shop"]).ends(0);
    assert_eq!(generated.remarks, pilothouse(&["validate", &shop()]).ends(0).answer);
}

#[test]
fn validate_ends_by_the_threshold() {
    let broken = "a: [\n";
    with_input(&["validate", "-", "--fail-on", "warning"], TYPO).ends(1);
    with_input(&["validate", "-"], broken).ends(1);
    with_input(&["validate", "-", "--fail-on", "never"], broken).ends(0);
    let run = pilothouse(&["validate", "/nowhere/at/all"]).ends(66);
    assert!(run.remarks.contains("/nowhere/at/all"), "{}", run.remarks);
}

#[test]
fn generate_prints_one_document_sorted_by_name() {
    let run = pilothouse(&["generate", "--config", &shop(), "--proxy", "web.shop"]).ends(0);
    let document = run.json();
    let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["clusters", "endpoints", "listeners", "routes", "secrets"]);
    for (list, field) in
        [("clusters", "name"), ("endpoints", "cluster_name"), ("listeners", "name"), ("routes", "name")]
    {
        assert!(names(&document[list], field).is_sorted(), "{list}");
    }
    assert_eq!(document["secrets"], serde_json::json!(["default", "ROOTCA"]));
    let clusters = names(&document["clusters"], "name");
    for expected in ["inbound|8080||", "outbound|80|v1|cart.shop.svc.cluster.local", "PassthroughCluster"] {
        assert!(clusters.iter().any(|name| name == expected), "{expected}: {clusters:?}");
    }
    // What an `Any` holds is printed in its place.
    assert!(!run.answer.contains("\"value\": \"Ch"), "an Any kept its bytes");
    let route = &document["routes"][0]["virtual_hosts"].as_array().unwrap().iter();
    let cart = route.clone().find(|host| host["name"] == "cart.shop.svc.cluster.local:80").unwrap();
    let weights = cart["routes"][0]["route"]["weighted_clusters"]["clusters"].as_array().unwrap();
    assert_eq!(weights.iter().map(|one| one["weight"].as_u64().unwrap()).collect::<Vec<_>>(), [90, 10]);
}

#[test]
fn generate_prints_route_tables_for_people_to_read() {
    let run =
        pilothouse(&["generate", "--config", &shop(), "--proxy", "web.shop", "--type", "rds", "-o", "yaml"])
            .ends(0);
    insta::assert_snapshot!("routes_of_web", run.answer);
}

#[test]
fn generate_does_not_depend_on_names_of_files() {
    let expected = pilothouse(&["generate", "--config", &shop(), "--proxy", "cart-1.shop"]).ends(0).answer;
    let folder = tempfile::tempdir().unwrap();
    for (number, file) in ["traffic.yaml", "workloads.yaml", "services.yaml"].into_iter().enumerate() {
        fs::copy(Path::new(&shop()).join(file), folder.path().join(format!("{number}.yaml"))).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let again = pilothouse(&["generate", "--config", path, "--proxy", "cart-1.shop"]).ends(0).answer;
    assert!(expected == again, "the same manifests give the same bytes");
}

#[test]
fn generate_picks_types_and_takes_nodes() {
    let node = r#"{ "id": "sidecar~10.0.0.99~new.shop~shop.svc.cluster.local", "metadata": { "LABELS": { "app": "web" } } }"#;
    let run = with_input(&["generate", "--config", &shop(), "--node", "-", "--type", "eds"], node).ends(0);
    let document = run.json();
    assert_eq!(document.as_object().unwrap().len(), 1);
    assert!(
        names(&document["endpoints"], "cluster_name")
            .contains(&"outbound|80||cart.shop.svc.cluster.local".to_owned())
    );
    let run =
        pilothouse(&["generate", "--config", &shop(), "--proxy", "web.shop", "--type", "sds", "-o", "yaml"])
            .ends(0);
    assert_eq!(run.answer, "secrets:\n- default\n- ROOTCA\n");
}

#[test]
fn generate_says_what_it_cannot_find_or_read() {
    let run = pilothouse(&["generate", "--config", &shop(), "--proxy", "wep.shop"]).ends(66);
    assert!(run.remarks.contains("did you mean web.shop?"), "{}", run.remarks);
    pilothouse(&["generate", "--config", "/nowhere", "--proxy", "web.shop"]).ends(66);
    pilothouse(&["generate", "--config", &shop(), "--node", "/nowhere"]).ends(66);
    pilothouse(&["generate", "--config", &shop(), "--proxy", "web"]).ends(64);
    with_input(&["generate", "--config", &shop(), "--node", "-"], "[").ends(65);
    with_input(&["generate", "--config", &shop(), "--node", "-"], "{}").ends(65);
}

#[test]
fn generate_static_needs_no_discovery() {
    let run = pilothouse(&["generate", "--config", &shop(), "--proxy", "web.shop", "--static"]).ends(0);
    for word in ["\"rds\"", "eds_cluster_config", "sds_config", "\"EDS\""] {
        assert!(!run.answer.contains(word), "{word}");
    }
    let bootstrap = run.json();
    assert_eq!(names(&bootstrap["static_resources"]["secrets"], "name"), ["ROOTCA", "default"]);
}

#[test]
fn token_is_a_jwt_of_the_pod_and_the_key_is_kept() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().to_str().unwrap();
    let run =
        pilothouse(&["token", "--workload", "cart-1.shop", "--config", &shop(), "--state-dir", dir]).ends(0);
    let parts: Vec<&str> = run.answer.split('.').collect();
    assert_eq!(parts.len(), 3);
    assert!(!run.answer.ends_with('\n'), "Envoy takes the file as it is");
    let file = state.path().join("out/token");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let out = file.to_str().unwrap();
    pilothouse(&["token", "--workload", "a.b", "--state-dir", dir, "--out", out, "--ttl", "30s"]).ends(0);
    assert_eq!(mode(&file), 0o600);
    pilothouse(&["token", "--workload", "a.b", "--state-dir", dir, "--ttl", "25h"]).ends(64);
    pilothouse(&["token", "--workload", "b", "--state-dir", dir]).ends(64);
    pilothouse(&["token", "--workload", "nobody.shop", "--config", &shop(), "--state-dir", dir]).ends(66);
}

#[test]
fn the_environment_stands_in_for_flags() {
    let state = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args(["token", "--workload", "a.b"])
        .env_clear()
        .env("PILOTHOUSE_STATE_DIR", state.path())
        .output()
        .unwrap();
    Run::of(status).ends(0);
    assert!(state.path().join("token-key.pem").exists());
}

#[test]
fn bootstrap_fills_a_folder() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("web-1");
    let (dir, into) = (state.path().to_str().unwrap(), folder.to_str().unwrap());
    let arguments =
        ["bootstrap", "--workload", "cart-1.shop", "--config", &shop(), "--state-dir", dir, "--write", into];
    pilothouse(&arguments).ends(0);
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["envoy.json", "istio-token", "root-cert.pem", "root-sds.json", "token-sds.json"]);
    assert_eq!(mode(&folder.join("istio-token")), 0o600);
    let bootstrap: Value = serde_json::from_slice(&fs::read(folder.join("envoy.json")).unwrap()).unwrap();
    assert_eq!(bootstrap["node"]["id"], "sidecar~10.0.0.11~cart-1.shop~shop.svc.cluster.local");
    assert_eq!(bootstrap["node"]["metadata"]["SERVICE_ACCOUNT"], "cart");
    // Again: a new token, the same root.
    let (token, root) = (folder.join("istio-token"), folder.join("root-cert.pem"));
    let before = (fs::read(&token).unwrap(), fs::read(&root).unwrap());
    pilothouse(&arguments).ends(0);
    assert_ne!(fs::read(&token).unwrap(), before.0);
    assert_eq!(fs::read(&root).unwrap(), before.1);
    let run = pilothouse(&["bootstrap", "--workload", "x.shop"]).ends(64);
    assert!(run.remarks.contains("address"), "{}", run.remarks);
}

#[test]
fn capture_shows_its_rules_and_refuses_wrong_flags() {
    let run =
        pilothouse(&["capture", "--dry-run", "--ipv6", "on", "-p", "15101", "-x", "10.0.0.0/8"]).ends(0);
    for part in ["iptables-restore --noflush", "ip6tables-restore", "--to-ports 15101", "-d 10.0.0.0/8"] {
        assert!(run.answer.contains(part), "{part}: {}", run.answer);
    }
    let run = pilothouse(&["capture", "--dry-run", "-p", "many", "-u", "envoy"]).ends(64);
    assert!(run.remarks.contains("--envoy-port") && run.remarks.contains("--proxy-uid"), "{}", run.remarks);
    pilothouse(&["capture", "--dry-run", "--redirect-dns"]).ends(64);
}

#[test]
fn explain_version_and_completion() {
    assert!(pilothouse(&["explain", "ph0201"]).ends(0).answer.starts_with("PH0201: error:"));
    assert_eq!(pilothouse(&["explain", "PH0201", "-o", "json"]).ends(0).json()["severity"], "error");
    assert!(pilothouse(&["explain"]).ends(0).answer.contains("PH0001"));
    assert!(pilothouse(&["explain", "PH0200"]).ends(66).remarks.contains("did you mean PH020"));
    assert!(pilothouse(&["version", "-o", "json"]).ends(0).json()["version"].is_string());
    for shell in ["bash", "zsh", "fish"] {
        assert!(pilothouse(&["completion", shell]).ends(0).answer.contains("proxy-status"), "{shell}");
    }
    pilothouse(&["completion", "tcsh"]).ends(64);
}

#[test]
fn proxy_status_needs_a_daemon() {
    // Nothing listens on the port of discard on loopback.
    let run = pilothouse(&["proxy-status", "--admin", "http://127.0.0.1:9"]).ends(69);
    assert!(run.remarks.contains("127.0.0.1:9"), "{}", run.remarks);
}

#[test]
fn serve_refuses_settings_all_at_once() {
    let arguments = ["serve", "--config", &shop(), "--admin-listen", "0.0.0.0:1", "--leaf-ttl", "0s"];
    let run = pilothouse(&arguments).ends(64);
    assert!(run.remarks.contains("--admin-listen") && run.remarks.contains("--leaf-ttl"), "{}", run.remarks);
    pilothouse(&["serve", "--config", "/nowhere"]).ends(66);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
