//! Rows as columns of text. Start at [`TextTable`].

use std::fmt;

use arrow::{
    array::RecordBatch,
    datatypes::SchemaRef,
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::output;

/// Rows that are shown together, since a column is as wide as its widest cell.
pub(super) struct TextTable {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { head: schema.fields().iter().map(|field| field.name().clone()).collect(), rows: Vec::new() }
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
        let options = FormatOptions::default();
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).try_to_string());
            self.rows.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(())
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        // A cell of several lines, as plans are, takes as many rows.
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
            for line in 0..height {
                lines.push(row.iter().map(|cell| cell.lines().nth(line).unwrap_or_default().to_owned()).collect());
            }
        }
        to.write_str(&output::table(&head, &lines))
    }
}
