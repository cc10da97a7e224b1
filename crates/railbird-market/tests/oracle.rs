//! The engine beside a plain reading of the semantics in Python, on real bars: equal integers, returns within 1e-12.

mod common;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use common::{daily, series, symbol};
use railbird_market::{
    Costs, FillMode, Forecasts, Policy, Schedule, WalkInput, WalkRules,
    data::{Bars, Key, LoadOptions},
    strategy::{STRATEGIES, strategy},
    walk,
};
use serde_json::{Value, json};

fn oracle(given: &Value) -> Value {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/oracles/market_plain.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs the oracle");
    child.stdin.take().expect("piped").write_all(given.to_string().as_bytes()).expect("written");
    let ended = child.wait_with_output().expect("ended");
    assert!(ended.status.success(), "the oracle failed");
    serde_json::from_slice(&ended.stdout).expect("a document")
}

/// NaN is missing.
fn known(values: impl Iterator<Item = f64>) -> Vec<Option<f64>> {
    values.map(|value| Some(value).filter(|value| value.is_finite())).collect()
}

/// Four finer bars in each bar, made up from a seed, within its range and true to its open, close, high and low.
fn finer(bars: &Bars) -> Bars {
    let mut finer = Bars::default();
    for at in 0..bars.len() {
        let (open, high, low, close) = (bars.open[at], bars.high[at], bars.low[at], bars.close[at]);
        let path = match at % 4 {
            0 => [open, high, low, (open + close) / 2.0, close],
            1 => [open, low, high, (low + close) / 2.0, close],
            2 => [open, (open + low) / 2.0, low, high, close],
            _ => [open, (open + high) / 2.0, high, low, close],
        };
        for step in 0..4 {
            let (from, to) = (path[step], path[step + 1]);
            finer.time.push(bars.time[at].saturating_add(step as i64 * 3_600_000_000_000));
            finer.open.push(from);
            finer.close.push(to);
            finer.high.push(from.max(to));
            finer.low.push(from.min(to));
            finer.volume.push(1.0);
        }
    }
    finer
}

