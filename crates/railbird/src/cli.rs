//! The command line. Start at [`Cli`].

use std::{collections::BTreeMap, path::PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::cmd::{book::Book, demo::Demo, f1::F1};

/// Contests as they were known: import, study and replay them.
#[derive(Debug, Parser)]
#[command(name = "railbird", version, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Folder of imported sessions [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file [default: ./railbird.toml, then the platform's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Threads that compute; 0 is one a core
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Most sessions that the data folder may hold
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub(crate) sessions_max: Option<usize>,
    /// Form of the log on standard error: text or json
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) log_format: Option<String>,
    /// Tell stage times and log more; -vv and -vvv log still more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Formula 1: import, study and replay sessions
    F1(F1),
    /// The market: walk-forward tests of strategies driven by forecasts
    Market(crate::cmd::market::Market),
    /// The order book: ticks to bars, levels and situations
    Book(Book),
    /// Serve the pages and the API
    Serve(ServeFlags),
    /// Simulate a race, import it, and open its page
    Demo(Demo),
    /// Optimisers beside what was published of them
    Optimize(crate::cmd::optimize::Optimize),
    /// Query the lake with SQL: its data sets are tables
    Sql(crate::cmd::sql::Sql),
    /// Forecasts kept on disk: what is held, verify, shrink, clear
    Cache(crate::cmd::cache::Cache),
    /// Measure a field: figure, target, pass or fail
    Bench(crate::cmd::bench::Bench),
    /// Print every setting, its value and where it came from
    Config(ConfigFlags),
    /// Print a completion script
    Completions {
        /// Shell
        shell: Shell,
    },
}

/// Flags whose effect `railbird config` shows.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigFlags {
    #[command(flatten)]
    serve: ServeFlags,
    #[command(flatten)]
    market: MarketFlags,
}

/// Flags of the market's verbs that are settings too.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MarketFlags {
    /// Forecaster of a walk
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Strategies of a walk
    #[arg(long, value_name = "NAMES")]
    strategies: Option<String>,
    /// Simulations of a walk
    #[arg(long, value_name = "N")]
    sims: Option<String>,
    /// Bars of one simulation
    #[arg(long, value_name = "N")]
    horizon: Option<String>,
    /// Who searches for levels
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Points that a search may compare
    #[arg(long, value_name = "N")]
    evaluations: Option<String>,
    /// Let no other search take over
    #[arg(long)]
    no_fallback: bool,
    /// What is believed of the order of prices within a bar
    #[arg(long, value_name = "NAME")]
    fills: Option<String>,
    /// What is taken of a series that breaks
    #[arg(long, value_name = "NAME")]
    breaks: Option<String>,
    /// Splits and dividends applied
    #[arg(long, value_name = "NAME")]
    adjust: Option<String>,
    /// Seed of all that is random
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Most bytes of forecasts on disk
    #[arg(long, value_name = "BYTES")]
    cache_bytes_max: Option<String>,
}

/// Flags of every command that serves.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeFlags {
    /// Address to bind [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Port to bind; 0 is a free one [default: 7878]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// File that holds the token which every client must show
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Serve without a token on an address that is not loopback
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// Further name that a Host header may bear; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Origin beside the page's own that may open WebSockets and change state; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Folder below which an import over HTTP may read; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) import_root: Vec<PathBuf>,
    /// Host from which an import over HTTP may fetch; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) import_host: Vec<String>,
    /// Largest input of one import, bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) import_bytes_max: Option<u64>,
    /// Most connections held at once
    #[arg(long, value_name = "N")]
    pub(crate) connections_max: Option<u64>,
    /// Memory for opened sessions, bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) session_cache_bytes: Option<u64>,
    /// Memory for encoded frames, bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) frame_cache_bytes: Option<u64>,
}

impl Cli {
    /// Settings that flags give, by key.
    pub(crate) fn flags(&self) -> BTreeMap<&'static str, String> {
        let mut flags = BTreeMap::new();
        let mut set = |key: &'static str, value: Option<String>| {
            if let Some(value) = value {
                flags.insert(key, value);
            }
        };
        let path = |path: &PathBuf| path.display().to_string();
        set("data_dir", self.global.data_dir.as_ref().map(path));
        set("threads", self.global.threads.map(|threads| threads.to_string()));
        set("sessions_max", self.global.sessions_max.map(|sessions| sessions.to_string()));
        set("log_format", self.global.log_format.clone());
        let log = match self.global.verbose {
            0 => None,
            1 => Some("info"),
            2 => Some("debug"),
            _ => Some("trace"),
        };
        set("log", log.map(str::to_owned));
        if let Some(serve) = self.command.serve_flags() {
            let number = |number: u64| number.to_string();
            let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
            let roots: Vec<String> = serve.import_root.iter().map(path).collect();
            set("address", serve.address.clone());
            set("port", serve.port.map(|port| port.to_string()));
            set("token_file", serve.token_file.as_ref().map(path));
            set("no_auth", serve.no_auth.then(|| "true".to_owned()));
            set("allowed_hosts", list(&serve.allow_host));
            set("allowed_origins", list(&serve.allow_origin));
            set("import_roots", list(&roots));
            set("import_hosts", list(&serve.import_host));
            set("import_bytes_max", serve.import_bytes_max.map(number));
            set("connections_max", serve.connections_max.map(number));
            set("session_cache_bytes", serve.session_cache_bytes.map(number));
            set("frame_cache_bytes", serve.frame_cache_bytes.map(number));
        }
        if let Command::Config(ConfigFlags { market, .. }) = &self.command {
            set("model", market.model.clone());
            set("strategies", market.strategies.clone());
            set("sims", market.sims.clone());
            set("horizon", market.horizon.clone());
            set("optimizer", market.optimizer.clone());
            set("evaluations", market.evaluations.clone());
            set("no_fallback", market.no_fallback.then(|| "true".to_owned()));
            set("fills", market.fills.clone());
            set("breaks", market.breaks.clone());
            set("adjust", market.adjust.clone());
            set("seed", market.seed.clone());
            set("cache_bytes_max", market.cache_bytes_max.clone());
        }
        flags
    }
}

impl Command {
    fn serve_flags(&self) -> Option<&ServeFlags> {
        match self {
            Self::Config(flags) => Some(&flags.serve),
            Self::Serve(flags) => Some(flags),
            Self::Demo(demo) => Some(&demo.serve),
            Self::F1(f1) => f1.command.serve_flags(),
            Self::Bench(_)
            | Self::Book(_)
            | Self::Cache(_)
            | Self::Market(_)
            | Self::Optimize(_)
            | Self::Sql(_)
            | Self::Completions { .. } => None,
        }
    }
}
