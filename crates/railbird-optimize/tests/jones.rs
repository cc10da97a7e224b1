//! Evaluations of the classic functions, as published; one thread or many.

use railbird_optimize::{
    Bounds, CLASSIC, Classic, Limits, Objective, Outcome, Parallel, SearchError, Serial, StopReason, direct, direct_l,
};

type Search<O> = fn(&mut O, &Bounds, &Limits<'_>) -> Result<Outcome, SearchError>;

fn found<O: Objective>(classic: &Classic, mut objective: O, search: Search<O>) -> Outcome {
    let limits = Limits { target: Some(classic.target()), ..Limits::evaluations(10_000) };
    search(&mut objective, &Bounds::new(classic.bounds).expect("ordered bounds"), &limits).expect("a budget")
}

#[test]
fn evaluations_are_those_published() {
    let counts =
        |search: Search<_>| CLASSIC.map(|classic| found(&classic, Serial(classic.function), search).evaluations);
    assert_eq!(counts(direct), CLASSIC.map(|classic| classic.direct));
    assert_eq!(counts(direct_l), CLASSIC.map(|classic| classic.direct_l));
}

#[test]
fn many_threads_search_as_one_does() {
    for classic in CLASSIC {
        let serial = found(&classic, Serial(classic.function), direct);
        assert_eq!(serial, found(&classic, Parallel(classic.function), direct));
        assert_eq!(serial.stop, StopReason::Target);
        let local = found(&classic, Serial(classic.function), direct_l);
        assert_eq!(local, found(&classic, Parallel(classic.function), direct_l));
    }
}

#[test]
fn values_are_of_the_points_returned_and_minima_are_right() {
    for classic in CLASSIC {
        let limits = Limits::evaluations(20_000);
        let bounds = Bounds::new(classic.bounds).unwrap();
        let outcome = direct(&mut Serial(classic.function), &bounds, &limits).unwrap();
        assert_eq!((classic.function)(&outcome.x), outcome.value, "{}", classic.name);
        // The published minima have five digits.
        assert!((outcome.value - classic.minimum).abs() < 1e-4 * classic.minimum.abs(), "{}", classic.name);
    }
}
