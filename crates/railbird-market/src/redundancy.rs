//! How often a walk would make the same forecast again. Start at [`redundancy`]: a dry run, nothing is forecast.

use serde::Serialize;

use crate::{Error, data::Key, forecasts::Plan};

/// Calls and what of them is needed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Redundancy {
    /// Forecasts asked for.
    pub calls: usize,
    /// Different ones among them.
    pub unique: usize,
    /// Share of calls that repeat an earlier one.
    pub redundant: f64,
}

impl Redundancy {
    fn of(plan: &Plan) -> Self {
        let (calls, unique) = (plan.calls(), plan.unique().len());
        Self { calls, unique, redundant: (calls - unique) as f64 / (calls as f64).max(1.0) }
    }
}

/// Both counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RedundancyReport {
    /// Simulations.
    pub sims: usize,
    /// One-step forecasts a simulation and key.
    pub horizon: usize,
    /// Days of history.
    pub days: usize,
    /// Keys that are forecast.
    pub keys: usize,
    /// The loop: simulation `s` of 1 to S forecasts its last `horizon` days.
    pub walk: Redundancy,
    /// The coarser count on paper: simulation `s` of 0 to S - 1 forecasts every day that it sees.
    pub paper: Redundancy,
    /// How often each day is forecast a key.
    pub by_day: Vec<DayUses>,
}

/// Uses of a day's forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DayUses {
    /// Day, from 0.
    pub day: usize,
    /// Simulations of the loop that forecast it.
    pub walk: usize,
    /// Simulations of the paper count that forecast it.
    pub paper: usize,
}

/// Most simulations times days: the dry run counts each call.
const WORK_MAX: usize = 1 << 28;

/// Counts.
///
/// # Errors
/// [`Error::Setting`] for no simulations or more than the days hold, no horizon, or more calls than can be counted.
pub fn redundancy(sims: usize, horizon: usize, days: usize) -> Result<RedundancyReport, Error> {
    let setting = |what, expected, found: usize| Err(Error::Setting { what, expected, found: found.to_string() });
    if sims == 0 || sims > days {
        return setting("sims", "1 to the number of days", sims);
    }
    if horizon == 0 || sims.saturating_add(horizon) > days.saturating_add(1) {
        return setting("horizon", "1 to days - sims + 1", horizon);
    }
    if sims.saturating_mul(days.max(horizon)) > WORK_MAX {
        return setting("days", "fewer days or simulations: at most 268,435,456 of one times the other", days);
    }
    let paper_targets = (0..sims).flat_map(|sim| 0..days - sim);
    let paper = Plan::new(days, paper_targets.flat_map(|day| Key::ALL.map(|key| (key, day))));
    let by_day = (0..days).map(|day| {
        // Simulation s aims at days - s - horizon + 1 to days - s.
        let first = (days - day).saturating_sub(horizon - 1).max(1);
        let last = (days - day).min(sims);
        DayUses { day, walk: (last + 1).saturating_sub(first), paper: (days - day).min(sims) }
    });
    Ok(RedundancyReport {
        sims,
        horizon,
        days,
        keys: Key::ALL.len(),
        walk: Redundancy::of(&Plan::simulations(days, sims, horizon)),
        paper: Redundancy::of(&paper),
        by_day: by_day.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counts_are_exact() {
        for (sims, walk, paper) in [
            (70, (1960, 304), (46_340, 800)),
            (50, (1400, 224), (35_100, 800)),
            (35, (980, 164), (25_620, 800)),
            (10, (280, 64), (7_820, 800)),
        ] {
            let report = redundancy(sims, 7, 200).unwrap();
            assert_eq!((report.walk.calls, report.walk.unique), walk);
            assert_eq!((report.paper.calls, report.paper.unique), paper);
        }
        let report = redundancy(70, 7, 200).unwrap();
        assert_eq!(format!("{:.4} {:.4}", report.walk.redundant, report.paper.redundant), "0.8449 0.9827");
        let ten = redundancy(10, 7, 200).unwrap();
        assert_eq!(format!("{:.3} {:.3}", ten.walk.redundant, ten.paper.redundant), "0.771 0.898");
    }

    #[test]
    fn days_seen_by_all_are_used_by_all() {
        let report = redundancy(70, 7, 200).unwrap();
        assert_eq!(report.by_day.iter().filter(|uses| uses.paper == 70).count(), 131);
        assert_eq!(report.by_day[50].paper, 70);
        for (calls, uses) in [
            (report.walk.calls, report.by_day.iter().map(|uses| uses.walk).sum::<usize>()),
            (report.paper.calls, report.by_day.iter().map(|uses| uses.paper).sum()),
        ] {
            assert_eq!(calls, uses * 4);
        }
        assert_eq!(report.by_day[199].walk, 1);
        assert_eq!(report.by_day[193].walk, 7);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (sims, horizon, days) in [(0, 7, 200), (70, 0, 200), (201, 1, 200), (70, 132, 200), (1 << 20, 1, 1 << 20)] {
            assert!(redundancy(sims, horizon, days).is_err(), "{sims} {horizon} {days}");
        }
    }
}
