//! `railbird book columns`: the lists of the columns of bars, features, outcomes and vectors.

use std::collections::BTreeSet;

use clap::Args;
use railbird_book::{FeatureColumn, STAGE_TABLES, columns, stage_columns};
use serde::Serialize;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `railbird book columns`.
#[derive(Debug, Args)]
pub(crate) struct Columns {
    /// Only columns of this table: bars, features, outcomes or vectors
    #[arg(long, value_name = "TABLE", value_parser = ["bars", "features", "outcomes", "vectors"])]
    table: Option<String>,
    /// Only columns of this family
    #[arg(long, value_name = "FAMILY")]
    family: Option<String>,
    /// Print the page of the bars' columns, as it stands in docs/book-columns.md
    #[arg(long, conflicts_with_all = ["family", "table"])]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    /// Of the bars.
    columns: Vec<&'a railbird_book::Column>,
    features: Vec<FeatureColumn>,
    outcomes: Vec<FeatureColumn>,
    vectors: Vec<FeatureColumn>,
}

/// Prints the lists.
pub(crate) fn run(context: &Context, arguments: &Columns) -> Result<Outcome, Failure> {
    if arguments.markdown && !context.output.json {
        context.output.text(&railbird_book::columns_page())?;
        return Ok(Outcome::Done);
    }
    let is_asked = |table: &str| arguments.table.as_deref().is_none_or(|asked| asked == table);
    let is_wanted = |family: &str| arguments.family.as_deref().is_none_or(|wanted| wanted == family);
    let of_stage = |name: &str| -> Vec<FeatureColumn> {
        let all = stage_columns(name).filter(|_| is_asked(name)).unwrap_or_default();
        all.into_iter().filter(|column| is_wanted(column.family)).collect()
    };
    let [features, outcomes, vectors] = STAGE_TABLES.map(of_stage);
    let bars = columns().iter().filter(|column| is_asked("bars") && is_wanted(column.family.text()));
    let listed = Listed { columns: bars.collect(), features, outcomes, vectors };
    let rows = rows(&listed);
    if rows.is_empty() {
        let mut families: BTreeSet<&str> = BTreeSet::new();
        families.extend(columns().iter().filter(|_| is_asked("bars")).map(|column| column.family.text()));
        for name in STAGE_TABLES.into_iter().filter(|name| is_asked(name)) {
            families.extend(stage_columns(name).unwrap_or_default().iter().map(|column| column.family));
        }
        let families: Vec<&str> = families.into_iter().collect();
        return Err(Failure::usage(format!("--family: expected one of {}", families.join(", "))));
    }
    context
        .output
        .write(&listed, |_| table(&["table", "column", "unit", "family", "old name", "definition"], &rows))?;
    Ok(Outcome::Done)
}

fn rows(listed: &Listed<'_>) -> Vec<Vec<String>> {
    let row = |table: &str, name: &str, unit: &str, family: &str, old: &Option<String>, definition: &str| {
        let old = old.clone().unwrap_or_default();
        [table, name, unit, family, &old, definition].map(str::to_owned).to_vec()
    };
    let bars = listed.columns.iter().map(|column| {
        let (unit, family) = (column.unit.text(), column.family.text());
        row("bars", &column.name, unit, family, &column.old_name, &column.definition)
    });
    let stages = [("features", &listed.features), ("outcomes", &listed.outcomes), ("vectors", &listed.vectors)];
    let stages = stages.into_iter().flat_map(|(name, columns)| columns.iter().map(move |column| (name, column)));
    let stages = stages.map(|(name, column)| {
        row(name, &column.name, &column.unit, column.family, &column.old_name, &column.definition)
    });
    bars.chain(stages).collect()
}
