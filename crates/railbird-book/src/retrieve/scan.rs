//! Distances of many vectors to one. Start at [`mean_squares`].
//!
//! Both ways of [`Scan`] add the same numbers in the same order, so they give the same bits; only the first is laid
//! out for the compiler to use vector registers, on any machine that has some.

use crate::vectors::DIMENSIONS;

/// How distances are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scan {
    /// Eight components at a time.
    #[default]
    Lanes,
    /// One component after another.
    Scalar,
}

const LANES: usize = 8;
const _: () = assert!(DIMENSIONS.is_multiple_of(LANES));

/// A vector as it is scanned: components as they are, NaN where missing.
pub(crate) type Row = [f32; DIMENSIONS];

/// What a row is compared with: `((row - centre) * scale)²`, summed over what both have.
pub(crate) struct Target {
    /// Where the distance is 0; NaN where there is nothing to compare.
    pub(crate) centre: Row,
    /// 1 / standard deviation.
    pub(crate) scale: Row,
}

/// Calls `found(row, mean square)` for each row that `is_wanted` and shares at least `shared_min` components.
pub(crate) fn mean_squares(
    scan: Scan,
    rows: &[Row],
    target: &Target,
    shared_min: usize,
    is_wanted: impl Fn(usize) -> bool,
    mut found: impl FnMut(usize, f32),
) {
    for (at, row) in rows.iter().enumerate() {
        if !is_wanted(at) {
            continue;
        }
        let (sum, shared) = match scan {
            Scan::Lanes => lanes(row, target),
            Scan::Scalar => scalar(row, target),
        };
        if shared >= shared_min as f32 {
            found(at, sum / shared);
        }
    }
}

#[inline]
fn lanes(row: &Row, target: &Target) -> (f32, f32) {
    let (mut sums, mut shared) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let chunks = row.as_chunks::<LANES>().0.iter();
    let targets = target.centre.as_chunks::<LANES>().0.iter().zip(target.scale.as_chunks::<LANES>().0);
    for (row, (centre, scale)) in chunks.zip(targets) {
        for lane in 0..LANES {
            let difference = (row[lane] - centre[lane]) * scale[lane];
            // A comparison with oneself tells NaN without a branch.
            #[expect(clippy::eq_op, reason = "only NaN differs from itself, and this compiles to a mask")]
            let is_shared = difference == difference;
            sums[lane] += if is_shared { difference * difference } else { 0.0 };
            shared[lane] += if is_shared { 1.0 } else { 0.0 };
        }
    }
    (reduce(sums), reduce(shared))
}

fn scalar(row: &Row, target: &Target) -> (f32, f32) {
    let (mut sums, mut shared) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for at in 0..DIMENSIONS {
        let difference = (row[at] - target.centre[at]) * target.scale[at];
        if !difference.is_nan() {
            sums[at % LANES] += difference * difference;
            shared[at % LANES] += 1.0;
        }
    }
    (reduce(sums), reduce(shared))
}

fn reduce(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn component() -> impl Strategy<Value = f32> {
        prop_oneof![4 => -1e6_f32..1e6, 1 => Just(f32::NAN), 1 => Just(0.0), 1 => Just(f32::MAX)]
    }

    fn row() -> impl Strategy<Value = Row> {
        proptest::collection::vec(component(), DIMENSIONS).prop_map(|values| std::array::from_fn(|at| values[at]))
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same_bits(rows in proptest::collection::vec(row(), 1..8), centre in row(), scale in row()) {
            let target = Target { centre, scale };
            let squares = |scan| {
                let mut found = Vec::new();
                mean_squares(scan, &rows, &target, 1, |at| at % 3 != 2, |at, square| found.push((at, square.to_bits())));
                found
            };
            prop_assert_eq!(squares(Scan::Lanes), squares(Scan::Scalar));
        }
    }

    #[test]
    fn only_what_both_have_counts() {
        let mut row = [1.0; DIMENSIONS];
        let mut target = Target { centre: [0.0; DIMENSIONS], scale: [2.0; DIMENSIONS] };
        row[3] = f32::NAN;
        target.centre[4] = f32::NAN;
        for scan in [Scan::Lanes, Scan::Scalar] {
            let square = |shared_min| {
                let mut found = None;
                mean_squares(scan, &[row], &target, shared_min, |_| true, |_, square| found = Some(square));
                found
            };
            assert_eq!(square(DIMENSIONS - 2), Some(4.0));
            assert_eq!(square(DIMENSIONS - 1), None);
        }
    }
}
