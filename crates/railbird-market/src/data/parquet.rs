//! Bars from Parquet. Columns are known by their names, in any case; numbers of any width are read.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use railbird_timeline::Ts;

use super::{
    LoadOptions, Table,
    csv::{Price, Roles, Row, Rows, day_ts},
};
use crate::Error;

/// Reads every row group.
pub(super) fn read(file: &str, bytes: &[u8], options: &LoadOptions) -> Result<Table, Error> {
    let refused = |problem: String| Error::Table {
        place: file.to_owned(),
        problem,
        advice: "expected a Parquet file of bars; write it again",
    };
    let bytes = parquet_bytes(bytes);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| refused(error.to_string()))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let roles = Roles::find(file, &names)?;
    let reader = builder.build().map_err(|error| refused(error.to_string()))?;
    let mut rows = Rows::new(file, &roles, 0);
    let mut first = 0;
    for batch in reader {
        let batch = batch.map_err(|error| refused(error.to_string()))?;
        let columns = Columns::of(&batch, &roles).map_err(refused)?;
        for at in 0..batch.num_rows() {
            let row = columns.row(at, &roles).ok_or_else(|| refused(format!("row {}: no time", first + at)))?;
            rows.push(&row, &format_args!("row {}", first + at), options)?;
        }
        first += batch.num_rows();
    }
    Ok(rows.finish())
}

fn parquet_bytes(bytes: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(bytes)
}

/// The columns that have a role, as numbers, by their place in the file.
struct Columns {
    time: arrow::array::ArrayRef,
    numbers: Vec<Option<arrow::array::ArrayRef>>,
}

impl Columns {
    fn of(batch: &RecordBatch, roles: &Roles) -> Result<Self, String> {
        let mut numbers = vec![None; batch.num_columns()];
        let mut want = |column: usize| -> Result<(), String> {
            let array = cast(batch.column(column), &DataType::Float64);
            numbers[column] = Some(array.map_err(|error| format!("column {column}: {error}"))?);
            Ok(())
        };
        for price in roles.prices {
            match price {
                Price::Column(column) => want(column)?,
                Price::Middle(bid, ask) => {
                    want(bid)?;
                    want(ask)?;
                }
            }
        }
        let quotes = roles.quotes.into_iter().flat_map(|(bid, ask)| [bid, ask]);
        for column in roles.volume.into_iter().chain(quotes).chain(roles.split_ratio).chain(roles.dividend) {
            want(column)?;
        }
        let time = batch.column(roles.time);
        let time = match time.data_type() {
            DataType::Date32 => time.clone(),
            DataType::Timestamp(_, zone) => cast(time, &DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))
                .map_err(|error| error.to_string())?,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date64 => {
                cast(time, &DataType::Timestamp(TimeUnit::Nanosecond, None)).map_err(|error| error.to_string())?
            }
            kind if kind.is_integer() => cast(time, &DataType::Int64).map_err(|error| error.to_string())?,
            kind => return Err(format!("times are {kind}; expected timestamps, dates, text or whole numbers")),
        };
        Ok(Self { time, numbers })
    }

    fn number(&self, column: usize, at: usize) -> f64 {
        let Some(array) = &self.numbers[column] else { return f64::NAN };
        if array.is_null(at) { f64::NAN } else { array.as_primitive::<Float64Type>().value(at) }
    }

    fn time(&self, at: usize) -> Option<Ts> {
        if self.time.is_null(at) {
            return None;
        }
        match self.time.data_type() {
            DataType::Date32 => Some(day_ts(self.time.as_primitive::<Date32Type>().value(at))),
            DataType::Timestamp(..) => Some(Ts(self.time.as_primitive::<TimestampNanosecondType>().value(at))),
            _ => super::csv::count_ts(self.time.as_primitive::<Int64Type>().value(at)),
        }
    }

    fn row(&self, at: usize, roles: &Roles) -> Option<Row> {
        let mut row = Row { time: self.time(at)?, ..Row::default() };
        for (price, into) in roles.prices.iter().zip(&mut row.prices) {
            *into = match *price {
                Price::Column(column) => self.number(column, at),
                Price::Middle(bid, ask) => (self.number(bid, at) + self.number(ask, at)) / 2.0,
            };
        }
        row.volume = roles.volume.map_or(f64::NAN, |column| self.number(column, at));
        row.quotes = roles.quotes.map(|(bid, ask)| (self.number(bid, at), self.number(ask, at)));
        row.split_ratio = roles.split_ratio.map(|column| self.number(column, at));
        row.dividend = roles.dividend.map(|column| self.number(column, at));
        Some(row)
    }
}
