//! The sweep against every integer pair.

use std::ops::Range;

use proptest::prelude::*;
use railbird_optimize::{AffineBox, Best, BoxSum, Candidates, Exact, ExactError, Point, Span, least_move};

const SIDE: i64 = 9;

fn area() -> (Span, Span) {
    (Span { least: -SIDE, most: SIDE }, Span { least: -SIDE, most: SIDE })
}

fn value(boxes: &[AffineBox], point: Point) -> i128 {
    let inside = |each: &&AffineBox| each.x.contains(&point.x) && each.y.contains(&point.y);
    let worth = |each: &AffineBox| {
        i128::from(each.constant)
            + i128::from(each.x_slope) * i128::from(point.x)
            + i128::from(each.y_slope) * i128::from(point.y)
    };
    boxes.iter().filter(inside).map(worth).sum()
}

/// The greatest sum over the given pairs, and its pair of least rank.
fn plain(boxes: &[AffineBox], pairs: impl Iterator<Item = Point>) -> (i128, Point) {
    let mut best: Option<(i128, Point)> = None;
    for point in pairs {
        let here = value(boxes, point);
        let better = best.is_none_or(|(value, at)| here > value || here == value && least_move(point) < least_move(at));
        if better {
            best = Some((here, point));
        }
    }
    best.expect("a pair")
}

fn every_pair() -> impl Iterator<Item = Point> {
    (-SIDE..=SIDE).flat_map(|x| (-SIDE..=SIDE).map(move |y| Point { x, y }))
}

