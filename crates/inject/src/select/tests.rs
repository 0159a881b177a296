use super::*;

fn labelled(labels: &[(&str, Option<&str>)]) -> Value {
    let map = labels.iter().filter_map(|(key, value)| Some(((*key).to_owned(), json!((*value)?))));
    json!({"metadata": {"labels": Value::Object(map.collect())}})
}

/// Namespace `istio-injection` and `istio.io/rev`, pod `sidecar.istio.io/inject` and `istio.io/rev`, which revision.
type Row = ([Option<&'static str>; 4], &'static str);

#[test]
fn the_matrix() {
    const NONE: Option<&str> = None;
    let (on, off, no, yes, blue) =
        (Some("enabled"), Some("disabled"), Some("false"), Some("true"), Some("blue"));
    let table: Vec<Row> = vec![
        ([on, NONE, NONE, NONE], "default"),
        ([on, blue, NONE, blue], "default"),
        ([on, NONE, yes, NONE], "default"),
        ([on, NONE, Some("odd"), NONE], "default"),
        ([on, NONE, no, NONE], ""),
        ([off, NONE, yes, NONE], ""),
        ([off, blue, yes, blue], ""),
        ([Some("on"), NONE, yes, blue], ""),
        ([NONE, blue, NONE, NONE], "blue"),
        ([NONE, blue, NONE, Some("green")], "blue"),
        ([NONE, Some("default"), yes, NONE], "default"),
        ([NONE, blue, no, NONE], ""),
        ([NONE, NONE, NONE, blue], "blue"),
        ([NONE, NONE, yes, blue], "blue"),
        ([NONE, NONE, NONE, Some("default")], "default"),
        ([NONE, NONE, yes, NONE], "default"),
        ([NONE, NONE, NONE, NONE], ""),
        ([NONE, NONE, no, NONE], ""),
        ([NONE, NONE, no, blue], ""),
        ([NONE, Some("green"), yes, NONE], ""),
    ];
    let revision = |name: &str, is_default: bool, by_default: bool| Revision {
        name: name.to_owned(),
        is_default,
        by_default,
    };
    for ([injection, revision_of_namespace, inject, revision_of_pod], expected) in table {
        let namespace = labelled(&[
            (INJECTION, injection),
            (REVISION, revision_of_namespace),
            ("kubernetes.io/metadata.name", Some("shop")),
        ]);
        let pod = labelled(&[(INJECT, inject), (REVISION, revision_of_pod)]);
        let asked: Vec<&str> = [("default", true), ("blue", false)]
            .into_iter()
            .filter(|(name, is_default)| {
                selecting(&namespace, &pod, &revision(name, *is_default, false)).is_some()
            })
            .map(|(name, _)| name)
            .collect();
        let what = (injection, revision_of_namespace, inject, revision_of_pod);
        assert_eq!(asked.join(","), expected, "{what:?}");
    }

    let everywhere = revision("default", true, true);
    let prefix = |namespace: &str, inject: Option<&str>| {
        let namespace = labelled(&[("kubernetes.io/metadata.name", Some(namespace))]);
        selecting(&namespace, &labelled(&[(INJECT, inject)]), &everywhere).map(|entry| entry.prefix)
    };
    assert_eq!(prefix("shop", None), Some("auto."));
    assert_eq!(prefix("shop", Some("true")), Some("object."));
    assert_eq!(prefix("shop", Some("false")), None);
    assert_eq!(prefix("kube-system", None), None);
}
