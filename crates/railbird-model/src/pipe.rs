//! What is said on the pipes of a program that predicts. Start at [`HostRequests`] and [`HostReplies`].
//!
//! Two Arrow IPC streams, one each way, each open as long as the program runs. Requests have the columns `context` (list of f64, oldest first),
//! `horizon` (u32) and `seed` (u64), the latter two alike in all rows; one record batch is one request. The program's stream begins
//! with its schema, whose metadata says who it is (`railbird.model`, `railbird.parameters`, `railbird.weights` as 64 hexadecimal digits,
//! `railbird.levels` as numbers with commas); every reply is one record batch with as many rows as the request, in its order, of one
//! column `quantiles` (list of f64: step by step, within a step by level; null: none for this context).
//!
//! Invariant: what comes from the program is bounded before it is held, and checked before it is used. Its batches are read by hand, from the
//! verified headers: arrow's own reader takes a stream from a stranger at its word, and panics.

use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Float64Array, ListArray, RecordBatch, UInt32Array, UInt64Array},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::{self, Message, Precision, root_as_message, writer::StreamWriter},
};

use crate::{Error, Forecast, ModelId, Quantiles, Unmade};

/// Longest header of a message, and most bytes of a reply.
const HEADER_BYTES_MAX: usize = 1 << 20;
const REPLY_BYTES_MAX: usize = 256 << 20;
/// Bytes read at a time, so that memory follows what was really sent.
const READ_BYTES: usize = 1 << 20;

/// The stream of requests to a program.
pub struct HostRequests<W: Write> {
    writer: StreamWriter<W>,
    schema: SchemaRef,
}

/// The stream of replies of a program, and who it says it is.
pub struct HostReplies<R: Read> {
    reader: R,
    id: ModelId,
    levels: Arc<[f64]>,
}

impl<W: Write> HostRequests<W> {
    /// Begins the stream.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be written.
    pub fn open(writer: W) -> Result<Self, Error> {
        let item = Field::new("item", DataType::Float64, true);
        let schema = Arc::new(Schema::new(vec![
            Field::new("context", DataType::List(Arc::new(item)), false),
            Field::new("horizon", DataType::UInt32, false),
            Field::new("seed", DataType::UInt64, false),
        ]));
        let mut writer = StreamWriter::try_new(writer, &schema).map_err(|error| failed(error.to_string()))?;
        writer.flush().map_err(|error| failed(error.to_string()))?;
        Ok(Self { writer, schema })
    }

    /// Asks for one forecast a context.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be written: the program has ended, or takes nothing any more.
    pub fn ask(&mut self, contexts: &[impl AsRef<[f64]>], horizon: usize, seed: u64) -> Result<(), Error> {
        let rows = contexts.len();
        let lengths = contexts.iter().map(|context| context.as_ref().len());
        let values: Vec<f64> = contexts.iter().flat_map(|context| context.as_ref().iter().copied()).collect();
        if i32::try_from(values.len()).is_err() {
            return Err(failed(format!("expected fewer than 2³¹ values a request, found {}", values.len())));
        }
        let horizon = u32::try_from(horizon).map_err(|_| failed(format!("horizon {horizon}")))?;
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let lists =
            ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(Float64Array::from(values)), None);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(lists),
            Arc::new(UInt32Array::from(vec![horizon; rows])),
            Arc::new(UInt64Array::from(vec![seed; rows])),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        batch
            .and_then(|batch| self.writer.write(&batch))
            .and_then(|()| self.writer.flush())
            .map_err(|error| failed(format!("cannot be asked: {error}")))
    }
}

impl<R: Read> HostReplies<R> {
    /// Reads who the program is. Waits until it says so.
    ///
    /// # Errors
    /// [`Error::Failed`] for anything else.
    pub fn open(mut reader: R) -> Result<Self, Error> {
        let (header, _) = read_message(&mut reader)?;
        let schema = message_in(&header)?
            .header_as_schema()
            .ok_or_else(|| failed("expected the schema of an Arrow stream first".to_owned()))?;
        let (id, levels) = introduction(&schema)?;
        Ok(Self { reader, id, levels })
    }

    /// Who the program is.
    pub const fn id(&self) -> &ModelId {
        &self.id
    }

