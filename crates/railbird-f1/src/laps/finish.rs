//! From the log of laps to rows: what needs the neighbours of a lap. Start at [`Known::laps`].

use railbird_timeline::Ts;

use super::{accuracy, lap::Lap};
use crate::event::{DriverId, SessionTime};
use crate::log::{COMPOUNDS, LapField};
use crate::session::Session;
use crate::state::Deletion;

/// Outside races, longer lap times are times between two runs unless the sectors confirm them, ms.
const LAP_TIME_MS_MAX: i64 = 150_000;
/// By how much the sum of the sectors may exceed the lap time, ms.
const SUM_TOLERANCE_MS: i64 = 3;
/// Length of the last lap of a car that stopped, where no sample shows when, ms.
const STOPPED_LAP_MS: i64 = 150_000;

const FIELDS: usize = LapField::NAMES.len();

/// A session as it was known at a moment.
pub(super) struct Known<'a> {
    session: &'a Session,
    as_of: SessionTime,
    race: bool,
    /// When the session started, ms.
    started_ms: Option<i64>,
    /// Changes of the session's status, ms.
    status: Vec<(i64, &'a str)>,
    /// Changes of the track's status, ms.
    track: Vec<(i64, String)>,
    total_laps: Option<u16>,
}

/// Last values of the fields of one driver's laps.
type Cells = Vec<[f64; FIELDS]>;

impl<'a> Known<'a> {
    pub(super) fn new(session: &'a Session, as_of: SessionTime) -> Self {
        let logs = &session.logs;
        let known = |at: SessionTime| at <= as_of;
        let status: Vec<_> = logs
            .session
            .iter()
            .filter(|row| known(row.known_at))
            .map(|row| (row.known_at.ms(), &*row.status))
            .collect();
        let track = logs.track.iter().filter(|row| known(row.known_at));
        Self {
            session,
            as_of,
            race: session.info.kind.eq_ignore_ascii_case("race"),
            started_ms: status.iter().find(|(_, status)| *status == "Started").map(|(at, _)| *at),
            status,
            track: track.map(|row| (row.known_at.ms(), row.flag.code().to_string())).collect(),
            total_laps: logs
                .lap_count
                .iter()
                .filter(|row| known(row.known_at))
                .filter_map(|row| row.count.total)
                .next_back(),
        }
    }

    pub(super) fn laps(&self) -> Vec<Lap> {
        let cells = self.cells();
        let mut drivers: Vec<Vec<Lap>> =
            cells.iter().enumerate().map(|(index, cells)| self.counted(DriverId(index as u8), cells)).collect();
        let first_end = drivers.iter().flatten().filter_map(|lap| lap.time_ms).min();
        for (index, laps) in drivers.iter_mut().enumerate() {
            if laps.is_empty() {
                laps.extend(
                    first_end.and_then(|end| self.first_lap_never_ended(DriverId(index as u8), &cells[index], end)),
                );
            } else {
                self.fill_speeds(laps);
                laps.extend(self.lap_never_ended(laps, &cells[index]));
            }
            for lap in laps.iter_mut() {
                lap.start_date = lap.start_ms.map(|start| Ts(self.session.utc_at(SessionTime::from_ms(start)).0));
                lap.track_status = self.track_status(lap);
            }
            accuracy::mark(laps);
        }
        let mut laps: Vec<_> = drivers.into_iter().flatten().collect();
        self.positions(&mut laps);
        self.deletions(&mut laps);
        laps
    }

    fn cells(&self) -> Vec<Cells> {
        let mut drivers = vec![Cells::new(); self.session.drivers.len()];
        for row in self.session.logs.laps.iter().take_while(|row| row.known_at <= self.as_of) {
            let (Some(cells), Some(index)) = (drivers.get_mut(row.driver.index()), usize::from(row.lap).checked_sub(1))
            else {
                continue;
            };
            if cells.len() <= index {
                cells.resize(index + 1, [f64::NAN; FIELDS]);
            }
            cells[index][row.field as usize] = row.value;
        }
        drivers
    }

