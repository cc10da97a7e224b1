//! Levels, chosen on training days. Start at [`Chooser::choose`].
//!
//! The sum of what training days would have paid is a sum of boxes, each affine in the two moves: one box for each way in and
//! out. The exact search finds its maximum over the candidates; DIRECT and differential evolution are there to be compared.

use std::ops::Range;

use railbird_optimize::{
    AffineBox, Bounds, BoxSum, Candidates, Evolution, Exact, FallbackReason, Limits, Method, Point, SearchError,
    Serial, Span, least_move, minimize,
};
use serde::Serialize;

use crate::{
    fills::{Actual, Costs, ENTRY_LEAST, EXIT_MOST, FillMode, Levels, Policy, range_proves, settle},
    strategy::LevelOrder,
    units::{FEE_ONE, MOVE_ONE, Move, slipped_down, slipped_up},
};

/// How levels are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// The exact maximum.
    Exact,
    /// DIRECT.
    Direct,
    /// DIRECT, locally biased.
    DirectL,
    /// Differential evolution.
    De,
}

impl Optimizer {
    /// Name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Direct => "direct",
            Self::DirectL => "direct-l",
            Self::De => "de",
        }
    }
}

/// A training day: the order as it was placed, and the bar as it came out.
#[derive(Debug, Clone, Copy)]
pub struct TrainingDay<'a> {
    /// Order, before its limits are tuned.
    pub order: &'a LevelOrder,
    /// Bar.
    pub actual: &'a Actual,
}

/// Moves among which levels are sought, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Upper limit: least and most.
    pub high: (Move, Move),
    /// Lower limit: least and most.
    pub low: (Move, Move),
}

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Levels.
    pub levels: Levels,
    /// What the training days would have paid together, units of 0.5e-14.
    pub value: i64,
    /// Pairs or points that were compared.
    pub evaluations: u64,
    /// Who chose; `None` without training days.
    pub optimizer: Option<Optimizer>,
    /// Why another one chose than was asked to.
    pub fallback: Option<Fallback>,
}

/// Why differential evolution took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// The search could not end within its budget.
    BudgetSpent,
    /// The objective was not a number.
    NonFinite,
    /// The bounds left nothing to search.
    DegenerateBounds,
    /// Sums that may exceed 128 bits.
    Overflow,
}

impl From<FallbackReason> for Fallback {
    fn from(reason: FallbackReason) -> Self {
        match reason {
            FallbackReason::BudgetSpent => Self::BudgetSpent,
            FallbackReason::NonFinite => Self::NonFinite,
            FallbackReason::DegenerateBounds => Self::DegenerateBounds,
        }
    }
}

impl std::fmt::Display for Fallback {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::BudgetSpent => "the budget does not hold the search",
            Self::NonFinite => "no value of the objective was finite",
            Self::DegenerateBounds => "the bounds leave nothing to search",
            Self::Overflow => "sums may exceed 128 bits",
        })
    }
}

impl Fallback {
    /// As in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BudgetSpent => "budget_spent",
            Self::NonFinite => "non_finite",
            Self::DegenerateBounds => "degenerate_bounds",
            Self::Overflow => "overflow",
        }
    }
}

/// Worth and tie-break of levels, the rank among equals, and the levels.
type Pair = ((i64, bool), (u64, i64, i64), Levels);

/// Most pairs that the exact search compares before it is given up: about a second.
const PAIRS_MAX: u64 = 1 << 30;

/// Searches for levels, and keeps its room for the next search.
#[derive(Debug, Default)]
pub struct Chooser {
    exact: Exact,
    close: Vec<AffineBox>,
    level: Vec<AffineBox>,
    highs: Vec<Move>,
    lows: Vec<Move>,
}

/// What all searches of a walk have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceRules {
    /// What is believed of the order of prices within a bar.
    pub fills: FillMode,
    /// Costs.
    pub costs: Costs,
    /// Who searches.
    pub optimizer: Optimizer,
    /// Points that DIRECT and differential evolution may compare, each policy.
    pub evaluations_max: u64,
    /// Where the chance of differential evolution begins.
    pub seed: u64,
    /// Whether differential evolution may take over.
    pub fall_back: bool,
}

