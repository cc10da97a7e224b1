//! A walk as a table: a row a symbol, strategy and fold. Start at [`fold_rows`].
//!
//! | column | meaning |
//! |---|---|
//! | `symbol`, `strategy` | |
//! | `fold` | `s` of a simulation, which scores bar `T - s`; of a continuous walk 1, 2, …; 0 is the liquidation at the last close |
//! | `time`, `known_at` | start of the scored bar, and when its row was known; ns UTC. The liquidation is known a nanosecond after its bar: only then is it known to be the last |
//! | `missing` | a value was missing that the strategy needs |
//! | `side` | what was in the market: `long`, `short`, `both`, `flat` |
//! | `m_high`, `m_low` | levels chosen, units of 1e-8 of the last close; null without |
//! | `policy` | `level` or `close`; null without |
//! | `optimizer`, `fallback` | who chose, and why not the one that was asked for |
//! | `picked` | strategy whose day it is, where one is picked each day |
//! | `evaluations` | pairs or points compared |
//! | `trained` | what the levels would have paid on the training days together, share of equity |
//! | `entry`, `leave` | prices as moves from the last close, units of 1e-8, of the long side where both traded |
//! | `at_target` | whether it left at the target |
//! | `weight`, `traded` | share of equity in the market, signed; notional bought and sold over equity |
//! | `return` | under the fills that were asked for, costs included |
//! | `return_pessimistic`, `return_optimistic` | the same under these fills |
//! | `return_untuned_pessimistic`, `return_untuned_optimistic` | with levels (0, 0); null where nothing is tuned |
//! | `return_buy_hold` | of buying and holding |

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
        UInt32Array, UInt64Array,
    },
    datatypes::SchemaRef,
};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    Error,
    fills::{FillMode, Policy},
    strategy::Tuning,
    walk::{AccountWalk, Day, SymbolWalk},
};

/// The rows of one symbol: by strategy, then by time.
///
/// # Errors
/// [`Error::Columns`], which would be a mistake of ours.
pub fn fold_rows(walk: &SymbolWalk) -> Result<RecordBatch, Error> {
    let mut rows = Vec::new();
    let mut main: Vec<&AccountWalk> = Vec::new();
    for account in &walk.accounts {
        if !main.iter().any(|known| known.strategy == account.strategy) {
            main.push(account);
        }
    }
    let beside = |account: &AccountWalk, fills: FillMode, untuned: bool| {
        walk.accounts.iter().find(|other| {
            other.strategy == account.strategy
                && other.fills.is_none_or(|of| of == fills)
                && (other.tuned == Some(false)) == untuned
        })
    };
    for account in main {
        let others = [
            beside(account, FillMode::Pessimistic, false),
            beside(account, FillMode::Optimistic, false),
            beside(account, FillMode::Pessimistic, true),
            beside(account, FillMode::Optimistic, true),
        ];
        for at in 0..account.days.len() {
            rows.push(Row {
                strategy: account.strategy,
                at,
                day: Some(&account.days[at]),
                gain: account.days[at].period.gain,
                weight: account.days[at].period.weight,
                traded: account.days[at].period.traded,
                others: others.map(|other| Some(other?.days[at].period.gain)),
                buy_hold: Some(walk.buy_hold.days[at].period.gain),
            });
        }
        if let (Some(end), Some(at)) = (account.liquidation, account.days.len().checked_sub(1)) {
            rows.push(Row {
                strategy: account.strategy,
                at,
                day: None,
                gain: end.gain,
                weight: 0.0,
                traded: end.traded,
                others: [Some(end.gain), Some(end.gain), None, None],
                buy_hold: walk.buy_hold.liquidation.map(|end| end.gain),
            });
        }
    }
    batch(walk, &rows)
}

struct Row<'w> {
    strategy: &'static str,
    at: usize,
    /// `None` at the liquidation.
    day: Option<&'w Day>,
    gain: f64,
    weight: f64,
    traded: f64,
    others: [Option<f64>; 4],
    buy_hold: Option<f64>,
}

