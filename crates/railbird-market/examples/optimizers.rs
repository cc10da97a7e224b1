//! Every strategy that optimises, under every optimiser, on a made-up symbol: `optimizers SEED [WINDOWS]`.
//!
//! 200 days whose returns carry over in part, forecast with noise about what came. Each day's levels are chosen on the six days before
//! it, as a walk does. One line a strategy and optimiser, with tabs: what the training days would have paid a day, what the scored
//! days did, both in basis points, evaluations, windows, and seconds of all searches (least of several passes).
//!
//! With WINDOWS, a file, the training days are written for others to search: `strategy window open high low close high_forecast
//! low_forecast long short`, moves in units of 1e-8, sides in halves of equity; limits of the search are 3 % both ways, and for pctdiff
//! 0 to 3 % up and down.
#![expect(clippy::print_stdout, reason = "an example speaks on standard output")]

use std::{env, error::Error, fmt::Write as _, fs, time::Instant};

use railbird_market::{
    Actual, Area, ChoiceRules, Chooser, Costs, FillMode, Forecasts, Optimizer, PAY_ONE, Schedule, TrainingDay,
    WalkInput, WalkRules,
    data::{Bars, Calendar, Key},
    settle,
    strategy::{LevelOrder, Strategy, Tuning, strategy},
    walk,
};
use railbird_model::{Forecast, Forecaster, LEVELS, ModelId, Quantiles};
use railbird_timeline::Ts;

const DAYS: usize = 200;
const TRAIN: usize = 6;
const SIMS: usize = 120;
/// How much of a return carries over to the next day.
const CARRIED: f64 = 0.3;
/// Standard deviations of a day's return, and of a forecast about what came.
const SPREAD: f64 = 0.015;
const NOISE: f64 = 0.01;
const PASSES: usize = 5;
const DAY_NS: i64 = 86_400_000_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let seed: u64 = arguments.first().ok_or("optimizers SEED [WINDOWS]")?.parse()?;
    let bars = bars(seed);
    let mut windows = String::new();
    for name in ["maxdiff", "maxdiff_always_on", "pctdiff"] {
        let days = days(name, &bars, seed)?;
        for optimizer in [Optimizer::Exact, Optimizer::Direct, Optimizer::DirectL, Optimizer::De] {
            println!("{}", row(name, optimizer, &days, seed)?);
        }
        for (window, days) in days.windows(TRAIN + 1).enumerate() {
            for (order, actual) in &days[..TRAIN] {
                let prices = actual.prices;
                let moves = [prices.open, prices.high, prices.low, prices.close, order.high, order.low];
                let moves = moves.map(|price| price.to_string()).join(" ");
                writeln!(windows, "{name} {window} {moves} {} {}", order.long, order.short)?;
            }
        }
    }
    if let Some(path) = arguments.get(1) {
        fs::write(path, windows)?;
    }
    Ok(())
}

type OneDay = (LevelOrder, Actual);

/// Orders of the days that train and are scored, and how the days came out.
fn days(name: &str, bars: &Bars, seed: u64) -> Result<Vec<OneDay>> {
    let strategies: Vec<Box<dyn Strategy>> = vec![strategy(name).ok_or("unknown strategy")?];
    let schedule = Schedule::Simulations { sims: SIMS + TRAIN, horizon: 1 };
    let rules = WalkRules { schedule, ..WalkRules::new(Costs::STOCKS) };
    let plan = schedule.plan(name, bars)?;
    let forecasts = Forecasts::make(name, bars, &plan, &Noisy { bars, seed }, seed)?;
    let input = WalkInput {
        symbol: "MADE-UP",
        bars,
        calendar: Calendar::Exchange,
        forecasts: &forecasts,
        finer: None,
        timing: None,
    };
    let walked = walk(&input, &strategies, &rules)?;
    let account = walked.accounts.first().ok_or("no account")?;
    let day = |(&bar, day): (&usize, &railbird_market::Day)| {
        Ok((day.order.ok_or("no order")?, Actual::of(bars, bar, "MADE-UP", seed, 0.0).ok_or("no prices")?))
    };
    walked.bars.iter().zip(&account.days).map(day).collect()
}

