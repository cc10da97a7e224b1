//! Budgets, flags, values that are no numbers, seeds, and fallbacks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
use railbird_optimize::{
    Bounds, CLASSIC, EVALUATIONS_MAX, Evolution, FallbackReason, Limits, Method, Outcome, Parallel, SearchError,
    Serial, StopReason, direct, direct_l, evolve, minimize,
};

const BOWL_AT: f64 = 0.3;

fn bowl(x: &[f64]) -> f64 {
    x.iter().map(|x| (x - BOWL_AT) * (x - BOWL_AT)).sum()
}

fn square(dimensions: usize) -> Bounds {
    Bounds::new(&vec![(-1.0, 1.0); dimensions]).expect("ordered bounds")
}

fn all(function: fn(&[f64]) -> f64, bounds: &Bounds, limits: &Limits<'_>) -> [Outcome; 3] {
    [
        direct(&mut Serial(function), bounds, limits).expect("a budget"),
        direct_l(&mut Serial(function), bounds, limits).expect("a budget"),
        evolve(&mut Serial(function), bounds, limits, &Evolution::seeded(7)).expect("a budget"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_budget_is_never_exceeded_and_counted_rightly(budget in 1..900_u64, dimensions in 1..6_usize) {
        let asked = AtomicU64::new(0);
        let counted = |x: &[f64]| { asked.fetch_add(1, Ordering::Relaxed); bowl(x) };
        let (bounds, limits) = (square(dimensions), Limits::evaluations(budget));
        for local in [false, true] {
            asked.store(0, Ordering::Relaxed);
            let outcome = if local {
                direct_l(&mut Serial(counted), &bounds, &limits)
            } else {
                direct(&mut Serial(counted), &bounds, &limits)
            }.unwrap();
            prop_assert_eq!(outcome.evaluations, asked.load(Ordering::Relaxed));
            prop_assert!(outcome.evaluations <= budget);
            // Only whole rectangles: a pair of points a side. What is left does not hold one more.
            prop_assert_eq!(outcome.evaluations % 2, 1);
            prop_assert!(budget - outcome.evaluations < 2 * dimensions as u64);
            prop_assert_eq!(outcome.stop, StopReason::BudgetSpent);
        }
        asked.store(0, Ordering::Relaxed);
        let evolution = Evolution { tolerance: 0.0, ..Evolution::seeded(budget) };
        let outcome = evolve(&mut Serial(counted), &bounds, &limits, &evolution).unwrap();
        prop_assert_eq!(outcome.evaluations, asked.load(Ordering::Relaxed));
        // On a line the members may meet in one point, which ends the search even without a tolerance.
        if dimensions > 1 || outcome.stop != StopReason::Converged {
            prop_assert_eq!((outcome.evaluations, outcome.stop), (budget, StopReason::BudgetSpent));
        }
        prop_assert!(outcome.evaluations <= budget);
    }

    #[test]
    fn a_longer_search_begins_as_a_shorter_one(budget in 50..400_u64) {
        let bounds = Bounds::new(CLASSIC[5].bounds).unwrap();
        let log = |budget: u64| {
            let mut points = Vec::new();
            let mut objective = Serial(|x: &[f64]| { points.push(x.to_vec()); (CLASSIC[5].function)(x) });
            direct(&mut objective, &bounds, &Limits::evaluations(budget)).unwrap();
            points
        };
        let (short, long) = (log(budget), log(budget + 200));
        prop_assert_eq!(&short[..], &long[..short.len()]);
    }

    #[test]
    fn evolution_repeats_itself_by_seed_on_any_number_of_threads(seed in any::<u64>()) {
        let (bounds, limits) = (square(3), Limits::evaluations(600));
        let serial = evolve(&mut Serial(bowl), &bounds, &limits, &Evolution::seeded(seed)).unwrap();
        let parallel = evolve(&mut Parallel(bowl), &bounds, &limits, &Evolution::seeded(seed)).unwrap();
        prop_assert_eq!(&serial, &parallel);
        let other = evolve(&mut Serial(bowl), &bounds, &limits, &Evolution::seeded(seed ^ 1)).unwrap();
        prop_assert_ne!(serial.x, other.x);
    }

    #[test]
    fn points_lie_inside_the_bounds(least in -1e6..1e6_f64, width in 0.0..1e3_f64) {
        let most = least + width;
        let inside = |x: &[f64]| { assert!(x.iter().all(|x| (least..=most).contains(x))); bowl(x) };
        let bounds = Bounds::new(&[(least, most); 2]).unwrap();
        direct(&mut Serial(inside), &bounds, &Limits::evaluations(300)).unwrap();
        evolve(&mut Serial(inside), &bounds, &Limits::evaluations(300), &Evolution::seeded(1)).unwrap();
    }
}

#[test]
fn each_finds_the_bottom_of_a_bowl() {
    for outcome in all(bowl, &square(3), &Limits::evaluations(3000)) {
        assert!(outcome.x.iter().all(|x| (x - BOWL_AT).abs() < 1e-2), "{outcome:?}");
    }
}

#[test]
fn what_is_no_number_is_worse_than_every_number_and_counted() {
    let holed = |x: &[f64]| if x[0] > 0.5 { f64::NAN } else { bowl(x) };
    for outcome in all(holed, &square(2), &Limits::evaluations(600)) {
        assert!(outcome.non_finite > 0 && outcome.non_finite < outcome.evaluations);
        assert!(outcome.value < 1e-2, "{outcome:?}");
    }
    // The centre itself may be one.
    let hole_in_the_middle = |x: &[f64]| if x[0].abs() < 0.1 { f64::NEG_INFINITY } else { bowl(x) };
    for outcome in all(hole_in_the_middle, &square(2), &Limits::evaluations(900)) {
        assert!(outcome.value.is_finite() && outcome.value < 0.05, "{outcome:?}");
    }
}

#[test]
fn without_any_number_the_search_gives_up() {
    let [original, local, evolved] = all(|_| f64::NAN, &square(2), &Limits::evaluations(100));
    for outcome in [original, local] {
        assert_eq!((outcome.stop, outcome.evaluations, outcome.non_finite), (StopReason::NonFinite, 5, 5));
        assert_eq!(outcome.value, f64::INFINITY);
    }
    assert_eq!((evolved.stop, evolved.evaluations), (StopReason::NonFinite, 100));
}

#[test]
fn a_set_flag_stops_soon_and_keeps_what_was_found() {
    let flag = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    let stopping = |x: &[f64]| {
        flag.fetch_or(asked.fetch_add(1, Ordering::Relaxed) + 1 == 200, Ordering::Relaxed);
        bowl(x)
    };
    let limits = Limits { cancel: Some(&flag), ..Limits::evaluations(1_000_000) };
    let outcome = direct(&mut Serial(stopping), &square(2), &limits).unwrap();
    assert_eq!(outcome.stop, StopReason::Cancelled);
    assert!((200..2000).contains(&outcome.evaluations) && outcome.value.is_finite());
    let evolved = evolve(&mut Serial(bowl), &square(2), &limits, &Evolution::seeded(0)).unwrap();
    assert_eq!((evolved.stop, evolved.evaluations), (StopReason::Cancelled, 0));
}

#[test]
fn a_fallback_says_why() {
    let fallen = |function: fn(&[f64]) -> f64, bounds: &[(f64, f64)], budget: u64, fall_back: bool| {
        let bounds = Bounds::new(bounds).unwrap();
        let evolution = Evolution::seeded(3);
        minimize(&mut Serial(function), &bounds, &Limits::evaluations(budget), Method::Direct, &evolution, fall_back)
    };
    let square = [(-1.0, 1.0); 2];
    let reason = |function, bounds: &[(f64, f64)], budget| {
        let fallen = fallen(function, bounds, budget, true).unwrap();
        (fallen.method, fallen.reason)
    };
    let nan = |_: &[f64]| f64::NAN;
    assert_eq!(reason(bowl, &square, 100), (Method::Direct, None));
    assert_eq!(reason(bowl, &square, 4), (Method::Evolve, Some(FallbackReason::BudgetSpent)));
    assert_eq!(reason(nan, &square, 100), (Method::Evolve, Some(FallbackReason::NonFinite)));
    let held = [(-1.0, 1.0), (0.5, 0.5)];
    assert_eq!(reason(bowl, &held, 100), (Method::Evolve, Some(FallbackReason::DegenerateBounds)));
    assert_eq!(fallen(bowl, &held, 100, true).unwrap().outcome.x[1], 0.5);
    assert_eq!(fallen(nan, &square, 100, false), Err(SearchError::NoFallback(FallbackReason::NonFinite)));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    assert_eq!(Bounds::new(&[]), Err(SearchError::Dimensions { found: 0 }));
    for (least, most) in [(1.0, 0.0), (f64::NEG_INFINITY, 0.0), (f64::MIN, f64::MAX)] {
        assert_eq!(Bounds::new(&[(0.0, 1.0), (least, most)]), Err(SearchError::Bound { dimension: 1, least, most }));
    }
    for found in [0, EVALUATIONS_MAX + 1] {
        let refused = direct(&mut Serial(bowl), &square(1), &Limits::evaluations(found));
        assert_eq!(refused, Err(SearchError::Evaluations { found }));
    }
}
