//! Parquet with DBN's column names. Start at [`ParquetDecoder`].

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    },
    file::reader::ChunkReader,
};

use super::{
    CHUNK_ROWS, Chunk, Decode, DecodeCounts, DecodeError,
    instruments::Seen,
    mbo::{OrderRow, Orders},
    tabular::{Key, Layout, SIZE_MAX, nano},
};
use crate::state::{
    row::{Level, NO_PRICE, NO_SEQUENCE, NO_TIME, Row, TickRow},
    rules::{SizeUnit, SourceForm},
};

/// Decodes Parquet.
pub(super) struct ParquetDecoder {
    batches: ParquetRecordBatchReader,
    layout: Layout,
    size_unit: SizeUnit,
    seen: Seen<Key>,
    orders: Orders,
}

impl ParquetDecoder {
    /// Reads the schema.
    pub(super) fn open<F: ChunkReader + 'static>(file: F) -> Result<Self, DecodeError> {
        let failed = |error: &dyn std::fmt::Display| DecodeError::Parquet(error.to_string());
        guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
            let names: Vec<&str> = builder.schema().fields().iter().map(|field| field.name().as_str()).collect();
            let wanted = used(&names);
            let roots = wanted.iter().map(|at| at.0);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            let schema = Schema::new(
                wanted.iter().map(|at| Arc::clone(&builder.schema().fields()[at.0])).collect::<Vec<Arc<Field>>>(),
            );
            let layout = Layout::of(&wanted.iter().map(|at| at.1).collect::<Vec<_>>())?;
            let size_unit = size_unit(&schema, &layout);
            let batches = builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build();
            let batches = batches.map_err(|error| failed(&error))?;
            Ok(Self { batches, layout, size_unit, seen: Seen::new(), orders: Orders::default() })
        })
        .unwrap_or_else(|| Err(DecodeError::Parquet("its pages contradict each other".to_owned())))
    }

    fn rows(&mut self, batch: &RecordBatch, chunk: &mut Chunk, counts: &mut DecodeCounts) -> Result<(), DecodeError> {
        let columns = Columns::of(batch, &self.layout, self.size_unit)?;
        for at in 0..batch.num_rows() {
            counts.rows += 1;
            let key = columns.key(at);
            let name = || columns.name(at);
            let Some(instrument) = self.seen.place(&key, &mut chunk.named, name) else {
                counts.reject("more instruments than 10000");
                continue;
            };
            let Some(row) = columns.row(at) else {
                counts.reject("size below 0 or too large");
                continue;
            };
            let row = match &columns.order {
                Some(order) => self.orders.apply(instrument, &OrderRow { order: order.value(at) as u64, row }, counts),
                None => Some(row),
            };
            if let Some(row) = row {
                chunk.rows().push(row);
                chunk.ran(instrument);
            }
        }
        Ok(())
    }
}

impl Decode for ParquetDecoder {
    fn form(&self) -> SourceForm {
        SourceForm { levels: self.layout.level_count(), size_unit: self.size_unit, every_row_ends: false }
    }

    fn fill(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> Result<bool, DecodeError> {
        match guarded(|| self.batches.next()) {
            Some(None) => Ok(false),
            Some(Some(Ok(batch))) => self.rows(&batch, chunk, counts).map(|()| true),
            Some(Some(Err(error))) => {
                counts.cut_short = Some(format!("reading ended after row {}: {error}", counts.rows));
                Ok(false)
            }
            None => {
                counts.cut_short =
                    Some(format!("reading ended after row {}: its pages contradict each other", counts.rows));
                Ok(false)
            }
        }
    }
}

/// Runs the Parquet reader, which gives up with a panic on some damaged pages; `None` then.
fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// Places and names of the columns that are read.
fn used<'a>(names: &[&'a str]) -> Vec<(usize, &'a str)> {
    let levels = |name: &str| name.starts_with("bid_") || name.starts_with("ask_");
    let others = [
        "ts_event",
        "ts_recv",
        "publisher_id",
        "instrument_id",
        "symbol",
        "action",
        "side",
        "price",
        "size",
        "flags",
        "sequence",
        "order_id",
    ];
    names.iter().copied().enumerate().filter(|(_, name)| levels(name) || others.contains(name)).collect()
}

