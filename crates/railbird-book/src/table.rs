//! The bars as the later stages read them, and the tables that these write. Start at [`Bars::read`].
//!
//! Stages take bars as Arrow record batches by column name and need nothing else of the kernel. Inside a stage a
//! column is a plain slice of numbers with NaN where a value is missing; at the border missing is null again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// Why a stage has no result. Trying again with the same tables fails again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// A column that the stage reads is not there.
    #[error("table has no column {column}; give a table that `railbird book {made_by}` wrote with that column")]
    NoColumn {
        /// Name of the column.
        column: String,
        /// Verb that writes it.
        made_by: &'static str,
    },
    /// A column of another type.
    #[error("column {column}: expected {expected}, found {found}")]
    Type {
        /// Name of the column.
        column: String,
        /// What the stage can read.
        expected: &'static str,
        /// What it holds.
        found: DataType,
    },
    /// A value without which a row means nothing is missing.
    #[error("column {column}, row {row}: expected a value, found none")]
    Missing {
        /// Name of the column.
        column: String,
        /// Row, from 0, over all batches.
        row: usize,
    },
    /// Rows out of order.
    #[error("{symbol}, row {row}: {column} runs backwards; give the bars of a symbol in order of time, each once")]
    Order {
        /// Symbol of the rows.
        symbol: String,
        /// Row of the symbol, from 0.
        row: usize,
        /// Column that falls.
        column: &'static str,
    },
    /// Text that is none of the words known.
    #[error("column {column}, row {row}: {found:?} is no {expected}")]
    Word {
        /// Name of the column.
        column: String,
        /// Row, from 0.
        row: usize,
        /// What was read.
        found: String,
        /// What it should name.
        expected: &'static str,
    },
    /// An instrument whose calendar cannot be followed.
    #[error("instrument {symbol}: {what}")]
    Instrument {
        /// Symbol of the instrument.
        symbol: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A column that tells an outcome stands among what is known at the trigger.
    #[error("column {column} tells an outcome; features and vectors must not hold it")]
    Outcome {
        /// Name of the column.
        column: String,
    },
    /// Arrow refused the columns.
    #[error("table: {0}")]
    Arrow(#[from] ArrowError),
    /// A file that is not Parquet, or is broken.
    #[error("not a Parquet file that can be read: {0}")]
    Parquet(#[from] ParquetError),
    /// A figure could not be made.
    #[error("{0}")]
    Measure(#[from] railbird_measure::Error),
    /// Too little was known at the moment asked for.
    #[error("{what}: {needed} needed, {found} known before the moment asked for; give more days or a later moment")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
}

macro_rules! series {
    ($($name:ident $column:literal,)+) => {
        /// A column of the bars that the later stages read; units as in the list of the bars' columns.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        #[expect(missing_docs, reason = "each is the column of the bars that its text names")]
        pub enum Series { $($name,)+ }

        impl Series {
            /// Every column, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Name in the table of the bars.
            pub const fn column(self) -> &'static str {
                match self { $(Self::$name => $column,)+ }
            }
        }
    };
}

series! {
    TradeHigh "trade_high",
    TradeLow "trade_low",
    TradeClose "trade_close",
    TradeVwap "trade_vwap",
    TradeVolume "trade_vol_sum",
    TradeSigned "trade_signed_sum",
    TradeBuy "trade_buy_sum",
    TradeSell "trade_sell_sum",
    TradeCount "trade_n_sum",
    Messages "msg_all_sum",
    Adds "msg_add_sum",
    Cancels "msg_cancel_sum",
    Wmid "wmid_eob",
    Imbalance1 "imb_1_eob",
    Imbalance10 "imb_10_eob",
    DepthBid "depth_bid_eob",
    DepthAsk "depth_ask_eob",
    BandBid1 "band_bid_p1_eob",
    BandAsk1 "band_ask_p1_eob",
    BandImbalance1 "band_imb_p1_eob",
    BandImbalance2 "band_imb_p2_eob",
    WallBid "wall_z_bid_eob",
    WallAsk "wall_z_ask_eob",
    WallNearBid "wall_near_bid_eob",
    WallNearAsk "wall_near_ask_eob",
    Ofi1 "ofi_1_sum",
    Ofi10 "ofi_10_sum",
    FlowBid1 "flow_net_bid_p1_sum",
    FlowBid2 "flow_net_bid_p2_sum",
    FlowBid3 "flow_net_bid_p3_sum",
    FlowBid5 "flow_net_bid_p5_sum",
    FlowBid10 "flow_net_bid_p10_sum",
    FlowAsk1 "flow_net_ask_p1_sum",
    FlowAsk2 "flow_net_ask_p2_sum",
    FlowAsk3 "flow_net_ask_p3_sum",
    FlowAsk5 "flow_net_ask_p5_sum",
    FlowAsk10 "flow_net_ask_p10_sum",
    BidPrice0 "px_bid_l0_eob",
    BidPrice1 "px_bid_l1_eob",
    BidPrice2 "px_bid_l2_eob",
    BidPrice3 "px_bid_l3_eob",
    BidPrice4 "px_bid_l4_eob",
    BidPrice5 "px_bid_l5_eob",
    BidPrice6 "px_bid_l6_eob",
    BidPrice7 "px_bid_l7_eob",
    BidPrice8 "px_bid_l8_eob",
    BidPrice9 "px_bid_l9_eob",
    BidSize0 "sz_bid_l0_eob",
    BidSize1 "sz_bid_l1_eob",
    BidSize2 "sz_bid_l2_eob",
    BidSize3 "sz_bid_l3_eob",
    BidSize4 "sz_bid_l4_eob",
    BidSize5 "sz_bid_l5_eob",
    BidSize6 "sz_bid_l6_eob",
    BidSize7 "sz_bid_l7_eob",
    BidSize8 "sz_bid_l8_eob",
    BidSize9 "sz_bid_l9_eob",
    AskPrice0 "px_ask_l0_eob",
    AskPrice1 "px_ask_l1_eob",
    AskPrice2 "px_ask_l2_eob",
    AskPrice3 "px_ask_l3_eob",
    AskPrice4 "px_ask_l4_eob",
    AskPrice5 "px_ask_l5_eob",
    AskPrice6 "px_ask_l6_eob",
    AskPrice7 "px_ask_l7_eob",
    AskPrice8 "px_ask_l8_eob",
    AskPrice9 "px_ask_l9_eob",
    AskSize0 "sz_ask_l0_eob",
    AskSize1 "sz_ask_l1_eob",
    AskSize2 "sz_ask_l2_eob",
    AskSize3 "sz_ask_l3_eob",
    AskSize4 "sz_ask_l4_eob",
    AskSize5 "sz_ask_l5_eob",
    AskSize6 "sz_ask_l6_eob",
    AskSize7 "sz_ask_l7_eob",
    AskSize8 "sz_ask_l8_eob",
    AskSize9 "sz_ask_l9_eob",
}

impl Series {
    /// What levels and volume profiles read: enough of the days before a day.
    pub const OF_TRADES: &[Self] = &[Self::TradeHigh, Self::TradeLow, Self::TradeClose, Self::TradeVolume];

    /// Prices of the ten bid levels, best first.
    pub(crate) fn bid_prices() -> &'static [Self] {
        Self::ten(Self::BidPrice0)
    }

    /// Sizes of the ten bid levels, best first.
    pub(crate) fn bid_sizes() -> &'static [Self] {
        Self::ten(Self::BidSize0)
    }

    /// Prices of the ten ask levels, best first.
    pub(crate) fn ask_prices() -> &'static [Self] {
        Self::ten(Self::AskPrice0)
    }

    /// Sizes of the ten ask levels, best first.
    pub(crate) fn ask_sizes() -> &'static [Self] {
        Self::ten(Self::AskSize0)
    }

    fn ten(first: Self) -> &'static [Self] {
        &Self::ALL[first as usize..first as usize + 10]
    }
}