impl Chooser {
    /// The levels that would have paid most over `days`, and their sum.
    ///
    /// Ties among candidates go to the policy `close`, then to the least |high| + |low|, then the least high, then the least
    /// low. Without days: (0, 0, level).
    ///
    /// # Errors
    /// Why differential evolution would have to take over, where `rules` forbid that.
    pub fn choose(&mut self, days: &[TrainingDay<'_>], area: Area, rules: &ChoiceRules) -> Result<Choice, Fallback> {
        if days.is_empty() {
            return Ok(Choice { levels: Levels::UNTUNED, value: 0, evaluations: 0, optimizer: None, fallback: None });
        }
        let reason = match (rules.optimizer, rules.fills) {
            (Optimizer::Exact, FillMode::Finer) => match self.choose_by_pairs(days, area, rules) {
                Ok(choice) => return Ok(choice),
                Err(reason) => Some(reason),
            },
            (Optimizer::Exact, _) => match self.choose_by_boxes(days, area, rules) {
                Ok(choice) => return Ok(choice),
                Err(reason) => Some(reason),
            },
            _ => None,
        };
        match reason {
            Some(reason) if !rules.fall_back => Err(reason),
            _ => {
                let found = choose_by_points(area, rules, |levels| total(days, levels, rules) as f64)?;
                Ok(Choice { value: total(days, &found.levels, rules), fallback: reason.or(found.fallback), ..found })
            }
        }
    }

    fn choose_by_boxes(
        &mut self,
        days: &[TrainingDay<'_>],
        area: Area,
        rules: &ChoiceRules,
    ) -> Result<Choice, Fallback> {
        self.candidates(days, area, false)?;
        self.close.clear();
        self.level.clear();
        for day in days {
            add_boxes(&mut self.close, day, Policy::Close, area, rules);
            add_boxes(&mut self.level, day, Policy::Level, area, rules);
        }
        let candidates = Candidates::Given { x: &self.highs, y: &self.lows };
        let objectives = [BoxSum { boxes: &self.close, candidates }, BoxSum { boxes: &self.level, candidates }];
        let span = |(least, most): (Move, Move)| Span { least, most };
        let best = self.exact.maximize_first((span(area.high), span(area.low)), &objectives, least_move);
        // The bounds are candidates, so that nothing but too large a sum can fail.
        let best = best.map_err(|_| Fallback::Overflow)?;
        let policy = if best.objective == 0 { Policy::Close } else { Policy::Level };
        Ok(Choice {
            levels: Levels { high: best.point.x, low: best.point.y, policy },
            value: i64::try_from(best.value).map_err(|_| Fallback::Overflow)?,
            evaluations: best.pairs,
            optimizer: Some(Optimizer::Exact),
            fallback: None,
        })
    }

    /// Every candidate pair settled on every day: slow, and right for any fill mode.
    fn choose_by_pairs(
        &mut self,
        days: &[TrainingDay<'_>],
        area: Area,
        rules: &ChoiceRules,
    ) -> Result<Choice, Fallback> {
        self.candidates(days, area, true)?;
        let mut best: Option<Pair> = None;
        for policy in [Policy::Close, Policy::Level] {
            for &high in &self.highs {
                for &low in &self.lows {
                    let levels = Levels { high, low, policy };
                    let worth = (total(days, &levels, rules), policy == Policy::Close);
                    let rank = least_move(Point { x: high, y: low });
                    if best.as_ref().is_none_or(|best| worth > best.0 || (worth == best.0 && rank < best.1)) {
                        best = Some((worth, rank, levels));
                    }
                }
            }
        }
        let evaluations = 2 * self.highs.len() as u64 * self.lows.len() as u64;
        // The bounds are candidates, so that there is always a best.
        let (value, levels) = best.map_or((0, Levels::UNTUNED), |best| (best.0.0, best.2));
        Ok(Choice { levels, value, evaluations, optimizer: Some(Optimizer::Exact), fallback: None })
    }

    /// {high, open, close} - δ - h' and the upper bound; {low, open, close} + δ - l' and the lower bound.
    fn candidates(&mut self, days: &[TrainingDay<'_>], area: Area, finer: bool) -> Result<(), Fallback> {
        self.highs.clear();
        self.lows.clear();
        self.highs.push(area.high.1);
        self.lows.push(area.low.0);
        let inside = |(least, most): (Move, Move), candidate: Move| least <= candidate && candidate <= most;
        for TrainingDay { order, actual } in days {
            let parts = if finer { actual.finer.as_slice() } else { &[] };
            for bar in std::iter::once(&actual.prices).chain(parts) {
                let highs = [bar.high, bar.open, bar.close].map(|price| price - actual.delta - order.high);
                let lows = [bar.low, bar.open, bar.close].map(|price| price + actual.delta - order.low);
                self.highs.extend(highs.into_iter().filter(|&candidate| inside(area.high, candidate)));
                self.lows.extend(lows.into_iter().filter(|&candidate| inside(area.low, candidate)));
            }
        }
        if finer {
            for axis in [&mut self.highs, &mut self.lows] {
                axis.sort_unstable();
                axis.dedup();
            }
        }
        let pairs = self.highs.len() as u64 * self.lows.len() as u64;
        if pairs > PAIRS_MAX { Err(Fallback::BudgetSpent) } else { Ok(()) }
    }
}

/// Levels by a search that only asks for values, each policy with the whole budget. `worth` of levels is to be large.
fn choose_by_points(area: Area, rules: &ChoiceRules, worth: impl Fn(&Levels) -> f64) -> Result<Choice, Fallback> {
    let method = match rules.optimizer {
        Optimizer::Direct => Method::Direct,
        Optimizer::DirectL => Method::DirectL,
        Optimizer::De | Optimizer::Exact => Method::Evolve,
    };
    let side = |(least, most): (Move, Move)| (least as f64, most as f64);
    let bounds = Bounds::new(&[side(area.high), side(area.low)]).map_err(|_| Fallback::DegenerateBounds)?;
    let budget = Limits::evaluations(rules.evaluations_max);
    let evolution = Evolution::seeded(rules.seed);
    let mut best: Option<(f64, Choice)> = None;
    let mut evaluations = 0;
    for policy in [Policy::Close, Policy::Level] {
        let at = |point: &[f64]| Levels {
            high: point[0].round_ties_even() as Move,
            low: point[1].round_ties_even() as Move,
            policy,
        };
        let mut objective = Serial(|point: &[f64]| -worth(&at(point)));
        let found = minimize(&mut objective, &bounds, &budget, method, &evolution, rules.fall_back);
        let found = found.map_err(|error| match error {
            SearchError::NoFallback(reason) => reason.into(),
            _ => Fallback::BudgetSpent,
        })?;
        evaluations += found.outcome.evaluations;
        if best.as_ref().is_none_or(|(value, _)| found.outcome.value < *value) {
            let optimizer = match found.method {
                Method::Direct => Optimizer::Direct,
                Method::DirectL => Optimizer::DirectL,
                Method::Evolve => Optimizer::De,
            };
            // Nothing finite was found: the levels stay untuned.
            let levels = if found.outcome.value.is_finite() { at(&found.outcome.x) } else { Levels::UNTUNED };
            let fallback = found.reason.map(Fallback::from);
            let choice = Choice { levels, value: 0, evaluations: 0, optimizer: Some(optimizer), fallback };
            best = Some((found.outcome.value, choice));
        }
    }
    best.map(|(_, choice)| Choice { evaluations, ..choice }).ok_or(Fallback::NonFinite)
}

/// What days pay together at some levels, units of 0.5e-14.
pub fn total(days: &[TrainingDay<'_>], levels: &Levels, rules: &ChoiceRules) -> i64 {
    days.iter().map(|day| settle(day.order, levels, day.actual, rules.fills, &rules.costs).pay).sum()
}

/// A stretch of one of the two moves in which a side trades one way.
#[derive(Debug, Clone)]
struct Piece {
    range: Range<Move>,
    /// Price at a move of 0, and what it gains a unit of the move: 0 or 1.
    price: Move,
    slope: i64,
}

/// A limit that follows a move until it is clamped.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// Where it stands at a move of 0.
    base: Move,
    least: Move,
    most: Move,
    area: (Move, Move),
}

impl Limit {
    /// The least move at which the limit is at or above `price`.
    fn reaches(&self, price: Move) -> Move {
        if price <= self.least {
            Move::MIN
        } else if price > self.most {
            Move::MAX
        } else {
            price - self.base
        }
    }

    /// The moves of `from..to` cut to the area, in up to three pieces: below the clamps, between, above.
    fn follow(&self, from: Move, to: Move, mut each: impl FnMut(Piece)) {
        let (from, to) = (from.max(self.area.0), to.min(self.area.1 + 1));
        let (below, above) = (self.least - self.base, self.most - self.base);
        let mut piece = |from: Move, to: Move, price: Move, slope: i64| {
            if from < to {
                each(Piece { range: from..to, price, slope });
            }
        };
        piece(from, to.min(below), self.least, 0);
        piece(from.max(below), to.min(above + 1), self.base, 1);
        piece(from.max(above + 1), to, self.most, 0);
    }

    /// One price over the moves of `from..to`.
    fn stay(&self, from: Move, to: Move, price: Move, mut each: impl FnMut(Piece)) {
        let (from, to) = (from.max(self.area.0), to.min(self.area.1 + 1));
        if from < to {
            each(Piece { range: from..to, price, slope: 0 });
        }
    }
}

/// The boxes of one training day.
fn add_boxes(boxes: &mut Vec<AffineBox>, day: &TrainingDay<'_>, policy: Policy, area: Area, rules: &ChoiceRules) {
    let TrainingDay { order, actual } = *day;
    let (prices, delta, costs) = (actual.prices, actual.delta, &rules.costs);
    let lower = Limit { base: order.low, least: ENTRY_LEAST, most: 0, area: area.low };
    let upper = Limit { base: order.high, least: 0, most: EXIT_MOST, area: area.high };
    if order.long > 0 {
        let halves = i64::from(order.long);
        let leave = slipped_down(prices.close, costs.slippage);
        // In at the limit from low + δ to below open + δ, at the open above that.
        let (touched, at_open) = (lower.reaches(prices.low + delta), lower.reaches(prices.open + delta));
        let at_open = at_open.max(touched);
        let mut sell = |bought: &Piece, proof: Move| {
            // Out at the limit up to the price that proves it, at the close above.
            let miss = if policy == Policy::Level { upper.reaches(proof - delta + 1) } else { Move::MIN };
            let mut push = |sold: Piece| boxes.push(product(&sold, bought, halves, costs.fee));
            upper.follow(Move::MIN, miss, &mut push);
            upper.stay(miss, Move::MAX, leave, &mut push);
        };
        let proof = if range_proves(rules.fills, actual, true) { prices.high } else { prices.close };
        lower.follow(touched, at_open, |bought| sell(&bought, proof));
        lower.stay(at_open, Move::MAX, prices.open, |bought| sell(&bought, prices.high));
    }
    if order.short > 0 {
        let halves = i64::from(order.short);
        let leave = slipped_up(prices.close, costs.slippage);
        // In at the limit above open - δ up to high - δ, at the open below that.
        let (missed, at_limit) = (upper.reaches(prices.high - delta + 1), upper.reaches(prices.open - delta + 1));
        let at_limit = at_limit.min(missed);
        let mut cover = |sold: &Piece, proof: Move| {
            let hit = if policy == Policy::Level { lower.reaches(proof + delta) } else { Move::MAX };
            let mut push = |bought: Piece| boxes.push(product(sold, &bought, halves, costs.fee));
            lower.stay(Move::MIN, hit, leave, &mut push);
            lower.follow(hit, Move::MAX, &mut push);
        };
        let proof = if range_proves(rules.fills, actual, false) { prices.low } else { prices.close };
        upper.stay(Move::MIN, at_limit, prices.open, |sold| cover(&sold, prices.low));
        upper.follow(at_limit, missed, |sold| cover(&sold, proof));
    }
}

/// Sold along one axis, bought along the other.
fn product(sold: &Piece, bought: &Piece, halves: i64, fee: i64) -> AffineBox {
    let (keeps, costs) = (halves * (FEE_ONE - fee), halves * (FEE_ONE + fee));
    AffineBox {
        x: sold.range.clone(),
        y: bought.range.clone(),
        constant: (MOVE_ONE + sold.price) * keeps - (MOVE_ONE + bought.price) * costs,
        x_slope: sold.slope * keeps,
        y_slope: -bought.slope * costs,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fills::{Entry, Prices},
        strategy::Tuning,
    };

    fn rules(optimizer: Optimizer, fills: FillMode) -> ChoiceRules {
        let costs = Costs { slippage: 100, ..Costs::STOCKS };
        ChoiceRules { fills, costs, optimizer, evaluations_max: 200, seed: 1, fall_back: true }
    }

    const AREA: Area = Area { high: (-40, 40), low: (-40, 40) };

    fn day() -> impl Strategy<Value = (LevelOrder, Actual)> {
        let prices = (-60_i64..60, -60_i64..60, 0_i64..40, 0_i64..40);
        (prices, -50_i64..80, -80_i64..50, 0..4_usize, any::<bool>(), 1_i64..3).prop_map(
            |((open, close, up, down), high, low, side, low_first, delta)| {
                let (long, short) = [(2, 0), (0, 2), (1, 1), (0, 0)][side];
                let tuning = Tuning::Search { high: (-1, 1), low: (-1, 1) };
                let order = LevelOrder { high, low, long, short, entry: Entry::Limit, tuning };
                let prices = Prices { open, close, high: open.max(close) + up, low: open.min(close) - down };
                (order, Actual { prices, delta, low_first, finer: Vec::new() })
            },
        )
    }

    proptest! {
        /// The boxes say at every pair what settling says, and the search finds what trying every pair finds.
        #[test]
        fn boxes_are_what_settling_pays(days in proptest::collection::vec(day(), 1..6), mode in 0..3_usize) {
            let fills = [FillMode::Pessimistic, FillMode::Optimistic, FillMode::Random][mode];
            let rules = rules(Optimizer::Exact, fills);
            let days: Vec<TrainingDay<'_>> = days.iter().map(|(order, actual)| TrainingDay { order, actual }).collect();
            let mut most = i64::MIN;
            for policy in [Policy::Close, Policy::Level] {
                let mut boxes = Vec::new();
                days.iter().for_each(|day| add_boxes(&mut boxes, day, policy, AREA, &rules));
                for high in -40..=40 {
                    for low in -40..=40 {
                        let inside = boxes.iter().filter(|each| each.x.contains(&high) && each.y.contains(&low));
                        let sum: i64 = inside.map(|each| each.constant + each.x_slope * high + each.y_slope * low).sum();
                        let settled = total(&days, &Levels { high, low, policy }, &rules);
                        prop_assert_eq!(sum, settled, "{} {} {:?}", high, low, policy);
                        most = most.max(settled);
                    }
                }
            }
            let mut chooser = Chooser::default();
            let choice = chooser.choose(&days, AREA, &rules).expect("chosen");
            prop_assert_eq!(choice.value, most);
            prop_assert_eq!(total(&days, &choice.levels, &rules), most);
            let by_pairs = chooser.choose_by_pairs(&days, AREA, &rules).expect("chosen");
            prop_assert_eq!((by_pairs.levels, by_pairs.value), (choice.levels, choice.value));
        }
    }

    #[test]
    fn nothing_to_train_on_leaves_the_levels_as_they_are() {
        let choice =
            Chooser::default().choose(&[], AREA, &rules(Optimizer::Exact, FillMode::Pessimistic)).expect("chosen");
        assert_eq!((choice.levels, choice.optimizer), (Levels::UNTUNED, None));
    }

    #[test]
    fn a_fallback_has_a_reason_or_is_an_error() {
        let mut rules = rules(Optimizer::Direct, FillMode::Pessimistic);
        let choice = choose_by_points(AREA, &rules, |_| f64::NAN).expect("walks on");
        assert_eq!((choice.optimizer, choice.fallback), (Some(Optimizer::De), Some(Fallback::NonFinite)));
        assert_eq!(choice.levels, Levels::UNTUNED);
        let narrow = Area { high: (0, 0), ..AREA };
        let choice = choose_by_points(narrow, &rules, |levels| levels.low as f64).expect("walks on");
        assert_eq!((choice.optimizer, choice.fallback), (Some(Optimizer::De), Some(Fallback::DegenerateBounds)));
        rules.fall_back = false;
        assert_eq!(choose_by_points(AREA, &rules, |_| f64::NAN), Err(Fallback::NonFinite));
        assert_eq!(choose_by_points(narrow, &rules, |levels| levels.low as f64), Err(Fallback::DegenerateBounds));
        rules.evaluations_max = 3;
        assert_eq!(choose_by_points(AREA, &rules, |levels| levels.low as f64), Err(Fallback::BudgetSpent));
    }
}
