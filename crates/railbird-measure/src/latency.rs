//! How long things took. Start at [`LatencyHistogram`].

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest duration that is told apart from longer ones: one hour.
const NS_MAX: u64 = 3_600_000_000_000;
/// Digits kept of each duration: 0.1 %.
const DIGITS: u8 = 3;

/// Durations from 1 ns to one hour, each kept to 0.1 %, in at most about 300 KB however many there are.
///
/// Longer ones count as an hour, and are counted in [`LatencyHistogram::clipped`]. Recording takes a few ns and allocates nothing.
#[derive(Debug, Clone)]
pub struct LatencyHistogram {
    counts: Histogram<u64>,
    clipped: u64,
}

/// What is told of a histogram, in nanoseconds; zeros where nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// Durations recorded.
    pub count: u64,
    /// Mean.
    pub mean_ns: u64,
    /// Half took at most this.
    pub p50_ns: u64,
    /// 99 of 100 took at most this.
    pub p99_ns: u64,
    /// 999 of 1,000 took at most this.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Longer than an hour, and counted as one.
    pub clipped: u64,
}

impl LatencyHistogram {
    /// Nothing recorded.
    pub fn new() -> Self {
        let counts = Histogram::new_with_bounds(1, NS_MAX, DIGITS);
        Self { counts: counts.expect("the bounds are constants that the crate accepts"), clipped: 0 }
    }

    /// Records one duration, ns; 0 counts as 1.
    pub fn record_ns(&mut self, ns: u64) {
        self.clipped += u64::from(ns > NS_MAX);
        self.counts.saturating_record(ns.clamp(1, NS_MAX));
    }

    /// Records one duration.
    pub fn record(&mut self, duration: Duration) {
        self.record_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all that `other` recorded, as where each thread kept its own.
    pub fn merge(&mut self, other: &Self) {
        let added = self.counts.add(&other.counts);
        added.expect("histograms of one range can be added");
        self.clipped += other.clipped;
    }

    /// Durations recorded.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Durations longer than an hour.
    pub const fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Ns that a share of the durations did not exceed, within 0.1 %; `None` where nothing was recorded.
    ///
    /// `share`: 0 to 1; outside, the nearer end counts.
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        (self.count() > 0).then(|| self.counts.value_at_quantile(share.clamp(0.0, 1.0)))
    }

    /// Half took at most this, ns; `None` where nothing was recorded.
    pub fn p50_ns(&self) -> Option<u64> {
        self.quantile_ns(0.5)
    }

    /// 99 of 100 took at most this, ns; `None` where nothing was recorded.
    pub fn p99_ns(&self) -> Option<u64> {
        self.quantile_ns(0.99)
    }

    /// The longest, ns, within 0.1 %; `None` where nothing was recorded.
    pub fn max_ns(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.counts.max())
    }

    /// All of it at once.
    pub fn summary(&self) -> LatencySummary {
        let quantile_ns = |share| self.quantile_ns(share).unwrap_or(0);
        LatencySummary {
            count: self.count(),
            mean_ns: self.counts.mean() as u64,
            p50_ns: quantile_ns(0.5),
            p99_ns: quantile_ns(0.99),
            p999_ns: quantile_ns(0.999),
            max_ns: self.max_ns().unwrap_or(0),
            clipped: self.clipped,
        }
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn histogram(durations_ns: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::new();
        durations_ns.into_iter().for_each(|ns| histogram.record_ns(ns));
        histogram
    }

    #[track_caller]
    fn check(durations_ns: impl IntoIterator<Item = u64>, want: Expect) {
        want.assert_eq(&serde_json::to_string(&histogram(durations_ns).summary()).unwrap());
    }

    #[test]
    fn tells_the_middle_the_tail_and_the_longest() {
        check(
            1..=1000,
            expect![[
                r#"{"count":1000,"mean_ns":500,"p50_ns":500,"p99_ns":990,"p999_ns":999,"max_ns":1000,"clipped":0}"#
            ]],
        );
        check(
            [0, u64::MAX],
            expect![[
                r#"{"count":2,"mean_ns":1800128167936,"p50_ns":1,"p99_ns":3601330077695,"p999_ns":3601330077695,"max_ns":3601330077695,"clipped":1}"#
            ]],
        );
        check([], expect![[r#"{"count":0,"mean_ns":0,"p50_ns":0,"p99_ns":0,"p999_ns":0,"max_ns":0,"clipped":0}"#]]);
        assert_eq!(histogram([]).p99_ns(), None);
        assert_eq!(histogram([]).max_ns(), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_thousandth(mut durations in proptest::collection::vec(1u64..NS_MAX, 1..200), share in 0.0f64..=1.0) {
            let found = histogram(durations.iter().copied()).quantile_ns(share).unwrap() as f64;
            durations.sort_unstable();
            let rank = ((durations.len() as f64 * share).ceil() as usize).max(1);
            // One rank either way: the crate rounds the share itself.
            let low = durations[rank.saturating_sub(2)] as f64 * 0.999;
            let high = durations[rank.min(durations.len() - 1)] as f64 * 1.001 + 1.0;
            prop_assert!((low..=high).contains(&found), "{found} outside {low} to {high}");
        }

        #[test]
        fn merged_is_the_same_as_recorded_together(left in proptest::collection::vec(any::<u64>(), 0..50), right in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut merged = histogram(left.iter().copied());
            merged.merge(&histogram(right.iter().copied()));
            prop_assert_eq!(merged.summary(), histogram(left.into_iter().chain(right)).summary());
        }
    }
}
