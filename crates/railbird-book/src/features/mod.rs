//! What an approach to a level looked like, bar by bar up to the trigger. Start at [`features`].
//!
//! One row a bar of each episode from its first bar to its trigger, none after. Definitions stand in the list of
//! columns, [`feature_columns`]. A row's values read the episode's bars up to the row's own; yet that there is an episode is
//! known at the trigger only, so `known_at` of every row is the trigger's.
//!
//! Invariant: takes [`Episode`], which knows nothing of what came after, and no outcome or span.

mod columns;

use arrow::array::RecordBatch;

pub(crate) use self::columns::WINDOWS;
pub use self::columns::{FeatureColumn, feature_columns};
use crate::episode::Episode;
use crate::level::Tick;
use crate::profile::RelativeVolume;
use crate::table::{Bars, Series, StageError, TableBuilder};

/// Features of episodes, by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// One an episode, in order.
    episodes: Vec<Rowed>,
    /// By the list of columns; NaN where missing.
    columns: Vec<Vec<f64>>,
}

/// Where the rows of an episode stand.
#[derive(Debug, Clone, PartialEq)]
struct Rowed {
    episode: Episode,
    first: usize,
    starts: Vec<i64>,
}

/// The slices that features read, so that no row looks a column up.
struct Source<'a> {
    wmid: &'a [f64],
    /// Of the differences, the first of which is the distance and has no slice.
    differences: [&'a [f64]; 10],
    sums: [&'a [f64]; 8],
    flow_bid: [&'a [f64]; 5],
    flow_ask: [&'a [f64]; 5],
    bid_prices: [&'a [f64]; 10],
    bid_sizes: [&'a [f64]; 10],
    ask_prices: [&'a [f64]; 10],
    ask_sizes: [&'a [f64]; 10],
    imbalances: [&'a [f64]; 2],
    ofi: [&'a [f64]; 2],
    walls: [&'a [f64]; 2],
    walls_near: [&'a [f64]; 2],
    relative: &'a RelativeVolume,
}

/// Features of `episodes`, which were found in `bars`.
///
/// `relative`: of the same bars. `point`: 1e-9 of the quoted price. Costs O(rows × columns), no allocation a row.
///
/// # Errors
/// [`StageError::NoColumn`].
pub fn features(
    bars: &Bars,
    episodes: &[Episode],
    relative: &RelativeVolume,
    point: i64,
    tick: Tick,
) -> Result<Features, StageError> {
    let source = Source::of(bars, relative)?;
    let rows_of = |episode: &Episode| episode.trigger_row + 1 - episode.first_row;
    let rows = episodes.iter().map(rows_of).sum();
    // Zeroed memory comes untouched from the system, and every cell below is written once.
    let mut columns: Vec<Vec<f64>> = feature_columns().iter().map(|_| vec![0.0; rows]).collect();
    let longest = episodes.iter().map(rows_of).max().unwrap_or(0);
    let room = || [Vec::with_capacity(longest), Vec::with_capacity(longest)];
    let mut scratch = Scratch { dist: Vec::with_capacity(longest), flow: room(), reach: room() };
    let mut rowed = Vec::with_capacity(episodes.len());
    let mut first = 0;
    for episode in episodes {
        let count = rows_of(episode);
        let span = episode.first_row..episode.trigger_row + 1;
        let mut out = Out { columns: columns.iter_mut(), rows: first..first + count };
        source.fill(&mut out, &mut scratch, episode, point as f64 / 1e9, tick);
        debug_assert!(out.columns.next().is_none(), "every column of the list is filled");
        rowed.push(Rowed { episode: episode.clone(), first, starts: bars.start()[span].to_vec() });
        first += count;
    }
    Ok(Features { episodes: rowed, columns })
}

/// The columns of one episode, handed out in the order of the list.
struct Out<'a> {
    columns: std::slice::IterMut<'a, Vec<f64>>,
    rows: std::ops::Range<usize>,
}

/// Reused from episode to episode.
struct Scratch {
    dist: Vec<f64>,
    /// Net flow of all bands by row: bid, ask.
    flow: [Vec<f64>; 2],
    /// Lowest and highest price shown, by row.
    reach: [Vec<f64>; 2],
}

impl<'a> Out<'a> {
    fn next(&mut self) -> &'a mut [f64] {
        let column = self.columns.next().expect("the list of columns is as long as what is filled");
        &mut column[self.rows.clone()]
    }

    /// Fills a column row by row.
    fn each(&mut self, value: impl FnMut(usize) -> f64) {
        let mut value = value;
        self.next().iter_mut().enumerate().for_each(|(row, out)| *out = value(row));
    }
}

impl<'a> Source<'a> {
    fn of(bars: &'a Bars, relative: &'a RelativeVolume) -> Result<Self, StageError> {
        use Series as S;
        Ok(Self {
            wmid: bars.series(S::Wmid)?,
            differences: slices(
                bars,
                &[
                    S::Imbalance1,
                    S::Imbalance10,
                    S::BandImbalance1,
                    S::BandImbalance2,
                    S::DepthBid,
                    S::DepthAsk,
                    S::BandBid1,
                    S::BandAsk1,
                    S::WallBid,
                    S::WallAsk,
                ],
            )?,
            sums: slices(
                bars,
                &[
                    S::TradeVolume,
                    S::TradeSigned,
                    S::TradeBuy,
                    S::TradeSell,
                    S::Messages,
                    S::TradeCount,
                    S::Adds,
                    S::Cancels,
                ],
            )?,
            flow_bid: slices(bars, &[S::FlowBid1, S::FlowBid2, S::FlowBid3, S::FlowBid5, S::FlowBid10])?,
            flow_ask: slices(bars, &[S::FlowAsk1, S::FlowAsk2, S::FlowAsk3, S::FlowAsk5, S::FlowAsk10])?,
            bid_prices: slices(bars, S::bid_prices())?,
            bid_sizes: slices(bars, S::bid_sizes())?,
            ask_prices: slices(bars, S::ask_prices())?,
            ask_sizes: slices(bars, S::ask_sizes())?,
            imbalances: slices(bars, &[S::Imbalance1, S::Imbalance10])?,
            ofi: slices(bars, &[S::Ofi1, S::Ofi10])?,
            walls: slices(bars, &[S::WallBid, S::WallAsk])?,
            walls_near: slices(bars, &[S::WallNearBid, S::WallNearAsk])?,
            relative,
        })
    }

    /// Fills the columns of one episode, in the order of the list.
    fn fill(&self, out: &mut Out<'_>, scratch: &mut Scratch, episode: &Episode, point: f64, tick: Tick) {
        let span = episode.first_row..episode.trigger_row + 1;
        let from_side = episode.from.sign();
        let at = |slice: &'a [f64]| &slice[span.clone()];
        scratch.dist.clear();
        scratch.dist.extend(at(self.wmid).iter().map(|wmid| (wmid - episode.price) / point));
        for (flow, bands) in scratch.flow.iter_mut().zip([&self.flow_bid, &self.flow_ask]) {
            flow.clear();
            let bands = bands.map(at);
            flow.extend((0..span.len()).map(|row| bands.iter().map(|band| band[row]).sum::<f64>()));
        }
        let Scratch { dist, flow, reach } = scratch;
        let dist = &dist[..];
        let [flow_bid, flow_ask] = [&flow[0][..], &flow[1][..]];

        let side = |row: usize| if dist[row].is_nan() { f64::NAN } else { sign(dist[row]) };
        out.each(|row| dist[row]);
        out.each(|row| dist[row].abs());
        out.each(side);
        out.each(|_| from_side);
        out.each(|row| side(row) * from_side);
        out.each(|_| f64::from(episode.kind.polarity()));
        out.each(|row| (row + 1) as f64);

        for series in std::iter::once(dist).chain(self.differences.into_iter().map(at)) {
            for window in WINDOWS {
                let first = out.next();
                difference(series, window, window, first);
                difference(first, window, 2 * window, out.next());
            }
        }

        for series in self.sums.into_iter().chain(self.flow_bid).chain(self.flow_ask).map(at) {
            running(out, |row| series[row]);
        }
        running(out, |row| flow_bid[row]);
        running(out, |row| flow_ask[row]);
        running(out, |row| flow_bid[row] - flow_ask[row]);

        let half = tick.price() / 2.0;
        let at_level = LevelAt { level: episode.price, half, edge: point + tick.price() / 1e3 };
        self.level_sizes(out, reach, &span, at_level);

        let toward = -from_side;
        for series in [self.imbalances[0], self.imbalances[1], self.ofi[0], self.ofi[1], self.sums[1]].map(at) {
            out.each(|row| series[row] * toward);
        }
        let (facing, other) = if from_side > 0.0 { (flow_bid, flow_ask) } else { (flow_ask, flow_bid) };
        out.each(|row| facing[row]);
        out.each(|row| other[row]);
        out.each(|row| facing[row] - other[row]);

        setup_distance(out, dist);
        for series in self.imbalances.map(at) {
            setup_range(out, series);
        }
        let (volume, signed) = (at(self.sums[0]), at(self.sums[1]));
        out.each(total(volume));
        out.each(total(signed));
        let (mut volume_so_far, mut signed_so_far) = (total(volume), total(signed));
        out.each(|row| ratio(signed_so_far(row), volume_so_far(row)));
        for wall in self.walls.map(at) {
            let mut most = f64::NAN;
            out.each(|row| {
                most = most.max(wall[row]);
                most
            });
        }
        let [near_bid, near_ask] = self.walls_near.map(at);
        out.each(count(|row| !near_bid[row].is_nan()));
        out.each(count(|row| !near_ask[row].is_nan()));
        let (mut bid_bars, mut ask_bars) = (count(|row| !near_bid[row].is_nan()), count(|row| !near_ask[row].is_nan()));
        out.each(|row| ask_bars(row) - bid_bars(row));
        out.each(total(facing));
        out.each(total(other));
        let (mut facing_so_far, mut other_so_far) = (total(facing), total(other));
        out.each(|row| facing_so_far(row) - other_so_far(row));

        for series in [&self.relative.bar, &self.relative.bucket, &self.relative.session] {
            out.next().copy_from_slice(&series[span.clone()]);
        }
    }

    /// One level of the book after the other, over all rows and without a branch, so that the compiler adds in vector
    /// registers; each sum is added up in the order of the levels. A price that is missing is neither at, above nor below.
    fn level_sizes(&self, out: &mut Out<'_>, reached: &mut [Vec<f64>; 2], span: &std::ops::Range<usize>, at: LevelAt) {
        let [visible, at_bid, at_ask, at_both, above, below, imbalance, above_1, below_1, imbalance_1]: [&mut [f64];
            10] = std::array::from_fn(|_| out.next());
        let LevelAt { level, half, edge } = at;
        let rows = span.len();
        let [lowest, highest] = reached;
        for (reach, nothing) in [(&mut *lowest, f64::INFINITY), (&mut *highest, f64::NEG_INFINITY)] {
            reach.clear();
            reach.resize(rows, nothing);
        }
        for sums in [&mut *at_bid, at_ask, above, below, above_1, below_1] {
            sums.fill(0.0);
        }
        let sides =
            [(&self.bid_prices, &self.bid_sizes, &mut *at_bid), (&self.ask_prices, &self.ask_sizes, &mut *at_ask)];
        for (prices, sizes, at) in sides {
            for (prices, sizes) in prices.iter().zip(sizes) {
                let (prices, sizes) = (&prices[span.clone()], &sizes[span.clone()]);
                reach(prices, lowest, highest);
                add_where(prices, sizes, at, |price| (price - level).abs() < half);
                add_where(prices, sizes, above, |price| price - level >= half);
                add_where(prices, sizes, below, |price| price - level <= -half);
                add_where(prices, sizes, above_1, |price| (price - level >= half) & (price - level <= edge));
                add_where(prices, sizes, below_1, |price| (price - level <= -half) & (level - price <= edge));
            }
        }
        for row in 0..rows {
            let (lowest, highest) = (lowest[row], highest[row]);
            let is_visible = lowest - half < level && level < highest + half;
            visible[row] = if lowest > highest { f64::NAN } else { f64::from(u8::from(is_visible)) };
            let centred = |below: f64, above: f64| ratio(below - above, below + above);
            at_both[row] = at_bid[row] + at_ask[row];
            imbalance[row] = centred(below[row], above[row]);
            imbalance_1[row] = centred(below_1[row], above_1[row]);
            if !is_visible {
                let sizes = [&mut *at_bid, at_ask, at_both, above, below, imbalance, above_1, below_1, imbalance_1];
                sizes.into_iter().for_each(|column| column[row] = f64::NAN);
            }
        }
    }
}

/// A level, and what is at it and near it.
#[derive(Clone, Copy)]
struct LevelAt {
    level: f64,
    /// Half a tick.
    half: f64,
    /// A point and a thousandth of a tick: a band's edge is on the tick grid, or half-way between two ticks at the least.
    edge: f64,
}

/// Widens `lowest` and `highest` to the prices that are known.
fn reach(prices: &[f64], lowest: &mut [f64], highest: &mut [f64]) {
    for ((price, lowest), highest) in prices.iter().zip(lowest).zip(highest) {
        *lowest = if price < lowest { *price } else { *lowest };
        *highest = if price > highest { *price } else { *highest };
    }
}

/// Adds the sizes at prices that are such.
#[inline(always)]
fn add_where(prices: &[f64], sizes: &[f64], sums: &mut [f64], is_such: impl Fn(f64) -> bool) {
    for ((price, size), sum) in prices.iter().zip(sizes).zip(sums) {
        *sum += if is_such(*price) { *size } else { 0.0 };
    }
}

fn slices<'a, const N: usize>(bars: &'a Bars, series: &[Series]) -> Result<[&'a [f64]; N], StageError> {
    let mut found = [&[] as &[f64]; N];
    for (slot, series) in found.iter_mut().zip(series) {
        *slot = bars.series(*series)?;
    }
    Ok(found)
}

/// `out[i] = (x[i] - x[i - window]) / window`; missing in the first `missing` rows.
fn difference(x: &[f64], window: usize, missing: usize, out: &mut [f64]) {
    let from = missing.min(x.len());
    out[..from].fill(f64::NAN);
    let divisor = window as f64;
    let (now, before) = (&x[from..], &x[from - window.min(from)..]);
    for ((out, now), before) in out[from..].iter_mut().zip(now).zip(before) {
        *out = (now - before) / divisor;
    }
}

/// A sum since the first row, and that sum by the number of rows.
fn running(out: &mut Out<'_>, value: impl Fn(usize) -> f64) {
    let (sums, rates) = (out.next(), out.next());
    let mut sum = 0.0;
    for (row, (out, rate)) in sums.iter_mut().zip(rates).enumerate() {
        sum += value(row);
        *out = sum;
        *rate = sum / (row + 1) as f64;
    }
}

/// The sum up to each row, called with the rows in order.
fn total(values: &[f64]) -> impl FnMut(usize) -> f64 {
    let mut sum = 0.0;
    move |row| {
        sum += values[row];
        sum
    }
}

/// How many rows so far are such, called with the rows in order.
fn count(is_such: impl Fn(usize) -> bool) -> impl FnMut(usize) -> f64 {
    let mut count = 0.0;
    move |row| {
        count += f64::from(u8::from(is_such(row)));
        count
    }
}

fn setup_distance(out: &mut Out<'_>, dist: &[f64]) {
    let mut columns: [&mut [f64]; 11] = std::array::from_fn(|_| out.next());
    let (mut start, mut least, mut most) = (f64::NAN, f64::NAN, f64::NAN);
    let (mut nearing, mut leaving) = (0.0, 0.0);
    for row in 0..dist.len() {
        let now = dist[row].abs();
        if start.is_nan() {
            start = dist[row];
        }
        (least, most) = (least.min(now), most.max(now));
        if let Some(before) = row.checked_sub(1).map(|before| dist[before].abs()) {
            nearing += f64::from(u8::from(now < before));
            leaving += f64::from(u8::from(now > before));
        }
        let cuts = [0, row / 3, 2 * row / 3, row];
        let velocity = |third: usize| {
            let (from, to) = (cuts[third], cuts[third + 1]);
            ratio(dist[to].abs() - dist[from].abs(), (to - from) as f64)
        };
        let [early, mid, late] = [velocity(0), velocity(1), velocity(2)];
        let share = nearing / (row + 1) as f64;
        let values = [start, least, most, most - least, nearing, leaving, share, early, mid, late, late - early];
        for (column, value) in columns.iter_mut().zip(values) {
            column[row] = value;
        }
    }
}

fn setup_range(out: &mut Out<'_>, series: &[f64]) {
    let mut columns: [&mut [f64]; 5] = std::array::from_fn(|_| out.next());
    let (mut start, mut least, mut most) = (f64::NAN, f64::NAN, f64::NAN);
    for (row, &now) in series.iter().enumerate() {
        if start.is_nan() {
            start = now;
        }
        (least, most) = (least.min(now), most.max(now));
        for (column, value) in columns.iter_mut().zip([start, now - start, least, most, most - least]) {
            column[row] = value;
        }
    }
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// Missing where the denominator is 0 or either side is missing.
fn ratio(above: f64, below: f64) -> f64 {
    if below == 0.0 { f64::NAN } else { above / below }
}

impl Features {
    /// Of no episode.
    pub(crate) fn none() -> Self {
        Self { episodes: Vec::new(), columns: vec![Vec::new(); feature_columns().len()] }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Values of a column by name, NaN where missing.
    ///
    /// # Errors
    /// [`StageError::NoColumn`].
    pub fn column(&self, name: &str) -> Result<&[f64], StageError> {
        let place = feature_columns().iter().position(|column| column.name == name);
        let missing = || StageError::NoColumn { column: name.to_owned(), made_by: "episodes" };
        Ok(&self.columns[place.ok_or_else(missing)?])
    }

    /// Each episode and the row of its trigger.
    pub(crate) fn triggers(&self) -> impl Iterator<Item = (&Episode, usize)> {
        self.episodes.iter().map(|rowed| (&rowed.episode, rowed.first + rowed.starts.len() - 1))
    }

    /// As a table: `episode`, `symbol`, `bar_start`, `bars_to_trigger`, `known_at`, then the list of columns.
    pub fn table(&self) -> RecordBatch {
        let rows = || self.episodes.iter().flat_map(|rowed| (0..rowed.starts.len()).map(move |row| (rowed, row)));
        let mut table = TableBuilder::default()
            .text("episode", rows().map(|(rowed, _)| &rowed.episode.id))
            .text("symbol", rows().map(|(rowed, _)| &rowed.episode.symbol))
            .instant("bar_start", rows().map(|(rowed, row)| rowed.starts[row]))
            .whole("bars_to_trigger", rows().map(|(rowed, row)| (rowed.starts.len() - 1 - row) as i64))
            .instant("known_at", rows().map(|(rowed, _)| rowed.episode.known_at));
        for (column, values) in feature_columns().iter().zip(&self.columns) {
            table = table.real(&column.name, values);
        }
        table.finish()
    }
}
