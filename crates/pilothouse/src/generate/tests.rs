use serde_json::json;

use super::*;

#[test]
fn secrets_are_found_wherever_they_are_named() {
    let value = json!({
        "transport_socket": { "typed_config": { "common_tls_context": {
            "tls_certificate_sds_secret_configs": [{ "name": "default", "sds_config": { "ads": {} } }],
            "combined_validation_context": {
                "validation_context_sds_secret_config": { "name": "ROOTCA", "sds_config": { "ads": {} } },
            },
        } } },
        "name": "no secret",
    });
    let mut names = BTreeSet::new();
    name_secrets(&value, &mut names);
    assert_eq!(names.iter().map(SecretName::as_str).collect::<Vec<_>>(), ["default", "ROOTCA"]);
}
