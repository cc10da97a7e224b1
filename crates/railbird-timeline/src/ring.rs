//! The last few values. Start at [`Ring`].

use std::collections::VecDeque;

/// Holds at most `capacity` values, oldest first; a value more pushes the oldest out, which is counted.
#[derive(Debug, Clone)]
pub struct Ring<T> {
    values: VecDeque<T>,
    capacity: usize,
    dropped: u64,
}

impl<T> Ring<T> {
    /// An empty ring; its memory is taken at once.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring holds at least one value");
        Self { values: VecDeque::with_capacity(capacity), capacity, dropped: 0 }
    }

    /// Adds `value` as the newest; returns the oldest where it had to go.
    pub fn push(&mut self, value: T) -> Option<T> {
        let oldest = if self.values.len() == self.capacity { self.values.pop_front() } else { None };
        self.dropped += u64::from(oldest.is_some());
        self.values.push_back(value);
        oldest
    }

    /// Takes the oldest out; not counted as dropped.
    pub fn pop_oldest(&mut self) -> Option<T> {
        self.values.pop_front()
    }

    /// The oldest.
    pub fn oldest(&self) -> Option<&T> {
        self.values.front()
    }

    /// The newest.
    pub fn newest(&self) -> Option<&T> {
        self.values.back()
    }

    /// The value `index` places after the oldest.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.values.get(index)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.values.iter()
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Most values that can be held.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Values pushed out since the ring was made.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets all values; they are not counted as dropped.
    pub fn clear(&mut self) {
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_is_counted() {
        let mut ring = Ring::new(2);
        assert_eq!((ring.push(1), ring.push(2), ring.push(3)), (None, None, Some(1)));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!((ring.oldest(), ring.newest(), ring.get(1), ring.get(2)), (Some(&2), Some(&3), Some(&3), None));
        assert_eq!((ring.len(), ring.capacity(), ring.dropped()), (2, 2, 1));
        assert_eq!(ring.pop_oldest(), Some(2));
        ring.clear();
        assert!(ring.is_empty());
        assert_eq!(ring.dropped(), 1);
    }
}
