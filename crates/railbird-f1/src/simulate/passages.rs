//! When every car passed every timing loop, and what follows from it: laps, sectors, order and gaps at the loops. Start
//! at [`Timing::new`].
//!
//! All of it comes from the exact motion. Official times are in whole milliseconds, as a timekeeper has them: a lap
//! time is the difference of two such crossings, so that laps and sectors sum without a remainder.

use super::{motion::Trajectory, track::Track};

/// A car passed a timing loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    /// Exact moment, s.
    pub(super) at: f64,
    /// Which car.
    pub(super) car: usize,
    /// Laps completed before; with the last loop, the lap that this passage completes is `lap + 1`.
    pub(super) lap: u16,
    /// Index of the loop; the last is the finish line.
    pub(super) gate: usize,
}

/// A completed lap.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedLap {
    /// 1 first.
    pub(super) lap: u16,
    /// Exact moment of the crossing at its end, s.
    pub(super) crossed: f64,
    /// Lap time, ms; from lights-out for lap 1.
    pub(super) lap_ms: u32,
    /// Sector times, ms.
    pub(super) sector_ms: [u32; 3],
    /// 1 + cars that completed this lap before.
    pub(super) position: u8,
    /// Car that completed this lap one place before, if any.
    pub(super) next_ahead: Option<usize>,
}

/// Passages and laps of a race.
pub(super) struct Timing {
    /// Every passage, by time.
    pub(super) passages: Vec<Passage>,
    /// Laps by car.
    pub(super) laps: Vec<Vec<TimedLap>>,
    /// Passage times by car, lap and gate, s; NaN where the car did not come.
    times: Vec<Vec<f64>>,
    gates: usize,
}

impl Timing {
    /// Passages of `trajectories` from `start` s on, each as far as its number of `laps` goes and, for a car that did not
    /// finish, as far as it came.
    pub(super) fn new(track: &Track, trajectories: &[Trajectory], laps: &[u16], finished: &[bool], start: f64) -> Self {
        let gates = track.loops.len();
        let mut passages = Vec::new();
        let mut times = Vec::new();
        for (car, trajectory) in trajectories.iter().enumerate() {
            let beyond = if finished[car] { 0 } else { gates };
            let mut of_car = Vec::new();
            for index in 0..usize::from(laps[car]) * gates + beyond {
                let (lap, gate) = (index / gates, index % gates);
                let Some(at) = trajectory.time_at(lap as f64 * track.length + track.loops[gate]) else { break };
                of_car.push(at);
                passages.push(Passage { at, car, lap: lap as u16, gate });
            }
            times.push(of_car);
        }
        passages.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.car.cmp(&b.car)));
        let mut timing = Self { passages, laps: Vec::new(), times, gates };
        timing.laps = timing.time_laps(track, laps, start);
        timing
    }

    /// When `car` passed `gate` with `lap` laps completed, s.
    pub(super) fn passed(&self, car: usize, lap: u16, gate: usize) -> Option<f64> {
        self.times[car].get(usize::from(lap) * self.gates + gate).copied()
    }

    /// Index of the finish line among the gates.
    pub(super) fn line(&self) -> usize {
        self.gates - 1
    }

    fn time_laps(&self, track: &Track, laps: &[u16], start: f64) -> Vec<Vec<TimedLap>> {
        let sector_gates =
            track.sectors.map(|end| track.loops.iter().position(|at| *at == end).unwrap_or(self.gates - 1));
        let mut all: Vec<Vec<TimedLap>> = vec![Vec::new(); laps.len()];
        let mut done: Vec<Vec<usize>> = Vec::new();
        for passage in self.passages.iter().filter(|passage| passage.gate == self.line()) {
            let (car, lap) = (passage.car, passage.lap);
            if lap >= laps[car] {
                continue;
            }
            let before = if lap == 0 { start } else { self.passed(car, lap - 1, self.line()).unwrap_or(start) };
            let ends = sector_gates.map(|gate| self.passed(car, lap, gate).unwrap_or(passage.at));
            let marks = [whole_ms(before), whole_ms(ends[0]), whole_ms(ends[1]), whole_ms(ends[2])];
            let span = |from: usize, to: usize| (marks[to] - marks[from]) as u32;
            if done.len() <= usize::from(lap) {
                done.resize(usize::from(lap) + 1, Vec::new());
            }
            let order = &mut done[usize::from(lap)];
            all[car].push(TimedLap {
                lap: lap + 1,
                crossed: passage.at,
                lap_ms: span(0, 3),
                sector_ms: [span(0, 1), span(1, 2), span(2, 3)],
                position: order.len() as u8 + 1,
                next_ahead: order.last().copied(),
            });
            order.push(car);
        }
        all
    }

    /// First car to complete each lap, and when, s.
    pub(super) fn lap_leaders(&self) -> Vec<(usize, f64)> {
        let mut leaders: Vec<(usize, f64)> = Vec::new();
        for passage in self.passages.iter().filter(|passage| passage.gate == self.line()) {
            if usize::from(passage.lap) == leaders.len() && self.laps[passage.car].len() > usize::from(passage.lap) {
                leaders.push((passage.car, passage.at));
            }
        }
        leaders
    }
}

/// A moment in whole milliseconds, rounded.
pub(super) fn whole_ms(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}
