//! Variables that the kubelet replaces when it starts the container.
//!
//! The address and the name of a pod are not known when it is admitted, so they come by variables of the container, which
//! the kubelet replaces in arguments. It would do the same with anything of that form in the text of a user, such as the
//! path of a probe; so our variables are marked with two letters of Unicode's private use area until the text is made, and
//! every dollar of others is doubled, which is how the kubelet is told to leave it alone.

use serde_json::Value;

const BEGIN: char = '\u{e000}';
const END: char = '\u{e001}';

/// The place of a variable of the container, by its name.
pub fn variable(name: &str) -> String {
    format!("{BEGIN}{name}{END}")
}

/// Whether a text is one variable and nothing else.
pub(super) fn is_variable(text: &str) -> bool {
    text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END)).is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    })
}

/// A bootstrap as an argument of the container.
pub fn as_argument(bootstrap: &Value) -> String {
    bootstrap.to_string().replace('$', "$$").replace(BEGIN, "$(").replace(END, ")")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_variables_are_replaced() {
        let value = json!({"a": variable("POD_NAME"), "b": "/x?$(POD_NAME)&$5"});
        assert_eq!(as_argument(&value), r#"{"a":"$(POD_NAME)","b":"/x?$$(POD_NAME)&$$5"}"#);
        assert!(is_variable(&variable("POD_IP")));
        assert!(!is_variable(&format!("{}x", variable("POD_IP"))));
        assert!(!is_variable("POD_IP"));
    }
}