    /// Laps that the source counted, or of which it gave a time.
    fn counted(&self, driver: DriverId, cells: &Cells) -> Vec<Lap> {
        let counts = cells.iter().any(|lap| !lap[LapField::End as usize].is_nan());
        let ended = |lap: &[f64; FIELDS]| !lap[LapField::End as usize].is_nan();
        // Archives without the count of laps still know those on each set of tyres.
        let told = |lap: &[f64; FIELDS]| {
            ended(lap)
                || has_data(lap)
                || !counts && self.started_ms.is_some() && !lap[LapField::Stint as usize].is_nan()
        };
        let Some(first) = cells.iter().position(told) else { return Vec::new() };
        let last_ended =
            cells.iter().rposition(if counts { &ended as &dyn Fn(&_) -> _ } else { &told }).unwrap_or(first);
        let last = cells.iter().rposition(has_data).map_or(last_ended, |last| last.max(last_ended));
        if !counts && !cells.iter().any(has_data) {
            return Vec::new();
        }
        let mut laps: Vec<_> = (first..=last).map(|index| self.row(driver, index as u16 + 1, &cells[index])).collect();
        for index in 0..laps.len() {
            self.mend_times(&mut laps, index);
        }
        agree(&mut laps);
        while laps.last().is_some_and(|lap| lap.time_ms.is_none() && usize::from(lap.lap_number) > last_ended + 1) {
            match laps.last_mut() {
                Some(lap) if lap.pit_in_ms.is_some() => lap.time_ms = lap.pit_in_ms,
                _ => _ = laps.pop(),
            }
        }
        agree_with_neighbours(&mut laps);
        self.starts(&mut laps);
        for lap in &mut laps {
            // After the ends: a lap time beside the stint may be of the driver's clock and not of the timing loop's.
            let beside = cells[usize::from(lap.lap_number) - 1][LapField::StintLapTime as usize];
            lap.lap_time_ms = lap.lap_time_ms.or((!beside.is_nan()).then_some(beside as i64));
        }
        laps
    }

    fn row(&self, driver: DriverId, lap_number: u16, cells: &[f64; FIELDS]) -> Lap {
        use LapField as F;
        let of = |field: F| Some(cells[field as usize]).filter(|value| !value.is_nan());
        let ms = |field| of(field).map(|value| value as i64);
        let entrant = &self.session.drivers[driver.index()];
        Lap {
            driver,
            code: entrant.code.clone(),
            number: entrant.number.0,
            team: entrant.team.clone(),
            lap_number,
            time_ms: ms(F::End),
            lap_time_ms: ms(F::LapTime),
            stint: of(F::Stint).map(|stint| stint as u16),
            pit_out_ms: ms(F::PitOut),
            pit_in_ms: ms(F::PitIn),
            sector_ms: [ms(F::Sector1), ms(F::Sector2), ms(F::Sector3)],
            sector_at_ms: [ms(F::Sector1At), ms(F::Sector2At), ms(F::Sector3At)],
            speeds: [of(F::SpeedI1), of(F::SpeedI2), of(F::SpeedFl), of(F::SpeedSt)],
            personal_best: of(F::PersonalBest) == Some(1.0),
            compound: of(F::Compound).map_or("", |code| COMPOUNDS.get(code as usize).copied().unwrap_or("")),
            tyre_life: of(F::TyreLife).map(|life| life as u16),
            fresh_tyre: of(F::FreshTyre).map(|fresh| fresh == 1.0),
            deleted: of(F::Deleted) == Some(1.0),
            ..Lap::default()
        }
    }

    /// What the source leaves out because it equals what it said before, and what contradicts itself.
    fn mend_times(&self, laps: &mut [Lap], index: usize) {
        let previous = index.checked_sub(1).map(|previous| laps[previous].clone());
        let lap = &mut laps[index];
        let known: i64 = lap.sector_ms.into_iter().flatten().sum();
        let too_long = !self.race && lap.lap_time_ms.is_some_and(|time| time >= LAP_TIME_MS_MAX);
        if too_long && lap.sector_sum_ms() != lap.lap_time_ms
            || lap.lap_time_ms.is_some_and(|time| known > time + SUM_TOLERANCE_MS)
        {
            lap.lap_time_ms = None;
        }
        lap.lap_time_ms = lap.lap_time_ms.or(lap.sector_sum_ms());
        let (Some(previous), Some(time)) = (previous, lap.lap_time_ms) else { return };
        let mut missing = (0..3).filter(|sector| lap.sector_ms[*sector].is_none());
        if let (Some(sector), None) = (missing.next(), missing.next())
            && previous.sector_ms[sector] == Some(time - known)
        {
            lap.sector_ms[sector] = Some(time - known);
        }
    }

