//! Made-up bars, and what compares tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimestampNanosecondType};
use railbird_book::{Bars, Instrument, Instruments, Series, StudyRules, UserLevel};
use railbird_timeline::Ts;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(crate) const BAR_NS: i64 = 5_000_000_000;
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// Point 1, tick 0.25, New York's hours.
pub(crate) fn instrument() -> Instrument {
    Instruments::built_in().find("SIM").expect("simulated symbols are built in").clone()
}

pub(crate) fn rules() -> StudyRules {
    let user = |name: &str, price, from| UserLevel { name: name.to_owned(), price, from };
    let later = "2025-06-05T15:00:00Z".parse::<Ts>().expect("an instant").0;
    StudyRules::of(&instrument(), 15, vec![user("round", 100.0, None), user("late", 101.1, Some(later))])
        .expect("a known instrument")
}

/// Chance that is the same everywhere.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        (self.share() * count as f64) as u64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.share() * (high - low)
    }
}

/// Bars of `days` weekdays from 2025-06-02, one batch a day, from 12:30 to 20:30 UTC: the last hour of the pre-market, the
/// regular session and half an hour more. Some values are missing; now and then a batch of rows becomes known late; a gap
/// parts the third day.
pub(crate) fn made_up(days: usize, seed: u64) -> Vec<RecordBatch> {
    let monday = "2025-06-02T12:30:00Z".parse::<Ts>().expect("an instant").0;
    let mut chance = Chance::new(seed);
    let mut price = 400_i64;
    let mut made = Vec::new();
    let mut known_at = 0;
    for day in 0..days {
        let first = monday + (day / 5 * 7 + day % 5) as i64 * DAY_NS;
        let mut columns: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
        let (mut starts, mut ends, mut knowns) = (Vec::new(), Vec::new(), Vec::new());
        for bar in 0..8 * 720_i64 {
            if day == 2 && (2000..2030).contains(&bar) {
                continue;
            }
            let start = first + bar * BAR_NS;
            // A walk that is drawn back to 400 ticks, so that levels are met again.
            let drawn = if chance.share() < 0.02 { (400 - price).signum() } else { 0 };
            price += chance.below(3) as i64 - 1 + drawn;
            known_at = known_at.max(start + BAR_NS + (chance.share() * 2e8) as i64);
            if chance.share() < 0.003 {
                known_at += 7 * BAR_NS;
            }
            starts.push(start);
            ends.push(start + BAR_NS);
            knowns.push(known_at);
            fill(&mut columns, price, &mut chance);
        }
        made.push(batch("SIM", &starts, &ends, &knowns, &columns));
    }
    made
}

fn fill(columns: &mut BTreeMap<&str, Vec<Option<f64>>>, price: i64, chance: &mut Chance) {
    let tick = 0.25;
    let (bid, ask) = (price as f64 * tick, (price + 1) as f64 * tick);
    let has_book = chance.share() > 0.01;
    let has_trades = chance.share() > 0.3;
    for series in Series::ALL {
        let name = series.column();
        let level = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix("_eob")?.parse::<i64>().ok();
        let value = if let Some(level) = level("px_bid_l") {
            (has_book && level < 8).then_some(bid - level as f64 * tick)
        } else if let Some(level) = level("px_ask_l") {
            has_book.then_some(ask + (level + level / 4) as f64 * tick)
        } else if level("sz_bid_l").is_some() || level("sz_ask_l").is_some() {
            Some(if has_book { chance.below(50) as f64 } else { 0.0 })
        } else {
            match name {
                "wmid_eob" => has_book.then(|| bid + chance.between(0.0, tick)),
                "trade_high" => has_trades.then_some(ask),
                "trade_low" => has_trades.then_some(bid),
                "trade_close" | "trade_vwap" => has_trades.then(|| bid + chance.below(2) as f64 * tick),
                "trade_vol_sum" => Some(if has_trades { 1.0 + chance.below(90) as f64 } else { 0.0 }),
                _ if name.starts_with("wall_near") => (chance.share() < 0.2).then(|| chance.between(0.0, 5.0)),
                _ if name.ends_with("_sum") => Some(chance.between(-50.0, 100.0).round()),
                _ if name.starts_with("imb") || name.starts_with("band_imb") => {
                    has_book.then(|| chance.between(-1.0, 1.0))
                }
                _ => has_book.then(|| chance.between(0.0, 300.0)),
            }
        };
        columns.entry(name).or_default().push(value);
    }
}

