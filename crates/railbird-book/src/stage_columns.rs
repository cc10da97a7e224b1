//! The columns of the tables that follow the bars, with what older pipelines called them. Start at [`stage_columns`].

use std::{io::Write, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    StageError,
    columns::columns,
    episode::{Outcome, OutcomeClass},
    features::{FeatureColumn, feature_columns},
    vectors::VECTOR_FEATURES,
};

/// Tables whose columns are listed, beside the bars.
pub const STAGE_TABLES: [&str; 3] = ["features", "outcomes", "vectors"];

/// Columns of a table beside its keys, in order; `None` for a table that is not in [`STAGE_TABLES`].
pub fn stage_columns(table: &str) -> Option<Vec<FeatureColumn>> {
    match table {
        "features" => Some(feature_columns().to_vec()),
        "outcomes" => Some(outcome_columns()),
        "vectors" => {
            let is_of = |name: &&str| feature_columns().iter().find(|column| column.name == **name).cloned();
            Some(VECTOR_FEATURES.iter().filter_map(is_of).collect())
        }
        _ => None,
    }
}

/// What the older pipeline called a column of `bars`, `features` or `vectors`; `None` where it had none of that meaning.
pub fn old_name(table: &str, column: &str) -> Option<String> {
    match table {
        "bars" => columns().iter().find(|known| known.name == column)?.old_name.clone(),
        table => stage_columns(table)?.into_iter().find(|known| known.name == column)?.old_name,
    }
}

/// A table with each column called what the older pipeline called it, where it had one of that meaning; values stay.
pub fn with_old_names(table: &str, batch: &RecordBatch) -> RecordBatch {
    let schema = renamed(table, &batch.schema());
    RecordBatch::try_new(schema, batch.columns().to_vec()).expect("names alone are changed")
}

/// A Parquet file of bars copied to `out` with the older pipeline's names; returns its rows.
///
/// Costs the memory of a batch of rows beside the file.
///
/// # Errors
/// [`StageError::Parquet`], [`StageError::Arrow`].
pub fn bars_with_old_names(bars: Bytes, out: impl Write + Send) -> Result<usize, StageError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bars)?;
    let schema = renamed("bars", reader.schema());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
    let mut rows = 0;
    for batch in reader.build()? {
        let batch = batch?;
        rows += batch.num_rows();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?)?;
    }
    writer.close()?;
    Ok(rows)
}

fn renamed(table: &str, schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match old_name(table, field.name()) {
        Some(old) => Arc::new(field.as_ref().clone().with_name(old)),
        None => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn outcome_columns() -> Vec<FeatureColumn> {
    let [class, early, late] = Outcome::COLUMNS;
    let names: Vec<&str> = OutcomeClass::NAMES.iter().map(|(_, name)| *name).collect();
    let column = |name: &str, unit: &str, definition: String| FeatureColumn {
        name: name.to_owned(),
        unit: unit.to_owned(),
        family: "outcome",
        definition,
        old_name: None,
    };
    let mean = "mean of (price - level) / point weighted by volume";
    vec![
        column(class, "text", format!("{}; by {early} and {late}", names.join(", "))),
        column(early, "pt", format!("{mean} over bars 1-48 after the trigger, above 0 beyond the level")),
        column(late, "pt", format!("{mean} over bars 49-72 after the trigger, above 0 beyond the level")),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{features::Features, vectors::SetupVector};

    #[test]
    fn a_table_has_the_columns_that_are_listed_and_no_old_name_twice() {
        let names = |batch: arrow::array::RecordBatch| -> Vec<String> {
            batch.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let tables = [
            ("features", names(Features::none().table())),
            ("outcomes", names(Outcome::table(&[]))),
            ("vectors", names(SetupVector::table(&[]))),
        ];
        for (table, names) in tables {
            let listed: Vec<String> = stage_columns(table).unwrap().into_iter().map(|column| column.name).collect();
            let found: Vec<String> = names.into_iter().filter(|name| listed.contains(name)).collect();
            assert_eq!(found, listed, "{table}");
        }
        assert!(stage_columns("bars").is_none());
        let bars: Vec<_> = columns().iter().map(|column| column.name.clone()).collect();
        let features: Vec<_> = feature_columns().iter().map(|column| column.name.clone()).collect();
        for (table, names) in [("bars", bars), ("features", features)] {
            let old: Vec<String> = names.iter().filter_map(|name| old_name(table, name)).collect();
            assert!(!old.is_empty() && old.iter().collect::<BTreeSet<_>>().len() == old.len(), "{table}");
        }
        assert_eq!(old_name("features", "imb_1_d1_w12").as_deref(), Some("bar5s_deriv_obi0_d1_w12"));
        assert_eq!(old_name("outcomes", "outcome"), None);
        let renamed = with_old_names("features", &Features::none().table());
        assert!(renamed.column_by_name("bar5s_deriv_dist_d2_w72").is_some());
        assert!(renamed.column_by_name("dist_d2_w72").is_none() && renamed.column_by_name("episode").is_some());
    }
}
