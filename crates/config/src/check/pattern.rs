//! Regular expressions, judged as RE2 would.
//!
//! The `regex` crate shares RE2's way of matching and its refusal of look-around and back-references. Where its syntax has
//! more (operations within classes, flags) or less (a brace that repeats nothing is plain in RE2), the expression is
//! rewritten or refused before it is compiled.

use regex::bytes::{Regex, RegexBuilder};

/// The longest expression, as admission has it.
const LONGEST: usize = 1024;
/// The largest compiled form in bytes.
const LARGEST: usize = 1024 * 1024;
/// The most often that RE2 repeats something.
const MOST_REPEATS: u32 = 1000;

/// What is wrong with an expression; none if nothing is.
pub(super) fn flaw(expression: &str) -> Option<String> {
    if expression.is_empty() {
        return Some("it is empty".to_owned());
    }
    if expression.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} bytes"));
    }
    compile(expression).err()
}

/// How many groups an expression captures; none if it does not compile.
pub(super) fn groups(expression: &str) -> Option<usize> {
    compile(expression).ok().map(|compiled| compiled.captures_len() - 1)
}

fn compile(expression: &str) -> Result<Regex, String> {
    let translated = translate(expression)?;
    // RE2 knows \w, \d and \s as ASCII, which is also far smaller; classes such as \p{Greek} need Unicode.
    let build = |unicode| {
        RegexBuilder::new(&translated).unicode(unicode).size_limit(LARGEST).dfa_size_limit(0).build()
    };
    match build(false).or_else(|_| build(true)) {
        Ok(compiled) => Ok(compiled),
        Err(regex::Error::CompiledTooBig(_)) => Err("its program is too large".to_owned()),
        // The last line of a message is the reason; the lines before draw the expression.
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            Err(reason.trim().trim_start_matches("error: ").to_owned())
        }
    }
}

/// The same expression in the syntax of the `regex` crate, or what RE2 refuses.
fn translate(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => escape(after, &mut out)?,
            '[' => class(after, &mut out)?,
            '{' => brace(after, &mut out)?,
            '(' => {
                flags(after)?;
                out.push('(');
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    Ok(out)
}

/// Copies what follows a backslash.
fn escape<'e>(after: &'e str, out: &mut String) -> Result<&'e str, String> {
    let Some(c) = after.chars().next() else { return Err("it ends in a backslash".to_owned()) };
    if matches!(c, '<' | '>' | 'u' | 'U' | 'R' | 'K' | 'Z' | 'G') {
        return Err(format!("RE2 has no escape \"\\{c}\""));
    }
    out.push('\\');
    out.push(c);
    let after = &after[c.len_utf8()..];
    // The braces of \p{Greek} and \x{10FFFF} belong to the escape.
    if matches!(c, 'p' | 'P' | 'x') && after.starts_with('{') {
        let Some(end) = after.find('}') else { return Err("an escape has no closing brace".to_owned()) };
        out.push_str(&after[..=end]);
        return Ok(&after[end + 1..]);
    }
    Ok(after)
}

/// Copies a bracketed class; an opening bracket, `&` and `~` are plain characters in it.
fn class<'e>(after: &'e str, out: &mut String) -> Result<&'e str, String> {
    out.push('[');
    let mut rest = after;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    if let Some(literal) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = literal;
    }
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            ']' => {
                out.push(']');
                return Ok(after);
            }
            '\\' => escape(after, out)?,
            '[' if after.starts_with(':') => {
                let Some(end) = after.find(":]") else { return Err("a named class has no end".to_owned()) };
                out.push('[');
                out.push_str(&after[..end + 2]);
                &after[end + 2..]
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    Err("a bracket has no end".to_owned())
}

/// Copies a repetition, or escapes a brace that starts none.
fn brace<'e>(after: &'e str, out: &mut String) -> Result<&'e str, String> {
    let counts = after.split_once('}').and_then(|(inner, _)| {
        let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        (!least.is_empty() && digits(least) && digits(most)).then_some((least, most))
    });
    if let Some((least, most)) = counts {
        let good = |text: &str| text.is_empty() || text.parse().is_ok_and(|count: u32| count <= MOST_REPEATS);
        if !good(least) || !good(most) {
            return Err(format!("RE2 repeats at most {MOST_REPEATS} times"));
        }
        out.push('{');
    } else {
        out.push_str("\\{");
    }
    Ok(after)
}

/// Refuses flags that only the `regex` crate has; `after` follows an opening parenthesis.
fn flags(after: &str) -> Result<(), String> {
    let Some(inner) = after.strip_prefix('?') else { return Ok(()) };
    if inner.starts_with(['P', '<', '=', '!']) {
        return Ok(());
    }
    let unknown = inner.chars().take_while(|c| !matches!(c, ')' | ':')).find(|c| !"imsU-".contains(*c));
    unknown.map_or(Ok(()), |c| Err(format!("RE2 has no flag \"{c}\"")))
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
            "(?:a)",
            "a{1,100}",
            "^/a-b$",
            "[a-z-]+",
            "/items/{id}/.*",
            "[a-z&&b]",
            "[[:alpha:]]",
            "[]a]",
            "[^]a]",
            "[a[]",
            "\\p{Greek}",
            "\\x{e9}[\\x41-\\x{5a}]",
            "^[\\w.-]{1,64}@[\\w.-]+$",
            "[^/]+",
            "é+",
        ] {
            assert_eq!(flaw(good), None, "{good}");
        }
        for bad in [
            "",
            "(",
            "*",
            "[a",
            "a\\",
            "a(?=b)",
            "(?<!a)b",
            "(a)\\1",
            "(?x)a",
            "\\<a",
            "a{1001}",
            "((a{100}){100}){100}",
        ] {
            assert!(flaw(bad).is_some(), "{bad}");
        }
        assert!(flaw(&"a".repeat(1025)).is_some());
        assert_eq!(groups("(a)(?:b)(c)"), Some(2));
    }
}
