//! Rows as bytes of a form, a batch at a time. Start at [`Encoder`].

use std::{mem, sync::Arc};

use arrow::{array::RecordBatch, csv, datatypes::SchemaRef, json};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::Error;

/// Rows after which a Parquet writer gives up what it holds.
const GROUP_ROWS: usize = 65_536;
/// Bytes that a Parquet writer holds before it gives them up.
const GROUP_BYTES: usize = 64 << 20;
/// Level of Zstandard in Parquet files, as in the lake.
const ZSTD_LEVEL: i32 = 3;

/// Form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// A line a row with a head; what is missing is empty, times are in RFC 3339.
    Csv,
    /// One array of an object a row; what is missing, and what is no number, is null.
    Json,
    /// Parquet, compressed with Zstandard, with Arrow's types.
    Parquet,
}

impl RowForm {
    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// Makes bytes of batches. What it returns, one piece after another, is the whole document.
pub struct Encoder {
    form: RowForm,
    state: State,
}

enum State {
    /// Whether the head is written.
    Csv {
        begun: bool,
        schema: SchemaRef,
    },
    /// Whether a row is written.
    Json {
        begun: bool,
    },
    Parquet(Box<ArrowWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder of rows of these columns.
    ///
    /// # Errors
    /// [`Error::Form`] where the form has no place for a column's type.
    pub fn begin(form: RowForm, schema: &SchemaRef) -> Result<Self, Error> {
        let state = match form {
            RowForm::Csv => {
                if let Some(field) = schema.fields().iter().find(|field| field.data_type().is_nested()) {
                    let reason = format!("column {} is of type {}, which has no text", field.name(), field.data_type());
                    return Err(Error::Form { form: form.name(), reason });
                }
                State::Csv { begun: false, schema: Arc::clone(schema) }
            }
            RowForm::Json => {
                let mut names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
                names.sort_unstable();
                if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                    let reason = format!("two columns are called {}; name one otherwise with AS", pair[0]);
                    return Err(Error::Form { form: form.name(), reason });
                }
                State::Json { begun: false }
            }
            RowForm::Parquet => {
                let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed(form))?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(level))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .set_max_row_group_bytes(Some(GROUP_BYTES))
                    .set_created_by("railbird".to_owned())
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties));
                State::Parquet(Box::new(writer.map_err(failed(form))?))
            }
        };
        Ok(Self { form, state })
    }

    /// Further bytes, for further rows; may be none yet.
    ///
    /// # Errors
    /// [`Error::Form`] for values that the form cannot hold.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, Error> {
        let form = self.form;
        match &mut self.state {
            State::Csv { begun, .. } => csv_rows(batch, !mem::replace(begun, true)),
            State::Json { begun } => json_rows(batch, begun),
            State::Parquet(writer) => {
                writer.write(batch).map_err(failed(form))?;
                writer.sync().map_err(failed(form))?;
                Ok(mem::take(writer.inner_mut()))
            }
        }
    }

    /// The last bytes.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        match self.state {
            State::Csv { begun: false, schema } => csv_rows(&RecordBatch::new_empty(schema), true),
            State::Csv { .. } => Ok(Vec::new()),
            State::Json { begun: false } => Ok(b"[]\n".to_vec()),
            State::Json { .. } => Ok(b"\n]\n".to_vec()),
            State::Parquet(writer) => writer.into_inner().map_err(failed(self.form)),
        }
    }
}

fn csv_rows(batch: &RecordBatch, head: bool) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    csv::WriterBuilder::new().with_header(head).build(&mut bytes).write(batch).map_err(failed(RowForm::Csv))?;
    Ok(bytes)
}

/// Rows as objects with a comma between them, after the array's beginning.
fn json_rows(batch: &RecordBatch, begun: &mut bool) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    let builder = json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, json::writer::LineDelimited>(&mut lines);
    writer.write(batch).and_then(|()| writer.finish()).map_err(failed(RowForm::Json))?;
    drop(writer);
    let mut bytes = Vec::with_capacity(lines.len() + batch.num_rows());
    // A line break within a text is escaped, so that each one ends a row.
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        bytes.extend_from_slice(if mem::replace(begun, true) { b",\n" } else { b"[\n" });
        bytes.extend_from_slice(line);
    }
    Ok(bytes)
}

fn failed<E: ToString>(form: RowForm) -> impl FnOnce(E) -> Error {
    move |error| Error::Form { form: form.name(), reason: error.to_string() }
}
