//! Moves and fees as integers. Start at [`Move`].
//!
//! Fills and objectives are computed in whole units, so that two machines, two thread counts and two engineers agree.

/// A move from a price, in units of 1e-8 of that price.
pub type Move = i64;

/// Units of a move in 1.
pub const MOVE_ONE: i64 = 100_000_000;
/// Units of a fee or slippage in 1.
pub const FEE_ONE: i64 = 1_000_000;
/// Units of a pay in 1: those of a move times those of a fee.
pub const PAY_ONE: f64 = 1e14;

/// `price` as a move from `base`, rounded half to even; `None` where either is not finite or the base is not positive.
pub fn move_from(price: f64, base: f64) -> Option<Move> {
    to_units(price / base - 1.0).filter(|_| base > 0.0)
}

/// `share` in units of a move, rounded half to even; `None` where it is not finite or beyond ± 1,000,000.
pub fn to_units(share: f64) -> Option<Move> {
    let units = (share * MOVE_ONE as f64).round_ties_even();
    (units.abs() <= 1e14).then_some(units as Move)
}

/// `price` worsened by `slippage` for a buyer, rounded half to even.
pub(crate) fn slipped_up(price: Move, slippage: i64) -> Move {
    slipped(price, FEE_ONE + slippage)
}

/// `price` worsened by `slippage` for a seller, rounded half to even.
pub(crate) fn slipped_down(price: Move, slippage: i64) -> Move {
    slipped(price, FEE_ONE - slippage)
}

fn slipped(price: Move, factor: i64) -> Move {
    if factor == FEE_ONE {
        return price;
    }
    let product = i128::from(MOVE_ONE + price) * i128::from(factor);
    let one = i128::from(FEE_ONE);
    let (floor, rest) = (product.div_euclid(one), product.rem_euclid(one));
    let up = rest * 2 > one || (rest * 2 == one && floor % 2 != 0);
    // Moves are bounded by `to_units`, so the product fits after division.
    (floor + i128::from(up)) as Move - MOVE_ONE
}

/// What is left of 1 bought at `bought` and sold at `sold`, both fees paid, in units of 1e-14.
pub(crate) fn pay(sold: Move, fee_sold: i64, bought: Move, fee_bought: i64) -> i64 {
    (MOVE_ONE + sold) * (FEE_ONE - fee_sold) - (MOVE_ONE + bought) * (FEE_ONE + fee_bought)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even() {
        // 1e8 / 512 is 195,312.5, without an error in binary.
        assert_eq!(to_units(1.0 / 512.0), Some(195_312));
        assert_eq!(to_units(3.0 / 512.0), Some(585_938));
        assert_eq!(to_units(-1.0 / 512.0), Some(-195_312));
        assert_eq!(to_units(f64::NAN), None);
        assert_eq!(to_units(f64::INFINITY), None);
        assert_eq!(move_from(101.0, 100.0), Some(1_000_000));
        assert_eq!(move_from(101.0, 0.0), None);
        assert_eq!(move_from(101.0, -1.0), None);
    }

    #[test]
    fn slips_against_the_trader() {
        assert_eq!(slipped_up(0, 100), 10_000);
        assert_eq!(slipped_down(0, 100), -10_000);
        // (1 + 50e-8)(1 + 1e-6): half a unit of 1e-14 below the next is cut, half to even otherwise.
        assert_eq!(slipped_up(50, 1), 150);
        assert_eq!(slipped_up(50_000_000 - MOVE_ONE, 1), 50_000_050 - MOVE_ONE);
        assert_eq!(slipped(500_000 - MOVE_ONE, FEE_ONE + 1) + MOVE_ONE, 500_000);
        assert_eq!(slipped(1_500_000 - MOVE_ONE, FEE_ONE + 1) + MOVE_ONE, 1_500_002);
    }

    #[test]
    fn a_round_trip_costs_both_fees() {
        assert_eq!(pay(0, 500, 0, 500) as f64 / PAY_ONE, -0.001);
        assert_eq!(pay(1_000_000, 0, 0, 0) as f64 / PAY_ONE, 0.01);
    }
}
