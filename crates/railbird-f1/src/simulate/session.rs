//! What every writer needs to know of the session, and the streams that frame it. Start at [`Scene`].

use super::{
    entrants::{Entrant, Meeting},
    options::{SessionKind, Stamps},
    track::Track,
};

/// Where, when and who.
pub(super) struct Scene {
    /// Seed.
    pub(super) seed: u64,
    /// Kind of session.
    pub(super) kind: SessionKind,
    /// The meeting.
    pub(super) meeting: &'static Meeting,
    /// Circuit.
    pub(super) track: Track,
    /// Drivers.
    pub(super) entrants: Vec<Entrant>,
    /// Laps of a race.
    pub(super) laps: u16,
    /// How records are stamped.
    pub(super) stamps: Stamps,
    /// UTC of session time zero, ns.
    pub(super) origin_ns: i64,
}

impl Scene {
    /// Racing number of a car as text.
    pub(super) fn number(&self, car: usize) -> String {
        self.entrants[car].number.to_string()
    }

    /// UTC at `time` s of session time, ns.
    pub(super) fn utc(&self, time: f64) -> i64 {
        self.origin_ns + (time * 1e9).round() as i64
    }
}
