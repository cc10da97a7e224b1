//! Bars of a day as the page reads them. Start at [`pack_bars`].
//!
//! A pack is `RBB1`, the length of a header as u32 LE, the header as JSON, zeros up to a multiple of 8 bytes, and then the
//! columns, little endian, each at its offset from there. The header: `{"rows": n, "columns": [{"name", "type",
//! "offset", "base", "scale"}]}`. `f64` and `f32` hold NaN where a value is missing. `i32` is a price in ticks: its value
//! is base + scale·i, and −2³¹ means missing; a price off the tick grid is drawn on the nearest tick.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::table::StageError;

/// Times, as ms since 1970.
const TIMES: [&str; 3] = ["bar_start", "bar_end", "known_at"];
/// Columns of prices on the tick grid, beside those of the ten levels.
const TRADES: [&str; 4] = ["trade_open", "trade_high", "trade_low", "trade_close"];
/// Other columns of numbers.
const NUMBERS: [&str; 9] = [
    "mid_eob",
    "spread_twa",
    "imb_1_twa",
    "imb_10_twa",
    "ofi_1_sum",
    "ofi_10_sum",
    "trade_signed_sum",
    "trade_vol_sum",
    "events_n_sum",
];
/// Levels on each side of the book.
const DEPTH: usize = 10;

/// Columns of the bars that a pack holds, by their names in the table.
pub fn packed_columns() -> Vec<String> {
    let levels = |what: &'static str| {
        ["bid", "ask"]
            .into_iter()
            .flat_map(move |side| (0..DEPTH).map(move |level| format!("{what}_{side}_l{level}_eob")))
    };
    let fixed = TIMES.iter().chain(&TRADES).chain(&NUMBERS).map(|name| (*name).to_owned());
    fixed.chain(levels("px")).chain(levels("sz")).collect()
}

/// Packs the bars of one symbol and day, in order; `tick` in quoted price.
///
/// # Errors
/// [`StageError::NoColumn`] and [`StageError::Type`] where the table is not one of bars.
pub fn pack_bars(batches: &[RecordBatch], tick: f64) -> Result<Vec<u8>, StageError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::new();
    let mut body = Vec::new();
    let base = base_price(batches, tick)?;
    for name in packed_columns() {
        body.resize(body.len().next_multiple_of(8), 0);
        let offset = body.len();
        let price = name.starts_with("px_") || TRADES.contains(&name.as_str());
        let kind = if TIMES.contains(&name.as_str()) {
            each(batches, &name, &DataType::Int64, |array, row| {
                let ns = array.as_primitive::<Int64Type>().value(row);
                body.extend_from_slice(&(ns as f64 / 1e6).to_le_bytes());
            })?;
            "f64"
        } else if price {
            each(batches, &name, &DataType::Float64, |array, row| {
                let ticks = if array.is_null(row) {
                    i32::MIN
                } else {
                    let ticks = (array.as_primitive::<Float64Type>().value(row) - base) / tick;
                    // A price that no screen can show beside the others is left out.
                    let ticks = ticks.round();
                    if ticks.abs() < f64::from(i32::MAX) { ticks as i32 } else { i32::MIN }
                };
                body.extend_from_slice(&ticks.to_le_bytes());
            })?;
            "i32"
        } else if name == "mid_eob" {
            numbers(batches, &name, |value| body.extend_from_slice(&value.to_le_bytes()))?;
            "f64"
        } else {
            numbers(batches, &name, |value| body.extend_from_slice(&(value as f32).to_le_bytes()))?;
            "f32"
        };
        let mut column = serde_json::json!({"name": name, "type": kind, "offset": offset});
        if price {
            column["base"] = base.into();
            column["scale"] = tick.into();
        }
        columns.push(column);
    }
    let header = serde_json::json!({"rows": rows, "columns": columns}).to_string();
    let mut pack = Vec::with_capacity(body.len() + header.len() + 16);
    pack.extend_from_slice(b"RBB1");
    pack.extend_from_slice(&(header.len() as u32).to_le_bytes());
    pack.extend_from_slice(header.as_bytes());
    pack.resize(pack.len().next_multiple_of(8), 0);
    pack.extend_from_slice(&body);
    Ok(pack)
}