/// Whole where every column of sizes is.
fn size_unit(schema: &Schema, layout: &Layout) -> SizeUnit {
    let levels = layout.levels.iter().flatten().map(|level| level.size);
    let whole = std::iter::once(layout.size).chain(levels).all(|at| schema.field(at).data_type().is_integer());
    if whole { SizeUnit::Whole } else { SizeUnit::Nano }
}

/// Columns of a batch, as whole numbers and text.
struct Columns {
    ts_event: Int64Array,
    ts_recv: Option<Int64Array>,
    publisher: Option<Int64Array>,
    instrument: Option<Int64Array>,
    symbol: Option<StringArray>,
    action: StringArray,
    side: StringArray,
    price: Int64Array,
    size: Int64Array,
    flags: Option<Int64Array>,
    sequence: Option<Int64Array>,
    order: Option<Int64Array>,
    /// Price, size, count.
    levels: Vec<[(Int64Array, Int64Array, Option<Int64Array>); 2]>,
}

impl Columns {
    fn of(batch: &RecordBatch, layout: &Layout, unit: SizeUnit) -> Result<Self, DecodeError> {
        let whole = |at: usize| whole(batch, at);
        let text = |at: usize| text(batch, at);
        let size = |at: usize| match unit {
            SizeUnit::Whole => whole(at),
            SizeUnit::Nano => scaled(batch, at, true),
        };
        let price = |at: usize| scaled(batch, at, false);
        let levels = layout.levels.iter().map(|sides| -> Result<_, DecodeError> {
            let [bid, ask] = sides.map(|level| -> Result<_, DecodeError> {
                Ok((price(level.price)?, size(level.size)?, level.count.map(whole).transpose()?))
            });
            Ok([bid?, ask?])
        });
        Ok(Self {
            ts_event: time(batch, layout.ts_event)?,
            ts_recv: layout.ts_recv.map(|at| time(batch, at)).transpose()?,
            publisher: layout.publisher.map(whole).transpose()?,
            instrument: layout.instrument.map(whole).transpose()?,
            symbol: layout.symbol.map(text).transpose()?,
            action: text(layout.action)?,
            side: text(layout.side)?,
            price: price(layout.price)?,
            size: size(layout.size)?,
            flags: layout.flags.map(whole).transpose()?,
            sequence: layout.sequence.map(whole).transpose()?,
            order: layout.order.map(whole).transpose()?,
            levels: levels.collect::<Result<_, _>>()?,
        })
    }

    fn key(&self, at: usize) -> Key {
        match (&self.instrument, &self.symbol) {
            (Some(instrument), _) => {
                let publisher = self.publisher.as_ref().map_or(0, |publisher| publisher.value(at));
                Key::Numbers(publisher, instrument.value(at))
            }
            (None, Some(symbol)) => Key::Symbol(symbol.value(at).as_bytes().to_vec()),
            (None, None) => Key::Numbers(0, 0),
        }
    }

    fn name(&self, at: usize) -> String {
        match (&self.symbol, &self.instrument) {
            (Some(symbol), _) => symbol.value(at).to_owned(),
            (None, Some(instrument)) => instrument.value(at).to_string(),
            (None, None) => String::new(),
        }
    }

    /// A row without its instrument; `None` where a size cannot be.
    fn row(&self, at: usize) -> Option<TickRow> {
        let letter =
            |text: &StringArray| if text.is_valid(at) { text.value(at).bytes().next().unwrap_or(0) } else { 0 };
        let value = |column: &Int64Array| column.is_valid(at).then(|| column.value(at));
        let time = |column: &Int64Array| value(column).and_then(|time| u64::try_from(time).ok()).unwrap_or(NO_TIME);
        let price = |column: &Int64Array| value(column).unwrap_or(NO_PRICE);
        let size = |column: &Int64Array| {
            let size = value(column).unwrap_or(0);
            (0..=SIZE_MAX).contains(&size).then_some(size)
        };
        let mut row = TickRow {
            ts_event: time(&self.ts_event),
            ts_recv: self.ts_recv.as_ref().map_or(NO_TIME, time),
            sequence: self.sequence.as_ref().and_then(value).map_or(NO_SEQUENCE, |sequence| sequence as u64),
            price: price(&self.price),
            size: size(&self.size)?,
            action: letter(&self.action),
            side: letter(&self.side),
            flags: self.flags.as_ref().and_then(value).unwrap_or(0) as u8,
            ..TickRow::empty()
        };
        for (level, sides) in self.levels.iter().enumerate() {
            for (side, (prices, sizes, counts)) in sides.iter().enumerate() {
                let count = counts.as_ref().and_then(value).unwrap_or(0);
                row.levels[side][level] = Level { price: price(prices), size: size(sizes)?, count };
            }
        }
        Some(row)
    }
}

