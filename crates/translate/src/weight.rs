//! Weights that Envoy can add up.
//!
//! Envoy refuses a whole resource if the weights in it add up to more than 32 bits hold, and users may write weights up
//! to that size each.

/// Scales weights so that their sum fits 32 bits; each stays at least 1. Weights that fit already are untouched.
pub(crate) fn fit(weights: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let weights: Vec<u32> = weights.into_iter().map(|weight| weight.max(1)).collect();
    let sum: u64 = weights.iter().copied().map(u64::from).sum();
    // Rounding up to 1 may add one per entry, so that much room is left.
    let room = u64::from(u32::MAX).saturating_sub(weights.len() as u64).max(1);
    if sum <= room {
        return weights;
    }
    weights
        .into_iter()
        .map(|weight| {
            let scaled = u128::from(weight) * u128::from(room) / u128::from(sum);
            u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_weights_are_untouched() {
        assert_eq!(fit([90, 10]), [90, 10]);
        assert_eq!(fit([0]), [1]);
        assert!(fit([]).is_empty());
    }

    #[test]
    fn large_weights_fit_and_keep_their_ratio() {
        for weights in [vec![u32::MAX, u32::MAX], vec![u32::MAX, 1, 1], vec![u32::MAX; 1000]] {
            let fitted = fit(weights);
            assert!(fitted.iter().try_fold(0u32, |sum, weight| sum.checked_add(*weight)).is_some());
            assert!(fitted.iter().all(|weight| *weight >= 1));
        }
        let even = fit([u32::MAX, u32::MAX]);
        assert_eq!(even[0], even[1]);
    }
}
