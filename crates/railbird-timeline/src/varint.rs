//! Integers in as few bytes as they need. Write with [`write_u64`] and [`write_i64`], read with a [`Reader`].
//!
//! Unsigned: LEB128, seven bits a byte, least first, the top bit set on all but the last; at most 10 bytes. Signed: zig-zag,
//! `(v << 1) ^ (v >> 63)`, then unsigned. Any encoding of at most 10 bytes and 64 bits is accepted, also one that
//! ends in zeros.
//!
//! Invariant: a [`Reader`] never panics and never reads past its bytes, whatever they are.

use crate::Error;

/// Most bytes that a varint may have.
pub const BYTES_MAX: usize = 10;

/// Appends `value`.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value`, zig-zag.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, zig_zag(value));
}

/// Bytes that [`write_u64`] appends.
#[inline]
pub const fn len_u64(value: u64) -> usize {
    // 64 - leading zeros bits, at least one, in sevens rounded up.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Small numbers of either sign become small numbers.
#[inline]
pub const fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zig_zag`].
#[inline]
pub const fn un_zig_zag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads values one after the other from bytes that nobody vouches for.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether all has been read.
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Error::Truncated`]; nothing is consumed then.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Error> {
        let byte = *self.bytes.get(self.at).ok_or(self.truncated(1))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`]; nothing is consumed then.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        if count > self.remaining() {
            return Err(self.truncated(count));
        }
        let bytes = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(bytes)
    }

    /// The next `N` bytes, as for [`i64::from_le_bytes`].
    ///
    /// # Errors
    /// [`Error::Truncated`]; nothing is consumed then.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// An unsigned varint.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Overlong`]; nothing is consumed then.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Error> {
        // Most residuals fit one byte.
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.u64_long(),
        }
    }

    /// A zig-zag varint.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Overlong`]; nothing is consumed then.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, Error> {
        self.u64().map(un_zig_zag)
    }

    /// An unsigned varint that counts things of at least `bytes_each` bytes that follow: refused if they cannot all be
    /// there, so that the count is safe to allocate by.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Overlong`].
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        let needed = count.saturating_mul(bytes_each);
        if needed > self.remaining() { Err(self.truncated(needed)) } else { Ok(count) }
    }

    fn u64_long(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for (place, &byte) in self.bytes[self.at..].iter().take(BYTES_MAX).enumerate() {
            // The tenth byte holds the 64th bit and nothing else.
            if place == BYTES_MAX - 1 && byte > 1 {
                return Err(Error::Overlong { at: self.at });
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.at += place + 1;
                return Ok(value);
            }
        }
        Err(self.truncated(self.remaining() + 1))
    }

    pub(crate) fn truncated(&self, needed: usize) -> Error {
        Error::Truncated { at: self.at, needed, left: self.remaining() }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], want: Expect) {
        let mut reader = Reader::new(bytes);
        let shown = match reader.u64() {
            Ok(value) => format!("{value}, {} left", reader.remaining()),
            Err(error) => format!("{error}; at {}", reader.position()),
        };
        want.assert_eq(&shown);
    }

    #[test]
    fn reads_at_most_ten_bytes_and_64_bits() {
        check(&[], expect!["byte 0: expected 1 more bytes, 0 are left; at 0"]);
        check(&[0x7f, 9], expect!["127, 1 left"]);
        check(&[0x80, 0x01], expect!["128, 0 left"]);
        check(&[0x80, 0x00], expect!["0, 0 left"]);
        check(&[0x80, 0x80], expect!["byte 0: expected 3 more bytes, 2 are left; at 0"]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], expect!["18446744073709551615, 0 left"]);
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            expect!["byte 0: varint exceeds 64 bits; at 0"],
        );
        check(
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
            expect!["byte 0: varint exceeds 64 bits; at 0"],
        );
    }

    #[test]
    fn a_count_is_never_more_than_can_follow() {
        let mut bytes = vec![];
        write_u64(&mut bytes, u64::MAX);
        assert!(matches!(Reader::new(&bytes).count(2), Err(Error::Truncated { .. })));
        assert_eq!(Reader::new(&[2, 0, 0]).count(1), Ok(2));
        assert!(matches!(Reader::new(&[2, 0, 0]).count(2), Err(Error::Truncated { needed: 4, left: 2, .. })));
        assert!(matches!(Reader::new(&[1]).bytes(usize::MAX), Err(Error::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(unsigned: u64, signed: i64) {
            for shift in 0..64 {
                let (unsigned, signed) = (unsigned >> shift, signed >> shift);
                let mut bytes = vec![];
                write_u64(&mut bytes, unsigned);
                prop_assert_eq!(bytes.len(), len_u64(unsigned));
                write_i64(&mut bytes, signed);
                let mut reader = Reader::new(&bytes);
                prop_assert_eq!(reader.u64(), Ok(unsigned));
                prop_assert_eq!(reader.i64(), Ok(signed));
                prop_assert!(reader.is_empty());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while reader.u64().is_ok() {}
            prop_assert!(reader.position() <= bytes.len());
        }
    }
}
