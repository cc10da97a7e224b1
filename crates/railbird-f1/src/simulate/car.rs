//! A car in the simulated race: its pace, its plans, and what it is about. Start at [`Car`].

use super::{
    motion::{Doing, Trajectory},
    random::Random,
};

/// Tyre compounds of a dry race, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compound {
    /// Quick and soon worn.
    Soft,
    /// Between the two.
    Medium,
    /// Slow and lasting.
    Hard,
}

impl Compound {
    /// As the source prints it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Soft => "SOFT",
            Self::Medium => "MEDIUM",
            Self::Hard => "HARD",
        }
    }

    /// Gain in speed when new, and loss a lap.
    const fn pace(self) -> (f64, f64) {
        match self {
            Self::Soft => (0.0045, 0.000_42),
            Self::Medium => (0.0015, 0.000_26),
            Self::Hard => (-0.0010, 0.000_15),
        }
    }
}

/// A set of tyres on a car.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tyres {
    /// Compound.
    pub(super) compound: Compound,
    /// Laps on the set, earlier use included.
    pub(super) age: u16,
    /// Laps on it when it was fitted.
    pub(super) start_age: u16,
}

impl Tyres {
    /// A set of `compound`, now and then one used before.
    pub(super) fn fit(compound: Compound, random: &mut Random) -> Self {
        let start_age = if random.chance(0.25) { 2 + random.index(3) as u16 } else { 0 };
        Self { compound, age: start_age, start_age }
    }

    fn factor(self) -> f64 {
        let (gain, wear) = self.compound.pace();
        1.0 + gain - wear * f64::from(self.age)
    }
}

/// What a car is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mode {
    /// Standing in its grid slot until the lights go out.
    Slot,
    /// On its way round to its grid slot.
    Formation,
    /// On the track.
    Track,
    /// In the pit lane.
    Pit(Visit),
    /// Coming to rest beside the track, or at rest there; goes on at the time given, if any.
    Aside {
        /// When the car goes on, s; set once it stands.
        until: Option<f64>,
        /// Whether it ever does.
        returns: bool,
    },
    /// Not there (the safety car when it is not out).
    Away,
}

/// A visit to the pit lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Visit {
    /// Distance of the line that the lane lies beside, m.
    pub(super) base: f64,
    /// Where the car stops, m.
    pub(super) stop_at: f64,
    /// How far it is.
    pub(super) stage: Stage,
    /// What for.
    pub(super) purpose: Purpose,
    /// How long it stands, s.
    pub(super) hold: f64,
}

/// How far a visit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// On its way to its stop.
    Inbound,
    /// Standing until then, s; infinite while it waits for something else.
    Standing(f64),
    /// On its way out.
    Outbound,
}

/// Why a car is in the pit lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// New tyres.
    Tyres(Compound),
    /// Waiting in the queue under a red flag.
    RedFlag,
    /// Waiting in the garage for the next run.
    Garage,
    /// Out of the race.
    Retire,
    /// The race is over.
    Park,
}

/// What a car of a session without positions is out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// Warming up, with so many flying laps to come.
    Out {
        /// At least one.
        pushes: u8,
    },
    /// As fast as it goes.
    Push {
        /// Flying laps after this one.
        left: u8,
    },
    /// Slow, between two flying laps.
    Cool {
        /// Flying laps to come.
        left: u8,
    },
    /// Coming in, or in.
    In,
}

impl Program {
    /// Share of its pace at which the car drives.
    pub(super) const fn effort(self) -> f64 {
        match self {
            Self::Out { .. } => 0.80,
            Self::Push { .. } => 1.0,
            Self::Cool { .. } => 0.70,
            Self::In => 0.74,
        }
    }
}

/// A stop that is planned.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedStop {
    /// Lap at whose end the car comes in.
    pub(super) lap: u16,
    /// Tyres to fit.
    pub(super) compound: Compound,
    /// Standing time beyond the usual, s.
    pub(super) extra: f64,
}

/// A trouble that is planned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    /// Lap in which it comes.
    pub(super) lap: u16,
    /// Where in the lap, 0 to 1.
    pub(super) part: f64,
    /// What comes.
    pub(super) kind: TroubleKind,
}

/// Kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// Stops on the track for good.
    Stop,
    /// Retires in the pits.
    Pit,
    /// Spins and goes on.
    Spin,
}

/// A car in the race; also the safety car.
pub(super) struct Car {
    /// Where it has been.
    pub(super) trajectory: Trajectory,
    /// Team, which is also the box.
    pub(super) team: usize,
    /// Share of the limit that car and driver reach on fresh tyres with no fuel.
    pub(super) pace: f64,
    /// Share of thrust in the first seconds.
    pub(super) launch: f64,
    /// Time from lights-out to the first movement, s.
    pub(super) reaction: f64,
    /// Grid slot, m (negative), and its offset, m.
    pub(super) slot: (f64, f64),
    /// What it is about.
    pub(super) mode: Mode,
    /// m since the line at the start of lap 1.
    pub(super) distance: f64,
    /// m/s.
    pub(super) speed: f64,
    /// m to the left of the centreline.
    pub(super) offset: f64,
    /// Laps completed.
    pub(super) laps: u16,
    /// This lap's form.
    pub(super) form: f64,
    /// Tyres.
    pub(super) tyres: Tyres,
    /// Stops to come, next first.
    pub(super) stops: Vec<PlannedStop>,
    /// Troubles to come, next first.
    pub(super) troubles: Vec<Trouble>,
    /// Straight and lap of the last decision to attack, and what it was.
    pub(super) attack: Option<(usize, u16, bool)>,
    /// When DRS was opened on this straight.
    pub(super) drs_since: Option<f64>,
    /// Straight that the car is on, to tell when it enters one.
    pub(super) straight: Option<usize>,
    /// When it took the flag.
    pub(super) finished: Option<f64>,
    /// When it stopped for good.
    pub(super) out_since: Option<f64>,
    /// A damaged car is slower.
    pub(super) damage: f64,
    /// What the car is out for, in a session without positions.
    pub(super) program: Option<Program>,
}

impl Car {
    /// Share of the limit that the car reaches now. `fuel` is the share of the race still to go.
    pub(super) fn factor(&self, fuel: f64) -> f64 {
        self.pace * self.form * self.tyres.factor() * (1.0 - 0.009 * fuel) * (1.0 - self.damage)
    }

    /// Whether it still races.
    pub(super) fn is_racing(&self) -> bool {
        self.out_since.is_none() && self.finished.is_none() && self.mode != Mode::Away
    }

    /// Whether it is on the track surface, moving or about to.
    pub(super) fn is_on_track(&self) -> bool {
        matches!(self.mode, Mode::Track | Mode::Formation | Mode::Slot)
    }

    /// What the feed would say of it. `in_lane`: between the lines of the pit lane.
    pub(super) fn doing(&self, time: f64, in_lane: bool) -> Doing {
        let given_up = self.out_since.is_some_and(|since| time > since + 75.0);
        match self.mode {
            _ if given_up => Doing::Retired,
            _ if self.finished.is_some() => Doing::Finished,
            Mode::Slot | Mode::Formation => Doing::Grid,
            Mode::Aside { .. } if self.speed < 0.1 => Doing::Stopped,
            Mode::Pit(_) if in_lane => Doing::Pit,
            _ => Doing::Track,
        }
    }
}
