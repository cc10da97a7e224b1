//! Which set a car is on at which lap. Start at [`Tyres::apply`].
//!
//! The source counts a stint up at each drive through the pit lane, sometimes twice, and sometimes where the car
//! never was in the pits. A count without a visit continues the stint; what it says of the compound corrects it.

use crate::event::StintDelta;
use crate::log::COMPOUNDS;

/// Most stints of one car that are followed.
const STINTS_MAX: usize = 100;

/// The sets of one car.
#[derive(Debug, Default)]
pub(super) struct Tyres {
    sets: Vec<Set>,
    /// Set of each stint of the source.
    of_stint: Vec<usize>,
    /// Lap in which the car came in, until the next set is fitted.
    came_in: Option<u16>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Set {
    first_lap: u16,
    /// Stint of the source that introduced it.
    stint: usize,
    start_laps: Option<u16>,
    total_laps: Option<u16>,
    compound: Option<u8>,
    new: Option<bool>,
    /// Whether the set stayed on at the stop.
    stayed_on: bool,
}

/// The set on a lap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OnLap {
    /// Stint, 1 first.
    pub(super) stint: u16,
    /// Laps on the set at the end of the lap.
    pub(super) life: u16,
    /// Index into [`COMPOUNDS`].
    pub(super) compound: Option<u8>,
    /// Whether the set was new when fitted.
    pub(super) new: Option<bool>,
}

impl Tyres {
    /// The car came into the pits in `lap`.
    pub(super) const fn pitted(&mut self, lap: u16) {
        self.came_in = Some(lap);
    }

    /// Takes in what a record says of stint `index` of the source, 0 first.
    ///
    /// `lap`: the lap that the car drives, where the source counts laps. `pits_seen`: whether the session tells of the
    /// pit lane. Returns the first lap of which something may have changed.
    pub(super) fn apply(&mut self, index: usize, delta: &StintDelta, lap: Option<u16>, pits_seen: bool) -> Option<u16> {
        if index >= STINTS_MAX {
            return None;
        }
        if index >= self.of_stint.len() {
            if self.is_new_set(delta, lap, pits_seen) {
                self.fit(index, delta, lap);
            }
            self.of_stint.resize(index + 1, self.sets.len() - 1);
        } else if self.is_next_set(index, delta) {
            self.fit(index, delta, lap);
            self.of_stint[index] = self.sets.len() - 1;
        }
        let set = &mut self.sets[self.of_stint[index]];
        let compound = delta.compound.as_deref().map(compound);
        if set.stint == index {
            set.compound = compound.or(set.compound);
            set.new = delta.new.or(set.new);
            set.start_laps = delta.start_laps.or(set.start_laps);
            set.stayed_on = delta.tyres_not_changed.unwrap_or(set.stayed_on);
        } else {
            set.compound = compound.filter(|compound| *compound != 0).or(set.compound);
        }
        set.total_laps = delta.total_laps.or(set.total_laps);
        Some(set.first_lap)
    }

    /// What is on the car in `lap`.
    pub(super) fn on_lap(&self, lap: u16) -> Option<OnLap> {
        let index = self.sets.iter().rposition(|set| set.first_lap <= lap)?;
        let set = &self.sets[index];
        let before = if set.stayed_on && index > 0 { self.on_lap(set.first_lap - 1) } else { None };
        let known = set.compound.filter(|compound| *compound != 0);
        Some(OnLap {
            stint: index as u16 + 1,
            life: set
                .start_laps
                .max(before.map(|before| before.life))
                .unwrap_or(0)
                .saturating_add(lap - set.first_lap)
                .saturating_add(1),
            compound: known.or(before.and_then(|before| before.compound)).or(set.compound),
            new: before.map_or(set.new, |before| before.new),
        })
    }

    /// Laps completed, by the count of laps on the sets.
    pub(super) fn laps(&self) -> u16 {
        self.sets.last().map_or(0, |set| set.first_lap.saturating_add(set.driven()).saturating_sub(1))
    }

    fn is_new_set(&self, delta: &StintDelta, lap: Option<u16>, pits_seen: bool) -> bool {
        let Some(last) = self.sets.last() else { return true };
        if self.came_in.is_some() || !pits_seen {
            return true;
        }
        // The visit got lost, but the words are those of a stop: a set of its own, laps after the last was fitted.
        let stayed_on = delta.tyres_not_changed == Some(true);
        let told = delta.compound.as_deref().map(compound).is_some_and(|compound| compound != 0);
        told && !stayed_on && lap.is_some_and(|lap| lap > last.first_lap + 1)
    }

    /// The source sometimes describes the next set under the number of the one before.
    fn is_next_set(&self, index: usize, delta: &StintDelta) -> bool {
        if index + 1 != self.of_stint.len() {
            return false;
        }
        let after_visit = self.came_in.is_some() && delta.total_laps == Some(0);
        let continued = self.sets[self.of_stint[index]].stint != index;
        let taken_for_old = continued && delta.tyres_not_changed == Some(false) && delta.new == Some(true);
        after_visit || taken_for_old
    }