/// One line of the table.
fn row(name: &str, optimizer: Optimizer, days: &[OneDay], seed: u64) -> Result<String> {
    let rules = ChoiceRules {
        fills: FillMode::Pessimistic,
        costs: Costs::STOCKS,
        optimizer,
        evaluations_max: 500,
        seed,
        fall_back: false,
    };
    let windows = days.len() - TRAIN;
    let (mut trained, mut scored, mut evaluations, mut seconds) = (0, 0, 0, f64::INFINITY);
    let mut chooser = Chooser::default();
    for _ in 0..PASSES {
        (trained, scored, evaluations) = (0_i64, 0_i64, 0);
        let mut took = 0.0;
        for days in days.windows(TRAIN + 1) {
            let (order, actual) = &days[TRAIN];
            let Tuning::Search { high, low } = order.tuning else { return Err("nothing to tune".into()) };
            let training: Vec<TrainingDay<'_>> =
                days[..TRAIN].iter().map(|(order, actual)| TrainingDay { order, actual }).collect();
            let side = |(least, most): (i64, i64)| (least * 3_000_000, most * 3_000_000);
            let area = Area { high: side(high), low: side(low) };
            let began = Instant::now();
            let choice = chooser.choose(&training, area, &rules);
            took += began.elapsed().as_secs_f64();
            let choice = choice.map_err(|reason| reason.to_string())?;
            trained += choice.value;
            evaluations += choice.evaluations;
            scored += settle(order, &choice.levels, actual, rules.fills, &rules.costs).pay;
        }
        seconds = seconds.min(took);
    }
    let basis_points = |pay: i64, days: usize| pay as f64 / (2.0 * PAY_ONE) / days as f64 * 1e4;
    Ok(format!(
        "{name}\t{}\t{:.6}\t{:.6}\t{evaluations}\t{windows}\t{seconds:.9}",
        optimizer.name(),
        basis_points(trained, windows * TRAIN),
        basis_points(scored, windows)
    ))
}

/// Days whose returns carry over in part.
fn bars(seed: u64) -> Bars {
    let mut random = Random(seed ^ 0x51A7);
    let (mut bars, mut close, mut carried) = (Bars::default(), 100.0_f64, 0.0);
    for day in 0..DAYS {
        carried = CARRIED * carried + SPREAD * random.normal();
        let open = close * (1.0 + 0.2 * SPREAD * random.normal());
        close *= 1.0 + carried;
        bars.time.push(Ts(1_577_836_800_000_000_000 + day as i64 * DAY_NS));
        bars.open.push(open);
        bars.close.push(close);
        bars.high.push(open.max(close) * (1.0 + 0.5 * SPREAD * random.normal().abs()));
        bars.low.push(open.min(close) * (1.0 - 0.5 * SPREAD * random.normal().abs()));
        bars.volume.push(f64::NAN);
    }
    bars
}

/// Knows what comes, and adds noise: only a made-up forecaster can.
struct Noisy<'a> {
    bars: &'a Bars,
    seed: u64,
}

impl Forecaster for Noisy<'_> {
    fn id(&self) -> ModelId {
        ModelId::new("noisy/1", "")
    }

    fn predict_batch(
        &self,
        contexts: &[&[f64]],
        _horizon: usize,
        _seed: u64,
    ) -> std::result::Result<Vec<Forecast>, railbird_model::Error> {
        let one = |context: &&[f64]| {
            // All bars fit a context, so that its length is its bar, and its start tells the price.
            let key = Key::ALL.into_iter().find(|&key| self.bars.prices(key).as_ptr() == context.as_ptr());
            let key = key.unwrap_or(Key::Close);
            let mut random = Random(self.seed ^ ((context.len() as u64) << 8 | key.index() as u64) << 20);
            let point = self.bars.prices(key)[context.len()] * (1.0 + NOISE * random.normal());
            let values: Vec<f64> = LEVELS.iter().map(|level| point * (1.0 + NOISE * (level - 0.5))).collect();
            Ok(Forecast::Made(Quantiles::new(LEVELS, values)?))
        };
        contexts.iter().map(one).collect()
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Twelve uniforms less their mean: near enough to a normal number, and the same on every machine.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
