//! `railbird f1 simulate`: an archive of a race that never was, with the truth beside it.

use std::{fs, path::Path};

use anyhow::Context as _;
use railbird_f1::simulate::{
    FaultOptions, Incidents, SimulateOptions, SimulatedArchive, Stamps, Statistics, simulate, statistics,
    statistics_table,
};
use serde::Serialize;

use super::{arguments::Simulate as Arguments, input::read_path};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
};

#[derive(Debug, Serialize)]
struct Simulated {
    out: String,
    seed: u64,
    drivers: usize,
    laps: u16,
    files: Vec<Written>,
    bytes: usize,
    statistics: Statistics,
    /// Of the archive named by `--beside`.
    statistics_beside: Option<Statistics>,
}

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    bytes: usize,
}

/// Simulates and writes.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let statistics_beside = match &arguments.beside {
        Some(folder) => Some(statistics_of(folder, context.settings.number("import_bytes_max"))?),
        None => None,
    };
    let archive = simulate(&options(arguments));
    let files = write_archive(&arguments.out, &archive)?;
    let simulated = Simulated {
        out: arguments.out.display().to_string(),
        seed: arguments.seed,
        drivers: arguments.drivers,
        laps: arguments.laps,
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
        statistics: statistics(&archive.files),
        statistics_beside,
    };
    context.output.write(&simulated, |simulated| {
        let mut columns = vec![("simulated", &simulated.statistics)];
        columns.extend(simulated.statistics_beside.iter().map(|beside| ("beside", beside)));
        format!(
            "{}: {} drivers, {} laps, seed {}; {} files of {:.1} MB in all, truth.json among them\n\n{}",
            simulated.out,
            simulated.drivers,
            simulated.laps,
            simulated.seed,
            simulated.files.len(),
            simulated.bytes as f64 / 1e6,
            statistics_table(&columns)
        )
    })?;
    Ok(Outcome::Done)
}

fn options(arguments: &Arguments) -> SimulateOptions {
    let defaults = SimulateOptions::default();
    SimulateOptions {
        seed: arguments.seed,
        drivers: arguments.drivers,
        laps: arguments.laps,
        session: arguments.session.into(),
        stamps: if arguments.exact { Stamps::Exact } else { Stamps::Realistic },
        incidents: if arguments.calm { Incidents::none() } else { defaults.incidents },
        faults: if arguments.faults { FaultOptions::all() } else { FaultOptions::default() },
    }
}

/// Statistics of an archive folder.
fn statistics_of(folder: &Path, bytes_max: u64) -> Result<Statistics, Failure> {
    let files = read_path(folder, bytes_max, None)?.input.files;
    Ok(statistics(&files.into_iter().map(|file| (file.name, file.bytes)).collect::<Vec<_>>()))
}

/// Writes the files of an archive, the truth as `truth.json` beside the streams, into a folder that is new or empty.
fn write_archive(out: &Path, archive: &SimulatedArchive) -> Result<Vec<Written>, Failure> {
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || out.is_file() {
        return Err(Failure::usage(format!("{}: is not empty; give a folder that is new or empty", out.display())));
    }
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let truth = serde_json::to_vec(&archive.truth)?;
    let streams = archive.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let mut written = Vec::new();
    for (name, bytes) in streams.chain([("truth.json", truth.as_slice())]) {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("{}: cannot be written", path.display()))?;
        written.push(Written { name: name.to_owned(), bytes: bytes.len() });
    }
    Ok(written)
}
