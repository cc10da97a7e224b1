//! Counts rows as they are written, by themselves and not by what made them. Start at [`Census::see`].

const BAR_NS: i64 = 5_000_000_000;

/// What is counted of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at_ns: i64,
    pub(super) action: u8,
    pub(super) side: u8,
    pub(super) size: u32,
    pub(super) depth: usize,
    /// Whether an event ends.
    pub(super) last: bool,
}

/// Counts of a file.
#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) rows: u64,
    pub(super) adds: u64,
    pub(super) cancels: u64,
    pub(super) trades: u64,
    pub(super) trades_unknown: u64,
    pub(super) first_level: u64,
    pub(super) second_level: u64,
    pub(super) events: u64,
    pub(super) events_of_several: u64,
    pub(super) sharing_time: u64,
    /// Adds of 100; of other sizes their number, and sums of the powers of the logarithm.
    pub(super) hundreds: u64,
    pub(super) others: u64,
    pub(super) log_size: [f64; 2],
    /// Number of the first bar, and rows of each from there.
    pub(super) first_bar: i64,
    pub(super) bars: Vec<u32>,
    event_rows: u64,
    last_ns: Option<i64>,
    last_shared: bool,
}

impl Census {
    /// Nothing counted yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Counts a row.
    pub(super) fn see(&mut self, seen: &Seen) {
        self.rows += 1;
        match seen.action {
            b'A' => self.add(seen.size),
            b'C' => self.cancels += 1,
            b'T' => {
                self.trades += 1;
                self.trades_unknown += u64::from(seen.side == b'N');
            }
            _ => {}
        }
        self.first_level += u64::from(seen.depth == 0);
        self.second_level += u64::from(seen.depth == 1);
        self.event_rows += 1;
        if seen.last {
            self.events += 1;
            self.events_of_several += u64::from(self.event_rows > 1);
            self.event_rows = 0;
        }
        let shared = self.last_ns == Some(seen.at_ns);
        // The first of a group counts once its second is seen.
        self.sharing_time += u64::from(shared) + u64::from(shared && !self.last_shared);
        (self.last_ns, self.last_shared) = (Some(seen.at_ns), shared);
        let bar = seen.at_ns.div_euclid(BAR_NS);
        if self.bars.is_empty() {
            self.first_bar = bar;
        }
        let place = (bar - self.first_bar).max(0) as usize;
        if place >= self.bars.len() {
            self.bars.resize(place + 1, 0);
        }
        self.bars[place] += 1;
    }

    fn add(&mut self, size: u32) {
        self.adds += 1;
        if size == 100 {
            self.hundreds += 1;
        } else if size > 0 {
            let log = f64::from(size).ln();
            self.others += 1;
            self.log_size[0] += log;
            self.log_size[1] += log * log;
        }
    }

    /// Mean rows a bar between the moments, Unix ns.
    pub(super) fn rows_a_bar(&self, from_ns: i64, to_ns: i64) -> f64 {
        let place = |at_ns: i64| (at_ns.div_euclid(BAR_NS) - self.first_bar).clamp(0, self.bars.len() as i64) as usize;
        let bars = &self.bars[place(from_ns)..place(to_ns)];
        bars.iter().map(|&rows| f64::from(rows)).sum::<f64>() / bars.len().max(1) as f64
    }
}
