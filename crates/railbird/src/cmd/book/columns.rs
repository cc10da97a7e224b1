//! `railbird book columns`: the list of the columns of the bars.

use clap::Args;
use railbird_book::columns;
use serde::Serialize;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `railbird book columns`.
#[derive(Debug, Args)]
pub(crate) struct Columns {
    /// Only columns of this family
    #[arg(long, value_name = "FAMILY")]
    family: Option<String>,
    /// Print the page of the columns, as it stands in docs/book-columns.md
    #[arg(long, conflicts_with = "family")]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    columns: Vec<&'a railbird_book::Column>,
}

/// Prints the list.
pub(crate) fn run(context: &Context, arguments: &Columns) -> Result<Outcome, Failure> {
    if arguments.markdown && !context.output.json {
        context.output.text(&railbird_book::columns_page())?;
        return Ok(Outcome::Done);
    }
    let wanted = |column: &&railbird_book::Column| {
        arguments.family.as_deref().is_none_or(|family| column.family.text() == family)
    };
    let listed = Listed { columns: columns().iter().filter(wanted).collect() };
    if listed.columns.is_empty() {
        let families: Vec<_> = railbird_book::Family::ALL.iter().map(|family| family.text()).collect();
        return Err(Failure::usage(format!("--family: expected one of {}", families.join(", "))));
    }
    context.output.write(&listed, |listed| {
        let row = |column: &&railbird_book::Column| {
            let old = column.old_name.clone().unwrap_or_default();
            vec![
                column.name.clone(),
                column.unit.text().to_owned(),
                column.family.text().to_owned(),
                old,
                column.definition.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = listed.columns.iter().map(row).collect();
        table(&["column", "unit", "family", "old name", "definition"], &rows)
    })?;
    Ok(Outcome::Done)
}