/// The first price of the day: ticks are counted from it.
fn base_price(batches: &[RecordBatch], tick: f64) -> Result<f64, StageError> {
    let mut base = None;
    for name in ["px_bid_l0_eob", "px_ask_l0_eob", "trade_open"] {
        each(batches, name, &DataType::Float64, |array, row| {
            if base.is_none() && array.is_valid(row) {
                base = Some(array.as_primitive::<Float64Type>().value(row));
            }
        })?;
    }
    Ok(base.map_or(0.0, |price: f64| (price / tick).round() * tick))
}

fn numbers(batches: &[RecordBatch], name: &str, mut put: impl FnMut(f64)) -> Result<(), StageError> {
    each(batches, name, &DataType::Float64, |array, row| {
        put(if array.is_null(row) { f64::NAN } else { array.as_primitive::<Float64Type>().value(row) });
    })
}

/// Calls `visit` with every row of a column, cast to `to`.
fn each(
    batches: &[RecordBatch],
    name: &str,
    to: &DataType,
    mut visit: impl FnMut(&dyn Array, usize),
) -> Result<(), StageError> {
    for batch in batches {
        let found = batch
            .column_by_name(name)
            .ok_or_else(|| StageError::NoColumn { column: name.to_owned(), made_by: "bars" })?;
        let column = cast(found, to)?;
        for row in 0..column.len() {
            visit(&column, row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampNanosecondArray};

    use super::{TIMES, pack_bars, packed_columns};

    fn bars(rows: usize) -> RecordBatch {
        let columns = packed_columns().into_iter().enumerate().map(|(at, name)| {
            let array: ArrayRef = if TIMES.contains(&name.as_str()) {
                let times = (0..rows as i64).map(|row| 1_000_000_000 * (row + at as i64));
                Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
            } else {
                let value = |row: usize| (row != 1).then_some(100.0 + 0.25 * (row + at) as f64);
                Arc::new((0..rows).map(value).collect::<Float64Array>())
            };
            (name, array, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
    }

    #[test]
    fn a_pack_holds_every_column_at_its_offset() {
        let (whole, split) = (bars(5), bars(5));
        let pack = pack_bars(&[whole], 0.25).expect("a table of bars");
        assert_eq!(pack, pack_bars(&[split.slice(0, 2), split.slice(2, 3)], 0.25).expect("the same"), "batches");
        assert_eq!(&pack[..4], b"RBB1");
        let length = u32::from_le_bytes(pack[4..8].try_into().expect("four")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&pack[8..8 + length]).expect("JSON");
        let from = (8 + length).next_multiple_of(8);
        assert_eq!(header["rows"], 5);
        let names: Vec<_> = packed_columns();
        for (at, column) in header["columns"].as_array().expect("columns").iter().enumerate() {
            assert_eq!(column["name"], names[at].as_str());
            let offset = from + column["offset"].as_u64().expect("an offset") as usize;
            let row_2 = 100.0 + 0.25 * (2 + at) as f64;
            match column["type"].as_str().expect("a type") {
                "f64" if at < 3 => {
                    let ms = f64::from_le_bytes(pack[offset + 16..offset + 24].try_into().expect("eight"));
                    assert_eq!(ms, 1000.0 * (2 + at) as f64);
                }
                "f64" => {
                    assert!(f64::from_le_bytes(pack[offset + 8..offset + 16].try_into().expect("eight")).is_nan());
                    assert_eq!(f64::from_le_bytes(pack[offset + 16..offset + 24].try_into().expect("eight")), row_2);
                }
                "f32" => {
                    assert!(f32::from_le_bytes(pack[offset + 4..offset + 8].try_into().expect("four")).is_nan());
                    let value = f32::from_le_bytes(pack[offset + 8..offset + 12].try_into().expect("four"));
                    assert_eq!(f64::from(value), row_2);
                }
                _ => {
                    let tick = |row: usize| {
                        let at = offset + 4 * row;
                        i32::from_le_bytes(pack[at..at + 4].try_into().expect("four"))
                    };
                    assert_eq!(tick(1), i32::MIN, "missing");
                    let base = column["base"].as_f64().expect("a base");
                    assert_eq!(base + 0.25 * f64::from(tick(2)), row_2);
                }
            }
        }
    }

    #[test]
    fn a_day_without_prices_and_one_without_rows_are_packs_too() {
        assert!(pack_bars(&[bars(0)], 0.01).is_ok());
        assert!(pack_bars(&[], 0.01).is_ok());
        assert!(pack_bars(&[bars(2).project(&[0, 1, 2]).expect("columns")], 0.01).is_err(), "no prices");
    }
}
