//! Samples as they are admitted: by driver as columns, and the moments that they share.
//!
//! Rule: a sample is admitted where its time is later than the last admitted one of the same driver and stream; one of
//! an equal or earlier time is counted by driver and lap, and left out.

use std::collections::BTreeMap;

use railbird_timeline::Ts;

use crate::columns::{CarColumns, Columns};
use crate::decode::Rejected;
use crate::event::{CarSample, DriverId, PositionSample, RacingNumber, SessionTime};

/// Numbers that a car may have.
const NUMBERS: usize = 1000;
/// Most rows of the table of stale samples: what comes beyond is counted in the totals alone.
const STALE_ROWS_MAX: usize = 20_000;
/// Stands for "no driver".
const NONE: u8 = u8::MAX;

/// When samples were taken and when their record was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) utc: Ts,
    pub(crate) known_at: SessionTime,
}

/// Index of a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct MomentId(u32);

/// Samples of one driver and lap that were left out for their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stale {
    /// Car samples, then positions; of each those of an equal time, then those of an earlier one.
    pub(crate) counts: [u32; 4],
}

/// Every admitted sample.
#[derive(Debug)]
pub(crate) struct Samples {
    by_number: Box<[u8; NUMBERS]>,
    numbers: Vec<RacingNumber>,
    /// Samples by driver.
    pub(crate) columns: Vec<Columns>,
    /// Moments of car samples, in the order received.
    pub(crate) car_moments: Vec<Moment>,
    /// Moments of positions, in the order received.
    pub(crate) position_moments: Vec<Moment>,
    /// Moment of each car sample, by driver.
    pub(crate) car_rows: Vec<Vec<u32>>,
    /// Moment of each position, by driver.
    pub(crate) position_rows: Vec<Vec<u32>>,
    /// What was left out, by driver and lap.
    pub(crate) stale: BTreeMap<(DriverId, u16), Stale>,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            by_number: Box::new([NONE; NUMBERS]),
            numbers: Vec::new(),
            columns: Vec::new(),
            car_moments: Vec::new(),
            position_moments: Vec::new(),
            car_rows: Vec::new(),
            position_rows: Vec::new(),
            stale: BTreeMap::new(),
        }
    }
}

impl Samples {
    pub(super) fn driver(&self, number: RacingNumber) -> Option<DriverId> {
        self.by_number.get(usize::from(number.0)).filter(|index| **index != NONE).map(|index| DriverId(*index))
    }

    pub(super) fn add_driver(&mut self, number: RacingNumber) {
        self.by_number[usize::from(number.0)] = self.columns.len() as u8;
        self.numbers.push(number);
        self.columns.push(Columns::default());
        self.car_rows.push(Vec::new());
        self.position_rows.push(Vec::new());
    }

    pub(super) fn car_moment(&mut self, utc: Ts, known_at: SessionTime) -> MomentId {
        self.car_moments.push(Moment { utc, known_at });
        MomentId(self.car_moments.len() as u32 - 1)
    }

    pub(super) fn position_moment(&mut self, utc: Ts, known_at: SessionTime) -> MomentId {
        self.position_moments.push(Moment { utc, known_at });
        MomentId(self.position_moments.len() as u32 - 1)
    }

    pub(super) fn car(
        &mut self,
        moment: MomentId,
        driver: DriverId,
        sample: &CarSample,
        lap: u16,
        rejected: &mut Rejected,
    ) {
        let Moment { utc, known_at } = self.car_moments[moment.0 as usize];
        let columns = &mut self.columns[driver.index()].car;
        if let Some(kind) = stale(columns.utc.last(), utc) {
            self.left_out(driver, lap, kind, rejected);
            return;
        }
        columns.utc.push(utc);
        columns.known_at.push(known_at);
        columns.rpm.push(sample.rpm);
        columns.speed.push(sample.speed);
        columns.gear.push(sample.gear);
        columns.throttle.push(sample.throttle);
        columns.brake.push(sample.brake);
        columns.drs.push(sample.drs.unwrap_or(CarColumns::NO_DRS));
        self.car_rows[driver.index()].push(moment.0);
    }

    /// Whether the sample was admitted.
    pub(super) fn position(
        &mut self,
        moment: MomentId,
        driver: DriverId,
        sample: &PositionSample,
        lap: u16,
        rejected: &mut Rejected,
    ) -> bool {
        let Moment { utc, known_at } = self.position_moments[moment.0 as usize];
        let columns = &mut self.columns[driver.index()].position;
        if let Some(kind) = stale(columns.utc.last(), utc) {
            self.left_out(driver, lap, 2 + kind, rejected);
            return false;
        }
        columns.utc.push(utc);
        columns.known_at.push(known_at);
        columns.x.push(sample.x);
        columns.y.push(sample.y);
        columns.z.push(sample.z);
        columns.on_track.push(sample.on_track);
        self.position_rows[driver.index()].push(moment.0);
        true
    }

    fn left_out(&mut self, driver: DriverId, lap: u16, kind: usize, rejected: &mut Rejected) {
        const REASONS: [&str; 4] =
            ["car_time_equal", "car_time_backward", "position_time_equal", "position_time_backward"];
        rejected.count(REASONS[kind], || self.numbers[driver.index()].place(lap));
        if self.stale.len() < STALE_ROWS_MAX || self.stale.contains_key(&(driver, lap)) {
            self.stale.entry((driver, lap)).or_default().counts[kind] += 1;
        }
    }
}

impl RacingNumber {
    fn place(self, lap: u16) -> String {
        format!("car {} in lap {lap}", self.0)
    }
}

/// 0 for an equal time, 1 for an earlier one.
fn stale(last: Option<&Ts>, utc: Ts) -> Option<usize> {
    match utc.cmp(last?) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal => Some(0),
        std::cmp::Ordering::Less => Some(1),
    }
}