/// Bars of one symbol, oldest first, by column.
///
/// `start` never falls, `end` is at or after `start`, `known_at` never falls and is at or after `end`: so whoever
/// knows a bar knows every bar before it, which the later stages build on.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    symbol: String,
    start: Vec<i64>,
    end: Vec<i64>,
    known_at: Vec<i64>,
    /// By [`Series`]; empty where not read.
    columns: Vec<Vec<f64>>,
}

impl Bars {
    /// Bars of each symbol, in order of first appearance, with the columns `wanted`.
    ///
    /// `batches` hold `symbol`, `bar_start`, `bar_end` and `known_at` (ns since 1970, UTC) and the columns wanted, under
    /// their names, as any number type; null is missing.
    ///
    /// # Errors
    /// [`StageError::NoColumn`], [`StageError::Type`], [`StageError::Missing`] in a key, [`StageError::Order`].
    pub fn read(batches: &[RecordBatch], wanted: &[Series]) -> Result<Vec<Self>, StageError> {
        let mut by_symbol: BTreeMap<String, usize> = BTreeMap::new();
        let mut read: Vec<Self> = Vec::new();
        let mut before = 0;
        for batch in batches {
            let rows = Rows { batch, made_by: "bars", before };
            let symbols = rows.texts("symbol")?;
            let (start, end) = (rows.instants("bar_start")?, rows.instants("bar_end")?);
            let known_at = rows.instants("known_at")?;
            let columns = wanted.iter().map(|series| rows.reals(series.column())).collect::<Result<Vec<_>, _>>()?;
            let mut row = 0;
            while row < batch.num_rows() {
                let symbol = symbols.value(row);
                // Rows of a symbol stand together, so a run is copied at once.
                let run = (row..batch.num_rows()).take_while(|&at| symbols.value(at) == symbol).count();
                let place = *by_symbol.entry(symbol.to_owned()).or_insert_with(|| {
                    read.push(Self::empty(symbol));
                    read.len() - 1
                });
                let bars = &mut read[place];
                bars.start.extend_from_slice(&start[row..row + run]);
                bars.end.extend_from_slice(&end[row..row + run]);
                bars.known_at.extend_from_slice(&known_at[row..row + run]);
                for (series, values) in wanted.iter().zip(&columns) {
                    bars.columns[*series as usize].extend_from_slice(&values[row..row + run]);
                }
                row += run;
            }
            before += batch.num_rows();
        }
        read.iter().try_for_each(Self::check_order)?;
        Ok(read)
    }

