use serde_json::{Value, json};

use super::*;

fn shown(path: &str, format: Option<&str>, json: bool) -> Value {
    let settings = AccessLog { path: path.into(), format: format.map(str::to_owned), json };
    envoy::json::print(&access_log(Some(&settings))[0]).unwrap()
}

fn line(log: &Value) -> Option<&str> {
    log.pointer("/typed_config/log_format/text_format_source/inline_string")?.as_str()
}

#[test]
fn streams_have_their_own_loggers() {
    for (path, name, shown_path) in [
        ("/dev/stdout", "envoy.access_loggers.stdout", None),
        ("/dev/stderr", "envoy.access_loggers.stderr", None),
        ("/var/log/a", "envoy.access_loggers.file", Some("/var/log/a")),
    ] {
        let log = shown(path, None, false);
        assert_eq!(log["name"], name);
        assert_eq!(log["typed_config"]["path"].as_str(), shown_path);
        assert!(line(&log).unwrap().starts_with("[%START_TIME%] \"%REQ(:METHOD)%"));
    }
    assert!(access_log(None).is_empty());
}

#[test]
fn formats_that_envoy_refuses_are_replaced_by_the_usual_one() {
    let usual = shown("/dev/stdout", None, false);
    for (format, expected) in [("%PROTOCOL%", "%PROTOCOL%\n"), ("%PROTOCOL%\n", "%PROTOCOL%\n")] {
        assert_eq!(line(&shown("/dev/stdout", Some(format), false)), Some(expected));
    }
    assert_eq!(shown("/dev/stdout", Some("%NOPE%"), false), usual);

    let keys =
        |format| shown("/dev/stdout", format, true)["typed_config"]["log_format"]["json_format"].clone();
    assert_eq!(
        keys(Some(r#"{"p": "%PROTOCOL%", "n": {"x": "y"}}"#)),
        json!({"p": "%PROTOCOL%", "n": {"x": "y"}})
    );
    for refused in [r#"{"p": "%NOPE%"}"#, r#"{"p": 1}"#, "[]", "{", "x"] {
        assert_eq!(keys(Some(refused)), keys(None), "{refused}");
    }
    assert_eq!(keys(None)["upstream_cluster"], "%UPSTREAM_CLUSTER_RAW%");
    assert!(KEYS.iter().all(|(_, operator)| format::valid(operator)) && format::valid(LINE));
}

#[test]
fn listeners_log_what_no_chain_took() {
    let settings = AccessLog { path: "/dev/stdout".into(), format: None, json: false };
    let log = envoy::json::print(&of_unmatched(Some(&settings))[0]).unwrap();
    assert_eq!(log["filter"], json!({"response_flag_filter": {"flags": ["NR"]}}));
}
