//! `railbird f1 import`: input to stored session. Start at [`import_one`], which the server's imports call too.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use railbird_f1::{EarlierLine, Library as _, Manifest, STREAMS, SessionInfo, StaleSamples, earlier_line};
use railbird_store::ContentHash;
use railbird_timeline::Clock;
use serde::Serialize;

use super::{
    Field,
    arguments::Import as Arguments,
    input::{self, Read, Skipped},
    library::{Change, SessionStore},
};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory, output,
    stages::Stages,
};

/// How an import came out.
#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    /// Id of the session.
    pub(crate) session: String,
    /// Its version.
    pub(crate) version: String,
    change: Change,
    /// Whether the input was decoded; not where the same input is stored already and `--again` was not given.
    decoded: bool,
    drivers: usize,
    laps: u64,
    car_samples: u64,
    position_samples: u64,
    /// Codes of the drivers, in their order.
    #[serde(skip)]
    codes: Vec<String>,
    /// What was left out, by reason.
    rejected: BTreeMap<String, u64>,
    /// The first places of each reason.
    rejected_places: BTreeMap<String, Vec<String>>,
    /// Samples left out for their time, by driver and lap.
    stale_samples: Vec<StaleSamples>,
    /// The session whose centreline this one was measured on, where it is not its own.
    centreline_of: Option<String>,
    /// Streams that the input does not have.
    missing: Vec<String>,
    /// Whole streams that are there and gave nothing.
    skipped: Vec<Skipped>,
    chunks: usize,
    chunk_bytes: u64,
    /// Sum of the stages.
    pub(crate) seconds: f64,
    stages: Vec<Stage>,
    peak_memory_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    pub(crate) seconds: f64,
}

/// What several inputs came to.
#[derive(Debug, Serialize)]
struct Several {
    imports: Vec<Imported>,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    input: String,
    error: String,
}

