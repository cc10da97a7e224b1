//! The walk over one symbol. Start at [`walk`].
//!
//! Invariant: what is ordered for a bar, and the levels chosen for it, hang on earlier bars alone; each scored bar is scored
//! once for each account.

mod combinatorial;
mod objective;

pub use combinatorial::{CombinationRow, CombinatorialRules, study};
pub use objective::{ObjectiveMap, objective};

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use railbird_backtest::{Fold, Folds, Period, Scheme};
use railbird_timeline::{Clock, Ts};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    Error,
    account::Account,
    choose::{Area, Choice, ChoiceRules, Chooser, Optimizer, TrainingDay},
    data::{Bars, Calendar},
    fills::{Actual, Costs, FillMode, Levels, Prices, Settled, settle},
    forecasts::{CONTEXT_MIN, ForecastMoves, Forecasts, Plan},
    strategy::{Kind, LevelOrder, Order, Strategy, Tuning, View},
    units::{MOVE_ONE, Move, PAY_ONE, move_from},
};

/// Which bars are scored, and which train for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Simulation `s` of 1 to `sims` scores bar `T - s` alone, with levels from the `horizon - 1` bars before it.
    Simulations {
        /// Simulations.
        sims: usize,
        /// Bars of one simulation, the scored one included.
        horizon: usize,
    },
    /// Every bar from the first that can be.
    Continuous {
        /// Bars that train.
        scheme: Scheme,
        /// Bars left out between training and score.
        purge: usize,
    },
}

impl Schedule {
    /// Bars that are forecast, and folds.
    fn folds(&self, symbol: &str, bars: &Bars) -> Result<(Range<usize>, Folds), Error> {
        let count = bars.len();
        let measured =
            |error: railbird_backtest::Error| Error::Measure { symbol: symbol.to_owned(), reason: error.to_string() };
        match *self {
            Self::Simulations { sims, horizon } => {
                positive("sims", sims)?;
                positive("horizon", horizon)?;
                let needed = sims.saturating_add(horizon - 1).saturating_add(CONTEXT_MIN);
                if count < needed {
                    return Err(Error::TooShort {
                        symbol: symbol.to_owned(),
                        bars: count,
                        since: bars.time.first().map(Ts::to_string).unwrap_or_default(),
                        sims,
                        horizon,
                        needed,
                        sims_max: count.saturating_sub(horizon - 1 + CONTEXT_MIN),
                    });
                }
                let rows = count - sims - (horizon - 1)..count;
                let folds = Folds::walk(rows.clone(), Scheme::Rolling { rows: horizon - 1 }, 0).map_err(measured)?;
                Ok((rows, folds))
            }
            Self::Continuous { scheme, purge } => {
                let rows = CONTEXT_MIN.min(count)..count;
                let folds = Folds::walk(rows.clone(), scheme, purge).map_err(measured)?;
                Ok((rows, folds))
            }
        }
    }

    /// The forecasts that a walk over `bars` asks for.
    ///
    /// # Errors
    /// [`Error::TooShort`], naming the largest number of simulations; [`Error::Setting`]; [`Error::Measure`].
    pub fn plan(&self, symbol: &str, bars: &Bars) -> Result<Plan, Error> {
        let (rows, _) = self.folds(symbol, bars)?;
        Ok(match *self {
            Self::Simulations { sims, horizon } => Plan::simulations(bars.len(), sims, horizon),
            Self::Continuous { .. } => Plan::continuous(rows),
        })
    }

    /// Rows that train.
    const fn training_rows(&self) -> usize {
        match self {
            Self::Simulations { horizon, .. } => horizon.saturating_sub(1),
            Self::Continuous { scheme, .. } => match scheme {
                Scheme::Rolling { rows } | Scheme::Expanding { rows } | Scheme::Anchored { rows } => *rows,
            },
        }
    }