    /// The same from the bytes of a Parquet file, of which only the columns wanted are decoded.
    ///
    /// # Errors
    /// As [`Bars::read`], and [`StageError::Parquet`].
    pub fn read_parquet(file: Bytes, wanted: &[Series]) -> Result<Vec<Self>, StageError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let keys = ["symbol", "bar_start", "bar_end", "known_at"];
        let names = keys.into_iter().chain(wanted.iter().map(|series| series.column()));
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let batches = builder.with_projection(mask).build()?.collect::<Result<Vec<_>, _>>()?;
        Self::read(&batches, wanted)
    }

    /// Symbol of the rows.
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// How many bars there are.
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// Starts of the bars, ns since 1970, included.
    pub fn start(&self) -> &[i64] {
        &self.start
    }

    /// Ends of the bars, ns since 1970, excluded.
    pub fn end(&self) -> &[i64] {
        &self.end
    }

    /// When each bar became known, ns since 1970.
    pub fn known_at(&self) -> &[i64] {
        &self.known_at
    }

    /// Values of a column, NaN where missing.
    ///
    /// # Errors
    /// [`StageError::NoColumn`] where it was not read.
    pub fn series(&self, series: Series) -> Result<&[f64], StageError> {
        let values = &self.columns[series as usize];
        if values.len() == self.len() {
            Ok(values)
        } else {
            Err(StageError::NoColumn { column: series.column().to_owned(), made_by: "bars" })
        }
    }

    /// The bars that were known at `cut`, ns since 1970: always the first ones.
    pub fn known_by(&self, cut: i64) -> Self {
        let count = self.known_at.partition_point(|known| *known <= cut);
        let first = |values: &Vec<i64>| values[..count].to_vec();
        let columns = self.columns.iter().map(|values| values[..count.min(values.len())].to_vec()).collect();
        Self {
            symbol: self.symbol.clone(),
            start: first(&self.start),
            end: first(&self.end),
            known_at: first(&self.known_at),
            columns,
        }
    }

    fn empty(symbol: &str) -> Self {
        Self {
            symbol: symbol.to_owned(),
            start: Vec::new(),
            end: Vec::new(),
            known_at: Vec::new(),
            columns: vec![Vec::new(); Series::ALL.len()],
        }
    }

    fn check_order(&self) -> Result<(), StageError> {
        let fault = |row, column| StageError::Order { symbol: self.symbol.clone(), row, column };
        for row in 0..self.len() {
            let before = row.checked_sub(1);
            if self.end[row] < self.start[row] || before.is_some_and(|before| self.end[before] > self.start[row]) {
                return Err(fault(row, "bar_start"));
            }
            if self.known_at[row] < self.end[row] || before.is_some_and(|b| self.known_at[b] > self.known_at[row]) {
                return Err(fault(row, "known_at"));
            }
        }
        Ok(())
    }
}

/// A table as a Parquet file, compressed with zstd at level 3.
///
/// # Errors
/// [`StageError::Parquet`].
pub fn table_parquet(table: &RecordBatch) -> Result<Vec<u8>, StageError> {
    let level = ZstdLevel::try_new(3)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties))?;
    writer.write(table)?;
    Ok(writer.into_inner()?)
}

