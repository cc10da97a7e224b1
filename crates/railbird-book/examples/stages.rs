//! Times of the stages after the bars: `cargo run --release -p railbird-book --example stages [-- BARS.parquet POINT]`.
//!
//! Without a file, made-up days. With one, the features of 500 evenly spread windows of 181 bars, each with the price at its
//! last bar, rounded to a point, as its level: what `bench/rivals/book_stages.py` times in pandas, and 32 columns more; then
//! the episodes at the file's own levels and their vectors, beside `bench/rivals/book_episodes.py`. One JSON document.
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]
#![allow(dead_code, unreachable_pub, reason = "the made-up bars are those of the tests, which use more of them")]

#[path = "../tests/stages/support.rs"]
mod support;

use std::time::Instant;

use railbird_book::{
    Bars, Calendar, Episode, EpisodeRules, Filter, Index, LevelFold, LevelKind, OPENING_MINUTES, Outcome, OutcomeClass,
    ProfileFold, Query, RelativeVolume, SHARE_INTERVALS, Scan, Series, SetupVector, Side, Study, Tick, VECTOR_FEATURES,
    episodes as find, features, parse_decimal, vectors,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some((path, point)) = arguments.next().zip(arguments.next()) {
        return of_file(&path, &point);
    }
    let batches = support::made_up(10, 1);
    let start = Instant::now();
    let files: Vec<Bars> = batches
        .iter()
        .flat_map(|batch| Bars::read(std::slice::from_ref(batch), Series::ALL).expect("bars that can be read"))
        .collect();
    let bars: usize = files.iter().map(Bars::len).sum();
    println!("read           {:>12.0} bars/s", bars as f64 / start.elapsed().as_secs_f64());

    let mut study = Study::new(support::rules());
    let start = Instant::now();
    let studied: Vec<_> = files.iter().map(|bars| study.apply(bars).expect("bars in order")).collect();
    println!("all stages     {:>12.0} bars/s", bars as f64 / start.elapsed().as_secs_f64());

    let rules = support::rules();
    let found: usize = studied.iter().map(|day| day.episodes.episodes.len()).sum();
    let start = Instant::now();
    for _ in 0..20 {
        for (bars, day) in files.iter().zip(&studied) {
            std::hint::black_box(find(bars, &day.levels, &rules.episode).expect("a point above 0"));
        }
    }
    let seconds = start.elapsed().as_secs_f64() / 20.0;
    println!("episodes       {:>12.0} bars/s, {:.0} episodes/s", bars as f64 / seconds, found as f64 / seconds);

    let mut profiles = ProfileFold::new(rules.calendar.clone());
    let relative: Vec<_> = files.iter().map(|bars| profiles.apply(bars).expect("bars in order").relative).collect();
    let (mut rows, mut seconds) = (0, 0.0);
    for _ in 0..20 {
        for ((bars, day), relative) in files.iter().zip(&studied).zip(&relative) {
            let start = Instant::now();
            let made = features(bars, &day.episodes.episodes, relative, rules.episode.point, rules.tick);
            let made = std::hint::black_box(made.expect("every column was read"));
            seconds += start.elapsed().as_secs_f64();
            rows += made.rows();
        }
    }
    println!(
        "features       {:>12.0} rows/s ({} rows of {} columns a run)",
        rows as f64 / seconds,
        rows / 20,
        columns()
    );

    let start = Instant::now();
    let tables: usize =
        studied.iter().map(|day| day.tables().iter().map(|(_, table)| table.num_rows()).sum::<usize>()).sum();
    println!("as tables      {:>12.0} rows/s", tables as f64 / start.elapsed().as_secs_f64());

    queries();
}

