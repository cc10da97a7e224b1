//! `railbird market signals`: a back-test of one's own signals or forecasts.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, ValueEnum};
use railbird_backtest::{DEFINITIONS, Metrics};
use railbird_market::{
    data::{Bars, Calendar, File},
    signals::{
        Aligned, Column, Permuted, Prices, Rules, SameBar, Size, Stops, Study, Table, Thresholds, permuted, study,
    },
};
use railbird_store::{ContentHash, FileLock, read_bounded, write_atomic};
use railbird_timeline::{Clock as _, SystemClock, Ts};
use serde::{Deserialize, Serialize};

use super::{Files, Reading, input::sources};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// Largest table of signals that is read, bytes.
const TABLE_BYTES_MAX: u64 = 4 << 30;

/// `market signals`.
#[derive(Debug, Args)]
pub(crate) struct SignalsCommand {
    #[command(flatten)]
    pub(crate) input: Input,
    /// One account for all symbols instead of one each
    #[arg(long)]
    shared: bool,
    /// First day of the back-test
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// First day after the back-test
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Days from here on are locked away, until they are opened once
    #[arg(long, value_name = "DATE")]
    holdout: Option<String>,
    /// Run on the days that --holdout locked away; works once for these bars
    #[arg(long, requires = "holdout")]
    open_holdout: bool,
    /// Runs with the signals moved to other times, to see what chance would have earned
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    permutations: u64,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Write each trade of the pessimistic run to this file, as CSV
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
}

/// Bars, signals, and what they are traded by.
#[derive(Debug, Clone, Args)]
pub(crate) struct Input {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    reading: Reading,
    /// Table of signals or forecasts: timestamp, symbol, known_at, long_entry, long_exit, short_entry, short_exit, weight, forecast
    #[arg(long, value_name = "TABLE", required = false)]
    signals: Option<PathBuf>,
    /// A forecast above this enters, per cent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    enter: f64,
    /// A forecast below this leaves, per cent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", allow_negative_numbers = true)]
    exit: f64,
    /// Forecasts enter shorts too
    #[arg(long)]
    short: bool,
    /// Money of each account at the start
    #[arg(long, default_value_t = 10_000.0, value_name = "MONEY")]
    cash: f64,
    /// Size of an entry: per cent of equity, money, or units
    #[arg(long, default_value_t = 100.0, value_name = "SIZE")]
    size: f64,
    /// What --size counts
    #[arg(long, value_enum, default_value = "percent")]
    size_in: SizeIn,
    /// Units come in multiples of this; 0 allows fractions
    #[arg(long, default_value_t = 0.0, value_name = "UNITS")]
    lot: f64,
    /// Most notional over equity after an entry
    #[arg(long, default_value_t = 1.0, value_name = "TIMES")]
    gross: f64,
    /// Fee of every fill, basis points
    #[arg(long, default_value_t = 5.0, value_name = "BP")]
    fee_bp: f64,
    /// What market orders slip, basis points
    #[arg(long, default_value_t = 0.0, value_name = "BP")]
    slippage_bp: f64,
    /// What borrowed shares and money cost, per cent a year
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    borrow: f64,
    /// Leave at this loss from the entry, per cent
    #[arg(long, value_name = "PERCENT")]
    stop_loss: Option<f64>,
    /// Leave at this gain from the entry, per cent
    #[arg(long, value_name = "PERCENT")]
    take_profit: Option<f64>,
    /// Leave at this fall from the best price since the entry, per cent
    #[arg(long, value_name = "PERCENT")]
    trailing_stop: Option<f64>,
    /// Leave after so many bars; 0 is no limit
    #[arg(long, default_value_t = 0, value_name = "N")]
    bars_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SizeIn {
    /// Per cent of equity
    Percent,
    /// Money
    Money,
    /// Units
    Units,
}

/// Bars of one symbol.
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) bars: Bars,
    pub(crate) calendar: Calendar,
}

#[derive(Serialize)]
struct Document {
    accounts: Vec<AccountDocument>,
    refused: Vec<String>,
    rules: Rules,
    /// Which bars were walked: all, those before the hold-out, or the hold-out.
    part: &'static str,
    rows: u64,
    rows_without_bar: u64,
    rows_too_late: u64,
    definitions: &'static str,
}

#[derive(Serialize)]
struct AccountDocument {
    symbols: Vec<String>,
    #[serde(flatten)]
    study: Study,
    #[serde(skip_serializing_if = "Option::is_none")]
    permuted: Option<Permuted>,
}

