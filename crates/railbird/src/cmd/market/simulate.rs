//! `railbird market simulate`: made-up symbols as CSV files, with what is true of them.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use railbird_market::simulate::{SimulateOptions, Truth, simulate};
use railbird_store::write_atomic;
use serde::Serialize;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
};

/// `market simulate`.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Folder for the files, made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Bars a symbol
    #[arg(long, default_value_t = 700, value_name = "N", value_parser = clap::value_parser!(u32).range(40..=1_000_000))]
    bars: u32,
}

#[derive(Serialize)]
struct Document {
    folder: String,
    files: Vec<String>,
    truth: Vec<Truth>,
}

/// Writes the files.
pub(crate) fn run(context: &Context, arguments: &Simulate) -> Result<Outcome, Failure> {
    let symbols = simulate(&SimulateOptions { seed: arguments.seed, bars: arguments.bars as usize });
    let folder = &arguments.out;
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    for symbol in &symbols {
        write_atomic(&folder.join(&symbol.file), &symbol.bytes)?;
    }
    let document = Document {
        folder: folder.display().to_string(),
        files: symbols.iter().map(|symbol| symbol.file.clone()).collect(),
        truth: symbols.into_iter().map(|symbol| symbol.truth).collect(),
    };
    // Beside the folder's bars it would be taken for a symbol.
    let truth = serde_json::to_vec_pretty(&document.truth).context("truth")?;
    write_atomic(&folder.with_extension("truth.json"), &truth)?;
    context.output.write(&document, |document| format!("{} symbols in {}", document.files.len(), document.folder))?;
    Ok(Outcome::Done)
}