/// Columns of one record batch, by name.
pub(crate) struct Rows<'a> {
    batch: &'a RecordBatch,
    made_by: &'static str,
    /// Rows in batches before this one, for messages.
    before: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, made_by: &'static str) -> Self {
        Self { batch, made_by, before: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn texts(&self, column: &str) -> Result<StringArray, StageError> {
        let texts = self.cast(column, &DataType::Utf8, "text")?;
        self.full(column, &texts)?;
        Ok(texts.as_string::<i32>().clone())
    }

    pub(crate) fn instants(&self, column: &str) -> Result<Vec<i64>, StageError> {
        let numbers = self.cast(column, &DataType::Int64, "instants, ns since 1970")?;
        self.full(column, &numbers)?;
        Ok(numbers.as_primitive::<Int64Type>().values().to_vec())
    }

    /// Row numbers and counts.
    pub(crate) fn counts(&self, column: &str) -> Result<Vec<usize>, StageError> {
        let numbers = self.instants(column)?;
        let count = |(row, number): (usize, &i64)| {
            usize::try_from(*number)
                .map_err(|_| StageError::Missing { column: column.to_owned(), row: row + self.before })
        };
        numbers.iter().enumerate().map(count).collect()
    }

    pub(crate) fn instants_or_none(&self, column: &str) -> Result<Vec<Option<i64>>, StageError> {
        let numbers = self.cast(column, &DataType::Int64, "instants, ns since 1970")?;
        Ok(numbers.as_primitive::<Int64Type>().iter().collect())
    }

    /// Numbers, NaN where missing.
    pub(crate) fn reals(&self, column: &str) -> Result<Vec<f64>, StageError> {
        let numbers = self.cast(column, &DataType::Float64, "numbers")?;
        let numbers = numbers.as_primitive::<Float64Type>();
        if numbers.null_count() == 0 {
            return Ok(numbers.values().to_vec());
        }
        Ok(numbers.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    fn cast(&self, column: &str, to: &DataType, expected: &'static str) -> Result<ArrayRef, StageError> {
        let found = self
            .batch
            .column_by_name(column)
            .ok_or_else(|| StageError::NoColumn { column: column.to_owned(), made_by: self.made_by })?;
        let fits = match to {
            DataType::Utf8 => matches!(
                found.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _)
            ),
            DataType::Int64 => {
                matches!(found.data_type(), DataType::Int64 | DataType::Timestamp(TimeUnit::Nanosecond, _))
            }
            _ => found.data_type().is_numeric(),
        };
        if !fits {
            return Err(StageError::Type { column: column.to_owned(), expected, found: found.data_type().clone() });
        }
        Ok(cast(found, to)?)
    }

    fn full(&self, column: &str, values: &ArrayRef) -> Result<(), StageError> {
        match (0..values.len()).find(|row| values.is_null(*row)) {
            None => Ok(()),
            Some(row) => Err(StageError::Missing { column: column.to_owned(), row: row + self.before }),
        }
    }
}

/// Columns of a table that a stage writes.
#[derive(Default)]
pub(crate) struct TableBuilder {
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl TableBuilder {
    pub(crate) fn text<S: AsRef<str>>(self, name: &str, values: impl Iterator<Item = S>) -> Self {
        let values: StringArray = values.map(Some).collect();
        self.push(name, DataType::Utf8, false, Arc::new(values))
    }

    pub(crate) fn instant(self, name: &str, values: impl Iterator<Item = i64>) -> Self {
        let values = TimestampNanosecondArray::from_iter_values(values).with_timezone("UTC");
        self.push(name, values.data_type().clone(), false, Arc::new(values))
    }

    pub(crate) fn instant_or_none(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        let values = values.collect::<TimestampNanosecondArray>().with_timezone("UTC");
        self.push(name, values.data_type().clone(), true, Arc::new(values))
    }

    pub(crate) fn whole(self, name: &str, values: impl Iterator<Item = i64>) -> Self {
        self.push(name, DataType::Int64, false, Arc::new(Int64Array::from_iter_values(values)))
    }

    /// Numbers; NaN becomes null.
    pub(crate) fn real(self, name: &str, values: &[f64]) -> Self {
        let values: ArrayRef = if values.iter().any(|value| value.is_nan()) {
            Arc::new(values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Float64Array>())
        } else {
            Arc::new(Float64Array::from_iter_values(values.iter().copied()))
        };
        self.push(name, DataType::Float64, true, values)
    }

    pub(crate) fn finish(self) -> RecordBatch {
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.columns)
            .expect("a stage gives each column once and each row in every column")
    }

    fn push(mut self, name: &str, data: DataType, nullable: bool, values: ArrayRef) -> Self {
        self.fields.push(Field::new(name, data, nullable));
        self.columns.push(values);
        self
    }
}