    /// Number of the fold that scores `bar`: `s` of a simulation, else from 1 upwards.
    fn fold_number(&self, bars: usize, index: usize, bar: usize) -> usize {
        match self {
            Self::Simulations { .. } => bars - bar,
            Self::Continuous { .. } => index + 1,
        }
    }
}

fn positive(what: &'static str, value: usize) -> Result<(), Error> {
    if value > 0 { Ok(()) } else { Err(Error::Setting { what, expected: "at least 1", found: value.to_string() }) }
}

/// Rules of a walk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkRules {
    /// Which bars are scored.
    pub schedule: Schedule,
    /// What is believed of the order of prices within a bar; the pessimistic and the optimistic view are walked as well.
    pub fills: FillMode,
    /// What trading costs.
    pub costs: Costs,
    /// Who searches for levels.
    pub optimizer: Optimizer,
    /// Points that DIRECT and differential evolution may compare, each policy.
    pub evaluations_max: u64,
    /// Farthest that a limit may be tuned from its forecast.
    pub bound: Move,
    /// Smallest step of the price; 0 where unknown.
    pub tick: f64,
    /// Seed of all that is random.
    pub seed: u64,
    /// Whether differential evolution may take over from another search.
    pub fall_back: bool,
    /// Whether an account is added that each day picks the strategy with limits that did best on the scored days before.
    pub nested: bool,
}

impl WalkRules {
    /// The rules of the page: 70 simulations of horizon 7, pessimistic fills, exact levels within 3 %.
    pub const fn new(costs: Costs) -> Self {
        Self {
            schedule: Schedule::Simulations { sims: 70, horizon: 7 },
            fills: FillMode::Pessimistic,
            costs,
            optimizer: Optimizer::Exact,
            evaluations_max: 500,
            bound: MOVE_ONE / 100 * 3,
            tick: 0.0,
            seed: 0,
            fall_back: true,
            nested: false,
        }
    }

    fn check(&self) -> Result<(), Error> {
        self.costs.check()?;
        let setting = |what, expected, found: String| Err(Error::Setting { what, expected, found });
        if !(0..=MOVE_ONE).contains(&self.bound) {
            return setting("bound", "0 to 100 %", format!("{} %", self.bound as f64 / 1e6));
        }
        if !(self.tick >= 0.0 && self.tick.is_finite()) {
            return setting("tick", "0 or more", self.tick.to_string());
        }
        if !(1..=railbird_optimize::EVALUATIONS_MAX).contains(&self.evaluations_max) {
            return setting("evaluations", "1 to 10,000,000", self.evaluations_max.to_string());
        }
        Ok(())
    }

    fn choice_rules(&self, fills: FillMode) -> ChoiceRules {
        ChoiceRules {
            fills,
            costs: self.costs,
            optimizer: self.optimizer,
            evaluations_max: self.evaluations_max,
            seed: self.seed,
            fall_back: self.fall_back,
        }
    }

    /// Fill modes that are walked: the one asked for, then the pessimistic and the optimistic.
    pub fn modes(&self) -> Vec<FillMode> {
        let mut modes = vec![self.fills];
        for mode in [FillMode::Pessimistic, FillMode::Optimistic] {
            if mode != self.fills {
                modes.push(mode);
            }
        }
        modes
    }
}

/// What a walk reads.
#[derive(Clone, Copy)]
pub struct WalkInput<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// One unbroken segment.
    pub bars: &'a Bars,
    /// Days of its market.
    pub calendar: Calendar,
    /// Forecasts of the bars that [`Schedule::plan`] names.
    pub forecasts: &'a Forecasts,
    /// Finer bars of the same symbol, for [`FillMode::Finer`].
    pub finer: Option<&'a Bars>,
    /// Where time is counted, if it is.
    pub timing: Option<Timing<'a>>,
}

/// Counts where the threads of a walk spend their time.
#[derive(Clone, Copy)]
pub struct Timing<'a> {
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Nanoseconds of all threads in accounts, searches included.
    pub accounts_ns: &'a AtomicU64,
    /// Nanoseconds of all threads in searches for levels.
    pub searches_ns: &'a AtomicU64,
}

