//! Tables for users: named columns as JSON, CSV, Arrow or Parquet. Start at [`Table`].

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use railbird_timeline::Ts;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::laps::{LapCell, LapTable};
use crate::telemetry::Telemetry;

/// Named columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Columns in order.
    pub columns: Vec<(&'static str, Column)>,
}

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers; NaN where missing.
    Real(Vec<f64>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
    /// Words.
    Text(Vec<Option<String>>),
    /// Instants.
    Instant(Vec<Option<Ts>>),
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFormat {
    /// Comma-separated values with a line of names; empty where missing.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file, compressed with zstd.
    Parquet,
}

impl TableFormat {
    /// Every format, with its name.
    pub const NAMES: [(Self, &'static str); 3] =
        [(Self::Csv, "csv"), (Self::Arrow, "arrow"), (Self::Parquet, "parquet")];

    /// From the name, which is also the file extension.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(format, _)| format)
    }

    /// Name and file extension.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// Media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Arrow refused it.
    #[error("table could not be written as Arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused it.
    #[error("table could not be written as Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl Table {
    /// The lap table: FastF1's columns, times in seconds.
    pub fn laps(laps: &LapTable) -> Self {
        const TEXTS: [&str; 5] = ["Driver", "Compound", "Team", "TrackStatus", "DeletedReason"];
        const FLAGS: [&str; 5] = ["IsPersonalBest", "FreshTyre", "Deleted", "FastF1Generated", "IsAccurate"];
        let mut columns: Vec<(&'static str, Column)> = LapTable::COLUMNS
            .into_iter()
            .map(|name| {
                let column = match name {
                    "LapStartDate" => Column::Instant(Vec::new()),
                    _ if TEXTS.contains(&name) => Column::Text(Vec::new()),
                    _ if FLAGS.contains(&name) => Column::Flag(Vec::new()),
                    _ => Column::Real(Vec::new()),
                };
                (name, column)
            })
            .collect();
        for lap in &laps.laps {
            for ((_, column), cell) in columns.iter_mut().zip(lap.cells()) {
                match column {
                    Column::Real(values) => values.push(match cell {
                        LapCell::Milliseconds(ms) => ms as f64 / 1e3,
                        LapCell::Number(number) => number,
                        _ => f64::NAN,
                    }),
                    Column::Flag(values) => values.push(match cell {
                        LapCell::Flag(flag) => Some(flag),
                        _ => None,
                    }),
                    Column::Text(values) => values.push(match cell {
                        LapCell::Text(text) => Some(text.to_owned()),
                        _ => None,
                    }),
                    Column::Instant(values) => values.push(match cell {
                        LapCell::Instant(instant) => Some(instant),
                        _ => None,
                    }),
                }
            }
        }
        Self { columns }
    }

    /// Merged telemetry: FastF1's columns, `SessionTime` and `Time` in seconds, `KnownAt` in seconds of session time.
    pub fn telemetry(telemetry: &Telemetry) -> Self {
        let rows = 0..telemetry.len();
        let whole = |values: &[u8]| Column::Real(values.iter().map(|value| f64::from(*value)).collect());
        let flags = |values: &[bool]| Column::Flag(values.iter().map(|value| Some(*value)).collect());
        let drs = telemetry
            .drs
            .iter()
            .map(|drs| if *drs == crate::columns::CarColumns::NO_DRS { f64::NAN } else { f64::from(*drs) });
        let status = |on_track: &bool| Some(if *on_track { "OnTrack" } else { "OffTrack" }.to_owned());
        Self {
            columns: vec![
                ("Date", Column::Instant(rows.clone().map(|row| Some(telemetry.date(row))).collect())),
                ("SessionTime", Column::Real(telemetry.time.iter().map(|time| time.seconds()).collect())),
                ("Time", Column::Real(rows.map(|row| telemetry.seconds(row)).collect())),
                ("RPM", Column::Real(telemetry.rpm.clone())),
                ("Speed", Column::Real(telemetry.speed.clone())),
                ("nGear", whole(&telemetry.gear)),
                ("Throttle", Column::Real(telemetry.throttle.clone())),
                ("Brake", flags(&telemetry.brake)),
                ("DRS", Column::Real(drs.collect())),
                ("X", Column::Real(telemetry.x.clone())),
                ("Y", Column::Real(telemetry.y.clone())),
                ("Z", Column::Real(telemetry.z.clone())),
                ("Status", Column::Text(telemetry.on_track.iter().map(status).collect())),
                ("Distance", Column::Real(telemetry.distance.clone())),
                ("RelativeDistance", Column::Real(telemetry.relative_distance.clone())),
                ("TrackDistance", Column::Real(telemetry.track_distance.clone())),
                (
                    "Source",
                    Column::Text(telemetry.source.iter().map(|source| Some(source.name().to_owned())).collect()),
                ),
                ("KnownAt", Column::Real(telemetry.known_at.iter().map(|time| time.seconds()).collect())),
            ],
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Writes the table.
    ///
    /// # Errors
    /// Where Arrow or Parquet refuses it.
    pub fn write(&self, format: TableFormat) -> Result<Vec<u8>, TableError> {
        match format {
            TableFormat::Csv => Ok(self.csv().into_bytes()),
            TableFormat::Arrow => {
                let batch = self.batch()?;
                let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema())?;
                writer.write(&batch)?;
                writer.finish()?;
                Ok(writer.into_inner()?)
            }
            TableFormat::Parquet => {
                let batch = self.batch()?;
                let zstd = parquet::basic::Compression::ZSTD(parquet::basic::ZstdLevel::default());
                let properties = parquet::file::properties::WriterProperties::builder().set_compression(zstd).build();
                let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
                writer.write(&batch)?;
                Ok(writer.into_inner()?)
            }
        }
    }

    fn csv(&self) -> String {
        let mut text = self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        text.push('\n');
        for row in 0..self.rows() {
            for (index, (_, column)) in self.columns.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                column.write_csv(row, &mut text);
            }
            text.push('\n');
        }
        text
    }

    fn batch(&self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self
            .columns
            .iter()
            .map(|(name, column)| {
                let array = column.array();
                (Field::new(*name, array.data_type().clone(), true), array)
            })
            .unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Flag(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Instant(values) => values.len(),
        }
    }

    fn write_csv(&self, row: usize, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Real(values) if values[row].is_nan() => Ok(()),
            Self::Real(values) => write!(text, "{}", values[row]),
            Self::Flag(values) => match values[row] {
                Some(flag) => text.write_str(if flag { "True" } else { "False" }),
                None => Ok(()),
            },
            Self::Instant(values) => match values[row] {
                Some(instant) => write!(text, "{instant}"),
                None => Ok(()),
            },
            Self::Text(values) => match &values[row] {
                Some(words) if words.contains([',', '"', '\n', '\r']) => {
                    write!(text, "\"{}\"", words.replace('"', "\"\""))
                }
                Some(words) => text.write_str(words),
                None => Ok(()),
            },
        };
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Real(values) => {
                Arc::new(values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Float64Array>())
            }
            Self::Flag(values) => Arc::new(values.iter().copied().collect::<BooleanArray>()),
            Self::Text(values) => Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>()),
            Self::Instant(values) => {
                let array: TimestampNanosecondArray = values.iter().map(|value| value.map(|ts| ts.0)).collect();
                Arc::new(array.with_data_type(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))))
            }
        }
    }
}

