use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

fn settings() -> Settings {
    Settings::new(parse)
}

fn request(pod: &Value) -> Request<'_> {
    Request { pod, namespace: "shop", workload: None, drain: Some("secret") }
}

fn made(pod: &Value, settings: &Settings) -> Injected {
    match inject(&request(pod), settings).unwrap() {
        Outcome::Injected(injected) => *injected,
        Outcome::Skipped(skip) => panic!("{skip}"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
fn pod(metadata: Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app"}]}});
    change(&mut pod["spec"]);
    pod
}

/// What it shows, settings, metadata, more of the pod, namespace, reason.
type Row<'r> = (&'r str, &'r Settings, Value, Value, &'r str, Option<Skip>);

#[test]
fn the_first_reason_decides() {
    use Skip::{HostNetwork, NeverSelected, NotAsked, Refused, SystemNamespace};
    let by_policy = settings();
    let off = Settings { by_default: false, ..settings() };
    let selects = Settings {
        by_default: false,
        never: vec![json!({}), json!({"matchLabels": {"a": "never"}})],
        always: vec![json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]})],
        ..settings()
    };
    let label = |value: &str| json!({"labels": {"sidecar.istio.io/inject": value}});
    let both = json!({
        "labels": {"sidecar.istio.io/inject": "true", "a": "never"}, "annotations": {"sidecar.istio.io/inject": "false"},
    });
    let annotation = |value: &str| json!({"annotations": {"sidecar.istio.io/inject": value}});
    let host = json!({"spec": {"hostNetwork": true}});
    let table: Vec<Row<'_>> = vec![
        ("by policy", &by_policy, json!({}), json!({}), "shop", None),
        ("policy off", &off, json!({}), json!({}), "shop", Some(NotAsked)),
        ("label", &off, label("true"), json!({}), "shop", None),
        ("label refuses", &by_policy, label("false"), json!({}), "shop", Some(Refused)),
        ("no word for true", &off, label("yes"), json!({}), "shop", Some(NotAsked)),
        ("no word for false", &by_policy, label("False"), json!({}), "shop", None),
        ("annotation", &off, annotation("true"), json!({}), "shop", None),
        ("annotation refuses", &by_policy, annotation("false"), json!({}), "shop", Some(Refused)),
        ("label before annotation and selectors", &selects, both, json!({}), "shop", None),
        (
            "never before always",
            &selects,
            json!({"labels": {"a": "never"}}),
            json!({}),
            "shop",
            Some(NeverSelected),
        ),
        ("always", &selects, json!({"labels": {"a": "1"}}), json!({}), "shop", None),
        ("host network before the label", &by_policy, label("true"), host, "shop", Some(HostNetwork)),
        (
            "namespace before the label",
            &by_policy,
            label("true"),
            json!({}),
            "kube-system",
            Some(SystemNamespace),
        ),
    ];
    for (what, settings, metadata, more, namespace, expected) in table {
        let mut pod = pod(metadata, |_| ());
        merge(&mut pod, &more);
        let outcome = inject(&Request { namespace, ..request(&pod) }, settings).unwrap();
        let skip = match outcome {
            Outcome::Skipped(skip) => Some(skip),
            Outcome::Injected(_) => None,
        };
        assert_eq!(skip, expected, "{what}");
    }
}

#[test]
fn the_strongest_proxy_config_counts() {
    let object =
        |namespace: &str, name: &str, created, selector: &[(&str, &str)], threads| ProxyConfigObject {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            created,
            selector: selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            concurrency: Some(threads),
            environment: [(name.to_owned(), "1".to_owned())].into(),
            image_type: None,
        };
    let all = [
        object("istio-system", "root", 1, &[], 2),
        object("shop", "namespace", 9, &[], 3),
        object("shop", "younger", 10, &[], 30),
        object("shop", "workload", 5, &[("app", "cart")], 4),
        object("shop", "another", 1, &[("app", "web")], 40),
        object("edge", "elsewhere", 1, &[], 50),
    ];
    let annotation = json!({"concurrency": 5, "proxyMetadata": {"annotation": "1"}});
    let table: Vec<(&[ProxyConfigObject], bool, &str, u32, &str)> = vec![
        (&[], false, "shop", 1, ""),
        (&all[..1], false, "shop", 2, "root"),
        (&all[..3], false, "shop", 3, "namespace,root"),
        (&all[..3], true, "shop", 5, "annotation,namespace,root"),
        (&all, true, "shop", 4, "annotation,namespace,root,workload"),
        (&all, false, "other", 2, "root"),
    ];
    let mesh = ProxyConfig { concurrency: Some(1), ..ProxyConfig::default() };
    for (objects, annotated, namespace, threads, metadata) in table {
        let mut out = Findings::default();
        let annotation = annotated.then_some((&annotation, "there"));
        let labels = [("app", "cart")].into_iter().collect();
        let config =
            proxy_config::effective(&mesh, objects, "istio-system", namespace, &labels, annotation, &mut out);
        assert_eq!(config.concurrency, Some(threads));
        assert_eq!(config.metadata.into_keys().collect::<Vec<_>>().join(","), metadata);
        assert_eq!(out.problems, []);
    }
}