/// What `work` gives; its time is added to `sink`.
fn timed<'a, T>(timing: Option<Timing<'a>>, sink: fn(Timing<'a>) -> &'a AtomicU64, work: impl FnOnce() -> T) -> T {
    let Some(timing) = timing else { return work() };
    let began = timing.clock.monotonic();
    let result = work();
    let took = timing.clock.monotonic().saturating_sub(began).as_nanos();
    sink(timing).fetch_add(u64::try_from(took).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}

/// One scored bar of one account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// Return, weight and turnover.
    pub period: Period,
    /// Whether a value was missing that the strategy needs.
    pub missing: bool,
    /// Limits as ordered, where it has limits.
    pub order: Option<LevelOrder>,
    /// Levels chosen and what they had paid on the training days.
    pub choice: Option<Choice>,
    /// How it came out, where it has limits.
    pub settled: Option<Settled>,
    /// Strategy whose day it is, where one is picked each day.
    pub picked: Option<&'static str>,
}

/// A strategy under one way to fill and to tune.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountWalk {
    /// Strategy.
    pub strategy: &'static str,
    /// Fills; `None` where the strategy trades by market order alone.
    pub fills: Option<FillMode>,
    /// Whether its levels were tuned; `None` where it has none to tune.
    pub tuned: Option<bool>,
    /// Days, as [`SymbolWalk::bars`].
    pub days: Vec<Day>,
    /// What it cost to sell or cover all at the last close; `None` when flat.
    pub liquidation: Option<Period>,
}

impl AccountWalk {
    /// Periods, the liquidation counted with the last day.
    pub fn periods(&self) -> Vec<Period> {
        let mut periods: Vec<Period> = self.days.iter().map(|day| day.period).collect();
        if let (Some(last), Some(end)) = (periods.last_mut(), self.liquidation) {
            last.gain = (1.0 + last.gain) * (1.0 + end.gain) - 1.0;
            last.traded += end.traded;
        }
        periods
    }
}

/// A walk over one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolWalk {
    /// Symbol.
    pub symbol: String,
    /// Days of its market.
    pub calendar: Calendar,
    /// Bars a day.
    pub bars_a_day: f64,
    /// Scored bars by their number in the segment, ascending.
    pub bars: Vec<usize>,
    /// Number of the fold of each.
    pub folds: Vec<usize>,
    /// Time of each.
    pub times: Vec<Ts>,
    /// When each was known: its end.
    pub known_at: Vec<Ts>,
    /// Accounts in the order of the strategies; of a strategy, the fills that were asked for first, tuned before untuned.
    pub accounts: Vec<AccountWalk>,
    /// Buying and holding over the same bars.
    pub buy_hold: AccountWalk,
    /// Searches for levels, and the pairs or points that they compared.
    pub searches: u64,
    /// Pairs or points compared.
    pub evaluations: u64,
}

