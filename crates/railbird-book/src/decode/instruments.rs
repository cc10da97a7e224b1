//! Instruments of a file, in order of first appearance. Start at [`Seen`].

use std::{collections::HashMap, hash::Hash};

/// Most instruments of one file: each holds a book and the sums of a bar.
pub(crate) const INSTRUMENTS_MAX: usize = 10_000;

/// Instruments seen so far.
#[derive(Debug)]
pub(crate) struct Seen<K> {
    places: HashMap<K, u32>,
    last: Option<(K, u32)>,
}

impl<K: Eq + Hash + Clone> Seen<K> {
    pub(crate) fn new() -> Self {
        Self { places: HashMap::new(), last: None }
    }

    /// Place of an instrument; `name` is asked where it is new. `None` where there are too many already.
    #[inline]
    pub(crate) fn place(&mut self, key: &K, named: &mut Vec<String>, name: impl FnOnce() -> String) -> Option<u32> {
        match &self.last {
            Some((last, place)) if last == key => Some(*place),
            _ => self.look_up(key, named, name),
        }
    }

    #[cold]
    fn look_up(&mut self, key: &K, named: &mut Vec<String>, name: impl FnOnce() -> String) -> Option<u32> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if self.places.len() >= INSTRUMENTS_MAX => return None,
            None => {
                let place = u32::try_from(self.places.len()).ok()?;
                self.places.insert(key.clone(), place);
                named.push(name());
                place
            }
        };
        self.last = Some((key.clone(), place));
        Some(place)
    }
}