#[test]
fn names_come_from_labels_or_the_workload() {
    let long = "a".repeat(62) + "-b";
    let table = [
        (json!({"app": "cart"}), "cart", "latest"),
        (json!({"app": "cart", "app.kubernetes.io/name": "shop-cart", "version": "v1"}), "shop-cart", "v1"),
        (json!({"service.istio.io/canonical-name": "own", "app": "cart"}), "own", "latest"),
        (json!({"app": ""}), "web", "latest"),
        (json!({"app": long}), &long[..62], "latest"),
    ];
    for (labels, name, revision) in table {
        let pod = pod(json!({"name": "web", "labels": labels}), |_| ());
        let made = made(&pod, &settings()).pod;
        assert_eq!(made["metadata"]["labels"]["service.istio.io/canonical-name"], name);
        assert_eq!(made["metadata"]["labels"]["service.istio.io/canonical-revision"], revision);
        assert_eq!(made["metadata"]["labels"]["security.istio.io/tlsMode"], "istio");
    }
}

#[test]
fn the_mode_decides_about_rights_and_rules() {
    let table = [
        ("REDIRECT", "false", 1337, None, true),
        ("TPROXY", "false", 0, Some(json!(["NET_ADMIN"])), true),
        ("NONE", "false", 1337, None, false),
        ("NONE", "true", 0, Some(json!(["NET_BIND_SERVICE"])), false),
        ("TPROXY", "true", 0, Some(json!(["NET_ADMIN", "NET_BIND_SERVICE"])), true),
    ];
    for (mode, low_ports, user, added, captured) in table {
        let annotations = json!({
            "sidecar.istio.io/interceptionMode": mode, "sidecar.istio.io/capNetBindService": low_ports,
        });
        let made = made(&pod(json!({"annotations": annotations}), |_| ()), &settings()).pod;
        let init = made["spec"]["initContainers"].as_array().unwrap();
        let proxy = init.iter().find(|container| container["name"] == PROXY).unwrap();
        assert_eq!(proxy["securityContext"]["runAsUser"], user, "{mode}");
        assert_eq!(proxy["securityContext"]["runAsNonRoot"], user != 0);
        assert_eq!(proxy["securityContext"]["capabilities"].get("add").cloned(), added, "{mode}");
        assert_eq!(init.iter().any(|container| container["name"] == INIT), captured, "{mode}");
    }
}

#[test]
fn a_policy_that_the_api_server_made_up_for_the_image_auto_does_not_count() {
    let settings = Settings { pull_policy: Some("IfNotPresent".to_owned()), ..settings() };
    let table = [
        (json!({"image": "auto"}), "IfNotPresent"),
        (json!({"image": "auto", "imagePullPolicy": "Always"}), "IfNotPresent"),
        (json!({"image": "auto", "imagePullPolicy": "Never"}), "Never"),
        (json!({"image": "own/envoy:1", "imagePullPolicy": "Always"}), "Always"),
    ];
    for (mut written, policy) in table {
        written["name"] = json!(PROXY);
        let gateway = json!({"annotations": {"inject.istio.io/templates": "gateway"}});
        let pod = pod(gateway, |spec| spec["containers"] = json!([written]));
        let once = made(&pod, &settings).pod;
        assert_eq!(once["spec"]["containers"][0]["imagePullPolicy"], policy, "{written}");
        assert_eq!(made(&once, &settings).pod, once, "{written}");
    }
}

