//! What is known is not changed by what comes later; threads change nothing; the exact search is the best.

mod common;

use common::{daily, series, symbol};
use railbird_backtest::Scheme;
use railbird_market::{
    Costs, FillMode, Forecasts, Optimizer, Schedule, SymbolWalk, WalkInput, WalkRules,
    data::{Bars, Calendar, File, LoadOptions, load},
    fold_rows,
    simulate::{SimulateOptions, simulate},
    strategy::{STRATEGIES, Strategy, strategy},
    to_parquet, walk,
};
use railbird_model::{BUILTIN, Forecaster, builtin};

fn all() -> Vec<Box<dyn Strategy>> {
    STRATEGIES.iter().map(|name| strategy(name).expect("known")).collect()
}

fn walked(name: &str, bars: &Bars, model: &dyn Forecaster, rules: &WalkRules, finer: Option<&Bars>) -> SymbolWalk {
    let plan = rules.schedule.plan(name, bars).expect("long enough");
    let forecasts = Forecasts::make(name, bars, &plan, model, 3).expect("made");
    let calendar = Calendar::of(&bars.time);
    let input = WalkInput { symbol: name, bars, calendar, forecasts: &forecasts, finer, timing: None };
    walk(&input, &all(), rules).expect("walked")
}

/// The newest bars of the newest segment, if there are enough.
fn newest(path: &std::path::Path, count: usize) -> Option<Bars> {
    let series = series(path, &LoadOptions::default()).expect("read");
    let bars = series.segment_bars(series.newest());
    (bars.len() >= count).then(|| bars.slice(bars.len() - count..bars.len()))
}

/// Two finer bars in each.
fn finer(bars: &Bars) -> Bars {
    let mut finer = Bars::default();
    for at in 0..bars.len() {
        let middle = (bars.high[at] + bars.low[at]) / 2.0;
        for (step, (open, close, extreme)) in
            [(bars.open[at], middle, bars.low[at]), (middle, bars.close[at], bars.high[at])].into_iter().enumerate()
        {
            finer.time.push(bars.time[at].saturating_add(step as i64 * 3_600_000_000_000));
            finer.open.push(open);
            finer.close.push(close);
            finer.high.push(open.max(close).max(extreme));
            finer.low.push(open.min(close).min(extreme));
            finer.volume.push(1.0);
        }
    }
    finer
}

/// Every account's days over bars that both walks know, equal to the last bit.
#[track_caller]
fn assert_prefix(cut: &SymbolWalk, whole: &SymbolWalk, what: &str) {
    let known = cut.known_at.last().expect("scored");
    let rows = whole.known_at.iter().filter(|at| *at <= known).count();
    assert_eq!(cut.bars, whole.bars[..rows], "{what}");
    assert_eq!(cut.accounts.len(), whole.accounts.len(), "{what}");
    for (cut, whole) in cut.accounts.iter().zip(&whole.accounts).chain([(&cut.buy_hold, &whole.buy_hold)]) {
        let name = (cut.strategy, cut.fills, cut.tuned);
        assert_eq!(name, (whole.strategy, whole.fills, whole.tuned), "{what}");
        for at in 0..rows {
            assert_eq!(cut.days[at], whole.days[at], "{what} {name:?} day {at}");
        }
    }
}

#[test]
fn the_past_is_not_changed_by_what_comes_later() {
    let Some(files) = daily(20) else { return };
    let schemes = [Scheme::Rolling { rows: 6 }, Scheme::Expanding { rows: 10 }, Scheme::Anchored { rows: 20 }];
    let modes = [FillMode::Pessimistic, FillMode::Optimistic, FillMode::Random, FillMode::Finer];
    let mut cuts = 0;
    for path in &files {
        let (name, Some(bars)) = (symbol(path), newest(path, 170)) else { continue };
        let inside = finer(&bars);
        // Every forecaster under one mode, every mode under one forecaster.
        let models = BUILTIN.iter().map(|model| (model.name, FillMode::Pessimistic));
        for (index, (model, fills)) in models.chain(modes.map(|mode| ("theta", mode))).enumerate() {
            let scheme = schemes[index % 3];
            let schedule = Schedule::Continuous { scheme, purge: index % 2 };
            let rules = WalkRules { schedule, fills, seed: 11, nested: true, ..WalkRules::new(Costs::STOCKS) };
            let model = builtin(model).expect("known");
            let whole = walked(&name, &bars, &*model, &rules, Some(&inside));
            for count in [91, 104, 127, 150, 169] {
                let cut = bars.slice(0..count);
                let end = inside.time.partition_point(|time| *time < bars.time[count]);
                let cut = walked(&name, &cut, &*model, &rules, Some(&inside.slice(0..end)));
                assert_prefix(&cut, &whole, &format!("{name} {} {fills:?} {scheme:?} cut at {count}", model.id()));
                cuts += 1;
            }
        }
    }
    assert!(cuts > 100, "{cuts}");
}

