//! Symbols that are made up, with what is true of them. Start at [`simulate`].
//!
//! Each symbol is a price that moves in [`STEPS`] steps a bar, so that open, high, low and close belong together; written as
//! the CSV that real sources give. Prices are rounded to cents after everything else. The same options give the same
//! bytes.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

/// Steps of the price within a bar.
pub const STEPS: usize = 48;
/// First day of every symbol, days since 1970: Monday, 6 January 2020.
const FIRST_DAY: i64 = 18_267;

/// What is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulateOptions {
    /// Seed.
    pub seed: u64,
    /// Bars a symbol, at least 40.
    pub bars: usize,
}

impl Default for SimulateOptions {
    fn default() -> Self {
        Self { seed: 1, bars: 700 }
    }
}

/// How a symbol moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Yesterday's return carries over in part: a forecaster of trends has something to find.
    Trend,
    /// The price is drawn back to a slow mean.
    Reversion,
    /// Few large jumps among small moves.
    Jumps,
    /// A share that is split two for one; its prices are not adjusted, `split_ratio` says so.
    Split,
    /// Traded every day of the week, with days missing.
    Hole,
    /// Nothing to find: a random walk.
    Walk,
}

/// What is true of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Symbol.
    pub symbol: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Bar, from 0, before whose open it was split.
    pub split_at: Option<usize>,
    /// Bar, from 0, before which days are missing.
    pub hole_at: Option<usize>,
    /// Days missing there.
    pub hole_days: i64,
    /// Bars that hold a jump of at least six standard deviations.
    pub jumps: Vec<usize>,
}

/// A symbol's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedSymbol {
    /// Name of the file.
    pub file: String,
    /// Its bytes, CSV.
    pub bytes: Vec<u8>,
    /// What is true of it.
    pub truth: Truth,
}

/// Days missing in the symbol with a hole.
const HOLE_DAYS: i64 = 13;

/// One symbol of each [`Kind`], in that order.
pub fn simulate(options: &SimulateOptions) -> Vec<SimulatedSymbol> {
    [
        ("SIMTREND", Kind::Trend),
        ("SIMREVERT", Kind::Reversion),
        ("SIMJUMP", Kind::Jumps),
        ("SIMSPLIT", Kind::Split),
        ("SIMUSD", Kind::Hole),
        ("SIMWALK", Kind::Walk),
    ]
    .into_iter()
    .enumerate()
    .map(|(stream, (symbol, kind))| one(symbol, kind, options, stream as u64))
    .collect()
}

fn one(symbol: &'static str, kind: Kind, options: &SimulateOptions, stream: u64) -> SimulatedSymbol {
    let mut random = Random::new(options.seed, stream);
    let bars = options.bars.max(40);
    let split_at = (kind == Kind::Split).then(|| bars / 2 + random.below(bars / 8));
    let hole_at = (kind == Kind::Hole).then(|| bars / 4 + random.below(bars / 8));
    let daily = if kind == Kind::Hole { 0.03 } else { 0.014 };
    let mut truth = Truth { symbol, kind, split_at, hole_at, hole_days: 0, jumps: Vec::new() };
    let mut csv = String::from("timestamp,open,high,low,close,volume");
    csv.push_str(if kind == Kind::Split { ",split_ratio\n" } else { "\n" });
    let (mut log, mut mean, mut carried) = (100.0_f64.ln(), 100.0_f64.ln(), 0.0_f64);
    let (mut volatility, mut factor) = (1.0_f64, 1.0_f64);
    let mut day = FIRST_DAY;
    for bar in 0..bars {
        if hole_at == Some(bar) {
            truth.hole_days = HOLE_DAYS;
            day += HOLE_DAYS;
        }
        let ratio = if split_at == Some(bar) { 2.0 } else { 1.0 };
        factor /= ratio;
        // Volatility comes in clusters, as it does everywhere.
        volatility = (0.94 * volatility.ln() + 0.10 * random.normal()).exp();
        let sigma = daily * volatility;
        let pull = if kind == Kind::Reversion { -0.12 * (log - mean) } else { 0.0 };
        let drift = if kind == Kind::Trend { 0.35 * carried } else { pull } + 0.0002;
        mean += 0.002 * random.normal();
        // Between the close and the open the price moves too.
        let overnight = if kind == Kind::Hole { 0.0 } else { 0.3 * sigma * random.normal() };
        let before = log;
        log += overnight;
        if kind == Kind::Jumps && random.below(50) == 0 {
            let up = if random.below(2) == 0 { 1.0 } else { -1.0 };
            log += up * daily * (6.0 + 3.0 * random.share());
            truth.jumps.push(bar);
        }
        let open = log;
        let (mut high, mut low) = (log, log);
        let step = sigma / (STEPS as f64).sqrt();
        for _ in 0..STEPS {
            log += drift / STEPS as f64 + step * random.normal();
            high = high.max(log);
            low = low.min(log);
        }
        carried = log - before;
        let price = |log: f64| (log.exp() * factor * 100.0).round() / 100.0;
        let volume = (1e6 * volatility * (0.4 * random.normal()).exp() / factor).round();
        let (open, high, low, close) = (price(open), price(high), price(low), price(log));
        write!(csv, "{},{open:.2},{high:.2},{low:.2},{close:.2},{volume}", date_time(day))
            .expect("writing to a string cannot fail");
        csv.push_str(match (kind, ratio > 1.0) {
            (Kind::Split, true) => ",2.0\n",
            (Kind::Split, false) => ",1.0\n",
            _ => "\n",
        });
        day += 1;
        // Exchanges rest at the weekend: day 0 of 1970 was a Thursday.
        while kind != Kind::Hole && matches!((day + 3).rem_euclid(7), 5 | 6) {
            day += 1;
        }
    }
    SimulatedSymbol { file: format!("{symbol}.csv"), bytes: csv.into_bytes(), truth }
}

