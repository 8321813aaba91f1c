//! A median with its spread: what several rounds say about one value.

/// How sure the spread is, if there are enough rounds.
const CONFIDENCE: f64 = 0.95;

/// The median of some values, and an interval around it. With six values or more, the interval contains the true median
/// with a confidence of 95 % or more, however the values are distributed. With fewer, it is all values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// Of these values; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (count, last) = (values.len(), values.len().checked_sub(1)?);
        let outside = outside(count);
        let median = (values[last / 2] + values[count / 2]) / 2.0;
        Some(Self { median, low: values[outside], high: values[last - outside] })
    }

    /// Whether it tells the values from `value`: `value` is outside of the interval.
    pub fn excludes(&self, value: f64) -> bool {
        value < self.low || value > self.high
    }
}

/// How many of `count` sorted values can be left out at each end. At most k values are below the true median as seldom
/// as `count` tosses of a coin show at most k heads (the sign test; Hahn and Meeker, "Statistical Intervals", 1991,
/// section 5.2).
fn outside(count: usize) -> usize {
    let mut exactly = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let (mut at_most, mut heads) = (exactly, 0);
    while 1.0 - 2.0 * at_most >= CONFIDENCE {
        heads += 1;
        exactly *= (count + 1 - heads) as f64 / heads as f64;
        at_most += exactly;
    }
    heads.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Estimate::of([]), None);
        assert_eq!(Estimate::of([3.0]), Some(Estimate { median: 3.0, low: 3.0, high: 3.0 }));
        assert_eq!(Estimate::of([4.0, 1.0]), Some(Estimate { median: 2.5, low: 1.0, high: 4.0 }));
        assert_eq!(Estimate::of([9.0, 1.0, 2.0]), Some(Estimate { median: 2.0, low: 1.0, high: 9.0 }));
    }

    #[test]
    fn the_interval_leaves_out_as_many_values_as_the_sign_test_allows() {
        // From a table of the sign test, two-sided, 5 %.
        for (count, expected) in [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (20, 5), (25, 7)] {
            assert_eq!(outside(count), expected, "{count}");
        }
        let one_outlier = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 99.0];
        assert_eq!(Estimate::of(one_outlier), Some(Estimate { median: 1.4, low: 1.1, high: 1.7 }));
    }

    #[test]
    fn a_difference_is_told_from_noise() {
        let ratio = Estimate { median: 0.97, low: 0.96, high: 0.99 };
        assert!(ratio.excludes(1.0) && !ratio.excludes(0.98));
    }
}
