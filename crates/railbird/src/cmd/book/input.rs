//! Files of ticks and what is known of their instruments.

use std::{
    fs::File,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use railbird_book::{HEAD_BYTES, Instrument, Instruments, TickFormat, TickReader, TickSource, parse_decimal};

use crate::failure::Failure;

/// Largest table of instruments, bytes.
const INSTRUMENTS_BYTES_MAX: u64 = 16 << 20;

/// What is known of the instruments of the files.
#[derive(Debug, Clone, Args)]
pub(crate) struct InstrumentFlags {
    /// Name in the table of instruments [default: the symbol in the file]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["point", "tick", "lot"])]
    instrument: Option<String>,
    /// Table of instruments, before those that are built in
    #[arg(long, value_name = "FILE")]
    instruments: Option<PathBuf>,
    /// Unit of the distances of the bands, a price
    #[arg(long, value_name = "PRICE", value_parser = price)]
    point: Option<i64>,
    /// Smallest step of the price
    #[arg(long, value_name = "PRICE", value_parser = price)]
    tick: Option<i64>,
    /// Usual size of an order: scales the walls' ln(1 + size / lot) alone
    #[arg(long, value_name = "SIZE")]
    lot: Option<f64>,
}

/// Says what is known of each symbol.
#[derive(Debug)]
pub(crate) struct Known {
    table: Instruments,
    flags: InstrumentFlags,
}

fn price(text: &str) -> Result<i64, String> {
    parse_decimal(text).filter(|price| *price > 0).ok_or_else(|| "expected a decimal above 0".to_owned())
}

impl InstrumentFlags {
    /// Reads the table and checks what the flags say.
    pub(crate) fn known(&self) -> Result<Known, Failure> {
        let mut table = Instruments::built_in();
        if let Some(path) = &self.instruments {
            let bytes = railbird_store::read_bounded(path, INSTRUMENTS_BYTES_MAX)?;
            let text =
                String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{}: not UTF-8", path.display())))?;
            let own =
                Instruments::parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            table = own.before(table);
        }
        if let Some(name) = &self.instrument {
            let found = table.find(name).filter(|found| found.symbol != "*");
            found.ok_or_else(|| {
                let names = table.list().iter().map(|entry| entry.symbol.as_str()).filter(|name| *name != "*");
                Failure::usage(format!(
                    "--instrument {name}: not in the table ({}); give --point and --tick, or --instruments FILE",
                    names.collect::<Vec<_>>().join(", ")
                ))
            })?;
        }
        let known = Known { table, flags: self.clone() };
        known.changed("", known.table.find("")).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(known)
    }
}

impl Known {
    /// What holds for a symbol.
    pub(crate) fn of(&self, symbol: &str) -> Instrument {
        let name = self.flags.instrument.as_deref().unwrap_or(symbol);
        let found = self.table.find(name);
        self.changed(symbol, found).expect("what the flags say was checked when they were read")
    }

    /// Whether nothing was said of a symbol, so that the last entry of the built-in table holds.
    pub(crate) fn is_assumed(&self, symbol: &str) -> bool {
        let name = self.flags.instrument.as_deref().unwrap_or(symbol);
        self.flags.point.is_none() && self.table.find(name).is_none_or(|found| found.symbol == "*")
    }

    fn changed(&self, symbol: &str, found: Option<&Instrument>) -> Result<Instrument, railbird_book::InstrumentError> {
        let InstrumentFlags { point, tick, lot, .. } = &self.flags;
        if let (Some(found), None, None, None) = (found, point, tick, lot) {
            return Ok(found.clone());
        }
        // A step that nobody told is no larger than the point.
        let other = |of: fn(&Instrument) -> i64| found.map(of);
        let point_now = point.or(other(|found| found.point)).unwrap_or(1);
        let tick_now = tick.or(other(|found| found.tick).filter(|tick| *tick <= point_now)).unwrap_or(point_now);
        let lot_now = lot.or(found.map(|found| found.lot)).unwrap_or(1.0);
        let mut plain = Instrument::plain(symbol, point_now, tick_now, lot_now)?;
        if let Some(found) = found {
            plain = Instrument { point: plain.point, tick: plain.tick, lot: plain.lot, ..found.clone() };
        }
        Ok(plain)
    }
}

/// Opens a file of ticks; refuses it by name.
pub(crate) fn open(path: &Path) -> Result<TickReader, Failure> {
    let named = || path.display().to_string();
    let mut file = File::open(path).with_context(named)?;
    if file.metadata().with_context(named)?.is_dir() {
        return Err(Failure::usage(format!("{}: is a folder, expected a file of ticks", path.display())));
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head).with_context(named)?;
    let format = TickFormat::of(&head);
    let source = match format {
        TickFormat::Parquet => TickSource::Parquet(file),
        _ => TickSource::Stream(Box::new(Cursor::new(head).chain(file))),
    };
    TickReader::open(source, format).map_err(|error| Failure::refused(anyhow!("{}: {error}", path.display())))
}