/// Every stretch of a made-up series that breaks, walked by itself.
fn stretches(name: &str, csv: &str, model: &dyn Forecaster, rules: &WalkRules) -> Vec<(String, SymbolWalk)> {
    let file = File { name: format!("{name}.csv"), bytes: csv.as_bytes().to_vec() };
    let series = load(name, &[file], None, &LoadOptions::default()).expect("read");
    let long = series.segments.iter().filter(|segment| segment.rows.len() > 80);
    long.map(|segment| (segment.from.to_string(), walked(name, &series.segment_bars(segment), model, rules, None)))
        .collect()
}

#[test]
fn stretches_of_a_broken_series_are_not_changed_by_what_comes_later() {
    let model = builtin("theta").expect("known");
    let schedule = Schedule::Continuous { scheme: Scheme::Rolling { rows: 6 }, purge: 0 };
    let rules = WalkRules { schedule, ..WalkRules::new(Costs::STOCKS) };
    let mut broken = 0;
    for symbol in simulate(&SimulateOptions { seed: 5, bars: 260 }) {
        let (Some(at), true) = (symbol.truth.split_at.or(symbol.truth.hole_at), symbol.truth.jumps.is_empty()) else {
            continue;
        };
        let csv = String::from_utf8(symbol.bytes).expect("UTF-8");
        let name = symbol.truth.symbol;
        let whole = stretches(name, &csv, &*model, &rules);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(whole.len(), 2 - usize::from(at <= 80), "{name} {at}");
        broken += 1;
        // Before the break, at it, behind it, and far behind it.
        for count in [at - 10, at, at + 5, at + 85, 259] {
            let cut = stretches(name, &lines[..=count].join("\n"), &*model, &rules);
            for (from, cut) in &cut {
                let (_, whole) = whole.iter().find(|(other, _)| other == from).expect("a stretch keeps its beginning");
                assert_prefix(cut, whole, &format!("{name} from {from} cut at {count}"));
            }
        }
    }
    assert_eq!(broken, 2, "a split and a hole");
}

#[test]
fn a_simulation_is_the_same_however_many_come_after_it() {
    let Some(files) = daily(15) else { return };
    let model = builtin("theta").expect("known");
    let rules =
        |sims| WalkRules { schedule: Schedule::Simulations { sims, horizon: 7 }, ..WalkRules::new(Costs::STOCKS) };
    for path in &files {
        let (name, Some(bars)) = (symbol(path), newest(path, 160)) else { continue };
        let seventy = walked(&name, &bars, &*model, &rules(70), None);
        let fast = walked(&name, &bars, &*model, &rules(35), None);
        let cut = walked(&name, &bars.slice(0..150), &*model, &rules(60), None);
        assert_eq!(fast.folds, (1..=35).rev().collect::<Vec<_>>());
        assert_eq!(seventy.bars[35..], fast.bars);
        for ((seventy, fast), cut) in seventy.accounts.iter().zip(&fast.accounts).zip(&cut.accounts) {
            // Whoever holds over the first of the 35 bars holds other units; limits start anew each day.
            if seventy.fills.is_some() {
                assert_eq!(seventy.days[35..], fast.days, "{name} {}", fast.strategy);
                assert_eq!(seventy.days[..60], cut.days, "{name} {}", fast.strategy);
            }
        }
    }
}

#[test]
fn one_thread_and_many_give_the_same_bytes() {
    let Some(files) = daily(20) else { return };
    let model = builtin("theta").expect("known");
    let rules = WalkRules { nested: true, ..WalkRules::new(Costs::STOCKS) };
    for path in &files {
        let (name, Some(bars)) = (symbol(path), newest(path, 150)) else { continue };
        let bytes = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let walk = walked(&name, &bars, &*model, &rules, None);
                to_parquet(&[fold_rows(&walk).expect("rows")]).expect("written")
            })
        });
        assert!(bytes[0] == bytes[1] && bytes[0] == bytes[2], "{name}");
    }
}

#[test]
fn the_exact_search_is_never_worse_than_the_others() {
    let Some(files) = daily(1) else { return };
    let model = builtin("theta").expect("known");
    let sims = if std::env::var_os("RAILBIRD_TEST_ALL").is_some() { 70 } else { 6 };
    let (mut windows, mut better) = (0, 0);
    for path in &files {
        let needed = sims + 6 + 64;
        let (name, Some(bars)) = (symbol(path), newest(path, needed)) else { continue };
        for fills in [FillMode::Pessimistic, FillMode::Random] {
            let [exact, direct, de] = [Optimizer::Exact, Optimizer::Direct, Optimizer::De].map(|optimizer| {
                let schedule = Schedule::Simulations { sims, horizon: 7 };
                let rules = WalkRules { schedule, fills, optimizer, seed: 5, ..WalkRules::new(Costs::STOCKS) };
                walked(&name, &bars, &*model, &rules, None)
            });
            for (at, account) in exact.accounts.iter().enumerate() {
                for (day, exact) in account.days.iter().enumerate() {
                    let Some(choice) = exact.choice else { continue };
                    for other in [&direct, &de] {
                        let other = other.accounts[at].days[day].choice.expect("chosen as well");
                        assert!(
                            choice.value >= other.value,
                            "{name} {} day {day}: {choice:?} {other:?}",
                            account.strategy
                        );
                        better += usize::from(choice.value > other.value);
                    }
                    windows += 1;
                }
            }
        }
    }
    assert!(windows > 500 && better > windows / 10, "{windows} windows, {better} better");
}
