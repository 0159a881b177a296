//! What somebody may read who is bound to the role of the manifests, and what happens where the API server refuses.

use std::path::Path;

use anyhow::{Context as _, Result};
use pilothouse_api::schema::definitions;
use pilothouse_sources::Site;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::definitions::{good, object};
use crate::server::{ApiServer, LONGEST, LOOK, READER};
use crate::site::{Heard, definition, namespace, routes, set, site, virtual_service};

/// The kinds whose objects have no effect, with the code by which they are named.
const WITHOUT_EFFECT: [(&str, &str); 9] = [
    ("AuthorizationPolicy", "PH0405"),
    ("RequestAuthentication", "PH0405"),
    ("Sidecar", "PH0003"),
    ("EnvoyFilter", "PH0003"),
    ("WorkloadGroup", "PH0003"),
    ("ProxyConfig", "PH0003"),
    ("Telemetry", "PH0003"),
    ("WasmPlugin", "PH0003"),
    ("TrafficExtension", "PH0003"),
];

fn role(name: &str, rules: &Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": READER}]
    })
}

fn site_of_reader(server: &ApiServer) -> Site {
    Site { access: server.reader(), ..site(server) }
}

/// The role that Pilothouse is installed with.
fn role_of_the_manifests() -> Result<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/role-reader.yaml");
    let text = String::from_utf8(std::fs::read(file)?)?;
    let document = text.split("\n---\n").next().context("the file is empty")?;
    pilothouse_sources::parse(document).map_err(anyhow::Error::msg)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_manifests_reads_every_kind() -> Result<()> {
    let server = ApiServer::start(&[]).await?;
    for definition in definitions() {
        server.apply(&definition.resource()).await?;
    }
    for (kind, spec) in good() {
        server.apply(&object(kind, "one", &spec)).await.with_context(|| format!("{kind} {spec}"))?;
    }
    let role = role_of_the_manifests()?;
    let name = role["metadata"]["name"].as_str().context("it has no name")?.to_owned();
    server.apply(&role).await?;
    server.apply(&binding(&name)).await?;
    let mut heard = Heard::new(site_of_reader(&server));
    let first = heard.batch().await?;
    for kind in ["VirtualService", "Gateway", "ServiceEntry", "WorkloadEntry", "PeerAuthentication"] {
        assert!(first.contains(&format!("+{kind} default/one")), "{kind} is missing: {first:?}");
    }
    ready(&heard).await?;
    for (kind, code) in WITHOUT_EFFECT {
        let value = format!("{kind} default/one");
        let named = heard.findings.wait_for(|all| {
            all.iter().any(|one| one.code.id == code && one.value.as_deref() == Some(value.as_str()))
        });
        timeout(LONGEST, named).await.with_context(|| format!("{value} is not named"))??;
    }
    server.delete(&object("EnvoyFilter", "one", &json!({}))).await?;
    let forgotten = heard
        .findings
        .wait_for(|all| !all.iter().any(|one| one.value.as_deref() == Some("EnvoyFilter default/one")));
    timeout(LONGEST, forgotten).await.context("what is gone is still named")??;
    heard.stop().await;
    Ok(())
}

/// Waits for readiness, which follows the first batch.
async fn ready(heard: &Heard) -> Result<()> {
    let ready = async {
        while !heard.readiness.is_ready() {
            sleep(LOOK).await;
        }
    };
    timeout(LONGEST, ready).await.with_context(|| format!("never: {:?}", heard.readiness.missing()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_named_and_told_once_it_is_granted() -> Result<()> {
    let server = ApiServer::start(&[]).await?;
    server.apply(&namespace("shop")).await?;
    server.apply(&definition("VirtualService")).await?;
    server.apply(&virtual_service("a")).await?;
    let verbs = ["get", "list", "watch"];
    let most = json!([
        {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods", "services", "configmaps"], "verbs": verbs},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": verbs},
    ]);
    let the_rest =
        json!([{"apiGroups": ["networking.istio.io"], "resources": ["virtualservices"], "verbs": verbs}]);
    for (name, rules) in [("most", &most), ("routes", &the_rest)] {
        server.apply(&role(name, rules)).await?;
    }
    server.apply(&binding("most")).await?;

    // Without routes there is no mesh; who asks for readiness hears why.
    let mut heard = Heard::new(site_of_reader(&server));
    let refused = "the API server lets us read virtualservices";
    let named = async {
        while !heard.readiness.missing().contains(&refused) {
            sleep(LOOK).await;
        }
    };
    timeout(LONGEST, named).await.context("nobody says what is missing")?;
    server.apply(&binding("routes")).await?;
    let first = heard.batch().await?;
    assert!(first.contains(&"+VirtualService shop/a".to_owned()), "{first:?}");
    ready(&heard).await?;

    // Taken away again, what is known holds, and other kinds go on.
    server.delete(&binding("routes")).await?;
    server.apply(&namespace("other")).await?;
    assert_eq!(routes(heard.until("+Namespace other").await?), set(&[]));
    server.apply(&virtual_service("b")).await?;
    server.apply(&binding("routes")).await?;
    assert_eq!(routes(heard.until("+VirtualService shop/b").await?), set(&["+VirtualService shop/b"]));
    heard.stop().await;
    Ok(())
}