/// What is noted when a hold-out is opened.
#[derive(Serialize, Deserialize)]
struct Opening {
    opened_at: String,
    holdout: String,
    symbols: Vec<String>,
    /// Hash of the signals and rules that it was opened with.
    settings: String,
}

impl Input {
    /// Rules, checked.
    pub(crate) fn rules(&self) -> Result<Rules, Failure> {
        let share = |percent: Option<f64>| percent.map(|percent| percent / 100.0);
        let rules = Rules {
            cash: self.cash,
            size: match self.size_in {
                SizeIn::Percent => Size::Equity(self.size / 100.0),
                SizeIn::Money => Size::Value(self.size),
                SizeIn::Units => Size::Units(self.size),
            },
            lot: self.lot,
            gross_max: self.gross,
            fee: self.fee_bp / 1e4,
            slippage: self.slippage_bp / 1e4,
            borrow: self.borrow / 100.0,
            stops: Stops {
                loss: share(self.stop_loss),
                profit: share(self.take_profit),
                trailing: share(self.trailing_stop),
            },
            bars_max: self.bars_max,
            same_bar: SameBar::Pessimistic,
        };
        match rules.problem() {
            Some((what, expected, found)) => Err(Failure::usage(format!("{what}: expected {expected}, found {found}"))),
            None => Ok(rules),
        }
    }

    /// When forecasts are signals.
    pub(crate) fn thresholds(&self) -> Result<Thresholds, Failure> {
        if self.exit > self.enter {
            return Err(Failure::usage(format!("--exit {} is above --enter {}", self.exit, self.enter)));
        }
        Ok(Thresholds { enter: self.enter / 100.0, exit: self.exit / 100.0, short: self.short })
    }

    /// The newest unbroken bars of each symbol, and why others were refused.
    pub(crate) fn symbols(&self) -> Result<(Vec<Symbol>, Vec<String>), Failure> {
        let (mut symbols, mut refused) = (Vec::new(), Vec::new());
        let options = self.reading.options();
        for source in sources(&self.files.paths)? {
            let opened = source.open()?;
            match opened.load(&source.symbol, &options) {
                Ok(series) => {
                    let bars = series.segment_bars(series.newest());
                    symbols.push(Symbol { name: source.symbol, bars, calendar: series.calendar });
                }
                Err(error) => refused.push(error.to_string()),
            }
        }
        match refused.first() {
            Some(first) if symbols.is_empty() => Err(Failure::refused_because(first.clone())),
            _ => Ok((symbols, refused)),
        }
    }

    /// The table, where one was named, and the hash of its file.
    pub(crate) fn table(&self) -> Result<Option<(Table, ContentHash)>, Failure> {
        let Some(path) = &self.signals else { return Ok(None) };
        let bytes = read_bounded(path, TABLE_BYTES_MAX).map_err(Failure::refused)?;
        let hash = ContentHash::of(&bytes);
        let table = Table::read(&File { name: path.display().to_string(), bytes }).map_err(Failure::refused)?;
        Ok(Some((table, hash)))
    }
}

/// Signals of every symbol on its bars.
pub(crate) fn aligned(table: &Table, symbols: &[Symbol], thresholds: &Thresholds) -> Result<Vec<Aligned>, Failure> {
    let aligned = symbols.iter().map(|symbol| table.signals(&symbol.name, &symbol.bars.time, thresholds));
    let aligned: Vec<Aligned> = aligned.collect::<Result<_, _>>().map_err(Failure::refused)?;
    if aligned.iter().all(|aligned| aligned.rows == 0) {
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
        let message = format!("signals: no row of {}; expected the names of the files of bars", names.join(", "));
        return Err(Failure::refused_because(message));
    }
    Ok(aligned)
}

/// Columns of symbols.
pub(crate) fn columns<'a>(symbols: &'a [Symbol], aligned: &'a [Aligned]) -> Vec<Column<'a>> {
    let column = |(symbol, aligned): (&'a Symbol, &'a Aligned)| Column {
        prices: Prices::from(&symbol.bars),
        signals: &aligned.signals,
    };
    symbols.iter().zip(aligned).map(column).collect()
}