/// Walks every strategy over one symbol.
///
/// # Errors
/// [`Error::TooShort`], [`Error::Setting`], [`Error::Measure`]; [`Error::Fallback`] where that is forbidden.
pub fn walk(input: &WalkInput<'_>, strategies: &[Box<dyn Strategy>], rules: &WalkRules) -> Result<SymbolWalk, Error> {
    rules.check()?;
    let WalkInput { symbol, bars, calendar, .. } = *input;
    let (rows, folds) = rules.schedule.folds(symbol, bars)?;
    let folds = folds.as_slice();
    let ground = Ground::new(input, rows, rules);
    let tasks: Vec<Task<'_>> =
        strategies.iter().flat_map(|strategy| tasks(&ground, strategy.as_ref(), rules)).collect();
    let accounts: Vec<AccountWalk> = tasks
        .into_par_iter()
        .map(|task| timed(input.timing, |timing| timing.accounts_ns, || task.run(&ground, folds, rules)))
        .collect::<Result<_, _>>()?;
    let mut accounts = accounts;
    if rules.nested {
        let picked: Vec<AccountWalk> =
            rules.modes().into_iter().map(|mode| pick(&accounts, mode, rules.schedule.training_rows())).collect();
        accounts.extend(picked);
    }
    let buy_hold = hold(&ground, &crate::strategy::BuyHold, folds, rules);
    let choices = || accounts.iter().flat_map(|account| &account.days).filter_map(|day| day.choice);
    let period_ns = bars.period_ns();
    let scored: Vec<usize> = folds.iter().map(|fold| fold.test).collect();
    let number = |(index, &bar)| rules.schedule.fold_number(bars.len(), index, bar);
    Ok(SymbolWalk {
        symbol: symbol.to_owned(),
        calendar,
        bars_a_day: bars_a_day(&bars.time),
        folds: scored.iter().enumerate().map(number).collect(),
        times: scored.iter().map(|&bar| bars.time[bar]).collect(),
        known_at: scored.iter().map(|&bar| bars.time[bar].saturating_add(period_ns)).collect(),
        bars: scored,
        searches: choices().filter(|choice| choice.optimizer.is_some()).count() as u64,
        evaluations: choices().map(|choice| choice.evaluations).sum(),
        accounts,
        buy_hold,
    })
}

/// Bars a day that has bars.
fn bars_a_day(times: &[Ts]) -> f64 {
    const DAY_NS: i64 = 86_400_000_000_000;
    let mut days = 0_usize;
    let mut last = None;
    for time in times {
        let day = time.nanos().div_euclid(DAY_NS);
        days += usize::from(last.replace(day) != Some(day));
    }
    times.len() as f64 / (days as f64).max(1.0)
}

/// What all strategies share: bars as they came out, and forecasts as moves.
struct Ground<'a> {
    symbol: &'a str,
    timing: Option<Timing<'a>>,
    bars: &'a Bars,
    rows: Range<usize>,
    forecasts: Vec<ForecastMoves>,
    actuals: Vec<Option<Actual>>,
}

impl<'a> Ground<'a> {
    fn new(input: &WalkInput<'a>, rows: Range<usize>, rules: &WalkRules) -> Self {
        let WalkInput { symbol, bars, forecasts, finer, .. } = *input;
        let period_ns = bars.period_ns();
        let actual = |at: usize| {
            let mut actual = Actual::of(bars, at, symbol, rules.seed, rules.tick)?;
            if let Some(finer) = finer {
                let end = bars.time.get(at + 1).map_or(bars.time[at].saturating_add(period_ns), |next| *next);
                actual.finer = finer_prices(finer, bars.time[at], end, bars.close[at - 1])?;
            }
            Some(actual)
        };
        Self {
            symbol,
            timing: input.timing,
            bars,
            forecasts: rows.clone().map(|at| forecasts.moves(bars, at)).collect(),
            actuals: rows.clone().map(actual).collect(),
            rows,
        }
    }

    fn view(&self, at: usize, held: f64, long_only: bool) -> View<'_> {
        View::new(self.bars, at, &self.forecasts[at - self.rows.start], held, long_only)
    }

    fn actual(&self, at: usize) -> Option<&Actual> {
        self.actuals[at - self.rows.start].as_ref()
    }
}

fn finer_prices(finer: &Bars, from: Ts, to: Ts, base: f64) -> Option<Vec<Prices>> {
    let rows = finer.time.partition_point(|time| *time < from)..finer.time.partition_point(|time| *time < to);
    rows.map(|at| {
        Some(Prices {
            open: move_from(finer.open[at], base)?,
            high: move_from(finer.high[at], base)?,
            low: move_from(finer.low[at], base)?,
            close: move_from(finer.close[at], base)?,
        })
    })
    .collect()
}

/// One account to walk.
struct Task<'a> {
    strategy: &'a dyn Strategy,
    fills: Option<FillMode>,
    tuned: Option<bool>,
    /// Orders of a strategy with limits, by bar; shared by its accounts.
    orders: std::sync::Arc<[Option<LevelOrder>]>,
}

