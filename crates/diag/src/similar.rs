//! Suggestions for names that are nearly right.

/// The candidate closest to what was written, if it is close enough to be meant: an edit distance
/// (Damerau-Levenshtein) of at most a third of the length.
pub fn closest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let most = (written.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *candidate != written)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn near_names_only() {
        let fields = ["timeout", "retries", "route", "rewrite"];
        assert_eq!(closest("timout", fields), Some("timeout"));
        assert_eq!(closest("routes", fields), Some("route"));
        assert_eq!(closest("completelyDifferent", fields), None);
        assert_eq!(closest("route", ["route"]), None);
    }
}
