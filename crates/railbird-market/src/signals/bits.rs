//! One bit a bar. Start at [`Bits`].

/// Which bars have a signal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// No signal in `len` bars.
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// One bar a byte; any value but 0 is a signal.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = Vec::with_capacity(bytes.len().div_ceil(64));
        let (chunks, rest) = bytes.as_chunks::<64>();
        for chunk in chunks {
            let mut word = 0;
            for (at, eight) in chunk.as_chunks::<8>().0.iter().enumerate() {
                word |= packed(u64::from_le_bytes(*eight)) << (8 * at);
            }
            words.push(word);
        }
        if !rest.is_empty() {
            words.push(rest.iter().enumerate().fold(0, |word, (at, &byte)| word | u64::from(byte != 0) << at));
        }
        Self { words, len: bytes.len() }
    }

    /// Bars.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bars.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `bar` has a signal; false beyond the end.
    pub fn get(&self, bar: usize) -> bool {
        self.word(bar / 64) >> (bar % 64) & 1 == 1
    }

    /// Sets or clears the signal of `bar`.
    ///
    /// # Panics
    /// If `bar` is beyond the end.
    pub fn set(&mut self, bar: usize, signal: bool) {
        assert!(bar < self.len, "bar {bar} of {}", self.len);
        let word = &mut self.words[bar / 64];
        *word = *word & !(1 << (bar % 64)) | u64::from(signal) << (bar % 64);
    }

    /// How many bars have a signal.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first `len` bars.
    pub fn prefix(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let mut words = self.words[..len.div_ceil(64)].to_vec();
        if let Some(last) = words.last_mut().filter(|_| !len.is_multiple_of(64)) {
            *last &= (1 << (len % 64)) - 1;
        }
        Self { words, len }
    }

    /// Each signal `shift` bars later, those that leave at the end coming in at the start.
    pub fn rotated(&self, shift: usize) -> Self {
        let mut rotated = Self::none(self.len);
        for bar in self.bars() {
            rotated.set((bar + shift) % self.len, true);
        }
        rotated
    }

    /// Bars with a signal, in order.
    pub fn bars(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors((word != 0).then_some(word), |word| Some(word & (word - 1)).filter(|word| *word != 0))
                .map(move |word| at * 64 + word.trailing_zeros() as usize)
        })
    }

    /// 64 bars at once, 0 beyond the end.
    #[inline]
    pub(crate) fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }
}

/// A bit for each byte that is not 0, the first byte's lowest.
fn packed(eight: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let ones = (((eight & LOW) + LOW) | eight) >> 7 & 0x0101_0101_0101_0101;
    ones.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_the_bytes(bytes in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 1..300), cut in 0..300_usize) {
            let bits = Bits::from_bytes(&bytes);
            let plain: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
            prop_assert_eq!(bits.bars().collect::<Vec<_>>(), plain.clone());
            prop_assert_eq!(bits.count(), plain.len());
            prop_assert!((0..400).all(|at| bits.get(at) == bytes.get(at).is_some_and(|&byte| byte != 0)));
            prop_assert_eq!(bits.prefix(cut), Bits::from_bytes(&bytes[..cut.min(bytes.len())]));
            let mut turned = bytes.clone();
            turned.rotate_right(cut % bytes.len());
            prop_assert_eq!(bits.rotated(cut), Bits::from_bytes(&turned));
        }
    }
}