fn of_file(path: &str, point: &str) {
    const ROWS: usize = 181;
    const EPISODES: usize = 500;
    let point = parse_decimal(point).expect("a point, such as 0.05");
    let bytes = std::fs::read(path).expect("a file of bars");
    let read = Bars::read_parquet(bytes.into(), Series::ALL).expect("bars that can be read");
    let bars = read.first().expect("at least one symbol");
    let wmid = bars.series(Series::Wmid).expect("it was read");
    let quoted = point as f64 / 1e9;
    let last = bars.len() - ROWS;
    let episode = |at: usize| {
        let (first_row, trigger_row) = (last * at / (EPISODES - 1), last * at / (EPISODES - 1) + ROWS - 1);
        Episode {
            id: at.to_string(),
            symbol: bars.symbol().to_owned(),
            kind: LevelKind::User,
            level: "window".to_owned(),
            price: (wmid[trigger_row] / quoted).round() * quoted,
            from: Side::Above,
            first_row,
            trigger_row,
            first_start: bars.start()[first_row],
            trigger_start: bars.start()[trigger_row],
            known_at: bars.known_at()[trigger_row],
        }
    };
    let episodes: Vec<Episode> = (0..EPISODES).map(episode).collect();
    let missing = || vec![f64::NAN; bars.len()];
    let relative = RelativeVolume { bar: missing(), bucket: missing(), session: missing() };
    let tick = Tick::new(bars.symbol(), point).expect("a point above 0");
    let seconds = best(7, || features(bars, &episodes, &relative, point, tick).expect("every column was read"));
    let mut fold = LevelFold::new(calendar(), tick, Vec::new());
    let levels = fold.apply(bars).expect("bars of trades");
    let rules = EpisodeRules::with_point(point);
    let finding = best(20, || find(bars, &levels, &rules).expect("a point above 0"));
    let found = find(bars, &levels, &rules).expect("a point above 0").episodes;
    let made = features(bars, &found, &relative, point, tick).expect("every column was read");
    let gathering = best(20, || vectors(&made).expect("every component is a feature"));
    let document = serde_json::json!({
        "columns": columns(),
        "rows_per_second": (ROWS * EPISODES) as f64 / seconds,
        "bars_per_second": bars.len() as f64 / finding,
        "episodes": found.len(),
        "episodes_per_second": found.len() as f64 / finding,
        "vectors_per_second": found.len() as f64 / gathering,
    });
    println!("{document}");
}

/// Seconds of the fastest of so many runs.
fn best<T>(runs: usize, mut run: impl FnMut() -> T) -> f64 {
    let mut seconds = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        std::hint::black_box(run());
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    seconds
}

/// The sessions of simulated symbols.
fn calendar() -> Calendar {
    Calendar::of(&support::instrument(), OPENING_MINUTES).expect("simulated symbols are built in")
}

fn columns() -> usize {
    railbird_book::feature_columns().len()
}

/// One query over 100,000 vectors.
fn queries() {
    let mut chance = support::Chance::new(2);
    let vector = |at: i64, values| SetupVector {
        episode: format!("SIM@{at:06}"),
        symbol: format!("S{}", at % 4),
        kind: railbird_book::LevelKind::PriorHigh,
        trigger_start: at * 1_000_000_000,
        known_at: at * 1_000_000_000,
        values,
    };
    let count = 100_000;
    let vectors: Vec<SetupVector> =
        (0..count).map(|at| vector(at, std::array::from_fn(|_| chance.between(-3.0, 3.0)))).collect();
    let outcomes: Vec<Outcome> = vectors
        .iter()
        .map(|vector| Outcome {
            episode: vector.episode.clone(),
            symbol: vector.symbol.clone(),
            class: OutcomeClass::NAMES[chance.below(5) as usize].0,
            early: 0.0,
            late: 0.0,
            known_at: vector.known_at + 1,
        })
        .collect();
    let index = Index::new(&vectors, &outcomes);
    for (name, scan) in [("lanes", Scan::Lanes), ("scalar", Scan::Scalar)] {
        let mut times: Vec<f64> = Vec::new();
        for at in 0..50 {
            let query = Query {
                symbol: "S1".to_owned(),
                at: i64::MAX,
                values: vectors[at * 97].values,
                filter: Filter::default(),
                neighbours: 50,
                scan,
            };
            let start = Instant::now();
            let answer = std::hint::black_box(index.query(&query, &SHARE_INTERVALS).expect("enough is known"));
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(answer.candidates, count as usize);
        }
        times.sort_by(f64::total_cmp);
        let components = VECTOR_FEATURES.len();
        println!(
            "query, {name:<7} {:>12.2} ms median, {:.2} ms worst ({count} vectors of {components})",
            times[25], times[49]
        );
    }
}
