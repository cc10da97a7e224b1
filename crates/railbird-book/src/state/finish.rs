//! The cells of a bar that ends. Start at [`Bar::write`].

use super::{
    book::{BANDS, Book, Quote, function},
    rules::Rules,
    standing::Values,
    tally::Tally,
};
use crate::{
    columns::{COLUMN_COUNT, LEVELS, Unit, columns, place},
    instrument::PRICE_SCALE,
};

/// One bar, a cell a column: the bits of a float, NaN where missing, or a whole number, [`NO_COUNT`] where missing.
pub(crate) type Cells = [u64; COLUMN_COUNT];

/// A count that is missing.
pub(crate) const NO_COUNT: i64 = i64::MIN;

/// Where z is large enough for a wall: two equal walls among ten levels have z = 2 exactly, and rounding must not decide.
const WALL_Z_MIN: f64 = 2.0 - 1e-9;

/// A bar that ends.
pub(crate) struct Bar<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) known_at: i64,
    pub(crate) tally: &'a Tally,
    /// Values of the state at the end; `None` where it is unknown.
    pub(crate) values: Option<&'a Values>,
    pub(crate) book: &'a Book,
    pub(crate) quote: &'a Quote,
    /// Orders of the state by side and level.
    pub(crate) counts: [[i64; LEVELS]; 2],
}

/// Cells while they are filled.
struct Sheet<'a>(&'a mut Cells);

impl Sheet<'_> {
    fn number(&mut self, at: usize, value: Option<f64>) {
        // A quotient of a sum that overflowed is missing like one that never was.
        self.0[at] = value.filter(|value| value.is_finite()).unwrap_or(f64::NAN).to_bits();
    }

    fn count(&mut self, at: usize, value: Option<i64>) {
        self.0[at] = value.unwrap_or(NO_COUNT) as u64;
    }
}

/// Nearly all sums fit into 64 bits, which are converted faster.
fn float(sum: i128) -> f64 {
    i64::try_from(sum).map_or_else(|_| sum as f64, |sum| sum as f64)
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0).then(|| part / whole)
}