fn kind_error(batch: &RecordBatch, at: usize, expected: &'static str) -> DecodeError {
    let schema = batch.schema();
    let field = schema.field(at);
    DecodeError::ColumnKind { column: field.name().clone(), found: field.data_type().to_string(), expected }
}

/// A cast in which what does not fit is missing.
fn cast(batch: &RecordBatch, at: usize, to: &DataType, expected: &'static str) -> Result<ArrayRef, DecodeError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(batch.column(at), to, &options).map_err(|_| kind_error(batch, at, expected))
}

fn down<A: Array + Clone + 'static>(array: &ArrayRef, batch: &RecordBatch, at: usize) -> Result<A, DecodeError> {
    array.as_any().downcast_ref::<A>().cloned().ok_or_else(|| kind_error(batch, at, "a plain column"))
}

fn whole(batch: &RecordBatch, at: usize) -> Result<Int64Array, DecodeError> {
    if !batch.column(at).data_type().is_integer() {
        return Err(kind_error(batch, at, "whole numbers"));
    }
    down(&cast(batch, at, &DataType::Int64, "whole numbers")?, batch, at)
}

fn text(batch: &RecordBatch, at: usize) -> Result<StringArray, DecodeError> {
    down(&cast(batch, at, &DataType::Utf8, "text")?, batch, at)
}

/// Nanoseconds.
fn time(batch: &RecordBatch, at: usize) -> Result<Int64Array, DecodeError> {
    let expected = "Unix nanoseconds or a timestamp";
    match batch.column(at).data_type() {
        kind if kind.is_integer() => whole(batch, at),
        DataType::Timestamp(_, zone) => {
            let nanos = cast(batch, at, &DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()), expected)?;
            let nanos = arrow::compute::cast(&nanos, &DataType::Int64).map_err(|_| kind_error(batch, at, expected))?;
            down(&nanos, batch, at)
        }
        _ => Err(kind_error(batch, at, expected)),
    }
}

/// 1e-9 of what a column says; whole numbers are prices in 1e-9 already, or sizes of 1.
fn scaled(batch: &RecordBatch, at: usize, is_size: bool) -> Result<Int64Array, DecodeError> {
    let expected = "numbers";
    match batch.column(at).data_type() {
        kind if kind.is_integer() => {
            let whole = whole(batch, at)?;
            let scale = if is_size { 1_000_000_000 } else { 1 };
            // A size that does not fit stands out as one that cannot be.
            Ok(whole.unary(|value| value.checked_mul(scale).unwrap_or(i64::MIN)))
        }
        kind if kind.is_floating() => {
            let floats: Float64Array = down(&cast(batch, at, &DataType::Float64, expected)?, batch, at)?;
            let missing = if is_size { 0 } else { NO_PRICE };
            let too_large = if is_size { i64::MIN } else { NO_PRICE };
            let of = |value: f64| if value.is_nan() { missing } else { nano(value).unwrap_or(too_large) };
            Ok(floats.unary(of))
        }
        DataType::Decimal128(..) => {
            let decimals: Decimal128Array = down(&cast(batch, at, &DataType::Decimal128(38, 9), expected)?, batch, at)?;
            let too_large = if is_size { i64::MIN } else { NO_PRICE };
            Ok(decimals.unary(|value| i64::try_from(value).unwrap_or(too_large)))
        }
        _ => Err(kind_error(batch, at, expected)),
    }
}