fn tasks<'a>(ground: &Ground<'_>, strategy: &'a dyn Strategy, rules: &WalkRules) -> Vec<Task<'a>> {
    if strategy.kind() == Kind::Holds {
        return vec![Task { strategy, fills: None, tuned: None, orders: std::sync::Arc::from([]) }];
    }
    let order = |at: usize| match strategy.order(&ground.view(at, 0.0, rules.costs.long_only)) {
        Order::Levels(order) => Some(order),
        Order::Missing | Order::Weight(_) => None,
    };
    let orders: std::sync::Arc<[Option<LevelOrder>]> = ground.rows.clone().map(order).collect();
    let tunings: &[Option<bool>] =
        if strategy.kind() == Kind::TunedLimits { &[Some(true), Some(false)] } else { &[None] };
    let of_mode = |fills| {
        let orders = &orders;
        tunings.iter().map(move |&tuned| Task {
            strategy,
            fills: Some(fills),
            tuned,
            orders: std::sync::Arc::clone(orders),
        })
    };
    rules.modes().into_iter().flat_map(of_mode).collect()
}

impl Task<'_> {
    fn run(&self, ground: &Ground<'_>, folds: &[Fold], rules: &WalkRules) -> Result<AccountWalk, Error> {
        match self.fills {
            None => Ok(hold(ground, self.strategy, folds, rules)),
            Some(fills) => self.levels(ground, folds, rules, fills),
        }
    }

    fn levels(
        &self,
        ground: &Ground<'_>,
        folds: &[Fold],
        rules: &WalkRules,
        fills: FillMode,
    ) -> Result<AccountWalk, Error> {
        let choice_rules = rules.choice_rules(fills);
        let mut chooser = Chooser::default();
        let mut training: Vec<TrainingDay<'_>> = Vec::new();
        let mut last: Option<(&Range<usize>, Choice)> = None;
        let mut days = Vec::with_capacity(folds.len());
        for fold in folds {
            let order = self.order(ground, fold.test);
            let Some((order, actual)) = order else {
                days.push(Day {
                    period: Period::default(),
                    missing: true,
                    order: None,
                    choice: None,
                    settled: None,
                    picked: None,
                });
                continue;
            };
            let choice = match (order.tuning, self.tuned) {
                (Tuning::Fixed(_), _) | (_, Some(false)) => None,
                // The same days give the same levels.
                _ if last.is_some_and(|(train, _)| *train == fold.train) => last.map(|(_, choice)| choice),
                (Tuning::Search { high, low }, _) => {
                    training.clear();
                    training.extend(
                        fold.train
                            .clone()
                            .filter_map(|at| self.order(ground, at))
                            .map(|(order, actual)| TrainingDay { order, actual }),
                    );
                    let side = |(least, most): (i64, i64)| (least * rules.bound, most * rules.bound);
                    let area = Area { high: side(high), low: side(low) };
                    let choose = || chooser.choose(&training, area, &choice_rules);
                    let choice = timed(ground.timing, |timing| timing.searches_ns, choose);
                    let choice = choice.map_err(|reason| Error::Fallback {
                        symbol: ground.symbol.to_owned(),
                        strategy: self.strategy.name().to_owned(),
                        at: ground.bars.time[fold.test].to_string(),
                        reason: reason.to_string(),
                    })?;
                    last = Some((&fold.train, choice));
                    Some(choice)
                }
            };
            let levels = match (order.tuning, choice) {
                (Tuning::Fixed(levels), _) => levels,
                (_, Some(choice)) => choice.levels,
                (_, None) => Levels::UNTUNED,
            };
            let settled = settle(order, &levels, actual, fills, &rules.costs);
            let period = period(order, &settled, rules.costs.cap);
            days.push(Day {
                period,
                missing: false,
                order: Some(*order),
                choice,
                settled: Some(settled),
                picked: None,
            });
        }
        Ok(AccountWalk {
            strategy: self.strategy.name(),
            fills: Some(fills),
            tuned: self.tuned,
            days,
            liquidation: None,
        })
    }

    fn order<'g>(&'g self, ground: &'g Ground<'_>, at: usize) -> Option<(&'g LevelOrder, &'g Actual)> {
        self.orders[at - ground.rows.start].as_ref().zip(ground.actual(at))
    }
}

