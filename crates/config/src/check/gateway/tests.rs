use serde_json::{Value, json};

use super::*;
use crate::Object;
use crate::check::tests::{checked, expect_one, istio};
use crate::gateway::{ServerCertificate, ServerTlsMode, Termination};

fn read(spec: &Value) -> Gateway {
    match checked(&istio("Gateway", spec)) {
        Some(Object::Gateway(object)) => (*object).clone(),
        other => panic!("{other:?}"),
    }
}

fn server(port: &Value, hosts: &Value) -> Value {
    json!({"port": port, "hosts": hosts})
}

#[test]
fn a_whole_gateway_is_read() {
    let gateway = read(&json!({"selector": {"istio": "ingressgateway"}, "servers": [
        {"port": {"number": 80, "name": "http", "protocol": "http"}, "hosts": ["*", "./a.com", "*/b.com", "other/*.c.com"], "tls": {"httpsRedirect": true}},
        {"name": "s", "port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "bind": "127.0.0.1", "hosts": ["a.com"], "tls": {"mode": "SIMPLE", "credentialName": "web"}}]}));
    assert!(!gateway.selector.is_empty());
    let hosts: Vec<_> = gateway.servers[0]
        .hosts
        .iter()
        .map(|one| (one.namespace.as_ref().map(Namespace::as_str), one.host.as_str()))
        .collect();
    assert_eq!(hosts, [(None, "*"), (Some("shop"), "a.com"), (None, "b.com"), (Some("other"), "*.c.com")]);
    assert_eq!(gateway.servers[0].protocol, Protocol::Http);
    assert_eq!(gateway.servers[1].bind, Some("127.0.0.1".parse().unwrap()));
    let web = Termination { certificates: vec![ServerCertificate::Secret("web".into())], clients: None };
    assert_eq!(gateway.servers[1].tls.as_ref().unwrap().mode, ServerTlsMode::Terminate(Box::new(web)));
}

#[test]
fn a_server_that_cannot_be_understood_is_left_out() {
    let good = server(&json!({"number": 80, "name": "http", "protocol": "HTTP"}), &json!(["a.com"]));
    let port = json!({"number": 81, "name": "b", "protocol": "HTTP"});
    let hosts = json!(["a.com"]);
    for (bad, code, field) in [
        (json!({"hosts": hosts}), "PH0101", ".port"),
        (server(&json!({"name": "b", "protocol": "HTTP"}), &hosts), "PH0101", ".port.number"),
        (server(&json!({"number": 0, "name": "b", "protocol": "HTTP"}), &hosts), "PH0103", ".port.number"),
        (server(&json!({"number": 81, "protocol": "HTTP"}), &hosts), "PH0101", ".port.name"),
        (server(&json!({"number": 81, "name": "b"}), &hosts), "PH0101", ".port.protocol"),
        (server(&json!({"number": 81, "name": "b", "protocol": "HTPT"}), &hosts), "PH0102", ".port.protocol"),
        (server(&port, &json!([])), "PH0101", ".hosts"),
        (server(&port, &json!(["foo"])), "PH0107", ".hosts[0]"),
        (server(&port, &json!(["a*.com"])), "PH0107", ".hosts[0]"),
        (server(&port, &json!(["a_b/a.com"])), "PH0107", ".hosts[0]"),
        (json!({"port": port, "hosts": hosts, "bind": "unix:///x"}), "PH0006", ".bind"),
        (json!({"port": port, "hosts": hosts, "bind": "x"}), "PH0102", ".bind"),
    ] {
        let spec = json!({"selector": {"a": "b"}, "servers": [bad, good]});
        expect_one(&istio("Gateway", &spec), code, &format!("spec.servers[0]{field}"), "");
        assert_eq!(read(&spec).servers.iter().map(|one| one.index).collect::<Vec<_>>(), [1], "{bad}");
    }
    let twice = json!({"servers": [good, good]});
    expect_one(&istio("Gateway", &twice), "PH0112", "spec.servers[1].port.name", "left out");
    expect_one(&istio("Gateway", &json!({})), "PH0101", "spec.servers", "serves nothing");
    let spec = json!({"selector": {"a": "b*"}, "servers": [good]});
    expect_one(&istio("Gateway", &spec), "PH0102", "spec.selector.a", "no workload");
    assert!(!read(&spec).selector.is_empty(), "an empty selector would pick every gateway");
}
