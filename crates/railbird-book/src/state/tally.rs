//! What a bar adds up while it is open. Start at [`Tally`].

use super::{
    book::{BANDS, function},
    standing::Values,
};

/// Sums of one bar. Sizes are in quanta, prices in 1e-9, times in ns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Integrals of the functions over the time in which they are known.
    pub(crate) integral: [f64; function::COUNT],
    /// Time in which the state is known.
    pub(crate) known: i64,
    /// Time in which it has both best levels.
    pub(crate) both: i64,
    /// Time in which it has one of them.
    pub(crate) top: i64,
    /// Time in which it has any size.
    pub(crate) any: i64,
    /// Time in which a band has any size.
    pub(crate) band: [i64; BANDS],
    /// Whether the state has changed since the bar's start.
    pub(crate) changed: bool,
    /// Flow by side and band.
    pub(crate) flow: [[Flow; BANDS]; 2],
    /// C rows that are the book change of a trade.
    pub(crate) fill_n: i64,
    /// A, C, M rows that are not flow.
    pub(crate) rest_n: i64,
    /// Traded volume by side and band.
    pub(crate) exec: [[i128; BANDS]; 2],
    /// Order-flow imbalance over 1, 5 and 10 levels.
    pub(crate) ofi: [i128; 3],
    /// Trades.
    pub(crate) trades: Trades,
    /// Rows by action: none, R, A, C, M, T, other, snapshot.
    pub(crate) rows: [i64; 8],
    /// Event ends.
    pub(crate) events_n: i64,
    /// Event ends whose bid is above the ask.
    pub(crate) crossed_n: i64,
    /// Event ends whose bid is the ask.
    pub(crate) locked_n: i64,
    /// Rows with a book that may be wrong.
    pub(crate) bad_book_n: i64,
    /// Rows with a receive time that may be wrong.
    pub(crate) bad_time_n: i64,
    /// Rows whose time was before an earlier row's.
    pub(crate) late_n: i64,
}

/// Flow of one side and band.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flow {
    /// Increases of the queue.
    pub(crate) added: i128,
    /// Decreases.
    pub(crate) removed: i128,
    /// Rows: A, C, M.
    pub(crate) rows: [i64; 3],
}

/// Trades of a bar.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trades {
    /// Number.
    pub(crate) n: i64,
    /// Volume: unknown aggressor, seller, buyer.
    pub(crate) volume: [i128; 3],
    /// Sum of price times size, of the trades that have a price.
    pub(crate) turnover: i128,
    /// Volume of those.
    pub(crate) priced: i128,
    /// First, highest, lowest and last price.
    pub(crate) prices: Option<[i64; 4]>,
}

impl Tally {
    /// Functions from the first to before the second had these values for so many ns.
    #[inline]
    pub(crate) fn held(&mut self, values: &Values, (from, to): (usize, usize), ns: i64) {
        let weight = ns as f64;
        for (integral, value) in self.integral[from..to].iter_mut().zip(&values.of[from..to]) {
            *integral += value * weight;
        }
    }

    /// As [`Tally::held`], of a side's functions.
    #[inline]
    pub(crate) fn held_side(&mut self, values: &Values, side: usize, ns: i64) {
        let weight = ns as f64;
        let from = function::SIDES[side];
        let functions = from..from + function::SIDE_COUNT;
        for (integral, value) in self.integral[functions.clone()].iter_mut().zip(&values.of[functions]) {
            *integral += value * weight;
        }
    }

    /// Mean of a function over the time in which it is known; `None` where there is none.
    pub(crate) fn mean(&self, of: usize) -> Option<f64> {
        let ns = match function::need(of) {
            function::Need::Nothing => self.known,
            function::Need::Both => self.both,
            function::Need::Top => self.top,
            function::Need::Any => self.any,
            function::Need::Band(band) => self.band[band],
        };
        (ns > 0).then(|| self.integral[of] / ns as f64)
    }
}

impl Trades {
    /// All volume.
    pub(crate) fn all(&self) -> i128 {
        self.volume.iter().sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, aggressor: usize, size: i64, price: Option<i64>) {
        self.n += 1;
        self.volume[aggressor] += i128::from(size);
        if let Some(price) = price {
            self.turnover += i128::from(price) * i128::from(size);
            self.priced += i128::from(size);
            let [_, high, low, last] = self.prices.get_or_insert([price; 4]);
            *high = price.max(*high);
            *low = price.min(*low);
            *last = price;
        }
    }
}
