//! `railbird book check`: what becomes of every row.

use std::path::PathBuf;

use clap::Args;
use railbird_book::{CheckReport, check};
use serde::Serialize;

use super::input::open;
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `railbird book check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files of ticks
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take every row for the end of an event, for sources without F_LAST
    #[arg(long)]
    every_row: bool,
}

#[derive(Debug, Serialize)]
struct Checked {
    files: Vec<CheckedFile>,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct CheckedFile {
    file: String,
    /// Rows by rule and reason: all of them.
    accounted: u64,
    #[serde(flatten)]
    report: CheckReport,
}

#[derive(Debug, Serialize)]
struct Refused {
    file: String,
    error: String,
}

/// Counts the rows of every file; fails as a whole only where none could be read.
pub(crate) fn run(context: &Context, arguments: &Check) -> Result<Outcome, Failure> {
    let mut checked = Checked { files: Vec::new(), refused: Vec::new() };
    let mut first = None;
    for path in &arguments.files {
        let file = path.display().to_string();
        let counted = open(path).and_then(|reader| {
            check(reader, arguments.every_row).map_err(|error| Failure::refused_because(format!("{file}: {error}")))
        });
        match counted {
            Ok(report) => checked.files.push(CheckedFile { file, accounted: report.accounted(), report }),
            Err(failure) => {
                checked.refused.push(Refused { file, error: failure.to_string() });
                first.get_or_insert(failure);
            }
        }
    }
    if let (true, Some(failure)) = (checked.files.is_empty(), first) {
        return Err(failure);
    }
    for refused in &checked.refused {
        context.output.note(&format!("railbird: {}", refused.error));
    }
    context.output.write(&checked, told)?;
    let whole = checked.refused.is_empty() && checked.files.iter().all(|file| file.report.cut_short.is_none());
    Ok(if whole { Outcome::Done } else { Outcome::Partly })
}

fn told(checked: &Checked) -> String {
    let mut text = String::new();
    for CheckedFile { file, accounted, report } in &checked.files {
        text.push_str(&format!("{file}: {} levels, {} instruments\n", report.levels, report.instruments.len()));
        let mut rows: Vec<Vec<String>> =
            report.rules.iter().map(|(rule, rows)| vec![(*rule).to_owned(), rows.to_string()]).collect();
        rows.extend(report.rejected.iter().map(|(reason, rows)| vec![format!("left out: {reason}"), rows.to_string()]));
        rows.push(vec!["sum".to_owned(), accounted.to_string()]);
        rows.push(vec!["rows read".to_owned(), report.rows.to_string()]);
        text.push_str(&table(&["rule", "rows"], &rows));
        for (what, n) in &report.noted {
            text.push_str(&format!("noted: {n} × {what}\n"));
        }
        if let Some(reason) = &report.cut_short {
            text.push_str(&format!("{reason}; what came before is counted\n"));
        }
    }
    text
}
