//! Levels, episodes, outcomes and features of recordings against the plain readings.
#![expect(clippy::print_stderr, reason = "a test says aloud what it skips")]

use std::{
    io::{Cursor, Read},
    path::PathBuf,
};

use bytes::Bytes;
use railbird_book::{
    BarClock, Bars, BarsOptions, EventEnds, Instrument, ProfileFold, Series, Shelf, Study, StudyRules, TableForm,
    TickFormat, TickReader, TickSource, UserLevel, bars,
};
use railbird_timeline::ManualClock;

use crate::{
    features::{Compared, compare},
    levels::plain_levels,
    oracle::{check, plain},
    support::instrument,
};

/// A recording below `book/`; `None`, said aloud, where it is not there. In CI that fails.
fn recording(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RAILBIRD_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let place = root.join("book").join(name);
    if place.exists() {
        return Some(place);
    }
    assert!(std::env::var_os("CI").is_none(), "{}: missing; set RAILBIRD_TEST_DATA", place.display());
    eprintln!("SKIPPED: {} is not there; set RAILBIRD_TEST_DATA to the recordings' folder", place.display());
    None
}

/// Bars of a file with one instrument.
fn bars_of(path: PathBuf, instrument: &Instrument, size: &str) -> Bars {
    let bytes = std::fs::read(path).unwrap();
    let format = TickFormat::of(&bytes);
    let source = match format {
        TickFormat::Parquet => TickSource::Parquet(Bytes::from(bytes)),
        _ => TickSource::Stream(Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>),
    };
    let options = BarsOptions {
        size: size.parse().unwrap(),
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        form: TableForm::new(None, 1).unwrap(),
        unnamed: "UNNAMED".to_owned(),
        threads: 1,
    };
    let shelf = || Ok(Box::new(Cursor::new(Vec::new())) as Box<dyn Shelf>);
    let reader = TickReader::open(source, format).unwrap();
    let made = bars(reader, &options, &|_| instrument.clone(), Vec::new(), &shelf, &ManualClock::default());
    let mut read = Bars::read_parquet(made.unwrap().0.into(), Series::ALL).unwrap();
    assert_eq!(read.len(), 1, "one instrument");
    read.remove(0)
}

/// A file, its point and tick in 1e-9, how long a bar is, and how many episodes there must be at least.
#[track_caller]
fn stages_are_their_definitions(name: &str, [point, tick]: [i64; 2], size: &str, episodes_min: usize) {
    let Some(path) = recording(name) else { return };
    let instrument = Instrument { point, tick, ..instrument() };
    let bars = bars_of(path, &instrument, size);
    let quoted = |nano: i64| nano as f64 / 1e9;
    // Levels of the user on the grid, through the range of the day.
    let wmid = bars.series(Series::Wmid).unwrap();
    let known = || wmid.iter().copied().filter(|price| !price.is_nan());
    let (low, high) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN, f64::max));
    let user = (1..8).map(|part| UserLevel {
        name: format!("part {part}"),
        price: low + (high - low) * f64::from(part) / 8.0,
        from: None,
    });
    let rules = StudyRules::of(&instrument, 15, user.collect()).unwrap();
    let relative = ProfileFold::new(rules.calendar.clone()).apply(&bars).unwrap().relative;
    let studied = Study::new(rules).apply(&bars).unwrap();

    let mut found: Vec<_> = studied
        .levels
        .iter()
        .filter(|level| level.kind != railbird_book::LevelKind::User)
        .map(|level| (level.kind, level.price_ticks, level.known_at))
        .collect();
    found.sort_by_key(|(kind, _, known)| (*known, *kind));
    assert_eq!(found, plain_levels(std::slice::from_ref(&bars), quoted(tick)));
    let episodes = check(&bars, &studied.episodes, plain(&bars, &studied.levels, quoted(point)));
    let mut compared = Compared::default();
    compare(&bars, &studied, &relative, quoted(point), quoted(tick), &mut compared);
    let outcomes = studied.episodes.outcomes.len();
    eprintln!(
        "{name}: {} levels, {episodes} episodes, {outcomes} outcomes, {} values of features in {} columns",
        studied.levels.len(),
        compared.values,
        compared.present.len()
    );
    assert!(episodes >= episodes_min && outcomes > 0, "{name} shows too little");
}

#[test]
fn of_shares() {
    stages_are_their_definitions("soun_mbp10_20250502_xnas.dbn.zst", [50_000_000, 10_000_000], "5s", 10);
}

/// Minutes of a busy market: bars of half a second, so that outcomes are known before the end.
#[test]
fn of_coins() {
    for name in ["binance_usdm_btcusdt_20240808_mbp10like.parquet", "binance_cm_btcusd_20240808_mbp10like.parquet"] {
        stages_are_their_definitions(name, [5_000_000_000, 100_000_000], "500ms", 5);
    }
}