    fn starts(&self, laps: &mut [Lap]) {
        if let Some(first) = laps.first_mut() {
            // Laps to the grid and the way there are none of the race.
            if first.pit_in_ms.zip(first.pit_out_ms).is_some_and(|(entry, exit)| entry < exit) {
                first.pit_in_ms = None;
            }
            let before_start = self.race && first.lap_number == 1;
            first.pit_out_ms = first.pit_out_ms.filter(|exit| !before_start || Some(*exit) >= self.started_ms);
            first.start_ms = if self.race && first.lap_number == 1 { self.started_ms } else { None };
        }
        for index in 1..laps.len() {
            laps[index].start_ms = laps[index - 1].time_ms;
        }
        let mut stopped = false;
        for (at, status) in &self.status {
            if *status == "Aborted" {
                stopped = true;
            } else if stopped && *status == "Started" {
                stopped = false;
                let Some(lap) = laps.iter_mut().find(|lap| lap.pit_out_ms.is_some_and(|exit| exit > *at)) else {
                    continue;
                };
                if !self.race {
                    lap.start_ms = None;
                } else if lap.lap_time_ms.is_none() {
                    lap.start_ms = Some(*at);
                }
            }
        }
        for lap in laps {
            lap.start_ms = lap.start_ms.or(lap.pit_out_ms);
        }
    }

    /// A car that stopped in its first lap.
    fn first_lap_never_ended(&self, driver: DriverId, cells: &Cells, first_end: i64) -> Option<Lap> {
        let cells = cells.first().filter(|cells| !cells[LapField::Stint as usize].is_nan())?;
        (self.race && self.started_ms.is_some()).then(|| Lap {
            time_ms: Some(first_end),
            start_ms: self.started_ms,
            pit_out_ms: None,
            pit_in_ms: None,
            generated: true,
            ..self.row(driver, 1, cells)
        })
    }

    /// The lap in which a car stopped on the track.
    fn lap_never_ended(&self, laps: &[Lap], cells: &Cells) -> Option<Lap> {
        let last = laps.last()?;
        let start = last.time_ms.or(last.start_ms)?;
        let next = self.status.iter().find(|(at, _)| *at > start)?;
        let finished = |(_, status): &&(i64, &str)| *status == "Finished";
        let over = self.status.iter().filter(|(at, _)| *at <= start).any(|entry| finished(&entry));
        let goes_on = self.status.iter().filter(|(at, _)| *at > start).any(|entry| finished(&entry));
        let complete = self.total_laps.is_some_and(|total| last.lap_number >= total);
        let in_lap = last.pit_in_ms.is_some();
        let stayed_in = laps.len() >= 2 && laps[laps.len() - 2].pit_in_ms.is_some() && last.pit_out_ms.is_none();
        if over || !goes_on || complete || in_lap || stayed_in {
            return None;
        }
        let end = if next.1 == "Aborted" {
            next.0
        } else {
            self.stood_still_ms(last.driver, start).unwrap_or(start + STOPPED_LAP_MS)
        };
        let number = last.lap_number + 1;
        let row = cells.get(usize::from(last.lap_number)).map_or_else(
            || Lap { tyre_life: last.tyre_life.map(|life| life + 1), ..last.clone() },
            |cells| self.row(last.driver, number, cells),
        );
        Some(Lap {
            driver: last.driver,
            code: row.code,
            number: row.number,
            team: row.team,
            lap_number: number,
            stint: row.stint,
            compound: row.compound,
            tyre_life: row.tyre_life,
            fresh_tyre: row.fresh_tyre,
            time_ms: Some(end),
            start_ms: Some(start),
            generated: true,
            ..Lap::default()
        })
    }

    /// The first sample after `start` in which the car stands.
    fn stood_still_ms(&self, driver: DriverId, start: i64) -> Option<i64> {
        let car = &self.session.columns.get(driver.index())?.car;
        let from = car.utc.partition_point(|utc| self.session.time_of(*utc).ms() <= start);
        let row = (from..car.len()).find(|row| car.speed[*row] == 0)?;
        (car.known_at[row] <= self.as_of).then(|| self.session.time_of(car.utc[row]).ms())
    }

    /// The source does not repeat a speed that equals the last one.
    fn fill_speeds(&self, laps: &mut [Lap]) {
        let mut last = [None; 4];
        for lap in laps {
            let red = self.track_status(lap).contains('5');
            for (trap, last) in last.iter_mut().enumerate() {
                *last = lap.speeds[trap].or(*last);
                if !red && (trap != 2 || lap.pit_in_ms.is_none()) {
                    lap.speeds[trap] = lap.speeds[trap].or(*last);
                }
            }
        }
    }