/// `2020-01-06 00:00:00+00:00` of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date_time(day: i64) -> String {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02} 00:00:00+00:00")
}

struct Random {
    source: ChaCha8Rng,
    /// The second of a pair of normal numbers.
    spare: Option<f64>,
}

impl Random {
    fn new(seed: u64, stream: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(stream);
        Self { source, spare: None }
    }

    /// Above 0, below 1.
    fn share(&mut self) -> f64 {
        ((self.source.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }

    /// Standard normal, by the polar method (Marsaglia 1962).
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.share() - 1.0, 2.0 * self.share() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLE_DAYS, Kind, SimulateOptions, date_time, simulate};

    fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = std::str::from_utf8(bytes).expect("text");
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    fn closes(bytes: &[u8]) -> Vec<f64> {
        rows(bytes).iter().map(|row| row[4].parse().expect("a price")).collect()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00:00+00:00");
        assert_eq!(date_time(18_267), "2020-01-06 00:00:00+00:00");
        assert_eq!(date_time(18_321), "2020-02-29 00:00:00+00:00");
        assert_eq!(date_time(19_723), "2024-01-01 00:00:00+00:00");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        let options = SimulateOptions { seed: 3, bars: 120 };
        assert_eq!(simulate(&options), simulate(&options));
        let other = simulate(&SimulateOptions { seed: 4, ..options });
        assert!(simulate(&options).iter().zip(&other).all(|(a, b)| a.bytes != b.bytes));
    }

    #[test]
    fn every_bar_is_whole_and_in_order() {
        for symbol in simulate(&SimulateOptions::default()) {
            let rows = rows(&symbol.bytes);
            assert_eq!(rows.len(), 700, "{}", symbol.file);
            for (before, row) in rows.iter().zip(&rows[1..]) {
                assert!(before[0] < row[0], "{}: {} then {}", symbol.file, before[0], row[0]);
                let [open, high, low, close]: [f64; 4] = std::array::from_fn(|k| row[k + 1].parse().expect("a price"));
                assert!(low > 0.0 && low <= open.min(close) && high >= open.max(close), "{}: {row:?}", symbol.file);
            }
        }
    }

    #[test]
    fn what_is_true_shows_in_the_prices() {
        let symbols = simulate(&SimulateOptions { seed: 1, bars: 3000 });
        let of = |kind| symbols.iter().find(|one| one.truth.kind == kind).expect("one of each");
        // Correlation of a return with the one before it.
        let carries = |kind| {
            let closes = closes(&of(kind).bytes);
            let returns: Vec<f64> = closes.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
            let mean = returns.iter().sum::<f64>() / returns.len() as f64;
            let product =
                |lag: usize| returns.iter().zip(&returns[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
            product(1) / product(0)
        };
        assert!(carries(Kind::Trend) > 0.15, "{}", carries(Kind::Trend));
        assert!(carries(Kind::Walk).abs() < 0.06, "{}", carries(Kind::Walk));
        assert!(carries(Kind::Reversion) < carries(Kind::Walk), "{}", carries(Kind::Reversion));

        let split = of(Kind::Split);
        let at = split.truth.split_at.expect("a split");
        let (rows, closes) = (rows(&split.bytes), closes(&split.bytes));
        assert_eq!(rows[at][6], "2.0");
        assert!((closes[at] / closes[at - 1] - 0.5).abs() < 0.1, "{} to {}", closes[at - 1], closes[at]);

        let hole = of(Kind::Hole);
        assert_eq!(hole.truth.hole_days, HOLE_DAYS);
        assert!(hole.truth.hole_at.is_some());
        assert!(!of(Kind::Jumps).truth.jumps.is_empty());
    }
}