    /// Reads the reply to a request of `rows` contexts.
    ///
    /// # Errors
    /// [`Error::Failed`] for anything but one batch of so many rows with quantiles of so many steps.
    pub fn reply(&mut self, rows: usize, horizon: usize) -> Result<Vec<Forecast>, Error> {
        let (header, body) = read_message(&mut self.reader)?;
        let message = message_in(&header)?;
        let batch = message
            .header_as_record_batch()
            .ok_or_else(|| failed("expected a record batch, found another message".to_owned()))?;
        let lists = Lists::of(&batch, &body, rows)?;
        (0..rows)
            .map(|row| {
                let wrong = |reason: String| failed(format!("row {row}: {reason}"));
                let Some(values) = lists.row(row)? else { return Ok(Forecast::Unmade(Unmade::Declined)) };
                let wanted = horizon * self.levels.len();
                if values.len() != wanted {
                    return Err(wrong(format!("expected {wanted} quantiles, found {}", values.len())));
                }
                let quantiles = Quantiles::new(Arc::clone(&self.levels), values);
                quantiles.map(Forecast::Made).map_err(|error| wrong(error.to_string()))
            })
            .collect()
    }
}

/// A column of lists of f64 in the body of a message.
struct Lists<'a> {
    validity: &'a [u8],
    offsets: &'a [u8],
    values: &'a [u8],
}

impl<'a> Lists<'a> {
    fn of(batch: &ipc::RecordBatch<'_>, body: &'a [u8], rows: usize) -> Result<Self, Error> {
        if batch.compression().is_some() {
            return Err(failed("expected a reply without compression".to_owned()));
        }
        if usize::try_from(batch.length()) != Ok(rows) {
            return Err(failed(format!("expected a reply of {rows} rows, found {}", batch.length())));
        }
        let wrong = || failed("sent a record batch that does not hold what it says".to_owned());
        let (nodes, buffers) = (batch.nodes().ok_or_else(wrong)?, batch.buffers().ok_or_else(wrong)?);
        if nodes.len() != 2 || buffers.len() != 4 || usize::try_from(nodes.get(0).length()) != Ok(rows) {
            return Err(wrong());
        }
        if nodes.get(1).null_count() != 0 {
            return Err(failed("expected quantiles without nulls within a row".to_owned()));
        }
        let buffer = |at: usize| {
            let (start, bytes) = (buffers.get(at).offset(), buffers.get(at).length());
            let (start, bytes) = (usize::try_from(start).ok()?, usize::try_from(bytes).ok()?);
            body.get(start..start.checked_add(bytes)?)
        };
        let validity = if nodes.get(0).null_count() == 0 { &[] } else { buffer(0).ok_or_else(wrong)? };
        let lists = Self { validity, offsets: buffer(1).ok_or_else(wrong)?, values: buffer(3).ok_or_else(wrong)? };
        let is_short = !validity.is_empty() && validity.len() < rows.div_ceil(8);
        if is_short || (nodes.get(0).null_count() != 0 && validity.is_empty()) && rows > 0 {
            return Err(wrong());
        }
        Ok(lists)
    }

    /// The values of a row; `None` if it is null.
    fn row(&self, row: usize) -> Result<Option<Vec<f64>>, Error> {
        if !self.validity.is_empty() && self.validity[row / 8] >> (row % 8) & 1 == 0 {
            return Ok(None);
        }
        let wrong = || failed(format!("row {row}: a list that leaves its batch"));
        let offset = |at: usize| {
            let bytes: [u8; 4] = self.offsets.get(4 * at..4 * at + 4)?.try_into().ok()?;
            usize::try_from(i32::from_le_bytes(bytes)).ok()?.checked_mul(8)
        };
        let (start, end) = (offset(row).ok_or_else(wrong)?, offset(row + 1).ok_or_else(wrong)?);
        let values = self.values.get(start..end).ok_or_else(wrong)?;
        Ok(Some(
            values
                .chunks_exact(8)
                .map(|bytes| {
                    let mut number = [0; 8];
                    number.copy_from_slice(bytes);
                    f64::from_le_bytes(number)
                })
                .collect(),
        ))
    }
}