impl Serialize for Table {
    /// As an object of columns; null where missing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, column) in &self.columns {
            match column {
                // JSON has no NaN: serde_json writes null.
                Column::Real(values) => map.serialize_entry(name, values)?,
                Column::Flag(values) => map.serialize_entry(name, values)?,
                Column::Text(values) => map.serialize_entry(name, values)?,
                Column::Instant(values) => {
                    let texts: Vec<_> = values.iter().map(|value| value.map(|ts| ts.to_string())).collect();
                    map.serialize_entry(name, &texts)?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            columns: vec![
                ("LapTime", Column::Real(vec![83.456, f64::NAN])),
                ("Deleted", Column::Flag(vec![Some(true), None])),
                ("Reason", Column::Text(vec![Some("a, \"b\"".to_owned()), None])),
                ("Date", Column::Instant(vec![Some(Ts(1_742_094_442_785_000_000)), None])),
            ],
        }
    }

    #[test]
    fn csv_leaves_missing_values_empty_and_quotes_where_needed() {
        let text = "LapTime,Deleted,Reason,Date\n83.456,True,\"a, \"\"b\"\"\",2025-03-16T03:07:22.785Z\n,,,\n";
        assert_eq!(table().csv(), text);
    }

    #[test]
    fn every_format_holds_the_same_rows() {
        let table = table();
        let batch = table.batch().expect("consistent");
        let arrow = table.write(TableFormat::Arrow).expect("arrow");
        let mut reader = arrow::ipc::reader::StreamReader::try_new(&arrow[..], None).expect("a stream");
        assert_eq!(reader.next().expect("one batch").expect("good"), batch);
        let parquet = table.write(TableFormat::Parquet).expect("parquet");
        let mut reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(parquet), 1024)
                .expect("a file");
        assert_eq!(reader.next().expect("one batch").expect("good").columns(), batch.columns());
        let json = serde_json::to_string(&table).expect("json");
        assert!(json.starts_with(r#"{"LapTime":[83.456,null],"Deleted":[true,null]"#), "{json}");
    }
}
