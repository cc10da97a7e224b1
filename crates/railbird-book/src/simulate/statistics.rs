//! The shape of simulated rows beside the shape that they should have. Start at [`Statistics::against_targets`].

use std::fmt::Write as _;

use serde::Serialize;

use super::{census::Census, profile::Profile};

const HOUR_NS: i64 = 3_600_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;

/// Shape of the rows of a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// Rows.
    pub rows: u64,
    /// Bars of 5 s from the first row's to the last row's.
    pub bars: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes a row of the file.
    pub bytes_a_row: f64,
    /// Share of events with a parent.
    pub branching: f64,
    /// Share of rows that add.
    pub adds: f64,
    /// Share of rows that cancel.
    pub cancels: f64,
    /// Share of rows that are trades.
    pub trades: f64,
    /// Share of rows at the first level.
    pub first_level: f64,
    /// Share of rows at the second level.
    pub second_level: f64,
    /// Share of adds of exactly 100.
    pub hundreds: f64,
    /// Standard deviation of the logarithm of the other sizes.
    pub log_size_deviation: f64,
    /// Share of rows that have the time of a neighbour.
    pub sharing_time: f64,
    /// 99th percentile of rows a bar over their mean.
    pub burstiness: f64,
    /// Share of trades without an aggressor's side.
    pub trades_unknown: f64,
    /// Share of events of more than one row.
    pub events_of_several: f64,
    /// Rows a bar in the first half hour of the regular session over those from 12:00 to 13:30.
    pub open_over_noon: f64,
    /// Rows a bar in the last half hour of the regular session over those from 12:00 to 13:30.
    pub close_over_noon: f64,
    /// Rows a bar from midnight to 04:00 over those from 12:00 to 13:30.
    pub night_over_noon: f64,
}

/// A figure and where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Target {
    /// What it is.
    pub name: &'static str,
    /// What it is here.
    pub value: f64,
    /// What it is in real files, or what the simulator aims at.
    pub target: f64,
    /// Least value that is near enough.
    pub low: f64,
    /// Greatest value that is near enough.
    pub high: f64,
}

impl Target {
    /// Whether the value is near enough.
    pub fn holds(&self) -> bool {
        (self.low..=self.high).contains(&self.value)
    }
}

impl Statistics {
    pub(super) fn new(census: &Census, profile: &Profile, bytes: u64, immigrants: u64, children: u64) -> Self {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let rows = census.rows;
        let others = census.others.max(1) as f64;
        let log_mean = census.log_size[0] / others;
        let mut bars = census.bars.clone();
        bars.sort_unstable();
        let mean = rows as f64 / bars.len().max(1) as f64;
        let p99 = bars.get(bars.len() * 99 / 100).copied().unwrap_or_default();
        let open = profile.open_ns;
        let noon = census.rows_a_bar(open + 150 * MINUTE_NS, open + 240 * MINUTE_NS);
        let over_noon = |from: i64, to: i64| census.rows_a_bar(from, to) / noon;
        Self {
            rows,
            bars: bars.len() as u64,
            bytes,
            bytes_a_row: bytes as f64 / rows.max(1) as f64,
            branching: share(children, immigrants + children),
            adds: share(census.adds, rows),
            cancels: share(census.cancels, rows),
            trades: share(census.trades, rows),
            first_level: share(census.first_level, rows),
            second_level: share(census.second_level, rows),
            hundreds: share(census.hundreds, census.adds),
            log_size_deviation: (census.log_size[1] / others - log_mean * log_mean).max(0.0).sqrt(),
            sharing_time: share(census.sharing_time, rows),
            burstiness: f64::from(p99) / mean,
            trades_unknown: share(census.trades_unknown, census.trades),
            events_of_several: share(census.events_of_several, census.events),
            open_over_noon: over_noon(open, open + HOUR_NS / 2),
            close_over_noon: over_noon(open + 12 * HOUR_NS / 2, open + 13 * HOUR_NS / 2),
            night_over_noon: over_noon(profile.start_ns, profile.start_ns + 4 * HOUR_NS),
        }
    }

    /// Every figure of a day of ten-level rows and the default options beside its target.
    ///
    /// Targets of shares, times, sizes and bursts are those of a real file of a busy share (XNAS, 121,619 rows); the
    /// day's rows, bars and outline are those of a busy future.
    pub fn against_targets(&self) -> Vec<Target> {
        let target = |name, value, target, low, high| Target { name, value, target, low, high };
        vec![
            target("rows", self.rows as f64, 1.9e6, 1.8e6, 2.0e6),
            target("bars of 5 s", self.bars as f64, 17_281.0, 17_280.0, 17_281.0),
            target("bytes a row", self.bytes_a_row, 25.5, 24.0, 27.0),
            target("branching", self.branching, 0.87, 0.86, 0.88),
            target("adds", self.adds, 0.47, 0.455, 0.485),
            target("cancels", self.cancels, 0.46, 0.445, 0.475),
            target("trades", self.trades, 0.07, 0.06, 0.08),
            target("first level", self.first_level, 0.69, 0.67, 0.71),
            target("second level", self.second_level, 0.17, 0.155, 0.185),
            target("adds of 100", self.hundreds, 0.28, 0.22, 0.34),
            target("deviation of ln size", self.log_size_deviation, 1.89, 1.7, 2.1),
            target("rows sharing a time", self.sharing_time, 0.065, 0.05, 0.08),
            target("p99 of rows a bar / mean", self.burstiness, 4.8, 4.4, 5.2),
            target("trades of side N", self.trades_unknown, 0.29, 0.27, 0.31),
            target("events of several rows", self.events_of_several, 0.016, 0.008, 0.03),
            target("open / noon", self.open_over_noon, 1.6, 1.3, 2.1),
            target("close / noon", self.close_over_noon, 1.5, 1.2, 2.0),
            target("night / noon", self.night_over_noon, 0.18, 0.12, 0.25),
        ]
    }
}

/// Figures and targets as a table.
pub fn targets_table(targets: &[Target]) -> String {
    let mut text = String::from("figure                          here        target      from        to\n");
    for target in targets {
        let mark = if target.holds() { "" } else { "  <- outside" };
        let Target { name, value, target, low, high } = target;
        let number = |value: &f64| {
            if *value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
        };
        // A String takes everything that is written to it.
        let _ = writeln!(
            text,
            "{name:30}  {:10}  {:10}  {:10}  {:10}{mark}",
            number(value),
            number(target),
            number(low),
            number(high)
        );
    }
    text
}
