//! What a car can do, and what its instruments read while it does it. Start at [`SpeedProfile::new`].

use super::track::Track;

/// Highest speed that the gearing allows, m/s.
const SPEED_MAX: f64 = 93.0;
/// Upper ends of the gears, m/s.
const GEAR_ENDS: [f64; 8] = [17.5, 27.0, 37.0, 47.0, 58.0, 69.5, 80.5, 96.0];

/// Fastest acceleration at `speed` m/s on full throttle, drag taken off, m/s².
pub(super) fn thrust(speed: f64) -> f64 {
    (940.0 / speed.max(1.0)).min(11.5) - drag(speed)
}

/// Deceleration by drag at `speed` m/s, m/s².
pub(super) fn drag(speed: f64) -> f64 {
    0.35 + 0.00112 * speed * speed
}

/// Hardest braking at `speed` m/s, m/s².
pub(super) fn braking(speed: f64) -> f64 {
    18.0 + 0.0034 * speed * speed
}

/// The fastest speed at every metre of a circuit, within grip, thrust and braking.
pub(super) struct SpeedProfile {
    step: f64,
    speeds: Vec<f64>,
}

impl SpeedProfile {
    /// Limits by curvature, then one pass forwards for thrust and one backwards for braking.
    pub(super) fn new(track: &Track) -> Self {
        let count = track.length.round() as usize;
        let step = track.length / count as f64;
        let mut speeds: Vec<f64> = (0..count).map(|i| grip_limit(track.curvature(i as f64 * step))).collect();
        for i in 0..2 * count {
            let (here, next) = (speeds[i % count], (i + 1) % count);
            speeds[next] = speeds[next].min((here * here + 2.0 * thrust(here) * step).max(0.0).sqrt());
        }
        for i in (0..2 * count).rev() {
            let (here, next) = (i % count, speeds[(i + 1) % count]);
            speeds[here] = speeds[here].min((next * next + 2.0 * braking(next) * step).sqrt());
        }
        Self { step, speeds }
    }

    /// Time of a lap at these speeds, s.
    pub(super) fn lap_time(&self) -> f64 {
        self.speeds.iter().map(|speed| self.step / speed).sum()
    }

    /// Speed at `distance` m from the line, which is already wrapped into the lap, m/s.
    pub(super) fn speed(&self, distance: f64) -> f64 {
        let position = distance / self.step;
        let index = (position as usize).min(self.speeds.len() - 1);
        let next = self.speeds[(index + 1) % self.speeds.len()];
        self.speeds[index] + (next - self.speeds[index]) * (position - index as f64)
    }
}

/// Speed in a bend of `curvature` 1/m: grip grows with the square of speed, as downforce does.
fn grip_limit(curvature: f64) -> f64 {
    let bend = curvature.abs();
    let (grip, downforce) = (17.0, 0.0042);
    if bend <= downforce + grip / (SPEED_MAX * SPEED_MAX) {
        SPEED_MAX
    } else {
        (grip / (bend - downforce)).sqrt().min(SPEED_MAX)
    }
}

/// What the instruments of a car read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruments {
    /// 1/min.
    pub(super) rpm: u16,
    /// km/h.
    pub(super) speed: u16,
    /// 0 when standing.
    pub(super) gear: u8,
    /// %.
    pub(super) throttle: u8,
    /// 0 or 100.
    pub(super) brake: u8,
}

/// Instruments of a car at `speed` m/s that accelerates at `acceleration` m/s².
pub(super) fn instruments(speed: f64, acceleration: f64) -> Instruments {
    let gear = GEAR_ENDS.iter().position(|end| speed < *end).unwrap_or(GEAR_ENDS.len() - 1);
    let rpm = (11_500.0 * speed / GEAR_ENDS[gear]).max(3_800.0);
    let braking = acceleration < -(drag(speed) + 1.5) && speed > 0.5;
    let effort = (acceleration + drag(speed)) / (thrust(speed) + drag(speed));
    // The pedal is not the force: most of its travel lies in the first half of the torque.
    let pedal = (1.15 * effort.max(0.0).sqrt()).min(1.0);
    Instruments {
        rpm: rpm.round() as u16,
        speed: (speed * 3.6).round() as u16,
        gear: if speed < 0.3 { 0 } else { gear as u8 + 1 },
        throttle: if braking || speed < 0.3 { 0 } else { (pedal * 100.0).round() as u8 },
        brake: if braking { 100 } else { 0 },
    }
}