fn batch(walk: &SymbolWalk, rows: &[Row<'_>]) -> Result<RecordBatch, Error> {
    fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
    let float = |value: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let integer = |value: &dyn Fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Int64Array>())
    };
    let choice = |row: &Row<'_>| row.day.and_then(|day| day.choice);
    let fixed = |row: &Row<'_>| match row.day?.order?.tuning {
        Tuning::Fixed(levels) => Some(levels),
        Tuning::Search { .. } => None,
    };
    let levels = |row: &Row<'_>| choice(row).map(|choice| choice.levels).or_else(|| fixed(row));
    let fill = |row: &Row<'_>| row.day.and_then(|day| day.settled).and_then(|settled| settled.long.or(settled.short));
    let times = |value: &dyn Fn(&Row<'_>) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(value)).with_timezone("UTC"))
    };
    let known_at = |row: &Row<'_>| walk.known_at[row.at].nanos() + i64::from(row.day.is_none());
    let folds = rows.iter().map(|row| if row.day.is_some() { walk.folds[row.at] as u32 } else { 0 });
    let policy = |row: &Row<'_>| {
        levels(row).map(|levels| match levels.policy {
            Policy::Close => "close",
            Policy::Level => "level",
        })
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("symbol", text(rows.iter().map(|_| Some(walk.symbol.as_str())))),
        ("strategy", text(rows.iter().map(|row| Some(row.strategy)))),
        ("fold", Arc::new(folds.collect::<UInt32Array>())),
        ("time", times(&|row| walk.times[row.at].nanos())),
        ("known_at", times(&known_at)),
        (
            "missing",
            Arc::new(rows.iter().map(|row| Some(row.day.is_some_and(|day| day.missing))).collect::<BooleanArray>()),
        ),
        ("side", text(rows.iter().map(|row| Some(side(row))))),
        ("m_high", integer(&|row| levels(row).map(|levels| levels.high))),
        ("m_low", integer(&|row| levels(row).map(|levels| levels.low))),
        ("policy", text(rows.iter().map(policy))),
        ("optimizer", text(rows.iter().map(|row| choice(row)?.optimizer.map(|optimizer| optimizer.name())))),
        ("fallback", text(rows.iter().map(|row| choice(row)?.fallback.map(|fallback| fallback.name())))),
        ("picked", text(rows.iter().map(|row| row.day.and_then(|day| day.picked)))),
        (
            "evaluations",
            Arc::new(rows.iter().map(|row| choice(row).map(|choice| choice.evaluations)).collect::<UInt64Array>()),
        ),
        ("trained", float(&|row| choice(row).map(|choice| choice.value as f64 / (2.0 * crate::PAY_ONE)))),
        ("entry", integer(&|row| fill(row).map(|fill| fill.entry))),
        ("leave", integer(&|row| fill(row).map(|fill| fill.leave))),
        ("at_target", Arc::new(rows.iter().map(|row| fill(row).map(|fill| fill.at_target)).collect::<BooleanArray>())),
        ("weight", float(&|row| Some(row.weight))),
        ("traded", float(&|row| Some(row.traded))),
        ("return", float(&|row| Some(row.gain))),
        ("return_pessimistic", float(&|row| row.others[0])),
        ("return_optimistic", float(&|row| row.others[1])),
        ("return_untuned_pessimistic", float(&|row| row.others[2])),
        ("return_untuned_optimistic", float(&|row| row.others[3])),
        ("return_buy_hold", float(&|row| row.buy_hold)),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| failed(&error))
}

fn side(row: &Row<'_>) -> &'static str {
    match row.day.and_then(|day| day.settled) {
        Some(settled) => match (settled.long, settled.short) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "long",
            (None, Some(_)) => "short",
            (None, None) => "flat",
        },
        None if row.weight > 0.0 => "long",
        None if row.weight < 0.0 => "short",
        None => "flat",
    }
}

/// Batches of one schema as a Parquet file. The same batches give the same bytes.
///
/// # Errors
/// [`Error::Columns`] where schemas differ.
pub fn to_parquet(batches: &[RecordBatch]) -> Result<Vec<u8>, Error> {
    let schema: SchemaRef = batches.first().map(RecordBatch::schema).ok_or_else(|| failed(&"no batch"))?;
    let level = ZstdLevel::try_new(3).map_err(|error| failed(&error))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(level)).set_created_by("railbird".to_owned());
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema, Some(properties.build())).map_err(|error| failed(&error))?;
    for batch in batches {
        writer.write(batch).map_err(|error| failed(&error))?;
    }
    writer.into_inner().map_err(|error| failed(&error))
}

/// Batches of a Parquet file that [`to_parquet`] wrote.
///
/// # Errors
/// [`Error::Columns`] where it is none.
pub fn from_parquet(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, Error> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|error| failed(&error))?;
    let reader = builder.with_batch_size(1 << 20).build().map_err(|error| failed(&error))?;
    reader.collect::<Result<_, _>>().map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Columns { what: "fold table", reason: error.to_string() }
}