fn check(path: &Path, mode: FillMode, costs: Costs, missing_every: Option<usize>) {
    let series = series(path, &LoadOptions::default()).expect("read");
    let whole = series.segment_bars(series.newest());
    if whole.len() < 200 {
        return;
    }
    let bars = whole.slice(whole.len() - 200..whole.len());
    let (sims, horizon) = (40, 7);
    let rules =
        WalkRules { schedule: Schedule::Simulations { sims, horizon }, fills: mode, seed: 7, ..WalkRules::new(costs) };
    let name = symbol(path);
    let plan = rules.schedule.plan(&name, &bars).expect("long enough");
    let model = Gappy { inner: railbird_model::builtin("theta").expect("known"), every: missing_every };
    let forecasts = Forecasts::make(&name, &bars, &plan, &model, 0).expect("made");
    let finer = (mode == FillMode::Finer).then(|| finer(&bars));
    let input = WalkInput {
        symbol: &name,
        bars: &bars,
        calendar: series.calendar,
        forecasts: &forecasts,
        finer: finer.as_ref(),
        timing: None,
    };
    let strategies: Vec<_> = STRATEGIES.iter().map(|name| strategy(name).expect("known")).collect();
    let walked = walk(&input, &strategies, &rules).expect("walked");

    let points = |key| known((0..bars.len()).map(|at| forecasts.point(at, key)));
    let quantile = |at: usize| known((0..bars.len()).map(|bar| forecasts.close_quantiles(bar)[at]));
    let inside = |finer: &Bars| -> Vec<Vec<[f64; 4]>> {
        (0..bars.len())
            .map(|bar| {
                (bar * 4..bar * 4 + 4)
                    .map(|at| [finer.open[at], finer.high[at], finer.low[at], finer.close[at]])
                    .collect()
            })
            .collect()
    };
    let given = json!({
        "symbol": name, "seed": 7, "strategies": STRATEGIES,
        "rules": {"mode": format!("{mode:?}").to_lowercase(), "sims": sims, "horizon": horizon, "fee": costs.fee,
                  "slippage": costs.slippage, "borrow": costs.borrow_a_year, "long_only": costs.long_only,
                  "bound": 3_000_000, "delta": 1},
        "time": bars.time, "open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close,
        "points": {"close": points(Key::Close), "low": points(Key::Low), "high": points(Key::High), "open": points(Key::Open)},
        "q40": quantile(3), "q60": quantile(5), "finer": finer.as_ref().map(inside),
    });
    let plain = oracle(&given);
    for name in STRATEGIES {
        let account = walked
            .accounts
            .iter()
            .find(|account| account.strategy == name && account.tuned != Some(false))
            .expect("walked");
        let rows = plain[name]["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), account.days.len());
        for (at, (row, day)) in rows.iter().zip(&account.days).enumerate() {
            let place = format!("{} {name} {mode:?} {}", path.display(), walked.times[at]);
            assert_eq!(row["bar"].as_u64(), Some(walked.bars[at] as u64), "{place}");
            assert_eq!(row["missing"], day.missing, "{place}");
            let plain_return = row["return"].as_f64().expect("a return");
            assert!((plain_return - day.period.gain).abs() <= 1e-12, "{place}: {plain_return} {}", day.period.gain);
            let Some(settled) = day.settled else { continue };
            assert_eq!(row["pay"].as_i64(), Some(settled.pay), "{place}");
            for (side, fill) in [("bought", settled.long), ("sold", settled.short)] {
                let found = fill.map(|fill| json!([fill.entry, fill.leave]));
                assert_eq!(row[side], found.unwrap_or(Value::Null), "{place}: {side}");
            }
            let Some(choice) = day.choice else { continue };
            assert_eq!(row["value"].as_i64(), Some(choice.value), "{place}");
            let policy = if choice.levels.policy == Policy::Close { "close" } else { "level" };
            let levels = json!([choice.levels.high, choice.levels.low, policy]);
            assert_eq!(json!([row["m_high"], row["m_low"], row["policy"]]), levels, "{place}");
        }
        let end = plain[name]["liquidation"].as_f64();
        assert_eq!(end.is_some(), account.liquidation.is_some(), "{name}");
        if let (Some(plain), Some(end)) = (end, account.liquidation) {
            assert!((plain - end.gain).abs() <= 1e-12, "{name}: {plain} {}", end.gain);
        }
    }
}

/// Gives no forecast for some contexts, by what they hold.
struct Gappy {
    inner: Box<dyn railbird_model::Forecaster>,
    every: Option<usize>,
}

impl railbird_model::Forecaster for Gappy {
    fn id(&self) -> railbird_model::ModelId {
        self.inner.id()
    }

    fn predict_batch(
        &self,
        contexts: &[&[f64]],
        horizon: usize,
        seed: u64,
    ) -> Result<Vec<railbird_model::Forecast>, railbird_model::Error> {
        let mut answers = self.inner.predict_batch(contexts, horizon, seed)?;
        if let Some(every) = self.every {
            for answer in answers.iter_mut().step_by(every) {
                *answer = railbird_model::Forecast::Unmade(railbird_model::Unmade::Declined);
            }
        }
        Ok(answers)
    }
}

#[test]
fn every_strategy_and_fill_mode_is_as_a_plain_reading_has_it() {
    let Some(files) = daily(12) else { return };
    let modes = [FillMode::Pessimistic, FillMode::Optimistic, FillMode::Random, FillMode::Finer];
    for (index, path) in files.iter().enumerate() {
        // Finer bars make many candidates, and Python slow: on one file.
        for mode in modes.into_iter().filter(|mode| *mode != FillMode::Finer || index < 1) {
            check(path, mode, Costs::STOCKS, None);
        }
    }
}

#[test]
fn costs_long_only_and_missing_forecasts_are_as_a_plain_reading_has_them() {
    let Some(files) = daily(12) else { return };
    let costly = Costs { slippage: 237, borrow_a_year: 0.05, ..Costs::STOCKS };
    for path in &files {
        check(path, FillMode::Pessimistic, Costs::CRYPTO, Some(9));
        check(path, FillMode::Random, costly, Some(11));
    }
}
