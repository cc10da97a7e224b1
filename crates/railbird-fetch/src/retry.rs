//! Whether and when to try again. Start at [`pause`].

use std::time::{Duration, UNIX_EPOCH};

use railbird_timeline::Ts;

use crate::{Error, FetchRules};

/// How long to wait before the next attempt; `None`: do not.
///
/// `attempts`: those made, at least 1. `chance`: 0 to 1.
pub(crate) fn pause(rules: &FetchRules, attempts: u32, failure: &Error, chance: f64) -> Option<Duration> {
    if attempts >= rules.attempts_max || !failure.is_transient() {
        return None;
    }
    let doubled = rules.backoff_first.saturating_mul(1u32.checked_shl(attempts - 1).unwrap_or(u32::MAX));
    // Half of it is random, so that those who failed together do not come back together.
    let backoff = doubled.min(rules.backoff_max).mul_f64(1.0 - 0.5 * chance);
    match failure {
        Error::Status { retry_after: Some(asked), .. } if *asked > rules.retry_after_max => None,
        Error::Status { retry_after: Some(asked), .. } => Some(backoff.max(*asked)),
        _ => Some(backoff),
    }
}

/// What a `Retry-After` header asks for: seconds, or a date. One that is past asks for nothing.
pub(crate) fn retry_after(header: &str, now: Ts) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    let since_1970 = date.duration_since(UNIX_EPOCH).ok()?;
    let at = Ts(i64::try_from(since_1970.as_nanos()).ok()?);
    Some(at.duration_since(now))
}

/// Numbers from 0 to 1 that look random and begin at a seed (splitmix64).
pub(crate) fn chance(state: u64) -> f64 {
    let mut mixed = state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::Hosts;

    fn status(status: u16, retry_after_s: Option<u64>) -> Error {
        Error::Status { url: String::new(), status, retry_after: retry_after_s.map(Duration::from_secs) }
    }

    #[track_caller]
    fn check(failure: &Error, chance: f64, want: Expect) {
        let rules = FetchRules { attempts_max: 9, ..FetchRules::new(Hosts::Any) };
        let pauses: Vec<_> = (1..10).map(|attempts| pause(&rules, attempts, failure, chance)).collect();
        want.assert_eq(&format!("{pauses:?}"));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_attempts_end() {
        check(
            &status(503, None),
            0.0,
            expect!["[Some(500ms), Some(1s), Some(2s), Some(4s), Some(8s), Some(16s), Some(20s), Some(20s), None]"],
        );
        check(
            &status(503, None),
            1.0,
            expect!["[Some(250ms), Some(500ms), Some(1s), Some(2s), Some(4s), Some(8s), Some(10s), Some(10s), None]"],
        );
    }

    #[test]
    fn the_server_is_given_the_time_that_it_asks_for_or_left_alone() {
        check(
            &status(429, Some(7)),
            0.0,
            expect!["[Some(7s), Some(7s), Some(7s), Some(7s), Some(8s), Some(16s), Some(20s), Some(20s), None]"],
        );
        check(&status(429, Some(61)), 0.0, expect!["[None, None, None, None, None, None, None, None, None]"]);
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        check(&status(404, Some(1)), 0.0, expect!["[None, None, None, None, None, None, None, None, None]"]);
        check(
            &Error::TooLarge { url: String::new(), bytes_max: 1 },
            0.0,
            expect!["[None, None, None, None, None, None, None, None, None]"],
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Ts::parse(b"2025-03-16T04:00:00Z").unwrap();
        let seconds = |header: &str| retry_after(header, now).map(|asked| asked.as_secs());
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("Sun, 16 Mar 2025 04:00:30 GMT"), Some(30));
        assert_eq!(seconds("Sun, 16 Mar 2025 03:59:30 GMT"), Some(0));
        for header in ["", "-1", "soon", "99999999999999999999", "1.5"] {
            assert_eq!(seconds(header), None, "{header}");
        }
    }

    #[test]
    fn chance_is_spread_over_its_range_and_repeats() {
        let draws: Vec<f64> = (0..1000u64).map(|n| chance(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_eq!(chance(7), chance(7));
    }
}
