//! Regular expressions, judged as RE2 would.
//!
//! The `regex` crate shares RE2's syntax and its refusal of look-around and back-references. It knows a few things more
//! (character class operations, unbraced hexadecimal escapes of eight digits, `\<`), which are refused here by hand.

use regex::RegexBuilder;

/// The longest expression, as admission has it.
const LONGEST: usize = 1024;
/// The largest compiled form in bytes. An expression that passes stays below the program sizes that make Envoy warn.
const LARGEST: usize = 256 * 1024;

/// What is wrong with an expression; none if nothing is.
pub(super) fn flaw(expression: &str) -> Option<String> {
    if expression.is_empty() {
        return Some("it is empty".to_owned());
    }
    if expression.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} characters"));
    }
    if let Some(found) = ["&&", "--", "~~"].into_iter().find(|operation| in_class(expression, operation)) {
        return Some(format!("RE2 has no operation \"{found}\" within a class"));
    }
    if let Some(found) = ["\\<", "\\>"].into_iter().find(|escape| expression.contains(escape)) {
        return Some(format!("RE2 has no escape \"{found}\""));
    }
    match RegexBuilder::new(expression).size_limit(LARGEST).dfa_size_limit(0).build() {
        Ok(_) => None,
        Err(regex::Error::CompiledTooBig(_)) => Some("its program is too large".to_owned()),
        // The last line of a message is the reason; the lines before draw the expression.
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            Some(reason.trim().trim_start_matches("error: ").to_owned())
        }
    }
}

/// How many groups an expression captures; none if it does not compile.
pub(super) fn groups(expression: &str) -> Option<usize> {
    let compiled = RegexBuilder::new(expression).size_limit(LARGEST).build().ok()?;
    Some(compiled.captures_len() - 1)
}

/// Whether a two-character operation stands within a bracketed class.
fn in_class(expression: &str, operation: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for (at, c) in expression.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' => escaped = true,
            '[' => inside = true,
            ']' => inside = false,
            _ if inside && expression[at..].starts_with(operation) => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_takes_and_what_it_does_not() {
        for good in [
            "a",
            ".*",
            "/v[0-9]+/.*",
            "(?i)abc",
            "\\d+\\.\\w",
            "(?P<name>x)",
            "a{1,100}",
            "^/a-b$",
            "[a-z-]+",
        ] {
            assert_eq!(flaw(good), None, "{good}");
        }
        for bad in ["", "(", "*", "a(?=b)", "(a)\\1", "[a-z&&b]", "\\<a", "a{1000}{1000}"] {
            assert!(flaw(bad).is_some(), "{bad}");
        }
        assert!(flaw(&"a".repeat(1025)).is_some());
        assert_eq!(groups("(a)(?:b)(c)"), Some(2));
    }
}
