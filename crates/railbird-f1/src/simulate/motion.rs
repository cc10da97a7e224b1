//! Where a car is at any moment, exactly. Start at [`Trajectory::at`].
//!
//! Between knots a tenth of a second apart the acceleration is constant, so that distance is a quadratic in time, speed
//! and distance are continuous, and the moment at which a distance is passed has a closed form. Truth is read from here,
//! never from what the feed says.

/// Seconds between knots.
pub(super) const KNOT_S: f64 = 0.1;

/// What a car is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    /// On its way to or standing on the grid.
    Grid,
    /// Running.
    Track,
    /// Between the pit lane's lines.
    Pit,
    /// Stopped beside the track.
    Stopped,
    /// Out of the race.
    Retired,
    /// Past the flag.
    Finished,
}

/// A knot of a trajectory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knot {
    /// m since the line at the start of lap 1; negative before it.
    pub(super) distance: f64,
    /// m/s.
    pub(super) speed: f64,
    /// m to the left of the centreline.
    pub(super) offset: f32,
    /// What the car does from here on.
    pub(super) doing: Doing,
    /// DRS code from here on.
    pub(super) drs: u8,
}

/// A car at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    /// m since the line at the start of lap 1.
    pub(super) distance: f64,
    /// m/s.
    pub(super) speed: f64,
    /// m/s².
    pub(super) acceleration: f64,
    /// m to the left of the centreline.
    pub(super) offset: f64,
    /// What the car does.
    pub(super) doing: Doing,
    /// DRS code.
    pub(super) drs: u8,
}

/// A car's motion from time zero on.
#[derive(Debug, Clone, Default)]
pub(super) struct Trajectory {
    begin: f64,
    knots: Vec<Knot>,
}

impl Trajectory {
    /// An empty trajectory whose first knot stands at `begin` s.
    pub(super) fn beginning(begin: f64) -> Self {
        Self { begin, knots: Vec::new() }
    }

    /// Adds the knot that follows. Its distance is that which constant acceleration since the last one gives.
    pub(super) fn push(&mut self, speed: f64, start: f64, offset: f64, doing: Doing, drs: u8) -> f64 {
        let distance = self.knots.last().map_or(start, |last| last.distance + 0.5 * (last.speed + speed) * KNOT_S);
        self.knots.push(Knot { distance, speed, offset: offset as f32, doing, drs });
        distance
    }

    /// The car `time` s after time zero, within the trajectory.
    pub(super) fn at(&self, time: f64) -> Motion {
        let time = time - self.begin;
        let index = ((time / KNOT_S).max(0.0) as usize).min(self.knots.len().saturating_sub(2));
        let (a, b) = (self.knots[index], self.knots[(index + 1).min(self.knots.len() - 1)]);
        let since = (time - index as f64 * KNOT_S).clamp(0.0, KNOT_S);
        let acceleration = (b.speed - a.speed) / KNOT_S;
        Motion {
            distance: a.distance + a.speed * since + 0.5 * acceleration * since * since,
            speed: a.speed + acceleration * since,
            acceleration,
            offset: f64::from(a.offset) + f64::from(b.offset - a.offset) * since / KNOT_S,
            doing: a.doing,
            drs: a.drs,
        }
    }

    /// When the car first reached `distance`, s; `None` if it started beyond or never came there.
    pub(super) fn time_at(&self, distance: f64) -> Option<f64> {
        if self.knots.first()?.distance > distance {
            return None;
        }
        let after = self.knots.partition_point(|knot| knot.distance < distance);
        self.time_within(after, distance)
    }

    /// As [`Self::time_at`] for a distance passed within the last `knots` knots.
    pub(super) fn time_at_recent(&self, distance: f64, knots: usize) -> Option<f64> {
        let from = self.knots.len().saturating_sub(knots);
        if self.knots.get(from)?.distance > distance {
            return None;
        }
        let after = from + self.knots[from..].partition_point(|knot| knot.distance < distance);
        self.time_within(after, distance)
    }

    fn time_within(&self, after: usize, distance: f64) -> Option<f64> {
        let b = self.knots.get(after)?;
        if after == 0 || b.distance == distance {
            return Some(self.begin + after as f64 * KNOT_S);
        }
        let a = self.knots[after - 1];
        let (ahead, acceleration) = (distance - a.distance, (b.speed - a.speed) / KNOT_S);
        // The root of a.speed·t + acceleration·t²/2 = ahead in the form that does not cancel.
        let root = (a.speed * a.speed + 2.0 * acceleration * ahead).max(0.0).sqrt();
        let since = if a.speed + root > 0.0 { 2.0 * ahead / (a.speed + root) } else { KNOT_S };
        Some(self.begin + (after - 1) as f64 * KNOT_S + since.clamp(0.0, KNOT_S))
    }

    /// The knots.
    pub(super) fn knots(&self) -> &[Knot] {
        &self.knots
    }
}