pub(crate) fn batch(
    symbol: &str,
    starts: &[i64],
    ends: &[i64],
    knowns: &[i64],
    columns: &BTreeMap<&str, Vec<Option<f64>>>,
) -> RecordBatch {
    let instants = |values: &[i64]| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(values.iter().copied()).with_timezone("UTC"))
    };
    let mut fields = vec![("symbol", Arc::new(StringArray::from(vec![symbol; starts.len()])) as ArrayRef)];
    fields.extend([("bar_start", instants(starts)), ("bar_end", instants(ends)), ("known_at", instants(knowns))]);
    for (name, values) in columns {
        fields.push((name, Arc::new(Float64Array::from(values.clone()))));
    }
    let schema: Vec<Field> =
        fields.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), fields.into_iter().map(|(_, values)| values).collect())
        .expect("columns of one length")
}

/// One file of bars a day.
pub(crate) fn files(batches: &[RecordBatch]) -> Vec<Bars> {
    let read = |batch: &RecordBatch| {
        let mut read = Bars::read(std::slice::from_ref(batch), Series::ALL).expect("bars that can be read");
        assert_eq!(read.len(), 1, "one symbol");
        read.remove(0)
    };
    batches.iter().map(read).collect()
}

/// The rows of a table that were known at `cut`.
pub(crate) fn known_by(table: &RecordBatch, cut: i64) -> RecordBatch {
    let known_at = table.column_by_name("known_at").expect("every table says when its rows were known");
    let known_at = known_at.as_primitive::<TimestampNanosecondType>();
    let keep: BooleanArray = known_at.iter().map(|known| known.map(|known| known <= cut)).collect();
    filter_record_batch(table, &keep).expect("as many flags as rows")
}

/// The first difference between two tables, in words.
pub(crate) fn difference(found: &RecordBatch, want: &RecordBatch) -> Option<String> {
    if found.num_rows() != want.num_rows() {
        return Some(format!("{} rows, expected {}", found.num_rows(), want.num_rows()));
    }
    for (at, field) in want.schema().fields().iter().enumerate() {
        let (left, right) = (found.column(at), want.column(at));
        if left.data_type() != right.data_type() {
            return Some(format!("{}: type {:?}, expected {:?}", field.name(), left.data_type(), right.data_type()));
        }
        if left.to_data() != right.to_data() || !same_bits(left, right) {
            let row = (0..want.num_rows()).find(|row| cell(left, *row) != cell(right, *row));
            let row = row.expect("columns that differ do so in some row");
            let (left, right) = (cell(left, row), cell(right, row));
            return Some(format!("{}, row {row}: {left}, expected {right}", field.name()));
        }
    }
    None
}

/// Arrow calls 0 and -0 equal, and no NaN equal to another.
fn same_bits(left: &ArrayRef, right: &ArrayRef) -> bool {
    let bits = |values: &ArrayRef| -> Option<Vec<Option<u64>>> {
        let values = values.as_primitive_opt::<Float64Type>()?;
        Some(values.iter().map(|value| value.map(f64::to_bits)).collect())
    };
    bits(left) == bits(right)
}

/// A cell to the last bit.
fn cell(values: &ArrayRef, row: usize) -> String {
    if values.is_null(row) {
        return "none".to_owned();
    }
    match values.data_type() {
        DataType::Float64 => {
            let value = values.as_primitive::<Float64Type>().value(row);
            format!("{value} ({:x})", value.to_bits())
        }
        DataType::Timestamp(..) => values.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row).to_string(),
        _ => values.as_string::<i32>().value(row).to_owned(),
    }
}
