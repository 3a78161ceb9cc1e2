//! Whether numbers are spread as evenly as chance spreads them.

/// Asserts that `slots` (each below `count`) are as even as random ones: that their chi-squared
/// statistic is one that chance exceeds in fewer than one case of a million, by the bound of
/// Laurent and Massart.
pub(crate) fn assert_even(slots: impl Iterator<Item = usize>, count: usize) {
    let mut hits = vec![0u32; count];
    let mut total = 0;
    for slot in slots {
        hits[slot] += 1;
        total += 1;
    }
    let expected = f64::from(total) / count as f64;
    let statistic: f64 =
        hits.iter().map(|hits| (f64::from(*hits) - expected).powi(2) / expected).sum();
    let freedom = (count - 1) as f64;
    let exponent = 1e6f64.ln();
    let most = freedom + 2.0 * (freedom * exponent).sqrt() + 2.0 * exponent;
    assert!(statistic < most, "chi-squared is {statistic:.0}, more than {most:.0}");
}
