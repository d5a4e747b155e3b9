//! Medians, percentiles and ranges of small sets of numbers.

use std::time::Duration;

/// A value that was measured several times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    /// Half of the values are from the lower quartile to the upper.
    pub lower: f64,
    pub upper: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |part| quantile(&values, part);
        Some(Spread { median: at(0.5)?, lower: at(0.25)?, upper: at(0.75)? })
    }
}

/// The value at this part of them, between two where it falls there; they are in order.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let position = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted.get(position.floor() as usize)?, sorted.get(position.ceil() as usize)?);
    Some(below + (above - below) * position.fract())
}

/// The value that this part of them does not exceed (nearest rank), in milliseconds; they are in order.
pub fn percentile_ms(sorted: &[Duration], part: f64) -> Option<f64> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map(|duration| duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_may_fall_between_values() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, lower: 1.75, upper: 5.25 }));
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, lower: 1.5, upper: 2.5 }));
        assert_eq!(Spread::of([7.0]), Some(Spread { median: 7.0, lower: 7.0, upper: 7.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&sorted, 0.5), Some(100.0));
        assert_eq!(percentile_ms(&sorted, 0.99), Some(198.0));
        assert_eq!(percentile_ms(&sorted[..1], 0.99), Some(1.0));
        assert_eq!(percentile_ms(&[], 0.5), None);
    }
}
