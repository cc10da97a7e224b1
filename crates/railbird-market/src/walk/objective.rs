//! What levels would have paid on the training days of one scored bar, over a grid: for people to look at.

use super::{Ground, WalkInput, WalkRules};
use crate::{
    choose::{TrainingDay, total},
    fills::{FillMode, Levels, Policy},
    strategy::{LevelOrder, Order, Strategy, Tuning},
    units::Move,
};

/// The objective over a grid of moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectiveMap {
    /// Moves of the upper limit, ascending.
    pub highs: Vec<Move>,
    /// Moves of the lower limit, ascending.
    pub lows: Vec<Move>,
    /// Sum of the training days' pay, in the units of [`crate::Choice::value`]; a row for each of `lows`.
    pub values: Vec<i64>,
}

/// The objective of `strategy` at the scored bar with index `scored`, on at most `cells` moves along each axis. `None` where
/// it does not search there.
pub fn objective(
    input: &WalkInput<'_>,
    strategy: &dyn Strategy,
    rules: &WalkRules,
    fills: FillMode,
    scored: usize,
    policy: Policy,
    cells: usize,
) -> Option<ObjectiveMap> {
    let (rows, folds) = rules.schedule.folds(input.symbol, input.bars).ok()?;
    let fold = folds.as_slice().get(scored)?.clone();
    let ground = Ground::new(input, rows, rules);
    let order = |at: usize| match strategy.order(&ground.view(at, 0.0, rules.costs.long_only)) {
        Order::Levels(order) => Some(order),
        Order::Missing | Order::Weight(_) => None,
    };
    let Tuning::Search { high, low } = order(fold.test)?.tuning else { return None };
    let days: Vec<(LevelOrder, usize)> =
        fold.train.filter(|at| ground.actual(*at).is_some()).filter_map(|at| order(at).zip(Some(at))).collect();
    let training: Vec<TrainingDay<'_>> =
        days.iter().filter_map(|(order, at)| Some(TrainingDay { order, actual: ground.actual(*at)? })).collect();
    let axis = |(least, most): (i64, i64)| steps(least * rules.bound, most * rules.bound, cells);
    let (highs, lows) = (axis(high), axis(low));
    let choice_rules = rules.choice_rules(fills);
    let at = |&low: &Move| {
        let (training, choice_rules) = (&training, &choice_rules);
        highs.iter().map(move |&high| total(training, &Levels { high, low, policy }, choice_rules))
    };
    let values = lows.iter().flat_map(at).collect();
    Some(ObjectiveMap { highs, lows, values })
}

/// At most `cells` moves from `least` to `most`, evenly spread, both ends among them.
fn steps(least: Move, most: Move, cells: usize) -> Vec<Move> {
    let last = cells.saturating_sub(1).max(1) as i64;
    let mut steps: Vec<Move> = (0..=last).map(|step| least + (most - least) * step / last).collect();
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn steps_hold_both_ends_and_each_once() {
        assert_eq!(steps(-30, 30, 7), [-30, -20, -10, 0, 10, 20, 30]);
        assert_eq!(steps(0, 0, 61), [0]);
        assert_eq!(steps(-3, 3, 61).first().zip(steps(-3, 3, 61).last()), Some((&-3, &3)));
    }
}