/// Runs the back-test.
pub(crate) fn run(context: &Context, command: &SignalsCommand) -> Result<Outcome, Failure> {
    let rules = command.input.rules()?;
    let thresholds = command.input.thresholds()?;
    let Some((signals, signals_hash)) = command.input.table()? else {
        return Err(Failure::usage("signals: name a table with --signals"));
    };
    let (symbols, refused) = command.input.symbols()?;
    let (symbols, part) = select(context, command, symbols, &format!("{signals_hash} {rules:?} {thresholds:?}"))?;
    let aligned = aligned(&signals, &symbols, &thresholds)?;
    let columns = columns(&symbols, &aligned);
    let all: Vec<usize> = (0..symbols.len()).collect();
    let groups: Vec<Vec<usize>> = if command.shared { vec![all] } else { all.into_iter().map(|at| vec![at]).collect() };
    let progress = context.output.progress(groups.len() as u64, "accounts");
    let mut accounts = Vec::new();
    let mut trades = String::from("symbol,side,units,entry_time,entry_price,exit_time,exit_price,costs,gain,reason\n");
    for group in &groups {
        let own: Vec<Column<'_>> = group.iter().map(|&at| columns[at]).collect();
        let calendar = symbols[group[0]].calendar;
        let study = study(&own, &rules, calendar, command.seed).map_err(Failure::refused)?;
        let permuted = (command.permutations > 0)
            .then(|| permuted(&own, &rules, study.steps_a_year, command.permutations as usize, command.seed));
        for trade in &study.trades {
            let symbol = &symbols[group[trade.symbol]];
            let at = |bar: usize| symbol.bars.time[bar];
            // Writing to text cannot fail.
            let _ = writeln!(
                trades,
                "{},{},{},{},{},{},{},{},{},{}",
                quoted(&symbol.name),
                if trade.side.sign() > 0.0 { "long" } else { "short" },
                trade.units,
                at(trade.entry_bar),
                trade.entry_price,
                at(trade.exit_bar),
                trade.exit_price,
                trade.costs,
                trade.gain,
                trade.reason.word()
            );
        }
        let names = group.iter().map(|&at| symbols[at].name.clone()).collect();
        accounts.push(AccountDocument { symbols: names, study, permuted });
        progress.inc(1);
    }
    progress.finish_and_clear();
    if let Some(path) = &command.trades {
        write_atomic(path, trades.as_bytes())?;
    }
    let sum = |count: fn(&Aligned) -> u64| aligned.iter().map(count).sum();
    let document = Document {
        accounts,
        refused,
        rules,
        part,
        rows: sum(|aligned| aligned.rows),
        rows_without_bar: sum(|aligned| aligned.without_bar),
        rows_too_late: sum(|aligned| aligned.too_late),
        definitions: DEFINITIONS,
    };
    context.output.write(&document, text)?;
    Ok(if document.refused.is_empty() { Outcome::Done } else { Outcome::Partly })
}

/// Cuts the bars to the dates that were asked for; opens the hold-out where that was.
fn select(
    context: &Context,
    command: &SignalsCommand,
    symbols: Vec<Symbol>,
    settings: &str,
) -> Result<(Vec<Symbol>, &'static str), Failure> {
    let date = |text: &Option<String>, flag: &str| text.as_deref().map(|text| instant(text, flag)).transpose();
    let (from, to) = (date(&command.from, "--from")?, date(&command.to, "--to")?);
    let holdout = date(&command.holdout, "--holdout")?;
    let (from, to, part) = match (holdout, command.open_holdout) {
        (None, _) => (from, to, "all"),
        (Some(holdout), false) => (from, Some(to.map_or(holdout, |to| to.min(holdout))), "before the hold-out"),
        (Some(holdout), true) => (Some(from.map_or(holdout, |from| from.max(holdout))), to, "hold-out"),
    };
    if let Some(holdout) = holdout.filter(|_| command.open_holdout) {
        open(context, &symbols, holdout, settings)?;
    }
    let mut kept = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let begin = from.map_or(0, |from| symbol.bars.time.partition_point(|time| *time < from));
        let end = to.map_or(symbol.bars.len(), |to| symbol.bars.time.partition_point(|time| *time < to));
        if begin >= end {
            let message = format!("{}: no bar in the dates asked for; choose others or leave it out", symbol.name);
            return Err(Failure::refused_because(message));
        }
        kept.push(Symbol { bars: symbol.bars.slice(begin..end), ..symbol });
    }
    Ok((kept, part))
}