/// Imports every input; refuses the whole only where none could be imported.
pub(crate) fn run(context: &Context, field: &Field, arguments: &Arguments) -> Result<Outcome, Failure> {
    let bar = context.output.progress(arguments.inputs.len() as u64, "sessions");
    let (mut imports, mut refused, mut first) = (Vec::new(), Vec::new(), None);
    for name in &arguments.inputs {
        bar.set_message(name.clone());
        match import_named(context, field, name, arguments) {
            Ok(imported) => {
                bar.suspend(|| told(context, name, &imported));
                imports.push(imported);
            }
            Err(failure) => {
                refused.push(Refused { input: name.clone(), error: failure.to_string() });
                first.get_or_insert(failure);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let (true, Some(failure)) = (imports.is_empty(), first) {
        for refused in refused.iter().skip(1) {
            context.output.note(&format!("railbird: {}", refused.error));
        }
        return Err(failure);
    }
    for refused in &refused {
        context.output.note(&format!("railbird: {}", refused.error));
    }
    let whole = refused.is_empty() && imports.iter().all(|imported| imported.skipped.is_empty());
    let outcome = if whole { Outcome::Done } else { Outcome::Partly };
    if context.output.json {
        if let ([imported], true) = (imports.as_slice(), refused.is_empty()) {
            context.output.document(imported)?;
        } else {
            context.output.document(&Several { imports, refused })?;
        }
    }
    Ok(outcome)
}

fn import_named(context: &Context, field: &Field, name: &str, arguments: &Arguments) -> Result<Imported, Failure> {
    let mut stages = Stages::start(&*field.clock);
    let bytes_max = context.settings.number("import_bytes_max");
    let read = if input::is_url(name) {
        input::read_url(name, input::rules_of_user(), bytes_max, &field.clock)?
    } else {
        input::read_path(Path::new(name), bytes_max, None)?
    };
    stages.end("read");
    let how = How { again: arguments.again, own_centreline: arguments.own_centreline };
    import_one(&field.store, &field.clock, read, how, stages)
}

/// How an input is imported.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct How {
    /// Decode it even where the same input is stored.
    pub(crate) again: bool,
    /// Fit its centreline from its own laps in any case.
    pub(crate) own_centreline: bool,
}

/// Imports what was read; `stages` has the reading behind it.
pub(crate) fn import_one(
    store: &SessionStore,
    clock: &Arc<dyn Clock>,
    read: Read,
    how: How,
    mut stages: Stages<'_>,
) -> Result<Imported, Failure> {
    let Read { input, mut skipped } = read;
    let mut hashes: Vec<(String, String)> =
        input.files.iter().map(|file| (file.name.clone(), ContentHash::of(&file.bytes).to_string())).collect();
    hashes.sort();
    let stored = store.made_from(&hashes);
    // What was made on its own line and is to be, or the other way round, is made again.
    let line = stored.as_deref().map(EarlierLine::taken_by);
    let as_wanted = !(how.own_centreline && matches!(line, Some(Some(_))));
    let unchanged = stored.as_deref().filter(|manifest| !how.again && as_wanted && store.is_whole(manifest));
    stages.end("compare");
    if let Some(manifest) = unchanged {
        return Ok(describe(manifest, Change::Unchanged, skipped, stages));
    }
    // The same input gives the same version: it keeps the line that it was measured on, whatever was imported since.
    let earlier = |info: &SessionInfo| match &line {
        _ if how.own_centreline => None,
        Some(line) => line.clone(),
        None => earlier_line(&store.sessions().unwrap_or_default(), info),
    };
    let import = railbird_f1::import_after(&input, &earlier, &**clock).map_err(Failure::refused)?;
    stages.end_in_parts(&import.stages, "import");
    skipped.extend(import.unusable.iter().map(|stream| Skipped {
        stream: (*stream).to_owned(),
        reason: "none of its records can be used; see rejected_places".to_owned(),
    }));
    let change = store.commit(&import)?;
    stages.end("commit");
    let mut imported = describe(&import.manifest, change, skipped, stages);
    imported.decoded = true;
    imported.rejected_places =
        import.rejected.reasons().map(|(reason, entry)| (reason.to_owned(), entry.places.clone())).collect();
    Ok(imported)
}

fn describe(manifest: &Manifest, change: Change, skipped: Vec<Skipped>, stages: Stages<'_>) -> Imported {
    let given = |stream: &railbird_f1::Stream| manifest.inputs.iter().any(|input| input.name == stream.file_name());
    let is_archive = STREAMS.iter().any(given);
    let missing = STREAMS.iter().filter(|stream| is_archive && !given(stream)).map(|stream| stream.topic().to_owned());
    let (stages, seconds) = stages.finish();
    Imported {
        session: manifest.id.clone(),
        version: manifest.version.clone(),
        change,
        decoded: false,
        drivers: manifest.drivers.len(),
        laps: manifest.counts.laps,
        car_samples: manifest.counts.car_samples,
        position_samples: manifest.counts.position_samples,
        codes: manifest.drivers.iter().map(|driver| driver.code.clone()).collect(),
        rejected: manifest.rejected.clone(),
        rejected_places: BTreeMap::new(),
        stale_samples: manifest.stale_samples.clone(),
        centreline_of: manifest.geometry.as_ref().and_then(|line| Some(line.origin.as_ref()?.session.clone())),
        missing: missing.collect(),
        skipped,
        chunks: manifest.chunks.len(),
        chunk_bytes: manifest.chunks.iter().map(|chunk| chunk.bytes).sum(),
        seconds,
        stages: stages.into_iter().map(|(stage, seconds)| Stage { stage, seconds }).collect(),
        peak_memory_bytes: memory::peak_bytes(),
    }
}

/// Tells a person how one import came out.
fn told(context: &Context, input: &str, imported: &Imported) {
    let change = match imported.change {
        Change::New => "imported",
        Change::Unchanged => "already imported, nothing changed",
        Change::NewVersion => "imported as a new version; the old one stays",
        Change::Repaired => "imported again: its stored files were damaged",
    };
    let mut text = format!(
        "{input}: {change}\n  session {}, version {}\n  {} drivers, {} laps, {} car and {} position samples, {} chunks \
         of {:.2} MB in all, {:.2} s\n",
        imported.session,
        imported.version,
        imported.drivers,
        imported.laps,
        imported.car_samples,
        imported.position_samples,
        imported.chunks,
        imported.chunk_bytes as f64 / 1e6,
        imported.seconds,
    );
    for (reason, count) in &imported.rejected {
        let place = imported.rejected_places.get(reason).and_then(|places| places.first());
        text.push_str(&format!(
            "  left out: {count} × {reason}{}\n",
            place.map(|place| format!(", first at {place}")).unwrap_or_default()
        ));
    }
    if let Some(session) = &imported.centreline_of {
        text.push_str(&format!("  on the centreline of {session}\n"));
    }
    if !imported.missing.is_empty() {
        text.push_str(&format!("  not in the input: {}\n", imported.missing.join(", ")));
    }
    for skipped in &imported.skipped {
        text.push_str(&format!("  skipped: {}: {}\n", skipped.stream, skipped.reason));
    }
    if context.verbose {
        let cells = |row: &StaleSamples| {
            [row.car_equal, row.car_backward, row.position_equal, row.position_backward].map(|count| count.to_string())
        };
        let rows: Vec<Vec<String>> = imported
            .stale_samples
            .iter()
            .map(|row| {
                let driver = imported.codes.get(usize::from(row.driver)).cloned().unwrap_or_default();
                [driver, row.lap.to_string()].into_iter().chain(cells(row)).collect()
            })
            .collect();
        if !rows.is_empty() {
            const HEAD: [&str; 6] =
                ["driver", "lap", "car equal", "car backward", "position equal", "position backward"];
            text.push_str(&format!("  samples left out for their time\n{}\n", output::table(&HEAD, &rows).trim_end()));
        }
        for stage in &imported.stages {
            text.push_str(&format!("  {:<10} {:>8.1} ms\n", stage.stage, stage.seconds * 1e3));
        }
    }
    if !context.output.json {
        // A reader that went away does not undo the import.
        let _ = context.output.text(text.trim_end());
    }
}
