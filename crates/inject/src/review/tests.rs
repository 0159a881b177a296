use super::*;
use crate::patch::tests::apply;

fn settings() -> Settings {
    Settings::new(|text| Ok(Value::String(text.to_owned())))
}

fn asked(change: impl FnOnce(&mut Value)) -> Value {
    let mut review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "7-7",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "shop",
            "operation": "CREATE",
            "object": {
                "metadata": {"generateName": "cart-", "managedFields": [{}], "labels": {"app": "cart"}},
                "spec": {"containers": [{"name": "cart", "image": "cart"}]},
            },
        },
    });
    change(&mut review["request"]);
    review
}

fn answered(review: &Value, path: &str) -> Answer {
    answer(review.to_string().as_bytes(), path, &settings(), Some("secret")).unwrap()
}

fn patched(review: &Value, path: &str) -> Value {
    let response = &answered(review, path).review["response"];
    assert_eq!((&response["allowed"], &response["patchType"]), (&json!(true), &json!("JSONPatch")));
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    apply(&review["request"]["object"], &patch)
}

#[test]
fn a_pod_is_patched() {
    let review = asked(|_| ());
    let pod = patched(&review, "/inject");
    assert_eq!(pod["spec"]["initContainers"][1]["name"], "istio-proxy");
    assert_eq!(pod["metadata"].get("managedFields"), None);
    let answer = answered(&review, "/inject");
    assert_eq!(answer.verdict, Verdict::Injected);
    assert_eq!(answer.review["response"]["uid"], "7-7");
    assert_eq!(answer.review["response"].get("warnings"), None);
    // The bootstrap says where the pod is, though the object did not name its namespace.
    assert!(pod.to_string().contains("namespaces/shop/pods/cart"));
}

#[test]
fn other_questions_are_let_through() {
    let table: Vec<(Value, Verdict)> = vec![
        (asked(|request| request["operation"] = json!("UPDATE")), Verdict::NotAsked),
        (asked(|request| request["kind"]["kind"] = json!("Deployment")), Verdict::NotAsked),
        (asked(|request| request["kind"]["group"] = json!("other.io")), Verdict::NotAsked),
        (
            asked(|request| request["object"]["spec"]["hostNetwork"] = json!(true)),
            Verdict::Skipped(Skip::HostNetwork),
        ),
        (
            asked(|request| request["namespace"] = json!("kube-system")),
            Verdict::Skipped(Skip::SystemNamespace),
        ),
    ];
    for (review, verdict) in table {
        let answer = answered(&review, "/inject");
        assert_eq!(answer.verdict, verdict);
        assert_eq!(answer.review["response"], json!({"uid": "7-7", "allowed": true}));
    }
}

#[test]
fn problems_and_warnings_reach_the_user() {
    let review = asked(|request| {
        request["object"]["metadata"]["annotations"] =
            json!({"sidecar.istio.io/logLevel": "loud", "sidecar.istio.io/proxyCPU": "x"});
    });
    let response = answered(&review, "/inject").review["response"].clone();
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(422)));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("loud") && message.contains("proxyCPU"), "{message}");

    let review = asked(|request| {
        let many = (0..40).map(|number| (format!("sidecar.istio.io/x{number}"), json!("1")));
        request["object"]["metadata"]["annotations"] = Value::Object(many.collect());
    });
    let warnings = answered(&review, "/inject").review["response"]["warnings"].clone();
    assert_eq!(warnings.as_array().unwrap().len(), MOST_WARNINGS + 1);
    assert_eq!(warnings[MOST_WARNINGS], "and 24 more");
}

#[test]
fn what_is_no_review_is_refused() {
    assert_eq!(answer(b"", "/inject", &settings(), None), Err(NoReview::Empty));
    assert_eq!(answer(&vec![b' '; LONGEST + 1], "/inject", &settings(), None), Err(NoReview::TooLong));
    let deep = "[".repeat(100_000);
    for body in ["{", "[]", "{}", "{\"request\": 1}", "\u{0}", deep.as_str()] {
        let answer = answer(body.as_bytes(), "/inject", &settings(), None).unwrap();
        assert_eq!(
            (answer.verdict, &answer.review["response"]["allowed"]),
            (Verdict::Refused, &json!(false))
        );
    }
}

#[test]
fn the_path_brings_variables() {
    let table = [
        ("/inject", vec![]),
        ("/inject/", vec![]),
        (
            "/inject/cluster/east/net/blue",
            vec![("ISTIO_META_CLUSTER_ID", "east"), ("ISTIO_META_NETWORK", "blue")],
        ),
        ("/inject/key/a--slash--b/odd", vec![("KEY", "a/b")]),
        ("/inject:ENV:cluster=east:ENV:x=y", vec![("ISTIO_META_CLUSTER_ID", "east"), ("X", "y")]),
        ("/inject/not a name/x/1a/y", vec![]),
    ];
    for (path, expected) in table {
        let found = environment(path);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{path}");
    }
    let pod = patched(&asked(|_| ()), "/inject/cluster/east/net/blue");
    let proxy = &pod["spec"]["initContainers"][1];
    assert!(proxy["args"][1].as_str().unwrap().contains("\"CLUSTER_ID\":\"east\""));
    assert!(
        proxy["env"].as_array().unwrap().contains(&json!({"name": "ISTIO_META_NETWORK", "value": "blue"}))
    );
}