/// Return, gross weight and turnover of a bar with limits.
fn period(order: &LevelOrder, settled: &Settled, cap: f64) -> Period {
    let scale = cap.min(1.0);
    let half = |halves: u8| f64::from(halves) / 2.0 * scale;
    let traded = |halves, fill: Option<crate::fills::Fill>| {
        let notional = |price: Move| 1.0 + price as f64 / MOVE_ONE as f64;
        fill.map_or(0.0, |fill| half(halves) * (notional(fill.entry) + notional(fill.leave)))
    };
    let weight = match (settled.long, settled.short) {
        (Some(_), Some(_)) => half(order.long) + half(order.short),
        (Some(_), None) => half(order.long),
        (None, Some(_)) => -half(order.short),
        (None, None) => 0.0,
    };
    Period {
        gain: settled.pay as f64 / (2.0 * PAY_ONE) * scale,
        weight,
        traded: traded(order.long, settled.long) + traded(order.short, settled.short),
    }
}

/// Name of the account that picks a strategy each day.
pub const NESTED: &str = "nested";

/// Each day the strategy with limits whose returns over the last `rows` scored days sum to most, the first among equals; flat
/// on the first day. Strategies that hold are left out: to switch between them costs fills that their own accounts lack.
fn pick(accounts: &[AccountWalk], fills: FillMode, rows: usize) -> AccountWalk {
    let candidates: Vec<&AccountWalk> =
        accounts.iter().filter(|account| account.fills == Some(fills) && account.tuned != Some(false)).collect();
    let count = candidates.first().map_or(0, |account| account.days.len());
    let pick = |at: usize| {
        let mut best: Option<(f64, &AccountWalk)> = None;
        for account in candidates.iter().filter(|_| at > 0) {
            let sum: f64 = account.days[at.saturating_sub(rows.max(1))..at].iter().map(|day| day.period.gain).sum();
            if best.is_none_or(|(most, _)| sum > most) {
                best = Some((sum, account));
            }
        }
        match best {
            Some((_, account)) => Day { picked: Some(account.strategy), choice: None, ..account.days[at] },
            None => Day {
                period: Period::default(),
                missing: false,
                order: None,
                choice: None,
                settled: None,
                picked: None,
            },
        }
    };
    let days = (0..count).map(pick).collect();
    AccountWalk { strategy: NESTED, fills: Some(fills), tuned: None, days, liquidation: None }
}

/// Walks a strategy that holds.
fn hold(ground: &Ground<'_>, strategy: &dyn Strategy, folds: &[Fold], rules: &WalkRules) -> AccountWalk {
    let costs = &rules.costs;
    let mut account = Account::new();
    let mut days = Vec::with_capacity(folds.len());
    for fold in folds {
        let asked = match strategy.order(&ground.view(fold.test, account.weight(), costs.long_only)) {
            Order::Weight(weight) if weight.is_finite() => Some(weight),
            Order::Weight(_) | Order::Missing | Order::Levels(_) => None,
        };
        let floor = if costs.long_only { 0.0 } else { -costs.cap };
        let weight = asked.unwrap_or(0.0).clamp(floor, costs.cap);
        let period = account.trade(ground.bars, fold.test, weight, costs);
        days.push(Day { period, missing: asked.is_none(), order: None, choice: None, settled: None, picked: None });
    }
    let last = folds.last().filter(|_| account.units() != 0.0);
    let liquidation = last.map(|fold| account.liquidate(ground.bars, fold.test, costs));
    AccountWalk { strategy: strategy.name(), fills: None, tuned: None, days, liquidation }
}
