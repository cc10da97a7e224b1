//! The order at the end. Start at [`classification()`].

use serde::Serialize;

use crate::event::{DriverId, SessionTime};
use crate::log::CarStatus;
use crate::session::Session;

/// One line of the classification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classified {
    /// 1 first.
    pub position: u8,
    /// Who.
    pub driver: u8,
    /// Code of the driver.
    pub code: String,
    /// Last official position, which may be stale for a car that stopped; `None` where never sent.
    pub official: Option<u8>,
    /// Session time at which `official` became known, s.
    pub known_at: Option<f64>,
    /// Laps completed.
    pub laps: u16,
    /// Time behind the winner at the line where both completed the same laps, s.
    pub gap_s: Option<f64>,
    /// What the car was doing last.
    pub status: Option<&'static str>,
}

/// The last official positions. In a race where two cars hold the same one, because a car that stopped is renumbered no
/// more, laps completed come first, then the last official position, the last crossing and the grid.
pub fn classification(session: &Session) -> Vec<Classified> {
    let logs = &session.logs;
    let mut rows: Vec<(Classified, Key)> = session
        .drivers
        .iter()
        .enumerate()
        .map(|(index, driver)| {
            let id = DriverId(index as u8);
            let official = logs.official_positions.iter().rev().find(|row| row.driver == id);
            let crossing = logs.crossings.iter().rev().filter(|row| row.driver == id).max_by_key(|row| row.lap);
            let laps = crossing.map_or(0, |row| row.lap);
            let row = Classified {
                position: 0,
                driver: id.0,
                code: driver.code.clone(),
                official: official.map(|row| row.position),
                known_at: official.map(|row| row.known_at.seconds()),
                laps,
                gap_s: crossing.map(|row| row.gap_s).filter(|gap| gap.is_finite()),
                status: logs.status.iter().rev().find(|row| row.driver == id).map(|row| row.status.name()),
            };
            let key = Key {
                laps,
                official: row.official.unwrap_or(u8::MAX),
                crossing: crossing.map_or(SessionTime(i64::MAX), |row| row.at),
                grid: driver.grid.unwrap_or(u8::MAX),
            };
            (row, key)
        })
        .collect();
    let race = session.info.kind.eq_ignore_ascii_case("race");
    let mut seen = [false; 256];
    let collide = rows.iter().any(|(_, key)| std::mem::replace(&mut seen[key.official as usize], true));
    rows.sort_by_key(|(row, key)| {
        let laps = if race && collide { u16::MAX - key.laps } else { 0 };
        (laps, key.official, key.crossing, key.grid, row.driver)
    });
    let winner_laps = rows.first().map_or(0, |(row, _)| row.laps);
    rows.into_iter()
        .zip(1..)
        .map(|((row, _), position)| Classified {
            position,
            gap_s: row.gap_s.filter(|_| row.laps == winner_laps && row.status != Some(CarStatus::Retired.name())),
            ..row
        })
        .collect()
}

/// What decides between two cars, in this order.
struct Key {
    laps: u16,
    official: u8,
    crossing: SessionTime,
    grid: u8,
}