impl Bar<'_> {
    /// Writes all cells but that of the symbol.
    pub(crate) fn write(&self, cells: &mut Cells) {
        let mut sheet = Sheet(cells);
        for (at, time) in [(1, self.start), (2, self.end), (3, self.known_at)] {
            sheet.count(at, Some(time));
        }
        let means = self.states(&mut sheet);
        self.gaps(&mut sheet);
        self.levels(&mut sheet);
        self.walls(&mut sheet);
        self.flow(&mut sheet, &means);
        self.trades(&mut sheet);
        self.counts(&mut sheet);
        if usize::from(self.rules.levels) < LEVELS {
            self.blank(&mut sheet);
        }
    }

    fn size(&self, quanta: i128) -> f64 {
        float(quanta) / self.rules.quanta
    }

    /// Means over time and values at the end; returns the means of the bands' sizes, in size.
    fn states(&self, sheet: &mut Sheet<'_>) -> [[Option<f64>; BANDS]; 2] {
        let mut band_means = [[None; BANDS]; 2];
        // A state that held for the whole bar is its own mean; so it is where the bar has no length.
        let still = !self.tally.changed || self.end == self.start;
        for (at, of) in ORDER.into_iter().enumerate() {
            let last = self.values.and_then(|values| values.get(of));
            let mean = if still && self.values.is_some() { last } else { self.tally.mean(of) };
            let unit = match of {
                function::MID | function::WEIGHTED_MID => PRICE_SCALE as f64,
                _ if function::DEPTH.contains(&of) => self.rules.quanta,
                _ if function::BAND.iter().any(|first| (*first..first + BANDS).contains(&of)) => self.rules.quanta,
                _ => 1.0,
            };
            let mean = mean.map(|mean| mean / unit);
            sheet.number(place::MID + 2 * at, mean);
            sheet.number(place::MID + 2 * at + 1, last.map(|last| last / unit));
            for (means, first) in band_means.iter_mut().zip(function::BAND) {
                if let Some(band) = of.checked_sub(first).filter(|band| *band < BANDS) {
                    means[band] = mean;
                }
            }
        }
        sheet.number(place::COVER, ratio(self.tally.both as f64, (self.end - self.start) as f64));
        band_means
    }

    /// Levels that are there, best first: level, price, size.
    fn present(&self, side: usize) -> impl Iterator<Item = (usize, i64, i64)> {
        let levels = if self.values.is_some() { LEVELS } else { 0 };
        let (price, size) = (&self.book.price[side], &self.book.size[side]);
        (0..levels).map(|level| (level, price[level], size[level])).filter(|(_, _, size)| *size > 0)
    }

    fn gaps(&self, sheet: &mut Sheet<'_>) {
        for side in 0..2 {
            let (mut before, mut largest, mut sum, mut n) = (None::<i64>, 0_u64, 0_i128, 0);
            for (_, price, _) in self.present(side) {
                if let Some(before) = before {
                    let gap = price.abs_diff(before);
                    largest = largest.max(gap);
                    sum += i128::from(gap);
                    n += 1;
                }
                before = Some(price);
            }
            let there = n > 0;
            sheet.number(place::gap(side), there.then(|| largest as f64 / self.rules.point));
            sheet.number(place::gap(side) + 1, there.then(|| float(sum) / f64::from(n) / self.rules.point));
        }
    }

    fn levels(&self, sheet: &mut Sheet<'_>) {
        for side in 0..2 {
            let sizes = &self.book.size[side];
            let counts: [i64; LEVELS] =
                std::array::from_fn(|level| if sizes[level] > 0 { self.counts[side][level] } else { 0 });
            let (all_size, all_count) = (sizes.iter().sum::<i64>() as f64, counts.iter().sum::<i64>() as f64);
            let known = self.values.is_some();
            for level in 0..LEVELS {
                let (size, count) = (sizes[level], counts[level]);
                let price = (size > 0).then(|| self.book.price[side][level] as f64 / PRICE_SCALE as f64);
                sheet.number(place::level(side, 0, level), price.filter(|_| known));
                sheet.number(place::level(side, 1, level), known.then(|| self.size(size.into())));
                sheet.count(place::level(side, 2, level), known.then_some(count));
                // Nothing is a share of nothing, but an absent level has none of it.
                let share = |part: f64, whole: f64| if size == 0 { Some(0.0) } else { ratio(part, whole) };
                sheet.number(place::level(side, 3, level), share(size as f64, all_size).filter(|_| known));
                sheet.number(place::level(side, 4, level), share(count as f64, all_count).filter(|_| known));
            }
        }
    }

    fn walls(&self, sheet: &mut Sheet<'_>) {
        for side in 0..2 {
            let at = place::wall(side);
            let wall = self.wall(side);
            sheet.number(at, wall.map(|wall| wall.z));
            sheet.number(at + 1, wall.map(|wall| wall.level as f64));
            let near = wall.and_then(|wall| wall.near);
            let distance = near
                .filter(|_| self.quote.both)
                .map(|level| self.quote.distance(side, self.book.price[side][level]) / self.rules.point);
            sheet.number(at + 2, distance);
            sheet.number(at + 3, near.map(|level| level as f64));
        }
    }

    /// z of ln(1 + size / lot) over the levels present; `None` with fewer than two, or where all sizes are equal.
    fn wall(&self, side: usize) -> Option<Wall> {
        let mut logs = [0.0; LEVELS];
        let (mut n, mut sum, mut strongest) = (0, 0.0, None);
        let mut all_equal = true;
        for (level, _, size) in self.present(side) {
            logs[level] = (size as f64 / self.rules.lot).ln_1p();
            n += 1;
            sum += logs[level];
            match strongest {
                Some((_, largest)) => {
                    all_equal &= size == largest;
                    if size > largest {
                        strongest = Some((level, size));
                    }
                }
                None => strongest = Some((level, size)),
            }
        }
        let (level, _) = strongest.filter(|_| n > 1 && !all_equal)?;
        let mean = sum / f64::from(n);
        let squares: f64 = self.present(side).map(|(level, _, _)| (logs[level] - mean).powi(2)).sum();
        let deviation = (squares / f64::from(n)).sqrt();
        let z = |level: usize| (logs[level] - mean) / deviation;
        let near = self.present(side).map(|(level, _, _)| level).find(|level| z(*level) >= WALL_Z_MIN);
        Some(Wall { z: z(level), level, near })
    }

    fn flow(&self, sheet: &mut Sheet<'_>, band_means: &[[Option<f64>; BANDS]; 2]) {
        for (side, means) in band_means.iter().enumerate() {
            for (band, mean) in means.iter().enumerate() {
                let (at, flow) = (place::flow(side, band), &self.tally.flow[side][band]);
                let net = self.size(flow.added - flow.removed);
                sheet.number(at, Some(self.size(flow.added)));
                sheet.number(at + 1, Some(self.size(flow.removed)));
                sheet.number(at + 2, Some(net));
                sheet.number(at + 3, mean.and_then(|mean| ratio(net, mean)));
                for (kind, rows) in flow.rows.into_iter().enumerate() {
                    sheet.count(at + 4 + kind, Some(rows));
                }
            }
        }
        sheet.count(place::FILL_N, Some(self.tally.fill_n));
        sheet.count(place::REST_N, Some(self.tally.rest_n));
        for (at, ofi) in self.tally.ofi.into_iter().enumerate() {
            sheet.number(place::OFI + at, Some(self.size(ofi)));
        }
    }

    fn trades(&self, sheet: &mut Sheet<'_>) {
        let mut rest = self.tally.trades.all();
        for side in 0..2 {
            for band in 0..BANDS {
                let volume = self.tally.exec[side][band];
                rest -= volume;
                sheet.number(place::EXEC + BANDS * side + band, Some(self.size(volume)));
            }
        }
        sheet.number(place::EXEC_REST, Some(self.size(rest)));
        let trades = &self.tally.trades;
        let [unknown, sell, buy] = trades.volume;
        sheet.count(place::TRADE, Some(trades.n));
        for (at, volume) in [trades.all(), buy, sell, unknown, buy - sell].into_iter().enumerate() {
            sheet.number(place::TRADE + 1 + at, Some(self.size(volume)));
        }
        let price = |price: f64| price / PRICE_SCALE as f64;
        sheet.number(place::TRADE + 6, ratio(float(trades.turnover), float(trades.priced)).map(price));
        for at in 0..4 {
            sheet.number(place::TRADE + 7 + at, trades.prices.map(|prices| price(prices[at] as f64)));
        }
    }

    fn counts(&self, sheet: &mut Sheet<'_>) {
        let tally = self.tally;
        sheet.count(place::MESSAGE, Some(tally.rows.iter().sum()));
        for (at, rows) in tally.rows.into_iter().enumerate().skip(1) {
            sheet.count(place::MESSAGE + at, Some(rows));
        }
        let quality =
            [tally.events_n, tally.crossed_n, tally.locked_n, tally.bad_book_n, tally.bad_time_n, tally.late_n];
        for (at, rows) in quality.into_iter().enumerate() {
            sheet.count(place::QUALITY + at, Some(rows));
        }
    }

    /// Blanks what needs levels that the source lacks.
    fn blank(&self, sheet: &mut Sheet<'_>) {
        for (at, column) in columns().iter().enumerate() {
            if column.levels > self.rules.levels {
                if column.unit == Unit::Count { sheet.count(at, None) } else { sheet.number(at, None) }
            }
        }
    }
}

/// The strongest level of a side.
#[derive(Debug, Clone, Copy)]
struct Wall {
    z: f64,
    level: usize,
    /// The nearest level that is a wall.
    near: Option<usize>,
}

/// Functions in the order of the columns.
const ORDER: [usize; function::COUNT] = {
    let mut order = [0; function::COUNT];
    let first = [
        function::MID,
        function::WEIGHTED_MID,
        function::SPREAD,
        function::IMBALANCE_1,
        function::IMBALANCE_10,
        function::DEPTH[0],
        function::DEPTH[1],
    ];
    let mut at = 0;
    while at < first.len() {
        order[at] = first[at];
        at += 1;
    }
    let mut band = 0;
    while band < BANDS {
        order[at] = function::BAND[0] + band;
        order[at + 1] = function::BAND[1] + band;
        order[at + 2] = function::SHARE[0] + band;
        order[at + 3] = function::SHARE[1] + band;
        order[at + 4] = function::BAND_IMBALANCE + band;
        at += 5;
        band += 1;
    }
    order
};
