//! Medians, and the ratios of what was measured in the same round.

/// Values of one quantity, one a round, in the order of the rounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Adds a round's value.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value, or the mean of the two in the middle; not a number if there is none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// Median, least and greatest, with so many decimals: `4.62 (4.60–4.71)`.
    pub fn show(&self, decimals: usize) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{:.decimals$} ({least:.decimals$}–{greatest:.decimals$})", self.median())
    }

    /// Each value over the other's value of the same round.
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(value, base)| value / base).collect())
    }

    /// Each value less the other's value of the same round.
    pub fn less(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(value, base)| value - base).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample(values.to_vec())
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(sample(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(sample(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert!(sample(&[]).median().is_nan());
        assert_eq!(sample(&[3.0, 1.0, 2.0]).show(1), "2.0 (1.0–3.0)");
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let (ours, theirs) = (sample(&[2.0, 9.0, 4.0]), sample(&[1.0, 3.0, 4.0]));
        assert_eq!(ours.over(&theirs), sample(&[2.0, 3.0, 1.0]));
        assert_eq!(ours.less(&theirs), sample(&[1.0, 6.0, 0.0]));
    }
}
