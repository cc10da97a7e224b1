//! The market: walk-forward tests of strategies driven by forecasts.

mod account;
mod choose;
pub mod data;
mod error;
mod fills;
mod forecasts;
pub mod offer;
mod quality;
mod redundancy;
pub mod report;
pub mod signals;
pub mod simulate;
pub mod strategy;
mod summary;
mod table;
mod units;
mod walk;

pub use choose::{Area, Choice, ChoiceRules, Chooser, Fallback, Optimizer, TrainingDay, total};
pub use error::Error;
pub use fills::{Actual, Costs, Entry, Fill, FillMode, Levels, Policy, Prices, Settled, low_first, settle};
pub use forecasts::{CONTEXT_MAX, CONTEXT_MIN, Counts, Forecasts, Plan};
pub use quality::Quality;
pub use redundancy::{DayUses, Redundancy, RedundancyReport, redundancy};
pub use summary::{Promise, RESAMPLES, Side, StrategySummary, SymbolSummary};
pub use table::{fold_rows, from_parquet, to_parquet};
pub use units::{FEE_ONE, MOVE_ONE, Move, PAY_ONE, move_from, to_units};
pub use walk::{
    AccountWalk, CombinationRow, CombinatorialRules, Day, NESTED, ObjectiveMap, Schedule, SymbolWalk, Timing,
    WalkInput, WalkRules, objective, study, walk,
};
