//! Columns of integers as bytes: a predictor, then how far each value is from what it predicts.
//!
//! The form is "A column" of `docs/formats/f1-chunks.md`: one byte, the [`Predictor`], and a zig-zag varint a value.
//! Arithmetic wraps, so that every column of `i64` has an encoding and comes back.

use crate::{
    Error,
    varint::{Reader, len_u64, write_i64, zig_zag},
};

/// What a value is expected to be, from those before it; values before the first are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Predictor {
    /// 0: for what jumps between few values, such as a brake.
    Zero = 0,
    /// The value before: for what changes slowly.
    Last = 1,
    /// The value before and once more its change: for what moves evenly, such as time.
    Line = 2,
}

impl Predictor {
    /// All of them, by their code.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Last, Self::Line];

    /// The one whose code this is.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Zero),
            1 => Some(Self::Last),
            2 => Some(Self::Line),
            _ => None,
        }
    }

    /// Its code, the first byte of a column.
    pub const fn code(self) -> u8 {
        self as u8
    }

    #[inline]
    const fn predict(self, last: i64, before_last: i64) -> i64 {
        match self {
            Self::Zero => 0,
            Self::Last => last,
            Self::Line => last.wrapping_add(last.wrapping_sub(before_last)),
        }
    }
}

/// Appends `values` to `out`. O(values); at most 1 + 10 bytes a value.
pub fn encode_column(values: &[i64], predictor: Predictor, out: &mut Vec<u8>) {
    out.reserve(1 + values.len());
    out.push(predictor.code());
    for_each_residual(values, predictor, |residual| write_i64(out, residual));
}

/// Reads a column of `count` values.
///
/// # Errors
/// [`Error::Truncated`] if `count` values cannot be in the bytes that are left, before anything is allocated;
/// [`Error::Predictor`], [`Error::Overlong`]. How much is consumed then is not defined.
pub fn decode_column(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Error> {
    let at = reader.position();
    let code = reader.u8()?;
    let predictor = Predictor::from_code(code).ok_or(Error::Predictor { at, found: code })?;
    // A residual is a byte or more.
    if count > reader.remaining() {
        return Err(reader.truncated(count));
    }
    let mut values = Vec::with_capacity(count);
    // One loop a predictor, so that none of them branches on it a value.
    match predictor {
        Predictor::Zero => {
            for _ in 0..count {
                values.push(reader.i64()?);
            }
        }
        Predictor::Last => {
            let mut last = 0i64;
            for _ in 0..count {
                last = last.wrapping_add(reader.i64()?);
                values.push(last);
            }
        }
        Predictor::Line => {
            let (mut last, mut change) = (0i64, 0i64);
            for _ in 0..count {
                change = change.wrapping_add(reader.i64()?);
                last = last.wrapping_add(change);
                values.push(last);
            }
        }
    }
    Ok(values)
}

/// The predictor whose column is shortest; of equals, the simplest. O(values), nothing is allocated.
pub fn best_predictor(values: &[i64]) -> Predictor {
    let mut bytes = [0; Predictor::ALL.len()];
    for (bytes, predictor) in bytes.iter_mut().zip(Predictor::ALL) {
        for_each_residual(values, predictor, |residual| *bytes += len_u64(zig_zag(residual)));
    }
    let [zero, last, line] = bytes;
    if zero <= last && zero <= line {
        Predictor::Zero
    } else if last <= line {
        Predictor::Last
    } else {
        Predictor::Line
    }
}

#[inline]
fn for_each_residual(values: &[i64], predictor: Predictor, mut each: impl FnMut(i64)) {
    let (mut last, mut before_last) = (0i64, 0i64);
    for &value in values {
        each(value.wrapping_sub(predictor.predict(last, before_last)));
        (last, before_last) = (value, last);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(values: &[i64], predictor: Predictor, want: Expect) {
        let mut bytes = vec![];
        encode_column(values, predictor, &mut bytes);
        want.assert_eq(&format!("{bytes:?}"));
        let mut reader = Reader::new(&bytes);
        assert_eq!(decode_column(&mut reader, values.len()).as_deref(), Ok(values));
        assert!(reader.is_empty());
    }

    #[test]
    fn is_written_as_the_format_says() {
        check(&[], Predictor::Zero, expect!["[0]"]);
        check(&[0, 100, -1], Predictor::Zero, expect!["[0, 0, 200, 1, 1]"]);
        check(&[300, 301, 299], Predictor::Last, expect!["[1, 216, 4, 2, 3]"]);
        // 0 − (0), 240 − (0), 480 − (480), 725 − (720)
        check(&[0, 240, 480, 725], Predictor::Line, expect!["[2, 0, 224, 3, 0, 10]"]);
        check(
            &[i64::MIN, i64::MAX, i64::MIN],
            Predictor::Line,
            expect![
                "[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 254, 255, 255, 255, 255, 255, 255, 255, 255, 1, 4]"
            ],
        );
    }

    #[test]
    fn refuses_a_count_before_allocating() {
        let error = decode_column(&mut Reader::new(&[1, 0, 0]), usize::MAX);
        assert_eq!(error, Err(Error::Truncated { at: 1, needed: usize::MAX, left: 2 }));
        assert_eq!(decode_column(&mut Reader::new(&[3]), 0), Err(Error::Predictor { at: 0, found: 3 }));
        assert_eq!(decode_column(&mut Reader::new(&[]), 0), Err(Error::Truncated { at: 0, needed: 1, left: 0 }));
        assert_eq!(
            decode_column(&mut Reader::new(&[0, 0x80, 0x80]), 2),
            Err(Error::Truncated { at: 1, needed: 3, left: 2 })
        );
    }

    #[test]
    fn the_best_predictor_suits_its_channel() {
        assert_eq!(best_predictor(&[0, 100, 0, 100, 100, 0]), Predictor::Zero);
        assert_eq!(best_predictor(&[10_000, 10_050, 10_020, 10_060]), Predictor::Last);
        assert_eq!(best_predictor(&[5000, 5240, 5480, 5720, 5960]), Predictor::Line);
        assert_eq!(best_predictor(&[]), Predictor::Zero);
    }

    fn columns() -> impl Strategy<Value = Vec<i64>> {
        prop_oneof![
            proptest::collection::vec(any::<i64>(), 0..50),
            proptest::collection::vec(-200i64..200, 0..50),
            proptest::collection::vec(0i64..1000, 0..50).prop_map(|steps| {
                steps
                    .iter()
                    .scan(1_742_094_442_785_000_000i64, |at, step| {
                        *at += step;
                        Some(*at)
                    })
                    .collect()
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_column_comes_back(values in columns()) {
            let mut lengths = vec![];
            for predictor in Predictor::ALL {
                let mut bytes = vec![];
                encode_column(&values, predictor, &mut bytes);
                lengths.push(bytes.len());
                bytes.push(7);
                let mut reader = Reader::new(&bytes);
                prop_assert_eq!(decode_column(&mut reader, values.len()), Ok(values.clone()));
                prop_assert_eq!(reader.remaining(), 1);
            }
            let best = best_predictor(&values).code() as usize;
            prop_assert_eq!(lengths[best], *lengths.iter().min().unwrap());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0usize..300) {
            if let Ok(values) = decode_column(&mut Reader::new(&bytes), count) {
                prop_assert_eq!(values.len(), count);
            }
        }
    }
}
