//! `railbird bench FIELD`: figures beside their targets. Start at [`f1`].
//!
//! Computing is measured in this process; serving in a process of its own, over loopback, with the clients here.

mod load;
mod server;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use railbird_f1::simulate::{SimulateOptions, simulate};
use railbird_f1::{Curve, DriverId, Frame, Frames, Import, PACK, Session, merged, resample_all, session_grid};
use railbird_timeline::Stopwatch;
use rayon::prelude::*;
use serde::Serialize;

use super::{Context, f1::Field, f1::read_path};
use crate::{
    failure::{Failure, Outcome},
    output,
};

/// `railbird bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) field: BenchField,
}

/// Fields that can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchField {
    /// Import, merge, resample, frames; chunk requests, frame clients and every route over loopback
    F1(F1),
}

/// `railbird bench f1`.
#[derive(Debug, Args)]
pub(crate) struct F1 {
    /// Archive folder to measure with [default: a simulated race of 57 laps]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Runs of each computation; the median is told
    #[arg(long, default_value_t = 5, value_name = "N")]
    runs: usize,
    /// How long each load lasts, seconds; 0 leaves serving out
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    load: u64,
}

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    figure: String,
    value: f64,
    unit: &'static str,
    /// What is to be reached, where there is such a thing.
    target: Option<Target>,
    pass: Option<bool>,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

/// Figures in the order in which they were measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    figures: Vec<Figure>,
}

impl Figures {
    fn add(&mut self, figure: impl Into<String>, value: f64, unit: &'static str, target: Option<Target>) {
        let pass = target.map(|target| match target {
            Target::AtLeast(least) => value >= least,
            Target::AtMost(most) => value <= most,
        });
        self.figures.push(Figure { figure: figure.into(), value, unit, target, pass });
    }

    fn passed(&self) -> bool {
        self.figures.iter().all(|figure| figure.pass != Some(false))
    }

    fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .figures
            .iter()
            .map(|figure| {
                let (value, target) = (round(figure.value), figure.target);
                let target = target.map_or_else(String::new, |target| match target {
                    Target::AtLeast(least) => format!(">= {}", round(least)),
                    Target::AtMost(most) => format!("<= {}", round(most)),
                });
                let verdict = match figure.pass {
                    Some(true) => "pass",
                    Some(false) => "FAIL",
                    None => "",
                };
                vec![figure.figure.clone(), value, figure.unit.to_owned(), target, verdict.to_owned()]
            })
            .collect();
        output::table(&["figure", "value", "unit", "target", ""], &rows)
    }
}

/// Three digits that matter.
fn round(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Measures a field.
pub(crate) fn run(context: &Context, bench: &Bench) -> Result<Outcome, Failure> {
    let BenchField::F1(arguments) = &bench.field;
    f1(context, arguments)
}

fn f1(context: &Context, arguments: &F1) -> Result<Outcome, Failure> {
    let field = Field::new(&context.settings);
    let folder = context.settings.data_dir().join("bench");
    let archive = match &arguments.archive {
        Some(archive) => archive.clone(),
        None => simulated(&folder)?,
    };
    let mut figures = Figures::default();
    let import = compute(&field, &archive, arguments.runs.max(1), &mut figures)?;
    frames(&field, import, &mut figures);
    server::import_memory(&archive, &folder, &mut figures)?;
    if arguments.load > 0 {
        load::serving(&archive, &folder, arguments.load, &mut figures)?;
    }
    context.output.write(&figures, Figures::text)?;
    Ok(if figures.passed() { Outcome::Done } else { Outcome::Missed })
}

/// Writes the archive of a whole simulated race.
fn simulated(folder: &std::path::Path) -> Result<PathBuf, Failure> {
    let place = folder.join("archive");
    std::fs::create_dir_all(&place).with_context(|| format!("{}: cannot be made", place.display()))?;
    let archive = simulate(&SimulateOptions { laps: 57, ..SimulateOptions::default() });
    for (name, bytes) in &archive.files {
        railbird_store::write_atomic(&place.join(name), bytes)?;
    }
    Ok(place)
}

/// Import, one merge a driver, and the 25 Hz grid, as the rival does them.
fn compute(field: &Field, archive: &std::path::Path, runs: usize, figures: &mut Figures) -> Result<Import, Failure> {
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut last = None;
    for _ in 0..runs {
        let mut watch = Stopwatch::start(&*field.clock);
        let input = read_path(archive, u64::MAX, None)?.input;
        let import = railbird_f1::import(&input, &*field.clock).map_err(Failure::refused)?;
        let imported = watch.lap().as_secs_f64();
        let rows = merge(&import.session);
        let merged = watch.lap().as_secs_f64();
        let grid = session_grid(&import.session, 25);
        let columns = grid.map_or_else(Vec::new, |grid| resample_all(&import.session, grid));
        let gridded = watch.lap().as_secs_f64();
        let total = imported + merged + gridded;
        for (all, one) in times.iter_mut().zip([imported, merged, gridded, total]) {
            all.push(one);
        }
        last = Some((import, rows, columns.iter().map(railbird_f1::GridColumns::len).max().unwrap_or(0)));
    }
    let (import, rows, steps) = last.context("no run")?;
    let [import_s, merge_s, grid_s, total_s] = times.map(median);
    let counts = &import.manifest.counts;
    figures.add("car samples", counts.car_samples as f64, "", None);
    figures.add("position samples", counts.position_samples as f64, "", None);
    figures.add("read and import", import_s, "s", None);
    for (stage, seconds) in &import.stages {
        figures.add(format!("  {stage} (last run)"), *seconds, "s", None);
    }
    figures.add(format!("merge of every driver, {rows} rows"), merge_s, "s", None);
    figures.add(format!("grid of 25 Hz, {steps} steps"), grid_s, "s", None);
    figures.add("import + merge + grid", total_s, "s", None);
    let pack = import.files.iter().find(|(name, _)| *name == PACK).map_or(0, |(_, bytes)| bytes.len());
    figures.add("pack", pack as f64 / 1e6, "MB", Some(Target::AtMost(2.2)));
    Ok(import)
}

fn merge(session: &Session) -> usize {
    (0..session.drivers.len())
        .into_par_iter()
        .map(|driver| merged(session, DriverId(driver as u8), Curve::Spline).len())
        .sum()
}

/// Frames of the whole session at 25 a second.
fn frames(field: &Field, import: Import, figures: &mut Figures) {
    let mut watch = Stopwatch::start(&*field.clock);
    let frames = Frames::new(&import.manifest.version, Arc::new(import.session));
    figures.add("lay out frames", watch.lap().as_secs_f64(), "s", None);
    let (count, mut frame) = (frames.count(25), Frame::default());
    for n in 0..count {
        frames.fill(25, n, &mut frame);
    }
    figures.add(format!("frames filled, {count} in all"), count as f64 / watch.lap().as_secs_f64(), "1/s", None);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_target_fails_the_whole() {
        let mut figures = Figures::default();
        figures.add("a", 1.0, "s", Some(Target::AtMost(1.0)));
        figures.add("b", 7.0, "", None);
        assert!(figures.passed());
        figures.add("c", 1.0, "1/s", Some(Target::AtLeast(1.1)));
        assert!(!figures.passed());
        assert!(figures.text().contains("FAIL"));
    }
}
