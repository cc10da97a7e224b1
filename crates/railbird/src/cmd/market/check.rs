//! `railbird market check`: what is odd about files of bars.

use clap::Args;
use railbird_market::data::{Findings, Segment};
use rayon::prelude::*;
use serde::Serialize;

use super::{Files, Reading, input::sources};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `market check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Serialize)]
struct Document {
    symbols: Vec<Checked>,
    refused: usize,
    broken: usize,
    /// Whether the symbols follow more than one calendar.
    mixed_calendars: bool,
}

#[derive(Serialize)]
struct Checked {
    symbol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(flatten)]
    findings: Option<Findings>,
    segments: Vec<Segment>,
}

/// Checks each symbol and prints what was found.
pub(crate) fn run(context: &Context, arguments: &Check) -> Result<Outcome, Failure> {
    let sources = sources(&arguments.files.paths)?;
    let options = arguments.reading.options();
    let symbols: Vec<Checked> = sources
        .par_iter()
        .map(|source| {
            let series = source
                .open()
                .map_err(|error| error.to_string())
                .and_then(|opened| opened.load(&source.symbol, &options).map_err(|error| error.to_string()));
            let symbol = source.symbol.clone();
            match series {
                Ok(series) => {
                    Checked { symbol, refused: None, findings: Some(series.findings), segments: series.segments }
                }
                Err(reason) => Checked { symbol, refused: Some(reason), findings: None, segments: Vec::new() },
            }
        })
        .collect();
    let refused = symbols.iter().filter(|checked| checked.refused.is_some()).count();
    let findings = || symbols.iter().filter_map(|checked| checked.findings.as_ref());
    let first = findings().next().map(|findings| findings.calendar);
    let document = Document {
        refused,
        broken: findings().filter(|findings| !findings.breaks.is_empty()).count(),
        mixed_calendars: findings().any(|findings| Some(findings.calendar) != first),
        symbols,
    };
    context.output.write(&document, text)?;
    match (refused, document.symbols.len()) {
        (0, _) => Ok(Outcome::Done),
        (refused, all) if refused == all => Err(Failure::refused_because(format!("all {all} symbols were refused"))),
        _ => Ok(Outcome::Partly),
    }
}

fn text(document: &Document) -> String {
    let mut rows = Vec::new();
    let mut notes = String::new();
    for checked in &document.symbols {
        let Some(findings) = &checked.findings else {
            notes.push_str(&format!(
                "{}: refused: {}\n",
                checked.symbol,
                checked.refused.as_deref().unwrap_or_default()
            ));
            continue;
        };
        let days = format!("{}", findings.calendar.days_a_year());
        let date = |at: String| at.get(..10).unwrap_or_default().to_owned();
        rows.push(vec![
            checked.symbol.clone(),
            findings.bars.to_string(),
            checked.segments.first().map(|segment| date(segment.from.to_string())).unwrap_or_default(),
            checked.segments.last().map(|segment| date(segment.to.to_string())).unwrap_or_default(),
            days,
            findings.breaks.len().to_string(),
            checked.segments.last().map(|segment| segment.rows.len().to_string()).unwrap_or_default(),
            findings.zero_volume.to_string(),
            findings.days_without_bars.to_string(),
            findings.spikes.to_string(),
            findings.splits.to_string(),
            findings.dividends.to_string(),
            (findings.rows_without_prices + findings.bad_bars).to_string(),
        ]);
        for found in &findings.breaks {
            notes.push_str(&format!("{}: {}: {}\n", checked.symbol, found.to, found.reason));
        }
        if findings.mixed_calendar {
            notes.push_str(&format!("{}: its newest days follow another calendar than its first\n", checked.symbol));
        }
        if let Some(spread) = findings.spread_bp {
            notes.push_str(&format!("{}: separate bids and asks, {spread:.2} bp apart\n", checked.symbol));
        }
        if let Some(place) = &findings.first_dropped {
            notes.push_str(&format!("{}: rows left out, the first at {place}\n", checked.symbol));
        }
        if !findings.ignored_columns.is_empty() {
            notes.push_str(&format!("{}: columns kept out: {}\n", checked.symbol, findings.ignored_columns.join(", ")));
        }
    }
    if document.mixed_calendars {
        notes.push_str("the symbols follow different calendars: each is annualised by its own\n");
    }
    let head = [
        "symbol",
        "bars",
        "from",
        "to",
        "days/year",
        "breaks",
        "newest",
        "zero_volume",
        "days_without",
        "spikes",
        "splits",
        "dividends",
        "left_out",
    ];
    format!("{}\n{notes}", table(&head, &rows))
}
