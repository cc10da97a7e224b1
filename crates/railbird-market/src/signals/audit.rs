//! Whether anything looks ahead: the same run with the future cut off must give the same past. Start at [`audit`].

use railbird_timeline::Ts;
use serde::Serialize;

use super::{
    rules::Rules,
    table::SignalRow,
    walk::{Column, Prices, Signals, walk},
};

/// Something that was otherwise while its future was unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The last instant that the cut run knew.
    pub cut: String,
    /// What differs, where, and how.
    pub what: String,
}

/// What an audit compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Runs with the future cut.
    pub cuts: usize,
    /// Equities and trades, or rows, that were compared.
    pub compared: u64,
    /// What differs; at most `DIFFERENCES_MAX`.
    pub differences: Vec<Difference>,
}

/// Most differences that are told.
pub(crate) const DIFFERENCES_MAX: usize = 100;

impl Audit {
    /// Whether nothing differs.
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    fn differ(&mut self, cut: Ts, what: String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Difference { cut: cut.to_string(), what });
        }
    }

    /// Adds what another audit found.
    pub fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.compared += other.compared;
        self.differences.extend(other.differences);
        self.differences.truncate(DIFFERENCES_MAX);
    }
}

/// Walks once more for each of `cuts`, with only the bars and signals up to it, and compares what had happened by then.
///
/// What a cut run sells at its own last bar, because it is the last, is left out, and with it what comes after.
pub fn audit(columns: &[Column<'_>], rules: &Rules, cuts: &[Ts]) -> Audit {
    let whole = walk(columns, rules);
    let mut audit = Audit { cuts: cuts.len(), ..Audit::default() };
    for &cut in cuts {
        let known: Vec<usize> =
            columns.iter().map(|column| column.prices.time.partition_point(|time| *time <= cut)).collect();
        let signals: Vec<Signals> =
            columns.iter().zip(&known).map(|(column, &bars)| column.signals.prefix(bars)).collect();
        let short: Vec<Column<'_>> = columns
            .iter()
            .zip(&known)
            .zip(&signals)
            .map(|((column, &bars), signals)| Column { prices: column.prices.prefix(bars), signals })
            .collect();
        let Some(end) = settled(columns, &short) else { continue };
        let part = walk(&short, rules);
        let steps = part.time.partition_point(|time| *time < end);
        for step in 0..steps {
            audit.compared += 1;
            if part.equity[step].to_bits() != whole.equity[step].to_bits() {
                let (with, without) = (whole.equity[step], part.equity[step]);
                audit.differ(cut, format!("equity at {}: {with} with the future, {without} without", whole.time[step]));
            }
        }
        let ended = |walked: &super::Walked, columns: &[Column<'_>]| -> Vec<_> {
            let before = |trade: &&super::Trade| columns[trade.symbol].prices.time[trade.exit_bar] < end;
            walked.trades.iter().filter(before).copied().collect()
        };
        let (with, without) = (ended(&whole, columns), ended(&part, &short));
        audit.compared += with.len() as u64;
        if let Some(at) = (0..with.len().max(without.len())).find(|&at| with.get(at) != without.get(at)) {
            audit.differ(cut, format!("trade {at}: {:?} with the future, {:?} without", with.get(at), without.get(at)));
        }
    }
    audit
}

/// The first instant that a cut run may see otherwise, since one of its symbols ends there; `None` where nothing is known.
fn settled(columns: &[Column<'_>], short: &[Column<'_>]) -> Option<Ts> {
    let ends = |(whole, part): (&Column<'_>, &Column<'_>)| {
        let cut = part.prices.time.len() < whole.prices.time.len();
        cut.then(|| part.prices.time.last().copied()).flatten()
    };
    let never = |(whole, part): (&Column<'_>, &Column<'_>)| part.prices.time.len() == whole.prices.time.len();
    let pairs = || columns.iter().zip(short);
    pairs().filter_map(ends).min().or_else(|| pairs().all(never).then_some(Ts::MAX))
}

/// Compares the rows that one's own program gave with and without the future: those known by `cut` must be the same.
pub fn compare_rows(with: &[SignalRow], without: &[SignalRow], cut: Ts) -> Audit {
    let known = |rows: &[SignalRow]| -> Vec<SignalRow> {
        let mut rows: Vec<SignalRow> = rows.iter().filter(|row| row.known() <= cut).cloned().collect();
        rows.sort_by(|a, b| (a.known(), a.time, &a.symbol).cmp(&(b.known(), b.time, &b.symbol)));
        rows
    };
    let (with, without) = (known(with), known(without));
    let mut audit = Audit { cuts: 1, compared: with.len().max(without.len()) as u64, ..Audit::default() };
    let (mut left, mut right) = (with.iter().peekable(), without.iter().peekable());
    loop {
        let key = |row: &SignalRow| (row.known(), row.time, row.symbol.clone());
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if key(a) == key(b) => {
                if !a.same(b) {
                    audit.differ(cut, format!("{}: {a} with the future, {b} without", a.place()));
                }
                left.next();
                right.next();
            }
            (Some(a), b) if b.is_none_or(|b| key(a) < key(b)) => {
                audit.differ(cut, format!("{}: {a} with the future, no row without", a.place()));
                left.next();
            }
            (_, Some(b)) => {
                audit.differ(cut, format!("{}: no row with the future, {b} without", b.place()));
                right.next();
            }
            (_, None) => break,
        }
    }
    audit
}

impl Prices<'_> {
    /// Instants spread over the bars, the last one left out: where an audit cuts.
    pub fn cuts(&self, count: usize) -> Vec<Ts> {
        let bars = self.time.len();
        let mut cuts: Vec<Ts> =
            (1..=count).filter_map(|at| self.time.get((bars * at / (count + 1)).max(1) - 1)).copied().collect();
        cuts.dedup();
        cuts
    }
}