fn range() -> impl Strategy<Value = Range<i64>> {
    let edge = || prop_oneof![8 => -SIDE - 2..SIDE + 3, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    (edge(), edge()).prop_map(|(a, b)| a..b)
}

fn affine_box(scale: i64) -> impl Strategy<Value = AffineBox> {
    (range(), range(), -20..20_i64, -3..4_i64, -3..4_i64).prop_map(move |(x, y, constant, x_slope, y_slope)| {
        AffineBox { x, y, constant: constant * scale, x_slope: x_slope * scale, y_slope: y_slope * scale }
    })
}

/// Boxes, half of them in runs that go on in `x` over the same `y`, as the bound likes them.
fn boxes(scale: i64) -> impl Strategy<Value = Vec<AffineBox>> {
    let run = proptest::collection::vec(affine_box(scale), 1..4).prop_map(|mut run| {
        let y = run[0].y.clone();
        let mut from = run[0].x.end;
        for each in &mut run[1..] {
            let width = each.x.end.saturating_sub(each.x.start).clamp(1, 6);
            each.x = from..from.saturating_add(width);
            each.y = y.clone();
            from = each.x.end;
        }
        run
    });
    proptest::collection::vec(prop_oneof![run, affine_box(scale).prop_map(|each| vec![each])], 0..9)
        .prop_map(|runs| runs.concat())
}

fn found(boxes: &[AffineBox], candidates: Candidates<'_>) -> Best {
    Exact::new().maximize(area(), boxes, candidates, least_move).expect("a pair")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn the_corners_hold_the_maximum_over_every_pair(boxes in boxes(1)) {
        let best = found(&boxes, Candidates::Corners);
        prop_assert_eq!(best.value, plain(&boxes, every_pair()).0);
        prop_assert_eq!(value(&boxes, best.point), best.value);
    }

    #[test]
    fn given_every_pair_the_point_is_that_of_least_rank(boxes in boxes(1)) {
        let all: Vec<i64> = (-SIDE - 3..=SIDE + 3).collect();
        let best = found(&boxes, Candidates::Given { x: &all, y: &all });
        prop_assert_eq!((best.value, best.point), plain(&boxes, every_pair()));
    }

    #[test]
    fn given_some_pairs_it_is_the_best_of_those(
        boxes in boxes(1),
        x in proptest::collection::vec(-SIDE..=SIDE, 1..12),
        y in proptest::collection::vec(-SIDE..=SIDE, 1..12),
    ) {
        let best = found(&boxes, Candidates::Given { x: &x, y: &y });
        let pairs = x.iter().flat_map(|&x| y.iter().map(move |&y| Point { x, y }));
        prop_assert_eq!((best.value, best.point), plain(&boxes, pairs));
    }

    #[test]
    fn wide_sums_are_exact_too(boxes in boxes(i64::MAX / 40)) {
        let all: Vec<i64> = (-SIDE..=SIDE).collect();
        let best = found(&boxes, Candidates::Given { x: &all, y: &all });
        prop_assert_eq!((best.value, best.point), plain(&boxes, every_pair()));
    }

    #[test]
    fn of_several_objectives_the_first_of_the_best_wins(first in boxes(1), second in boxes(1)) {
        let all: Vec<i64> = (-SIDE..=SIDE).collect();
        let candidates = Candidates::Given { x: &all, y: &all };
        let objectives = [&first, &second, &first].map(|boxes| BoxSum { boxes, candidates });
        let best = Exact::new().maximize_first(area(), &objectives, least_move).unwrap();
        let (one, two) = (plain(&first, every_pair()), plain(&second, every_pair()));
        let want = if two.0 > one.0 { (1, two) } else { (0, one) };
        prop_assert_eq!((best.objective, (best.value, best.point)), want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Wide enough for many blocks of columns, most of which the bound rules out.
    #[test]
    fn what_the_bound_rules_out_is_not_missed(boxes in proptest::collection::vec(wide_box(), 1..20)) {
        let area = (Span { least: -20, most: 20 }, Span { least: -120, most: 120 });
        let (x, y): (Vec<i64>, Vec<i64>) = ((-20..=20).collect(), (-120..=120).collect());
        let best = Exact::new().maximize(area, &boxes, Candidates::Given { x: &x, y: &y }, least_move).unwrap();
        let pairs = x.iter().flat_map(|&x| y.iter().map(move |&y| Point { x, y }));
        prop_assert_eq!((best.value, best.point), plain(&boxes, pairs));
    }
}

fn wide_box() -> impl Strategy<Value = AffineBox> {
    (-25..25_i64, 0..30_i64, -130..130_i64, 0..150_i64, -300..300_i64, -3..4_i64, -3..4_i64).prop_map(
        |(x, width, y, height, constant, x_slope, y_slope)| AffineBox {
            x: x..x + width,
            y: y..y + height,
            constant,
            x_slope,
            y_slope,
        },
    )
}

#[test]
fn most_pairs_of_many_boxes_are_ruled_out() {
    let boxes: Vec<AffineBox> = (0..300)
        .map(|at| {
            let (x, y) = (at * 37 % 601 - 300, at * 53 % 601 - 300);
            AffineBox { x: x..x + 40, y: y..i64::MAX, constant: at * 71 % 401 - 200, x_slope: 1, y_slope: -1 }
        })
        .collect();
    let area = (Span { least: -400, most: 400 }, Span { least: -400, most: 400 });
    let best = Exact::new().maximize(area, &boxes, Candidates::Corners, least_move).unwrap();
    assert!(best.ruled_out > best.pairs / 2, "{best:?}");
    assert_eq!(best.value, value(&boxes, best.point));
}

#[test]
fn room_of_an_earlier_search_leaves_no_trace() {
    let mut exact = Exact::new();
    let large: Vec<AffineBox> =
        (0..50).map(|at| AffineBox { x: -at..at, y: at - 30..at, constant: at, x_slope: 1, y_slope: -1 }).collect();
    let small = [AffineBox { x: 0..3, y: -2..1, constant: 5, x_slope: 2, y_slope: -1 }];
    exact.maximize(area(), &large, Candidates::Corners, least_move).unwrap();
    let again = exact.maximize(area(), &small, Candidates::Corners, least_move).unwrap();
    assert_eq!(again, found(&small, Candidates::Corners));
    assert_eq!((again.point, again.value), (Point { x: 2, y: -2 }, 11));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let maximize = |area, boxes: &[AffineBox], candidates| Exact::new().maximize(area, boxes, candidates, least_move);
    let empty = (Span { least: 1, most: 0 }, Span { least: 0, most: 0 });
    assert_eq!(maximize(empty, &[], Candidates::Corners), Err(ExactError::NoCandidate));
    assert_eq!(maximize(area(), &[], Candidates::Given { x: &[99], y: &[0] }), Err(ExactError::NoCandidate));
    assert_eq!(Exact::new().maximize_first(area(), &[], least_move), Err(ExactError::NoObjective));
    let whole = Span { least: i64::MIN, most: i64::MAX };
    let each = AffineBox { x: 0..1, y: 0..1, constant: 0, x_slope: i64::MIN, y_slope: i64::MIN };
    assert_eq!(maximize((whole, whole), &[each], Candidates::Corners), Err(ExactError::Overflow { at: 0 }));
}

#[test]
fn without_boxes_every_pair_is_worth_nothing_and_rank_decides() {
    let best = found(&[], Candidates::Given { x: &[-4, 3], y: &[2, -1] });
    assert_eq!((best.point, best.value, best.pairs), (Point { x: 3, y: -1 }, 0, 4));
}
