//! What a data set holds, and the refusal of what does not fit. Start at [`Contract`].

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};

use crate::{Error, name::plain_name};

const STAGE_REMEDY: &str = "this is an error in the stage";
const FILE_REMEDY: &str = "delete the folder's manifest.json and run again";

/// Schema of a data set: what every one of its files holds, column by column, in this order.
#[derive(Debug, Clone)]
pub struct Contract {
    set: String,
    schema: SchemaRef,
    known_at: Option<String>,
}

impl Contract {
    /// A contract that every batch and every file of `set` must fit.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn new(set: &str, schema: SchemaRef) -> Result<Self, Error> {
        Ok(Self { set: plain_name("data set", set)?.to_owned(), schema, known_at: None })
    }

    /// Names the column that says when a row became known: nanoseconds UTC as a timestamp or as a whole number. Manifests then carry its range.
    ///
    /// # Errors
    /// [`Error::Contract`] if there is no such column.
    pub fn known_at(mut self, column: &str) -> Result<Self, Error> {
        if self.schema.column_with_name(column).is_none() {
            return Err(self.broken(&self.set, column, "a column of the schema", "none", STAGE_REMEDY));
        }
        self.known_at = Some(column.to_owned());
        Ok(self)
    }

    /// Name of the data set.
    pub fn set(&self) -> &str {
        &self.set
    }

    /// The schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Column that says when a row became known.
    pub(crate) fn known_at_column(&self) -> Option<&str> {
        self.known_at.as_deref()
    }

    /// The contract in words, for hashing: a changed contract makes other files.
    pub(crate) fn fingerprint(&self) -> String {
        let columns = self.schema.fields().iter().map(|field| {
            let null = if field.is_nullable() { "?" } else { "" };
            format!("{}:{}{null}", field.name(), field.data_type())
        });
        format!("{}({})", self.set, columns.collect::<Vec<_>>().join(","))
    }

    /// Refuses a batch that does not fit.
    ///
    /// # Errors
    /// [`Error::Contract`], naming the first column that is wrong.
    pub fn check(&self, batch: &RecordBatch) -> Result<(), Error> {
        let place = format!("data set {}", self.set);
        self.compare(&place, batch.schema_ref(), STAGE_REMEDY)?;
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            if !field.is_nullable() && column.null_count() > 0 {
                let found = format!("{} nulls", column.null_count());
                return Err(self.broken(&place, field.name(), "a value in every row", &found, STAGE_REMEDY));
            }
        }
        Ok(())
    }

    /// Refuses a file whose schema does not fit. `place`: the file.
    pub(crate) fn check_file(&self, place: &str, found: &Schema) -> Result<(), Error> {
        self.compare(place, found, FILE_REMEDY)
    }

    /// Refuses a file that a stage wrote itself and that does not fit.
    pub(crate) fn check_written(&self, found: &Schema) -> Result<(), Error> {
        self.compare(&format!("data set {}", self.set), found, STAGE_REMEDY)
    }

    fn compare(&self, place: &str, found: &Schema, remedy: &'static str) -> Result<(), Error> {
        let (ours, theirs) = (self.schema.fields(), found.fields());
        for (number, field) in ours.iter().enumerate() {
            let Some(other) = theirs.get(number).filter(|other| other.name() == field.name()) else {
                let elsewhere = found.index_of(field.name()).map(|at| format!("it as column {}", at + 1));
                let found = elsewhere.unwrap_or_else(|_| "no column of that name".to_owned());
                return Err(self.broken(place, field.name(), &format!("it as column {}", number + 1), &found, remedy));
            };
            if other.data_type() != field.data_type() {
                let (expected, found) = (field.data_type().to_string(), other.data_type().to_string());
                return Err(self.broken(place, field.name(), &expected, &found, remedy));
            }
        }
        match theirs.get(ours.len()) {
            Some(extra) => Err(self.broken(place, extra.name(), "no such column", "one", remedy)),
            None => Ok(()),
        }
    }

    fn broken(&self, place: &str, column: &str, expected: &str, found: &str, remedy: &'static str) -> Error {
        Error::Contract {
            place: place.to_owned(),
            column: column.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Float64Array, Int64Array},
        datatypes::{DataType, Field},
    };
    use expect_test::{Expect, expect};

    use super::*;

    fn contract() -> Contract {
        let schema = Schema::new(vec![
            Field::new("known_at", DataType::Int64, false),
            Field::new("price", DataType::Float64, true),
        ]);
        Contract::new("bars", Arc::new(schema)).unwrap().known_at("known_at").unwrap()
    }

    #[track_caller]
    fn check(columns: Vec<(&str, ArrayRef)>, want: Expect) {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        want.assert_eq(&contract().check(&batch).map_or_else(|error| error.to_string(), |()| "fits".to_owned()));
    }

    fn whole(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn real(values: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_column_named() {
        let (known, price) = (whole(&[Some(1)]), real(&[None]));
        check(vec![("known_at", known.clone()), ("price", price.clone())], expect!["fits"]);
        check(
            vec![("known_at", whole(&[None])), ("price", price.clone())],
            expect![
                "data set bars: column known_at: expected a value in every row, found 1 nulls; this is an error in the stage"
            ],
        );
        check(
            vec![("known_at", known.clone()), ("price", known.clone())],
            expect!["data set bars: column price: expected Float64, found Int64; this is an error in the stage"],
        );
        check(
            vec![("price", price.clone()), ("known_at", known.clone())],
            expect![
                "data set bars: column known_at: expected it as column 1, found it as column 2; this is an error in the stage"
            ],
        );
        check(
            vec![("known_at", known.clone())],
            expect![
                "data set bars: column price: expected it as column 2, found no column of that name; this is an error in the stage"
            ],
        );
        check(
            vec![("known_at", known.clone()), ("price", price), ("size", known)],
            expect!["data set bars: column size: expected no such column, found one; this is an error in the stage"],
        );
    }

    #[test]
    fn the_column_of_known_at_must_be_there() {
        let error = Contract::new("bars", Arc::clone(contract().schema())).unwrap().known_at("when").unwrap_err();
        assert!(error.to_string().contains("column when"), "{error}");
        assert!(matches!(Contract::new("Bars/../x", Arc::clone(contract().schema())), Err(Error::Name { .. })));
    }
}
