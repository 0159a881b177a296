//! Bounds for shares that are drawn at random.

/// The bounds within which the number of hits lies when `n` draws each hit with probability `p`, but for a chance
/// of less than one in a hundred thousand (4.5 standard deviations of the normal approximation).
pub fn binomial_bounds(n: u64, p: f64) -> std::ops::RangeInclusive<u64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are small")]
    let draws = n as f64;
    let (mean, spread) = (draws * p, 4.5 * (draws * p * (1.0 - p)).sqrt());
    #[expect(clippy::cast_sign_loss, reason = "clamped at zero")]
    let (low, high) = ((mean - spread).floor().max(0.0) as u64, (mean + spread).ceil().max(0.0) as u64);
    low..=high.min(n)
}

#[cfg(test)]
mod tests {
    use super::binomial_bounds;

    #[test]
    fn holds_the_mean_and_not_the_extremes() {
        let bounds = binomial_bounds(1000, 0.1);
        assert!(bounds.contains(&100) && bounds.contains(&70));
        assert!(!bounds.contains(&0) && !bounds.contains(&200));
        assert_eq!(binomial_bounds(100, 0.0), 0..=0);
    }
}