/// Who the metadata of a schema says that it is.
fn introduction(schema: &ipc::Schema<'_>) -> Result<(ModelId, Arc<[f64]>), Error> {
    let metadata = schema.custom_metadata();
    let of = |name: &str| metadata?.iter().find(|pair| pair.key() == Some(name))?.value();
    let field = schema.fields().filter(|fields| fields.len() == 1).map(|fields| fields.get(0));
    let is_list_of_f64 = |field: &ipc::Field<'_>| {
        let item = field.children().filter(|items| items.len() == 1).map(|items| items.get(0));
        let precision = item.and_then(|item| item.type_as_floating_point()).map(|item| item.precision());
        field.type_as_list().is_some() && field.dictionary().is_none() && precision == Some(Precision::DOUBLE)
    };
    if !field.is_some_and(|field| field.name() == Some("quantiles") && is_list_of_f64(&field)) {
        return Err(failed("expected one column `quantiles` of lists of f64".to_owned()));
    }
    let model = of("railbird.model").ok_or_else(|| failed("expected metadata `railbird.model`".to_owned()))?;
    if model.is_empty() || model.len() > 200 || model.chars().any(char::is_control) {
        return Err(failed(format!("metadata `railbird.model`: expected a name, found {model:.200?}")));
    }
    let levels = of("railbird.levels").unwrap_or("0.5");
    let numbers = levels.split(',').map(|level| level.trim().parse::<f64>()).collect::<Result<Vec<_>, _>>();
    let numbers =
        numbers.map_err(|_| failed(format!("metadata `railbird.levels`: expected numbers, found {levels:.200?}")))?;
    // Levels that are none are refused here, once, and not at the first reply.
    Quantiles::new(&numbers[..], vec![0.0; numbers.len().max(1)])?;
    let mut id = ModelId::new(model, of("railbird.parameters").unwrap_or_default().to_owned());
    if let Some(weights) = of("railbird.weights").filter(|weights| !weights.is_empty()) {
        let hash = blake3::Hash::from_hex(weights).map_err(|_| {
            failed(format!("metadata `railbird.weights`: expected 64 hexadecimal digits, found {weights:.80?}"))
        })?;
        id = id.with_weights_hash(*hash.as_bytes());
    }
    Ok((id, Arc::from(numbers)))
}

/// One message of an Arrow stream: its header and its body.
fn read_message(reader: &mut impl Read) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let ended = |error: std::io::Error| failed(format!("ended in the middle of a message: {error}"));
    let mut prefix = [0; 8];
    reader.read_exact(&mut prefix).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => failed("gave no answer: its output ended first".to_owned()),
        _ => failed(format!("gave no answer: {error}")),
    })?;
    if prefix[..4] != [0xFF; 4] {
        return Err(failed(
            "expected an Arrow IPC stream on its standard output, found other bytes; does it print there?".to_owned(),
        ));
    }
    let bytes = prefix[4..].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
    if bytes == 0 {
        return Err(failed("ended its stream".to_owned()));
    }
    if bytes > HEADER_BYTES_MAX {
        return Err(failed(format!("expected headers of at most {HEADER_BYTES_MAX} bytes, found {bytes}")));
    }
    let header = read_bytes(reader, bytes).map_err(ended)?;
    let bytes = usize::try_from(message_in(&header)?.bodyLength()).ok().filter(|&bytes| bytes <= REPLY_BYTES_MAX);
    let bytes =
        bytes.ok_or_else(|| failed(format!("expected replies of at most {REPLY_BYTES_MAX} bytes, found more")))?;
    let body = read_bytes(reader, bytes).map_err(ended)?;
    Ok((header, body))
}

fn message_in(header: &[u8]) -> Result<Message<'_>, Error> {
    root_as_message(header).map_err(|error| failed(format!("sent no Arrow message: {error}")))
}

fn read_bytes(reader: &mut impl Read, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let start = read.len();
        read.resize(bytes.min(start + READ_BYTES), 0);
        reader.read_exact(&mut read[start..])?;
    }
    Ok(read)
}

