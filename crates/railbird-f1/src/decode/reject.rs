//! What could not be used, counted by reason, with the first places of each.

use std::collections::BTreeMap;

/// Places that are kept of each reason.
const PLACES_MAX: usize = 5;

/// Counts of what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    reasons: BTreeMap<&'static str, Reason>,
}

/// One reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// How many records or samples.
    pub count: u64,
    /// The first places.
    pub places: Vec<String>,
}

impl Rejected {
    /// Counts one more; `place` is called only while places of this reason are kept.
    pub(crate) fn count(&mut self, reason: &'static str, place: impl FnOnce() -> String) {
        let entry = self.reasons.entry(reason).or_default();
        entry.count += 1;
        if entry.places.len() < PLACES_MAX {
            entry.places.push(place());
        }
    }

    /// Adds the counts of `other`, whose places come after.
    pub(crate) fn merge(&mut self, other: Self) {
        for (reason, more) in other.reasons {
            let entry = self.reasons.entry(reason).or_default();
            entry.count += more.count;
            let room = PLACES_MAX - entry.places.len();
            entry.places.extend(more.places.into_iter().take(room));
        }
    }

    /// Reasons in alphabetical order.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, &Reason)> {
        self.reasons.iter().map(|(reason, entry)| (*reason, entry))
    }

    /// How often `reason` was counted.
    pub fn count_of(&self, reason: &str) -> u64 {
        self.reasons.get(reason).map_or(0, |entry| entry.count)
    }

    /// How much was left out in all.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|entry| entry.count).sum()
    }
}
