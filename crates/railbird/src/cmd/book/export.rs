//! `railbird book export`: tables of bars and of what follows them, one Parquet file each, by our names or older ones.

use std::{fs, io::BufWriter, path::PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use railbird_book::{bars_with_old_names, table_parquet, with_old_names};
use railbird_store::AtomicFile;
use serde::Serialize;

use super::situations::{BARS_BYTES_MAX, Situations, exported_name};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
};

/// `railbird book export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    situations: Situations,
    /// Folder for the tables, NAME.SYMBOL.TABLE.parquet, and NAME.bars.parquet; made where it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only this table: bars, levels, profiles, episodes, outcomes, spans, features or vectors; may be repeated
    #[arg(long, value_name = "TABLE", value_parser = TABLES)]
    table: Vec<String>,
    /// Names of the columns: our own, or what the older pipeline called them, where it had one of that meaning
    #[arg(long, value_enum, default_value = "own")]
    names: Names,
}

const TABLES: [&str; 8] = ["bars", "levels", "profiles", "episodes", "outcomes", "spans", "features", "vectors"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Names {
    /// As `book columns` lists them
    Own,
    /// The older pipeline's
    Old,
}

#[derive(Debug, Serialize)]
struct Exported {
    files: usize,
    written: Vec<Written>,
}

#[derive(Debug, Serialize)]
struct Written {
    file: String,
    table: String,
    rows: usize,
}

/// Writes the tables that are asked for.
pub(crate) fn run(context: &Context, arguments: &Export) -> Result<Outcome, Failure> {
    let is_asked = |table: &str| arguments.table.is_empty() || arguments.table.iter().any(|asked| asked == table);
    let folder = &arguments.out;
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    let mut exported = Exported { files: 0, written: Vec::new() };
    if is_asked("bars") {
        for path in arguments.situations.files()? {
            let name = exported_name(&path, None, "bars");
            let place = folder.join(&name);
            let bytes = railbird_store::read_bounded(&path, BARS_BYTES_MAX).map_err(Failure::refused)?;
            let same = fs::canonicalize(&path).ok().zip(fs::canonicalize(&place).ok());
            if same.is_some_and(|(from, to)| from == to) {
                return Err(Failure::usage(format!("{}: would be written over; choose another --out", path.display())));
            }
            let file = AtomicFile::begin(folder)?;
            let mut out = BufWriter::with_capacity(1 << 18, file);
            let refused = |error| Failure::refused(anyhow!("{}: {error}", path.display()));
            let rows = match arguments.names {
                Names::Old => bars_with_old_names(bytes.into(), &mut out).map_err(refused)?,
                Names::Own => {
                    std::io::Write::write_all(&mut out, &bytes)?;
                    railbird_book::Bars::read_parquet(bytes.into(), &[])
                        .map_err(refused)?
                        .iter()
                        .map(railbird_book::Bars::len)
                        .sum()
                }
            };
            let file = out.into_inner().map_err(|error| anyhow!("{}: {}", place.display(), error.error()))?;
            file.commit(&name)?;
            exported.written.push(Written { file: place.display().to_string(), table: "bars".to_owned(), rows });
            exported.files += 1;
        }
    }
    if TABLES[1..].iter().any(|table| is_asked(table)) {
        exported.files = arguments.situations.study(|path, _, studied| {
            for (table, batch) in studied.tables().into_iter().filter(|(table, _)| is_asked(table)) {
                let place = folder.join(exported_name(path, Some(&studied.symbol), table));
                let named = if arguments.names == Names::Old { with_old_names(table, &batch) } else { batch };
                railbird_store::write_atomic(&place, &table_parquet(&named)?)?;
                let (file, table) = (place.display().to_string(), table.to_owned());
                exported.written.push(Written { file, table, rows: named.num_rows() });
            }
            Ok(())
        })?;
    }
    context.output.write(&exported, |exported| {
        let line = |written: &Written| format!("{}: {} rows\n", written.file, written.rows);
        exported.written.iter().map(line).collect()
    })?;
    Ok(Outcome::Done)
}
