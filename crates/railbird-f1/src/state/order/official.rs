//! What official Positions do to the order.
//!
//! Sources differ: some name only the cars that changed places, at every timing loop, so that all places together are one
//! for each car at any time; others name one car at a time as it crosses the line, so that two may hold the same place
//! for a while. The first say who passed whom, the second in which place a car is.

use super::{Car, Hold, Named, OrderFold};
use crate::event::SessionTime;

/// Most pairs of cars that an official Position is held for at once.
const HOLDS_MAX: usize = 256;

impl OrderFold {
    /// Places before the start: the grid, or what stands in for it.
    pub(super) fn line_up(&mut self) {
        self.ranked = true;
        if self.started && self.race {
            return;
        }
        let race = self.race;
        let cars = &self.cars;
        self.list.sort_by_key(|driver| {
            let car = &cars[usize::from(*driver)];
            let place = if race { car.grid.or(car.official) } else { car.official };
            (place.or(car.grid).or(car.screen_line).unwrap_or(u8::MAX), *driver)
        });
    }

    pub(super) fn settle_officials(&mut self, at: SessionTime) {
        if self.named.is_empty() {
            return;
        }
        let mut named = std::mem::take(&mut self.named);
        named.sort_by_key(|named| (self.cars[usize::from(named.driver)].official, named.driver));
        let whole = self.is_permutation();
        if !self.started && self.race || (self.line.is_none() || !self.race) && whole {
            self.started_or_line_up();
        } else {
            let mut old = [0; 256];
            self.places(&mut old);
            let until = self.utc(at).map_or(i64::MIN, |utc| utc + Self::OFFICIAL_HOLD_NS);
            if whole && named.iter().all(|named| !named.counted && named.before.is_some()) {
                self.exchange(&named);
            } else {
                self.insert(&named);
            }
            self.hold(&named, &old, until);
        }
        named.clear();
        self.named = named;
    }

    /// Every car in its official place.
    fn started_or_line_up(&mut self) {
        if !self.started {
            return self.line_up();
        }
        let cars = &self.cars;
        self.list.sort_by_key(|driver| cars[usize::from(*driver)].official);
    }

    /// Whether the official Positions are one for each car, none twice.
    fn is_permutation(&self) -> bool {
        let mut seen = [false; 256];
        self.cars.iter().all(|car| {
            car.official.is_some_and(|place| {
                (1..=self.cars.len()).contains(&usize::from(place))
                    && !std::mem::replace(&mut seen[usize::from(place)], true)
            })
        })
    }

    fn places(&self, places: &mut [u8; 256]) {
        for (place, driver) in self.list.iter().enumerate() {
            places[usize::from(*driver)] = place as u8;
        }
    }

    /// Puts each named car into its official place and moves the others up or down: right where the source names places
    /// one by one as cars cross the line.
    fn insert(&mut self, named: &[Named]) {
        self.list.retain(|driver| named.iter().all(|named| named.driver != *driver));
        let mut last = None;
        for driver in named.iter().map(|named| named.driver).filter(|driver| last.replace(*driver) != Some(*driver)) {
            let place = self.cars[usize::from(driver)].official.unwrap_or(u8::MAX);
            self.list.insert(usize::from(place.max(1) - 1).min(self.list.len()), driver);
        }
    }

    /// Exchanges only the cars whose official order changed, so that what distances have said of others since stands.
    fn exchange(&mut self, named: &[Named]) {
        let before = |driver: u8, cars: &[Car]| {
            let old = named.iter().find(|named| named.driver == driver).and_then(|named| named.before);
            old.or(cars[usize::from(driver)].official)
        };
        for Named { driver: ahead, .. } in named {
            for behind in 0..self.cars.len() as u8 {
                let now = self.cars[usize::from(*ahead)].official < self.cars[usize::from(behind)].official;
                if now && before(*ahead, &self.cars) > before(behind, &self.cars) {
                    self.put_ahead(*ahead, behind);
                }
            }
        }
    }

    /// Puts `ahead` before `behind`; cars in between stay before or after both as their official places say.
    fn put_ahead(&mut self, ahead: u8, behind: u8) {
        let place = |driver: u8| self.list.iter().position(|other| *other == driver);
        let (Some(from), Some(to)) = (place(ahead), place(behind)) else { return };
        if from < to {
            return;
        }
        let official = self.cars[usize::from(ahead)].official;
        let segment = &mut self.list[to..=from];
        // Stable by three kinds: what stays before both, the two in their new order, what stays after both.
        segment.rotate_right(1);
        let mut passed = 1;
        for index in 1..segment.len() {
            let driver = segment[index];
            if driver != behind && self.cars[usize::from(driver)].official < official {
                segment[passed - 1..=index].rotate_right(1);
                passed += 1;
            }
        }
    }

    /// Notes which pairs official data have just set against what stood.
    fn hold(&mut self, named: &[Named], old: &[u8; 256], until: i64) {
        if self.line.is_none() {
            return;
        }
        let mut new = [0; 256];
        self.places(&mut new);
        for Named { driver, .. } in named {
            for other in 0..self.cars.len() as u8 {
                let (d, o) = (usize::from(*driver), usize::from(other));
                if d == o || (old[d] < old[o]) == (new[d] < new[o]) {
                    continue;
                }
                if self.holds.len() == HOLDS_MAX {
                    self.holds.remove(0);
                }
                let (ahead, behind) = if new[d] < new[o] { (*driver, other) } else { (other, *driver) };
                self.holds.push(Hold { ahead, behind, until });
            }
        }
    }
}
