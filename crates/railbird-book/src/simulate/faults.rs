//! Which rows and events are spoiled. Start at [`RowFaults::new`] and [`EventFaults::new`].

use super::{BookFaults, market::BookFault, random::Random};

/// What is wrong with one row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spoiled {
    pub(super) late: bool,
    pub(super) undefined_time: bool,
    pub(super) bad_book: bool,
    pub(super) bad_ts_recv: bool,
}

#[derive(Debug, Clone, Copy)]
enum RowFault {
    Late,
    UndefinedTime,
    BadBook,
    BadTsRecv,
}

/// Rows to spoil, last first, by their number.
#[derive(Debug)]
pub(super) struct RowFaults {
    random: Random,
    left: Vec<(u64, RowFault)>,
    /// How many of each have happened.
    pub(super) done: BookFaults,
}

impl RowFaults {
    /// Rows among those that a file of about `rows` rows has.
    pub(super) fn new(seed: u64, faults: &BookFaults, rows: u64) -> Self {
        let kinds = [
            (faults.late, RowFault::Late),
            (faults.undefined_time, RowFault::UndefinedTime),
            (faults.bad_book, RowFault::BadBook),
            (faults.bad_ts_recv, RowFault::BadTsRecv),
        ];
        let mut random = Random::new(seed, "row faults");
        let left = places(&mut random, &kinds, rows);
        Self { random, left, done: BookFaults::default() }
    }

    /// Uniform among `0..count`, for how much a row is spoiled.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.random.index(count)
    }

    /// What is wrong with row `row`; called once a row, in order.
    pub(super) fn next(&mut self, row: u64) -> Spoiled {
        let mut spoiled = Spoiled::default();
        while let Some((_, fault)) = self.left.pop_if(|(at, _)| *at <= row) {
            let (set, count) = match fault {
                RowFault::Late => (&mut spoiled.late, &mut self.done.late),
                RowFault::UndefinedTime => (&mut spoiled.undefined_time, &mut self.done.undefined_time),
                RowFault::BadBook => (&mut spoiled.bad_book, &mut self.done.bad_book),
                RowFault::BadTsRecv => (&mut spoiled.bad_ts_recv, &mut self.done.bad_ts_recv),
            };
            *count += u32::from(!*set);
            *set = true;
        }
        spoiled
    }
}

/// Events before which the book is spoiled, last first.
#[derive(Debug)]
pub(super) struct EventFaults {
    left: Vec<(u64, BookFault)>,
}

impl EventFaults {
    /// Events among those that a file of about `rows` rows has.
    pub(super) fn new(seed: u64, faults: &BookFaults, rows: u64) -> Self {
        let kinds = [
            (faults.clears, BookFault::Clear),
            (faults.snapshots, BookFault::Snapshot),
            (faults.one_sided, BookFault::OneSided),
            (faults.crossed, BookFault::Crossed),
            (faults.locked, BookFault::Locked),
        ];
        Self { left: places(&mut Random::new(seed, "event faults"), &kinds, rows * 9 / 10) }
    }

    /// The next fault before event `event`, if any; counted in `done`.
    pub(super) fn next(&mut self, event: u64, done: &mut BookFaults) -> Option<BookFault> {
        let (_, fault) = self.left.pop_if(|(at, _)| *at <= event)?;
        *match fault {
            BookFault::Clear => &mut done.clears,
            BookFault::Snapshot => &mut done.snapshots,
            BookFault::OneSided => &mut done.one_sided,
            BookFault::Crossed => &mut done.crossed,
            BookFault::Locked => &mut done.locked,
        } += 1;
        Some(fault)
    }
}

/// Places for every fault in the first nine tenths of `count`, last first; the first hundredth stays as it is.
fn places<F: Copy>(random: &mut Random, kinds: &[(u32, F)], count: u64) -> Vec<(u64, F)> {
    let (from, to) = (count / 100, count * 9 / 10);
    let mut places = Vec::new();
    for &(times, fault) in kinds {
        for _ in 0..times {
            places.push((from + random.index((to - from).clamp(1, 1 << 31) as usize) as u64, fault));
        }
    }
    places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    places
}
