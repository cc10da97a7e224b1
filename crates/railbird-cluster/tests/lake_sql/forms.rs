//! Every form of rows, read back.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    compute::concat_batches,
    csv,
};
use bytes::Bytes;
use expect_test::expect;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use railbird_cluster::{Encoder, RowForm};

use crate::small_lake::{ask, told, whole};

const SQL: &str =
    "SELECT symbol, date, known_at, price, size, note FROM quotes WHERE date = '2024-03-04' AND size < 21";

/// Rows in batches of seven, as bytes.
fn encoded(form: RowForm, rows: &RecordBatch) -> Vec<u8> {
    let mut encoder = Encoder::begin(form, rows.schema_ref()).unwrap();
    let mut bytes = Vec::new();
    for first in (0..rows.num_rows()).step_by(7) {
        bytes.extend(encoder.encode(&rows.slice(first, 7.min(rows.num_rows() - first))).unwrap());
    }
    bytes.extend(encoder.finish().unwrap());
    bytes
}

#[test]
fn parquet_has_the_same_rows_and_types() {
    let (_home, lake) = whole();
    let (rows, _) = ask(&lake, SQL).unwrap();
    assert!(rows.num_rows() > 20);
    let read = |rows: &RecordBatch| {
        let bytes = Bytes::from(encoded(RowForm::Parquet, rows));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        concat_batches(rows.schema_ref(), &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
    };
    assert_eq!(read(&rows), rows);
    assert_eq!(read(&rows.slice(0, 0)), rows.slice(0, 0));
}

#[test]
fn csv_has_a_head_and_the_same_cells() {
    let (_home, lake) = whole();
    let (rows, _) = ask(&lake, SQL).unwrap();
    let bytes = encoded(RowForm::Csv, &rows);
    assert!(bytes.starts_with(b"symbol,date,known_at,price,size,note\n"));
    let reader = csv::ReaderBuilder::new(rows.schema()).with_header(true).build(&bytes[..]).unwrap();
    let read = concat_batches(rows.schema_ref(), &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap();
    assert_eq!(told(&read), told(&rows));
    assert_eq!(encoded(RowForm::Csv, &rows.slice(0, 0)), b"symbol,date,known_at,price,size,note\n");
}

#[test]
fn json_is_one_array_of_objects() {
    let (_home, lake) = whole();
    let (rows, _) = ask(&lake, SQL).unwrap();
    let read: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(&encoded(RowForm::Json, &rows)).unwrap();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names = ["symbol", "date", "known_at", "price", "size", "note"];
    let cells: Vec<String> = read.iter().map(|row| names.map(|name| text(&row[name])).join("|")).collect();
    assert_eq!(cells, told(&rows));
    assert_eq!(encoded(RowForm::Json, &rows.slice(0, 0)), b"[]\n");
    let (numbers, _) =
        ask(&lake, "SELECT 'NaN'::double AS nothing, [1, NULL] AS list, 1.5::decimal(5,2) AS exact").unwrap();
    expect![[r#"
        [
        {"nothing":null,"list":[1,null],"exact":1.50}
        ]
    "#]]
    .assert_eq(&String::from_utf8(encoded(RowForm::Json, &numbers)).unwrap());
}

#[test]
fn what_a_form_cannot_hold_is_told_before_the_first_byte() {
    let (_home, lake) = whole();
    let (nested, _) = ask(&lake, "SELECT [1, 2] AS list").unwrap();
    let error = Encoder::begin(RowForm::Csv, nested.schema_ref()).err().unwrap();
    assert!(error.is_usage() && error.to_string().contains("column list"), "{error}");
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let fields = vec![arrow::datatypes::Field::new("a", arrow::datatypes::DataType::Int64, true); 2];
    let twice =
        RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), vec![Arc::clone(&one), one]).unwrap();
    let error = Encoder::begin(RowForm::Json, twice.schema_ref()).err().unwrap();
    assert!(error.is_usage() && error.to_string().contains("two columns are called a"), "{error}");
}
