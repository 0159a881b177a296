//! Which resource a client's words are about.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::resource::Resource;

/// Most bytes of a client's words that are kept.
const MESSAGE: usize = 4_096;

/// The words, cut at a character.
pub(super) fn message(text: &str) -> Arc<str> {
    Arc::from(&text[..text.floor_char_boundary(MESSAGE)])
}

/// The resources whose names stand in the text as words of their own, such as
/// `Error adding/updating cluster(s) a: …, b: …`.
pub(super) fn named(text: &str, resources: &[Arc<Resource>]) -> BTreeSet<Arc<str>> {
    let words: BTreeSet<&str> = text.split_whitespace().flat_map(readings).collect();
    resources.iter().filter(|r| words.contains(&*r.name)).map(|r| Arc::clone(&r.name)).collect()
}

/// A word as it stands and without the quotes and stops around it. A name may itself end in such a character.
fn readings(word: &str) -> impl Iterator<Item = &str> {
    let open = word.trim_start_matches(['\'', '"', '`', '(', '[']);
    let mut rest = Some(open);
    std::iter::once(word).chain(std::iter::from_fn(move || {
        let now = rest?;
        rest = now.strip_suffix([',', ':', ';', '.', '\'', '"', '`', ')', ']']);
        Some(now)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_in_the_words_of_an_envoy() {
        let resources: Vec<_> = ["a", "bad", "outbound|80||c.ns", "0.0.0.0_80", "x:"]
            .map(|name| Arc::new(Resource::new(name, Vec::new(), [])))
            .into();
        for (text, expected) in [
            (
                "Error adding/updating cluster(s) bad: Unknown type, outbound|80||c.ns: no",
                vec!["bad", "outbound|80||c.ns"],
            ),
            ("Error adding/updating listener(s) 0.0.0.0_80: address 'a'", vec!["0.0.0.0_80", "a"]),
            ("duplicate \"x:\".", vec!["x:"]),
            ("missing ): (", vec![]),
            ("badly abc", vec![]),
            ("", vec![]),
        ] {
            let found = named(text, &resources);
            let mut expected: Vec<&str> = expected;
            expected.sort_unstable();
            assert_eq!(found.iter().map(|name| &**name).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn words_are_cut_at_a_character() {
        let text = "é".repeat(MESSAGE);
        assert_eq!(message(&text).len(), MESSAGE);
        assert_eq!(message(&format!("x{text}")).len(), MESSAGE - 1);
        assert_eq!(&*message("short"), "short");
    }
}