#[test]
fn probes_can_be_left_alone() {
    let probed = |annotations: Value| {
        let pod = pod(json!({"annotations": annotations}), |spec| {
            spec["containers"][0]["livenessProbe"] = json!({"httpGet": {"port": 80}});
        });
        made(&pod, &settings()).pod["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"].clone()
    };
    assert_eq!(probed(json!({})), 15021);
    assert_eq!(probed(json!({"sidecar.istio.io/rewriteAppHTTPProbers": "false"})), 80);
    assert_eq!(probed(json!({"status.sidecar.istio.io/port": "0"})), 80);
}

#[test]
fn existing_scrape_annotations_stay() {
    let annotations = |annotations: Value| {
        made(&pod(json!({"annotations": annotations}), |_| ()), &settings()).pod["metadata"]["annotations"]
            .clone()
    };
    assert_eq!(annotations(json!({}))["prometheus.io/port"], "15090");
    let own = annotations(json!({"prometheus.io/port": "9102"}));
    assert_eq!((&own["prometheus.io/port"], own.get("prometheus.io/scrape")), (&json!("9102"), None));
    assert_eq!(
        annotations(json!({"prometheus.istio.io/merge-metrics": "false"})).get("prometheus.io/port"),
        None
    );
}

/// A pod of many shapes, most of them valid.
fn any_pod() -> impl Strategy<Value = Value> {
    let port = prop_oneof![Just(json!(8080)), Just(json!("web")), Just(json!("x")), Just(json!(15021))];
    let probe = (port, 0..5_u8, proptest::bool::ANY).prop_map(|(port, kind, timed)| {
        let mut probe = match kind {
            0 => json!({"httpGet": {"port": port, "path": "/$(X)?a=\u{e000}"}}),
            1 => json!({"tcpSocket": {"port": port}}),
            2 => json!({"grpc": {"port": 9000, "service": "s"}}),
            3 => json!({"exec": {"command": ["x"]}}),
            _ => json!({"httpGet": {"port": port, "scheme": "HTTPS", "httpHeaders": [{"name": "Host", "value": "h"}]}}),
        };
        if timed {
            probe["timeoutSeconds"] = json!(2);
        }
        probe
    });
    let name = prop_oneof![Just("app"), Just("b"), Just(PROXY), Just(INIT)];
    let container = (name, proptest::option::of(probe.clone()), proptest::option::of(probe), 0..3_u8)
        .prop_map(|(name, readiness, hook, more)| {
            let mut container = json!({"name": name, "image": if more == 0 { "auto" } else { "i" }});
            if let Some(probe) = readiness {
                container["readinessProbe"] = probe;
            }
            if let Some(probe) = hook {
                container["lifecycle"] = json!({"preStop": probe});
            }
            if more == 2 {
                container["restartPolicy"] = json!("Always");
                container["ports"] = json!([{"name": "web", "containerPort": 80}]);
                container["securityContext"] = json!({"runAsUser": 7});
            }
            container
        });
    let unique = |mut list: Vec<Value>| {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|container| seen.insert(container["name"].as_str().unwrap().to_owned()));
        list
    };
    let containers = proptest::collection::vec(container.clone(), 1..4).prop_map(unique);
    let init = proptest::collection::vec(container, 0..3).prop_map(unique);
    let annotation = prop_oneof![
        Just(("sidecar.istio.io/nativeSidecar", "false")),
        Just(("sidecar.istio.io/userVolume", r#"{"scratch":{"emptyDir":{}}}"#)),
        Just(("inject.istio.io/templates", "gateway")),
        Just(("inject.istio.io/templates", "sidecar,extra")),
        Just(("inject.istio.io/templates", "extra")),
        Just(("sidecar.istio.io/bootstrapOverride", "mine")),
        Just(("sidecar.istio.io/status", "{}")),
        Just(("sidecar.istio.io/status", "x")),
        Just(("pilothouse.dev/app-probers", "[]")),
        Just(("proxy.istio.io/config", "holdApplicationUntilProxyStarts: true")),
        Just(("prometheus.io/scrape", "true")),
    ];
    let annotations = proptest::collection::vec(annotation, 0..4);
    (containers, init, annotations, 0..3_u8).prop_map(|(containers, mut init, annotations, more)| {
        // Kubernetes takes each name once.
        init.retain(|one| containers.iter().all(|other| other["name"] != one["name"]));
        let annotations: Map<String, Value> =
            annotations.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let mut pod = json!({
            "metadata": {"generateName": "a-", "annotations": annotations},
            "spec": {"containers": containers, "initContainers": init, "unknown": [null]},
        });
        if more > 0 {
            pod["spec"]["volumes"] = json!([{"name": "scratch"}, {"name": "istio-token", "emptyDir": {}}]);
        }
        if more > 1 {
            pod["spec"]["imagePullSecrets"] = json!([{"name": "hub"}]);
            pod["metadata"]["labels"] = json!({"app": "a"});
        }
        pod
    })
}

fn with_extra() -> Settings {
    let extra = json!({
        "metadata": {"labels": {"l": "1"}, "annotations": {"sidecar.istio.io/logLevel": "debug"}},
        "spec": {"containers": [
            {"name": "extra", "livenessProbe": {"tcpSocket": {"port": 1}}},
            {"name": PROXY, "tty": true},
        ]},
    });
    Settings {
        templates: [("extra".to_owned(), extra)].into(),
        pull_secrets: vec!["hub".to_owned(), "other".to_owned()],
        ..settings()
    }
}

proptest! {
    /// Injecting again gives the same pod, also when the secret is another one by then.
    #[test]
    fn injecting_twice_is_injecting_once(pod in any_pod()) {
        let settings = with_extra();
        let Ok(Outcome::Injected(first)) = inject(&request(&pod), &settings) else { return Ok(()) };
        let second = inject(&Request { drain: Some("another"), ..request(&first.pod) }, &settings);
        let Ok(Outcome::Injected(second)) = second else { panic!("{second:?}") };
        prop_assert_eq!(crate::patch::diff(&first.pod, &second.pod), Vec::<Value>::new());
    }

    /// What the user wrote about other things than probes and our containers is all still there.
    #[test]
    fn nothing_of_the_user_is_lost(pod in any_pod()) {
        let settings = settings();
        let plain = pod["metadata"]["annotations"].get("sidecar.istio.io/status").is_none();
        let Ok(Outcome::Injected(made)) = inject(&request(&pod), &settings) else { return Ok(()) };
        prop_assert_eq!(&made.pod["spec"]["unknown"], &pod["spec"]["unknown"]);
        for list in ["containers", "initContainers"] {
            for name in place::names(&pod, list).filter(|name| ![PROXY, INIT].contains(name)) {
                prop_assert!(!plain || place::names(&made.pod, list).any(|other| other == name), "{}", name);
            }
        }
        for name in place::names(&pod, "volumes") {
            prop_assert!(place::names(&made.pod, "volumes").any(|other| other == name));
        }
    }

    /// Whatever a file holds, there is an answer.
    #[test]
    fn any_value_gets_an_answer(value in crate::patch::tests::any_json(), at in 0..6_usize) {
        let mut pod = pod(json!({"annotations": {"sidecar.istio.io/status": "{}"}}), |_| ());
        let pointer = ["", "/spec", "/metadata", "/spec/containers/0", "/metadata/annotations", "/spec/containers"][at];
        *pod.pointer_mut(pointer).unwrap() = value;
        let _answer = inject(&request(&pod), &with_extra());
    }
}

#[test]
fn a_proxy_config_is_read_with_what_is_wrong_about_it() {
    let object = json!({
        "metadata": {"namespace": "shop", "name": "a", "creationTimestamp": "2026-11-21T22:19:52Z"},
        "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "concurrency": 3,
            "environmentVariables": {"A": "b"},
            "image": {"imageType": "distroless"},
        },
    });
    let (read, said) = ProxyConfigObject::read(&object);
    let expected = ProxyConfigObject {
        namespace: "shop".to_owned(),
        name: "a".to_owned(),
        created: 20_261_121_221_952,
        selector: [("app".to_owned(), "a".to_owned())].into(),
        concurrency: Some(3),
        environment: [("A".to_owned(), "b".to_owned())].into(),
        image_type: Some("distroless".to_owned()),
    };
    assert_eq!((read, said), (expected, Vec::new()));

    let wrong = json!({
        "metadata": {"namespace": "shop", "name": "a"},
        "spec": {"concurrency": -1, "environmentVariables": {"A": 1}, "image": {}, "concurency": 2},
    });
    let (read, said) = ProxyConfigObject::read(&wrong);
    assert_eq!(read.concurrency, None);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said.iter().all(|line| line.contains("ProxyConfig shop/a: spec.")), "{said:?}");
    assert_eq!(ProxyConfigObject::read(&json!(null)).0, ProxyConfigObject::default());
}