    fn fit(&mut self, index: usize, delta: &StintDelta, lap: Option<u16>) {
        let after_visit = self.came_in.take().map(|lap| lap.saturating_add(1));
        let driven = delta.total_laps.unwrap_or(0).saturating_sub(delta.start_laps.unwrap_or(0));
        let first_lap = match self.sets.last() {
            None => lap.unwrap_or(1).saturating_sub(driven).max(1),
            Some(last) => {
                after_visit.or(lap).unwrap_or_else(|| last.first_lap.saturating_add(last.driven())).max(last.first_lap)
            }
        };
        self.sets.push(Set { first_lap, stint: index, ..Set::default() });
    }
}

impl Set {
    fn driven(&self) -> u16 {
        self.total_laps.unwrap_or(0).saturating_sub(self.start_laps.unwrap_or(0))
    }
}

/// Index into [`COMPOUNDS`]; 0 for names that are not among them.
fn compound(name: &str) -> u8 {
    COMPOUNDS.iter().position(|known| known.eq_ignore_ascii_case(name)).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    enum Step {
        PitIn(u16),
        Stint(usize, Option<u16>, StintDelta),
    }
    use Step::{PitIn, Stint};

    fn set(compound: &str, new: bool, start_laps: u16) -> StintDelta {
        StintDelta {
            compound: Some(compound.to_owned()),
            new: Some(new),
            start_laps: Some(start_laps),
            total_laps: Some(start_laps),
            ..StintDelta::default()
        }
    }

    #[track_caller]
    fn check(steps: &[Step], laps: &[u16], want: Expect) {
        let mut tyres = Tyres::default();
        for step in steps {
            match step {
                PitIn(lap) => tyres.pitted(*lap),
                Stint(index, lap, delta) => _ = tyres.apply(*index, delta, *lap, true),
            }
        }
        let text = laps.iter().map(|lap| match tyres.on_lap(*lap) {
            None => format!("{lap}: -\n"),
            Some(on) => {
                let name = on.compound.map_or("?", |compound| COMPOUNDS[usize::from(compound)]);
                format!("{lap}: stint {} {name} life {} new {:?}\n", on.stint, on.life, on.new)
            }
        });
        want.assert_eq(&text.collect::<String>());
    }

    #[test]
    fn a_new_set_counts_from_the_lap_after_the_visit() {
        check(
            &[Stint(0, Some(1), set("SOFT", true, 0)), PitIn(10), Stint(1, Some(11), set("HARD", false, 3))],
            &[1, 10, 11, 12],
            expect![[r#"
                1: stint 1 SOFT life 1 new Some(true)
                10: stint 1 SOFT life 10 new Some(true)
                11: stint 2 HARD life 4 new Some(false)
                12: stint 2 HARD life 5 new Some(false)
            "#]],
        );
    }

    #[test]
    fn a_stint_counted_without_a_visit_is_none() {
        let unknown = StintDelta { tyres_not_changed: Some(true), ..set("UNKNOWN", false, 0) };
        check(
            &[Stint(0, Some(1), set("INTERMEDIATE", true, 0)), Stint(1, Some(3), unknown)],
            &[2, 5],
            expect![[r#"
                2: stint 1 INTERMEDIATE life 2 new Some(true)
                5: stint 1 INTERMEDIATE life 5 new Some(true)
            "#]],
        );
    }

    #[test]
    fn a_set_that_stays_on_grows_older() {
        let stays = StintDelta { tyres_not_changed: Some(true), ..set("UNKNOWN", false, 0) };
        check(
            &[Stint(0, Some(1), set("WET", true, 0)), PitIn(4), Stint(1, Some(5), stays)],
            &[4, 5],
            expect![[r#"
                4: stint 1 WET life 4 new Some(true)
                5: stint 2 WET life 5 new Some(true)
            "#]],
        );
    }

    #[test]
    fn a_new_set_may_come_under_the_old_number() {
        let next = StintDelta { start_laps: None, ..set("MEDIUM", true, 0) };
        check(
            &[Stint(0, Some(1), set("INTERMEDIATE", true, 0)), PitIn(33), Stint(0, Some(34), next)],
            &[33, 34],
            expect![[r#"
                33: stint 1 INTERMEDIATE life 33 new Some(true)
                34: stint 2 MEDIUM life 1 new Some(true)
            "#]],
        );
    }

    #[test]
    fn a_visit_that_got_lost_is_seen_by_the_new_set() {
        check(
            &[Stint(0, Some(1), set("SOFT", true, 0)), Stint(1, Some(20), set("HARD", true, 0))],
            &[19, 20],
            expect![[r#"
                19: stint 1 SOFT life 19 new Some(true)
                20: stint 2 HARD life 1 new Some(true)
            "#]],
        );
    }
}
