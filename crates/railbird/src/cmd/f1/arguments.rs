//! The command line of `railbird f1`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use railbird_f1::simulate::SessionKind;

use crate::cli::ServeFlags;

/// `railbird f1`.
#[derive(Debug, Args)]
pub(crate) struct F1 {
    #[command(subcommand)]
    pub(crate) command: F1Command,
}

/// Verbs of `railbird f1`.
///
/// SESSION is the id of a session, a version of it, a part of an id that only one session has, or `latest`.
#[derive(Debug, Subcommand)]
pub(crate) enum F1Command {
    /// Import sessions: archive folders, URL roots, or raw recordings of the live feed
    Import(Import),
    /// List the imported sessions
    Sessions(Sessions),
    /// Laps with FastF1's column names; times in seconds
    Laps(Laps),
    /// Telemetry of a lap on a merged clock
    Telemetry(Telemetry),
    /// Compare laps over the track distance
    Compare(Compare),
    /// Positions and gaps at each line crossing, or at one moment
    Order(Order),
    /// Write laps or telemetry as Parquet, Arrow or CSV
    Export(Export),
    /// Write an archive of a simulated race, with the truth beside it
    Simulate(Simulate),
    /// The last official positions
    Classification(Classification),
    /// What happened: status, tyres, flags, race control, weather and more
    Events(Events),
    /// Open a session's page in the browser
    Replay(Replay),
}

/// `f1 import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Archive folder, its URL root, or a raw recording (.txt)
    #[arg(required = true, value_name = "PATH|URL")]
    pub(crate) inputs: Vec<String>,
    /// Decode afresh, compare with what is stored, and say whether it is equal or a new version
    #[arg(long)]
    pub(crate) again: bool,
    /// Fit the centreline from this session's own laps, even where an earlier session of the season has one
    #[arg(long)]
    pub(crate) own_centreline: bool,
}

/// `f1 sessions`.
#[derive(Debug, Args)]
pub(crate) struct Sessions {
    /// Only this season
    #[arg(long)]
    pub(crate) year: Option<u16>,
    /// Only this round
    #[arg(long)]
    pub(crate) round: Option<u16>,
    /// Only this type: Race, Qualifying, Practice, …
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
}

/// Form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableForm {
    /// Aligned columns for people
    Table,
    /// Comma-separated values
    Csv,
    /// One JSON document
    Json,
}

/// `f1 laps`.
#[derive(Debug, Args)]
pub(crate) struct Laps {
    /// Session
    pub(crate) session: String,
    /// Form
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableForm,
    /// Only these drivers, by code or number, separated by commas
    #[arg(long, value_name = "CODES")]
    pub(crate) drivers: Option<String>,
    /// Only these laps: 1-10,21
    #[arg(long, value_name = "LAPS")]
    pub(crate) laps: Option<String>,
    /// What was known at this moment, seconds of session time
    #[arg(long, value_name = "SECONDS")]
    pub(crate) as_of: Option<f64>,
}

/// `f1 telemetry`.
#[derive(Debug, Args)]
pub(crate) struct Telemetry {
    /// Session
    pub(crate) session: String,
    /// Drivers, by code or number, separated by commas
    #[arg(long, value_name = "CODES")]
    pub(crate) driver: String,
    /// Laps: 21, or 20-22
    #[arg(long, value_name = "LAPS")]
    pub(crate) lap: String,
    /// Form
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableForm,
}

/// `f1 compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Session
    pub(crate) session: String,
    /// Laps, the reference first: NOR:21,PIA:21
    #[arg(long, value_name = "DRIVER:LAP,…")]
    pub(crate) laps: String,
    /// Step of the track distance, m
    #[arg(long, value_name = "METRES")]
    pub(crate) step: Option<f64>,
    /// Form
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableForm,
}

/// `f1 order`.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Session
    pub(crate) session: String,
    /// At every line crossing of every car (CSV: lap, driver, position, gap_s, interval_s); the default
    #[arg(long, conflicts_with = "at")]
    pub(crate) at_line: bool,
    /// At this moment, seconds of session time
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at: Option<f64>,
}

/// `f1 export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Session
    pub(crate) session: String,
    /// Table: laps or telemetry
    #[arg(long, default_value = "laps")]
    pub(crate) table: String,
    /// Format: parquet, arrow or csv
    #[arg(long, default_value = "parquet")]
    pub(crate) format: String,
    /// Drivers of the telemetry, by code or number, separated by commas
    #[arg(long, value_name = "CODES")]
    pub(crate) driver: Option<String>,
    /// Laps of the telemetry: 21, or 20-22
    #[arg(long, value_name = "LAPS")]
    pub(crate) lap: Option<String>,
    /// File to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `f1 simulate`.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Folder to write; must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Seed: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Drivers
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = drivers)]
    pub(crate) drivers: usize,
    /// Laps of a race; of another session, about how many each car has time for
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=99))]
    pub(crate) laps: u16,
    /// Kind of session
    #[arg(long, value_enum, default_value = "race")]
    pub(crate) session: Kind,
    /// Stamp each crossing with its own millisecond, in one record
    #[arg(long)]
    pub(crate) exact: bool,
    /// Nothing but racing: no pit stops, safety car, red flag or retirements
    #[arg(long)]
    pub(crate) calm: bool,
    /// Print statistics of the archive, and of this real one beside it
    #[arg(long, value_name = "DIR")]
    pub(crate) beside: Option<PathBuf>,
    /// Add everything that can be wrong with a feed; the truth counts each
    #[arg(long)]
    pub(crate) faults: bool,
}

/// Kind of a simulated session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A race
    Race,
    /// Qualifying in three parts
    Qualifying,
    /// A practice session
    Practice,
}

impl From<Kind> for SessionKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Race => Self::Race,
            Kind::Qualifying => Self::Qualifying,
            Kind::Practice => Self::Practice,
        }
    }
}

/// `f1 classification`.
#[derive(Debug, Args)]
pub(crate) struct Classification {
    /// Session
    pub(crate) session: String,
    /// Form
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableForm,
}

/// `f1 events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Session
    pub(crate) session: String,
    /// Only these kinds, separated by commas: status, tyres, track, race_control, …
    #[arg(long, value_name = "KINDS")]
    pub(crate) kinds: Option<String>,
}

/// `f1 replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Session
    #[arg(default_value = "latest")]
    pub(crate) session: String,
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
}

impl F1Command {
    /// Flags of a verb that serves.
    pub(crate) fn serve_flags(&self) -> Option<&ServeFlags> {
        match self {
            Self::Replay(replay) => Some(&replay.serve),
            _ => None,
        }
    }
}

fn drivers(text: &str) -> Result<usize, String> {
    let drivers: usize = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (2..=22).contains(&drivers) { Ok(drivers) } else { Err("expected 2 to 22".to_owned()) }
}