/// Opens a hold-out for the first and last time, and notes that in the data folder before anything is computed.
fn open(context: &Context, symbols: &[Symbol], holdout: Ts, settings: &str) -> Result<(), Failure> {
    let mut key = format!("hold-out from {holdout}\n");
    for symbol in symbols {
        // What comes after the first bars of a hold-out does not make it another one: new bars do not lock it again.
        let begin = symbol.bars.time.partition_point(|time| *time < holdout);
        let Some(first) = symbol.bars.time.get(begin) else { continue };
        let _ = writeln!(key, "{} {first} {}", symbol.name, symbol.bars.close[begin].to_bits());
    }
    let folder = context.settings.data_dir().join("market").join("holdouts");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.json", ContentHash::of(key.as_bytes())));
    let _lock = FileLock::acquire(&folder.join("lock"), std::time::Duration::from_secs(10))?;
    if path.exists() {
        let bytes = read_bounded(&path, 1 << 20)?;
        let earlier: Opening = serde_json::from_slice(&bytes)?;
        let own = ContentHash::of(settings.as_bytes()).to_string();
        let with = if earlier.settings == own { "the same" } else { "other" };
        return Err(Failure::refused_because(format!(
            "hold-out from {}: was opened at {} with {with} signals and rules, and opens once; what it shows now is no longer \
             unseen. Lock away later days with --holdout",
            earlier.holdout, earlier.opened_at
        )));
    }
    let opening = Opening {
        opened_at: SystemClock::new().now().to_string(),
        holdout: holdout.to_string(),
        symbols: symbols.iter().map(|symbol| symbol.name.clone()).collect(),
        settings: ContentHash::of(settings.as_bytes()).to_string(),
    };
    write_atomic(&path, &serde_json::to_vec_pretty(&opening)?)?;
    context.output.note(&format!("hold-out from {holdout}: opened, for the only time; noted in {}", path.display()));
    Ok(())
}

/// A date or an instant of a flag.
fn instant(text: &str, flag: &str) -> Result<Ts, Failure> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Ts::parse(whole.as_bytes()).map_err(|_| Failure::usage(format!("{flag} {text}: expected a date like 2024-01-31")))
}

/// A cell of CSV.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    for account in &document.accounts {
        let study = &account.study;
        let _ = writeln!(text, "{}: {} steps, {} to {}", account.symbols.join(", "), study.steps, study.from, study.to);
        let rows = [
            ("pessimistic", &study.pessimistic.metrics, Some(&study.pessimistic.counts)),
            ("optimistic", &study.optimistic.metrics, Some(&study.optimistic.counts)),
            ("buy and hold", &study.buy_and_hold, None),
        ];
        let cells = rows.map(|(name, metrics, counts)| {
            let mut row = vec![name.to_owned()];
            row.extend(figures(metrics));
            row.extend(counts.map_or([const { String::new() }; 5], |counts| {
                [
                    counts.trades.to_string(),
                    if counts.trades == 0 { String::new() } else { percent(counts.wins as f64 / counts.trades as f64) },
                    counts.stopped.to_string(),
                    counts.reached.to_string(),
                    format!("{:.2}", counts.costs),
                ]
            }));
            row
        });
        let head = [
            "",
            "total_%",
            "a_year_%",
            "sharpe",
            "sortino",
            "drawdown_%",
            "exposure_%",
            "trades",
            "wins_%",
            "stops",
            "targets",
            "costs",
        ];
        text.push_str(&table(&head, &cells));
        if let Some(mean) = &study.mean {
            let _ = writeln!(text, "{mean}");
        }
        let counts = &study.pessimistic.counts;
        if counts.refused + counts.conflicts > 0 {
            let _ = writeln!(
                text,
                "{} entries without room, {} bars of contradicting signals",
                counts.refused, counts.conflicts
            );
        }
        if let Some(permuted) = &account.permuted {
            let _ = writeln!(
                text,
                "at other times: Sharpe {:.3} against a median of {:.3}; {} of {} as good, p = {:.4}",
                permuted.sharpe, permuted.sharpe_median, permuted.at_least, permuted.permutations, permuted.p
            );
        }
        text.push('\n');
    }
    if document.rows_without_bar + document.rows_too_late > 0 {
        let _ = writeln!(
            text,
            "of {} rows, {} have no bar and {} were known too late",
            document.rows, document.rows_without_bar, document.rows_too_late
        );
    }
    for refused in &document.refused {
        let _ = writeln!(text, "refused: {refused}");
    }
    if document.part != "all" {
        let _ = writeln!(text, "bars: {}", document.part);
    }
    text
}

fn figures(metrics: &Metrics) -> [String; 6] {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}"));
    [
        percent(metrics.total),
        percent(metrics.annualised),
        ratio(metrics.sharpe),
        ratio(metrics.sortino),
        percent(metrics.drawdown_max),
        percent(metrics.exposure),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}