/// Of a program whose name the caller adds.
fn failed(reason: String) -> Error {
    Error::Failed { model: "on the pipe".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::{
        array::{AsArray, Float32Array},
        datatypes::Float64Type,
        ipc::reader::StreamReader,
    };
    use proptest::prelude::*;

    use super::*;

    fn reply_schema(levels: &str) -> SchemaRef {
        let item = Field::new("item", DataType::Float64, true);
        let metadata = HashMap::from([
            ("railbird.model".to_owned(), "mean/1".to_owned()),
            ("railbird.parameters".to_owned(), "last=3".to_owned()),
            ("railbird.weights".to_owned(), "0".repeat(63) + "1"),
            ("railbird.levels".to_owned(), levels.to_owned()),
        ]);
        Arc::new(Schema::new_with_metadata(
            vec![Field::new("quantiles", DataType::List(Arc::new(item)), true)],
            metadata,
        ))
    }

    /// What a program with two levels says: the schema, then one batch with these rows.
    fn replies(rows: &[Option<Vec<f64>>]) -> Vec<u8> {
        let schema = reply_schema("0.5,0.9");
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(
            rows.iter().map(|row| row.as_ref().map(|row| row.iter().copied().map(Some).collect::<Vec<_>>())),
        );
        writer.write(&RecordBatch::try_new(schema, vec![Arc::new(lists)]).unwrap()).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn a_request_is_what_any_arrow_reader_reads() {
        let mut requests = HostRequests::open(Vec::new()).unwrap();
        requests.ask(&[&[1.0, 2.0][..], &[], &[f64::NAN]], 2, 7).unwrap();
        requests.ask(&[[3.0]], 1, 8).unwrap();
        let bytes = requests.writer.into_inner().unwrap();
        let batches: Vec<RecordBatch> =
            StreamReader::try_new(&bytes[..], None).unwrap().map(|batch| batch.unwrap()).collect();
        let text = arrow_text(&batches).to_string();
        expect_test::expect!["[1,2][][NaN] horizon 2 2 2 seed 7 7 7; [3] horizon 1 seed 8; "].assert_eq(&text);
    }

    fn arrow_text(batches: &[RecordBatch]) -> String {
        let mut text = String::new();
        for batch in batches {
            let lists = batch.column(0).as_list::<i32>();
            for row in 0..batch.num_rows() {
                let list = lists.value(row);
                let values: Vec<String> =
                    list.as_primitive::<Float64Type>().values().iter().map(f64::to_string).collect();
                text += &format!("[{}]", values.join(","));
            }
            let numbers = |column: &[String]| column.join(" ");
            let horizon: Vec<String> = batch
                .column(1)
                .as_primitive::<arrow::datatypes::UInt32Type>()
                .values()
                .iter()
                .map(u32::to_string)
                .collect();
            let seed: Vec<String> = batch
                .column(2)
                .as_primitive::<arrow::datatypes::UInt64Type>()
                .values()
                .iter()
                .map(u64::to_string)
                .collect();
            text += &format!(" horizon {} seed {}; ", numbers(&horizon), numbers(&seed));
        }
        text
    }

    #[test]
    fn a_reply_is_read_with_who_says_it() {
        let bytes = replies(&[Some(vec![1.0, 2.0]), None]);
        let mut replies = HostReplies::open(&bytes[..]).unwrap();
        assert_eq!(replies.id().to_string(), "mean/1(last=3)@000000000000");
        let answer = replies.reply(2, 1).unwrap();
        assert_eq!((answer[0].at(0, 0.9), &answer[1]), (Some(2.0), &Forecast::Unmade(Unmade::Declined)));
        let error = replies.reply(1, 1).unwrap_err().to_string();
        assert!(error.contains("ended its stream"), "{error}");
    }

    #[test]
    fn says_what_is_wrong_with_a_reply() {
        let wrong = |rows: &[Option<Vec<f64>>]| {
            let bytes = replies(rows);
            HostReplies::open(&bytes[..]).unwrap().reply(1, 1).unwrap_err().to_string()
        };
        for (rows, said) in [
            (vec![Some(vec![1.0])], "expected 2 quantiles, found 1"),
            (vec![Some(vec![2.0, 1.0])], "expected values that ascend with the level"),
            (vec![Some(vec![f64::NAN, 1.0])], "expected finite values"),
            (vec![], "expected a reply of 1 rows, found 0"),
        ] {
            assert!(wrong(&rows).contains(said), "{said}: {}", wrong(&rows));
        }
        let opened = |bytes: &[u8]| HostReplies::open(bytes).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(opened(b"Hello, world, I am a program").contains("does it print there?"));
        assert!(opened(b"").contains("gave no answer"));
        let mut huge = vec![0xFF; 4];
        huge.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(opened(&huge).contains("expected headers of at most"));
        let bytes = StreamWriter::try_new(Vec::new(), &reply_schema("0.1,0.9")).unwrap().into_inner().unwrap();
        assert!(opened(&bytes).contains("expected the level 0.5"));
        // A column of another type.
        let schema = Arc::new(Schema::new_with_metadata(
            vec![Field::new("quantiles", DataType::Float32, true)],
            reply_schema("0.5").metadata().clone(),
        ));
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
        let batch = RecordBatch::try_new(schema, vec![Arc::new(Float32Array::from(vec![1.0]))]).unwrap();
        writer.write(&batch).unwrap();
        assert!(opened(&writer.into_inner().unwrap()).contains("expected one column `quantiles` of lists"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_stream_with_any_bytes_changed_is_an_answer_or_an_error(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = replies(&[Some(vec![1.0, 2.0]), None, Some(vec![-1.0, 5.0])]);
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(2 * bytes.len()).max(8));
            if let Ok(mut replies) = HostReplies::open(&bytes[..]) {
                let _ = replies.reply(3, 1);
            }
        }
    }
}
