//! Samples on an even grid, for frames and for arrays over a whole race. Start at [`resample_all`].
//!
//! Each stream's clock is walked once a driver; what the walk says about every step then serves each channel. Positions,
//! speed, rpm and throttle are on straight lines between samples, the rest is held.

use railbird_timeline::{Grid, Placements};
use rayon::prelude::*;

use crate::columns::CarColumns;
use crate::event::{DriverId, SessionTime};
use crate::session::Session;

/// One driver on a grid; every column has one value a step.
///
/// Numbers are NaN before the first sample of their stream, gear 0, brake 0, DRS
/// [`CarColumns::NO_DRS`] and status off track.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GridColumns {
    /// Engine speed, 1/min.
    pub rpm: Vec<f64>,
    /// km/h.
    pub speed: Vec<f64>,
    /// Throttle, %.
    pub throttle: Vec<f64>,
    /// 1/10 m.
    pub x: Vec<f64>,
    /// 1/10 m.
    pub y: Vec<f64>,
    /// 1/10 m.
    pub z: Vec<f64>,
    /// Gear, 0 neutral.
    pub gear: Vec<u8>,
    /// Brake, 0 or 100.
    pub brake: Vec<u8>,
    /// DRS code.
    pub drs: Vec<u8>,
    /// Whether the source says `OnTrack`.
    pub on_track: Vec<bool>,
}

/// The grid from lights-out (the start of a session that is no race) to the last sample or line crossing, `fps` steps a second; `None` where
/// the session never started or has no sample after that.
///
/// # Panics
/// If `fps` is zero.
pub fn session_grid(session: &Session, fps: u32) -> Option<Grid> {
    let start = session.logs.session.iter().find(|row| row.status == "Started")?.known_at;
    let last = session
        .columns
        .iter()
        .flat_map(|columns| [columns.car.utc.last(), columns.position.utc.last()])
        .flatten()
        .map(|utc| session.time_of(*utc))
        .max()?;
    let last = session.logs.crossings.iter().map(|row| row.at).fold(last, Ord::max);
    let period_ns = 1_000_000_000 / i64::from(fps);
    let steps = usize::try_from((last.0 - start.0).div_euclid(period_ns) + 1).ok().filter(|steps| *steps > 0)?;
    Some(Grid { start: start.0, period_ns, steps })
}

/// Every driver on `grid`, whose start is session time in ns. Drivers in the session's order, on the threads of the current
/// rayon pool; the result does not depend on their number. 52 bytes a step and driver.
pub fn resample_all(session: &Session, grid: Grid) -> Vec<GridColumns> {
    (0..session.columns.len())
        .into_par_iter()
        .map_init(Places::default, |places, driver| {
            let mut out = GridColumns::default();
            places.resample(session, DriverId(driver as u8), grid, &mut out);
            out
        })
        .collect()
}

/// One driver on `grid`, in the memory of `out`.
///
/// # Panics
/// If there is no such driver.
pub fn resample(session: &Session, driver: DriverId, grid: Grid, out: &mut GridColumns) {
    Places::default().resample(session, driver, grid, out);
}

impl GridColumns {
    /// Number of steps.
    pub fn len(&self) -> usize {
        self.speed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.speed.is_empty()
    }

    /// Session time of step `step` of `grid`.
    pub const fn time(grid: Grid, step: usize) -> SessionTime {
        SessionTime(grid.start + grid.period_ns * step as i64)
    }
}

/// Memory of the walks.
#[derive(Debug, Default)]
struct Places {
    car: Placements,
    position: Placements,
}

impl Places {
    fn resample(&mut self, session: &Session, driver: DriverId, grid: Grid, out: &mut GridColumns) {
        let columns = &session.columns[driver.index()];
        let utc = Grid { start: grid.start.saturating_add(session.origin.0), ..grid };
        self.car.place(&columns.car.utc, utc.iter());
        self.position.place(&columns.position.utc, utc.iter());
        self.car.linear(&columns.car.rpm, &mut out.rpm);
        self.car.linear(&columns.car.speed, &mut out.speed);
        self.car.linear(&columns.car.throttle, &mut out.throttle);
        self.car.held(&columns.car.gear, 0, &mut out.gear);
        self.car.held(&columns.car.brake, 0, &mut out.brake);
        self.car.held(&columns.car.drs, CarColumns::NO_DRS, &mut out.drs);
        self.position.linear(&columns.position.x, &mut out.x);
        self.position.linear(&columns.position.y, &mut out.y);
        self.position.linear(&columns.position.z, &mut out.z);
        self.position.held(&columns.position.on_track, false, &mut out.on_track);
    }
}
