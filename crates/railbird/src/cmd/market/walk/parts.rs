//! What a walk keeps on disk: parts while it goes on, tables when it ends. Start at [`Parts`].

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use arrow::array::RecordBatch;
use railbird_market::{from_parquet, to_parquet};
use railbird_store::{ContentHash, read_bounded, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Finished, KeptDocument};
use crate::failure::Failure;

/// What is finished of a walk with `--out`: `parts/` holds a summary and the rows of each symbol, written whole or not at
/// all, under a hash of all that they depend on.
pub(super) struct Parts {
    /// Folder of the tables.
    pub(super) out: PathBuf,
    folder: PathBuf,
}

#[derive(Serialize)]
struct PartOut<'a> {
    key: &'a str,
    symbol: &'a str,
    summary: &'a RawValue,
    view: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PartIn {
    key: String,
    summary: Box<RawValue>,
    view: Option<Box<RawValue>>,
}

/// Largest part that is read, bytes.
const PART_BYTES_MAX: u64 = 1 << 30;

impl Parts {
    pub(super) fn open(out: &Path) -> Result<Self, Failure> {
        let folder = out.join("parts");
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        railbird_store::sweep(&folder)?;
        railbird_store::sweep(out)?;
        Ok(Self { out: out.to_owned(), folder })
    }

    fn place(&self, symbol: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", ContentHash::of(symbol.as_bytes()).short(16)))
    }

    /// A part that was finished under the same key.
    pub(super) fn get(&self, symbol: &str, key: &str) -> Option<Finished> {
        let bytes = read_bounded(&self.place(symbol, "json"), PART_BYTES_MAX).ok()?;
        let part: PartIn = serde_json::from_slice(&bytes).ok().filter(|part: &PartIn| part.key == key)?;
        let rows = read_bounded(&self.place(symbol, "parquet"), PART_BYTES_MAX).ok()?;
        Some(Finished {
            symbol: symbol.to_owned(),
            summary: part.summary,
            rows: from_parquet(rows).ok()?,
            view: part.view,
        })
    }

    /// Keeps a part; the summary last, since it says that the rows are there.
    pub(super) fn put(&self, key: &str, finished: &Finished) -> Result<(), Failure> {
        let summary = self.place(&finished.symbol, "json");
        if summary.exists() {
            std::fs::remove_file(&summary)?;
        }
        write_atomic(&self.place(&finished.symbol, "parquet"), &to_parquet(&finished.rows)?)?;
        let part =
            PartOut { key, symbol: &finished.symbol, summary: &finished.summary, view: finished.view.as_deref() };
        write_atomic(&summary, &serde_json::to_vec(&part)?)?;
        Ok(())
    }

    /// Writes the tables of all parts, and takes away parts of symbols that are no longer walked.
    pub(super) fn finish(&self, finished: &[Finished], kept: &KeptDocument) -> Result<(), Failure> {
        if finished.is_empty() {
            return Ok(());
        }
        let rows: Vec<RecordBatch> = finished.iter().flat_map(|finished| finished.rows.iter().cloned()).collect();
        write_atomic(&self.out.join("folds.parquet"), &to_parquet(&rows)?)?;
        if let Some(study) = study_csv(&kept.symbols)? {
            write_atomic(&self.out.join("combinatorial.csv"), study.as_bytes())?;
        }
        write_atomic(&self.out.join("summary.csv"), summary_csv(&kept.symbols)?.as_bytes())?;
        let mut summary = serde_json::to_vec_pretty(kept)?;
        summary.push(b'\n');
        write_atomic(&self.out.join("summary.json"), &summary)?;
        let wanted: HashSet<PathBuf> = finished
            .iter()
            .flat_map(|finished| ["json", "parquet"].map(|ending| self.place(&finished.symbol, ending)))
            .collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !wanted.contains(&path) && path.extension().is_some_and(|ending| ending == "json" || ending == "parquet")
            {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Columns of the summary table: head, and the place of each in a strategy's summary.
const SUMMARY: [(&str, &str); 17] = [
    ("return", "/metrics/total"),
    ("annualised", "/metrics/annualised"),
    ("volatility", "/metrics/volatility"),
    ("sharpe", "/metrics/sharpe"),
    ("sortino", "/metrics/sortino"),
    ("deflated_sharpe", "/deflated_sharpe"),
    ("drawdown_max", "/metrics/drawdown_max"),
    ("drawdown_periods_max", "/metrics/drawdown_periods_max"),
    ("calmar", "/metrics/calmar"),
    ("hit_rate", "/metrics/hit_rate"),
    ("turnover", "/metrics/turnover"),
    ("exposure", "/metrics/exposure"),
    ("return_pessimistic", "/pessimistic/total"),
    ("return_optimistic", "/optimistic/total"),
    ("return_untuned_pessimistic", "/untuned_pessimistic/total"),
    ("return_untuned_optimistic", "/untuned_optimistic/total"),
    ("searches", "/searches"),
];

fn summary_csv(symbols: &[Box<RawValue>]) -> Result<String, Failure> {
    let heads: Vec<&str> = SUMMARY.iter().map(|(head, _)| *head).collect();
    let mut text = format!("symbol,strategy,{},return_buy_hold\n", heads.join(","));
    for symbol in symbols {
        let symbol: Value = serde_json::from_str(symbol.get())?;
        for strategy in symbol["strategies"].as_array().into_iter().flatten() {
            let shown = |value: Option<&Value>| {
                value.filter(|value| !value.is_null()).map(Value::to_string).unwrap_or_default()
            };
            let name = symbol["symbol"].as_str().unwrap_or_default();
            let cells: Vec<String> = SUMMARY.iter().map(|(_, place)| shown(strategy.pointer(place))).collect();
            let name = if name.contains([',', '"', '\n']) {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name.to_owned()
            };
            let strategy = strategy["strategy"].as_str().unwrap_or_default();
            text.push_str(&format!(
                "{name},{strategy},{},{}\n",
                cells.join(","),
                shown(symbol.pointer("/buy_hold/total"))
            ));
        }
    }
    Ok(text)
}

/// The table of the study; `None` where there was none.
fn study_csv(symbols: &[Box<RawValue>]) -> Result<Option<String>, Failure> {
    const COLUMNS: [&str; 10] = [
        "symbol",
        "strategy",
        "split",
        "training_days",
        "tested_days",
        "m_high",
        "m_low",
        "policy",
        "training_bp",
        "tested_bp",
    ];
    let mut text = None;
    for symbol in symbols {
        let symbol: Value = serde_json::from_str(symbol.get())?;
        for row in symbol["combinatorial"].as_array().into_iter().flatten() {
            let cell = |column: &&str| match &row[*column] {
                Value::String(text) => text.replace([',', '"', '\n'], "_"),
                other => other.to_string(),
            };
            let cells: Vec<String> = COLUMNS.iter().map(cell).collect();
            let text = text.get_or_insert_with(|| format!("{}\n", COLUMNS.join(",")));
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    Ok(text)
}