    fn track_status(&self, lap: &Lap) -> String {
        let mut codes = String::new();
        for (index, (from, code)) in self.track.iter().enumerate() {
            let (start, end) = (lap.start_ms, lap.time_ms);
            let seen = match self.track.get(index + 1) {
                Some((to, _)) => {
                    end.is_some_and(|end| *from <= end && end <= *to)
                        || start.is_some_and(|start| *from <= start && start <= *to)
                        || start.zip(end).is_some_and(|(start, end)| start <= *from && *to <= end)
                }
                None => end.is_some_and(|end| *from <= end),
            };
            if seen && !codes.contains(code.as_str()) {
                codes.push_str(code);
            }
        }
        codes
    }

    fn positions(&self, laps: &mut [Lap]) {
        if !self.race {
            return;
        }
        let mut index = vec![Vec::new(); self.session.drivers.len()];
        for (row, lap) in laps.iter().enumerate().filter(|(_, lap)| !lap.generated) {
            let of: &mut Vec<usize> = &mut index[lap.driver.index()];
            if of.len() <= usize::from(lap.lap_number) {
                of.resize(usize::from(lap.lap_number) + 1, usize::MAX);
            }
            of[usize::from(lap.lap_number)] = row;
        }
        for row in self.session.logs.crossings.iter().filter(|row| row.known_at <= self.as_of) {
            let lap = index.get(row.driver.index()).and_then(|of| of.get(usize::from(row.lap)));
            if let Some(lap) = lap.and_then(|lap| laps.get_mut(*lap)) {
                lap.position = Some(row.position);
            }
        }
    }

    fn deletions(&self, laps: &mut [Lap]) {
        for lap in laps.iter_mut().filter(|lap| lap.deleted) {
            lap.personal_best = false;
            let mut messages = self.session.logs.race_control.iter().rev();
            let reason = messages.find_map(|row| {
                let deletion = Deletion::parse(&row.message.message)?;
                let same = row.known_at <= self.as_of
                    && row.driver == Some(lap.driver)
                    && !deletion.reinstated
                    && (deletion.lap == Some(lap.lap_number)
                        || deletion.time_ms.is_some() && deletion.time_ms.map(i64::from) == lap.lap_time_ms);
                same.then_some(deletion.reason)
            });
            lap.deleted_reason = reason.unwrap_or_default().to_owned();
        }
    }
}

fn has_data(cells: &[f64; FIELDS]) -> bool {
    use LapField::{LapTime, Sector1, Sector2, Sector3, SpeedFl, SpeedI1, SpeedI2, StintLapTime};
    [LapTime, StintLapTime, Sector1, Sector2, Sector3, SpeedI1, SpeedI2, SpeedFl]
        .into_iter()
        .any(|field| !cells[field as usize].is_nan())
}

/// The end of a lap by the stamp with the least delay: none can come too early.
fn agree(laps: &mut [Lap]) {
    for index in 0..laps.len() {
        let previous = index.checked_sub(1).and_then(|previous| laps[previous].time_ms);
        let lap = &mut laps[index];
        let mut end = lap.time_ms;
        let mut rest = Some(0);
        for sector in (0..3).rev() {
            if sector < 2 {
                rest = rest.zip(lap.sector_ms[sector + 1]).map(|(rest, sector)| rest + sector);
            }
            if let Some((at, rest)) = lap.sector_at_ms[sector].zip(rest) {
                end = Some(end.map_or(at + rest, |end| end.min(at + rest)));
            }
        }
        if previous.is_none_or(|previous| end.is_none_or(|end| end >= previous)) {
            lap.time_ms = end;
        }
    }
}

/// Ends of neighbouring laps differ by the lap time between them; of two the one with less delay holds.
fn agree_with_neighbours(laps: &mut [Lap]) {
    for index in (1..laps.len()).rev() {
        let Some(start) = laps[index].time_ms.zip(laps[index].lap_time_ms).map(|(end, time)| end - time) else {
            continue;
        };
        let possible = index < 2 || laps[index - 2].time_ms.is_none_or(|before| start >= before);
        if possible && laps[index - 1].time_ms.is_none_or(|end| start < end) {
            laps[index - 1].time_ms = Some(start);
        }
    }
    for index in 1..laps.len() {
        let Some(start) = laps[index - 1].time_ms else { continue };
        let lap = &mut laps[index];
        let Some(time) = lap.lap_time_ms else { continue };
        lap.time_ms = Some(lap.time_ms.map_or(start + time, |end| end.min(start + time)));
        let mut at = start;
        for sector in 0..3 {
            let Some(time) = lap.sector_ms[sector] else { break };
            at += time;
            lap.sector_at_ms[sector] = lap.sector_at_ms[sector].map(|known| known.min(at));
        }
    }
}
