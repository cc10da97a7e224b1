//! Levels and profiles against a plain reading of their definitions.

use railbird_book::{Bars, Level, LevelFold, LevelKind, Profile, ProfileFold, Series};
use railbird_timeline::Ts;

use crate::support::{BAR_NS, files, made_up, rules};

const HOUR_NS: i64 = 3_600_000_000_000;

/// All bars of all files: start, end, known, high, low, close, volume.
fn rows(files: &[Bars]) -> Vec<[f64; 4]> {
    let mut rows = Vec::new();
    for bars in files {
        let of = |series| bars.series(series).expect("it was read");
        let (high, low) = (of(Series::TradeHigh), of(Series::TradeLow));
        let (close, volume) = (of(Series::TradeClose), of(Series::TradeVolume));
        rows.extend((0..bars.len()).map(|at| [high[at], low[at], close[at], volume[at]]));
    }
    rows
}

fn instants(files: &[Bars], of: fn(&Bars) -> &[i64]) -> Vec<i64> {
    files.iter().flat_map(|bars| of(bars).to_vec()).collect()
}

/// Kind, price in ticks, known at, of each window of each day (summer time: New York is 4 h behind UTC).
pub(crate) fn plain_levels(files: &[Bars], tick: f64) -> Vec<(LevelKind, i64, i64)> {
    use LevelKind as K;
    let (rows, starts) = (rows(files), instants(files, Bars::start));
    let (ends, knowns) = (instants(files, Bars::end), instants(files, Bars::known_at));
    let midnight = |instant: i64| instant.div_euclid(24 * HOUR_NS) * 24 * HOUR_NS;
    let mut days: Vec<i64> = starts.iter().map(|start| midnight(*start)).collect();
    days.dedup();
    let mut found = Vec::new();
    for day in days {
        let open = day + 13 * HOUR_NS + HOUR_NS / 2;
        let windows = [
            (day + 8 * HOUR_NS, open, vec![K::PreMarketHigh, K::PreMarketLow]),
            (open, open + HOUR_NS / 4, vec![K::OpeningHigh, K::OpeningLow]),
            (open, day + 20 * HOUR_NS, vec![K::PriorHigh, K::PriorLow, K::PriorClose]),
        ];
        for (from, to, kinds) in windows {
            let inside: Vec<usize> = (0..rows.len()).filter(|row| (from..to).contains(&starts[*row])).collect();
            let Some(complete) = (0..rows.len()).find(|row| ends[*row] >= to && starts[*row] >= from) else { continue };
            let traded = || inside.iter().map(|row| rows[*row]).filter(|row| !row[2].is_nan());
            let Some(close) = traded().next_back().map(|row| row[2]) else { continue };
            for kind in kinds {
                let price = match kind {
                    K::PreMarketHigh | K::OpeningHigh | K::PriorHigh => {
                        traded().map(|row| row[0]).fold(f64::MIN, f64::max)
                    }
                    K::PreMarketLow | K::OpeningLow | K::PriorLow => {
                        traded().map(|row| row[1]).fold(f64::MAX, f64::min)
                    }
                    _ => close,
                };
                found.push((kind, (price / tick).round() as i64, knowns[complete]));
            }
        }
    }
    found.sort_by_key(|(kind, _, known)| (*known, *kind));
    found
}

#[test]
fn levels_are_those_of_a_plain_reading() {
    let files = files(&made_up(7, 4));
    let mut fold = LevelFold::new(rules().calendar, rules().tick, Vec::new());
    let mut found = Vec::new();
    for bars in &files {
        let levels = fold.apply(bars).unwrap();
        for level in levels {
            assert_eq!(level.price, level.price_ticks as f64 * 0.25);
            assert!(level.known_at >= level.window_end, "{level:?}");
            let is_new = level.window_start >= bars.start()[0] - 10 * HOUR_NS && level.known_at > bars.known_at()[0];
            if is_new {
                found.push((level.kind, level.price_ticks, level.known_at));
            }
        }
    }
    found.sort_by_key(|(kind, _, known)| (*known, *kind));
    let want = plain_levels(&files, 0.25);
    assert_eq!(want.len(), 7 * 7);
    assert_eq!(found, want);
}

#[test]
fn a_level_exists_from_the_end_of_its_window() {
    let files = files(&made_up(2, 4));
    let mut fold = LevelFold::new(rules().calendar, rules().tick, Vec::new());
    let levels = fold.apply(&files[0]).unwrap();
    let opening = levels.iter().find(|level| level.kind == LevelKind::OpeningHigh).unwrap();
    assert_eq!(Ts(opening.window_end).to_string(), "2025-06-02T13:45:00Z");
    // The last bar of the window ends with it and is known within two bars.
    assert!((0..2 * BAR_NS).contains(&(opening.known_at - opening.window_end)), "{opening:?}");
    assert_eq!(opening.cover, 1.0);
    let pre_market = levels.iter().find(|level| level.kind == LevelKind::PreMarketHigh).unwrap();
    // The made-up day begins an hour before the open of a pre-market of five and a half.
    assert!((pre_market.cover - 1.0 / 5.5).abs() < 1e-12);
    // The next day has the prior levels from its first bar.
    let next = fold.apply(&files[1]).unwrap();
    let prior = next.iter().find(|level| level.kind == LevelKind::PriorClose).unwrap();
    assert_eq!((prior.known_at, prior.date.to_string().as_str()), (files[1].known_at()[0], "2025-06-02"));
}

#[test]
fn tables_read_back() {
    let files = files(&made_up(2, 4));
    let mut fold = LevelFold::new(rules().calendar, rules().tick, rules().user);
    fold.apply(&files[0]).unwrap();
    let levels = fold.apply(&files[1]).unwrap();
    assert_eq!(Level::read(&Level::table("SIM", &levels)).unwrap(), levels);
}

#[test]
fn profiles_are_means_of_the_sessions_before_and_missing_below_three() {
    let files = files(&made_up(9, 6));
    let mut fold = ProfileFold::new(rules().calendar);
    let mut volumes: Vec<Vec<f64>> = Vec::new();
    for bars in &files {
        let profiled = fold.apply(bars).unwrap();
        let [profile] = &profiled.profiles[..] else { panic!("one day a file") };
        let before = &volumes[volumes.len().saturating_sub(7)..];
        for bucket in 0..78 {
            let known: Vec<f64> = before.iter().map(|day| day[bucket]).filter(|volume| !volume.is_nan()).collect();
            let want = if known.len() < 3 { f64::NAN } else { known.iter().sum::<f64>() / known.len() as f64 };
            assert!((profile.mean[bucket] - want).abs() < 1e-9 || want.is_nan() && profile.mean[bucket].is_nan());
            assert_eq!(usize::from(profile.sessions[bucket]), known.len());
        }
        check_relative(bars, profile, &profiled.relative);
        volumes.push(buckets(bars));
    }
    // The gap of the third day takes half a bucket, which does not count.
    assert_eq!(volumes[2].iter().filter(|volume| volume.is_nan()).count(), 1);
}

fn open_of(bars: &Bars) -> i64 {
    bars.start()[0].div_euclid(24 * HOUR_NS) * 24 * HOUR_NS + 13 * HOUR_NS + HOUR_NS / 2
}

fn buckets(bars: &Bars) -> Vec<f64> {
    let volume = bars.series(Series::TradeVolume).unwrap();
    let of_bucket = |bucket: i64| {
        let from = open_of(bars) + bucket * HOUR_NS / 12;
        let inside: Vec<usize> =
            (0..bars.len()).filter(|row| (from..from + HOUR_NS / 12).contains(&bars.start()[*row])).collect();
        if inside.len() < 54 { f64::NAN } else { inside.iter().map(|row| volume[*row]).sum() }
    };
    (0..78).map(of_bucket).collect()
}

fn check_relative(bars: &Bars, profile: &Profile, relative: &railbird_book::RelativeVolume) {
    let volume = bars.series(Series::TradeVolume).unwrap();
    let open = open_of(bars);
    for row in (0..bars.len()).step_by(37) {
        let start = bars.start()[row];
        if !(open..open + 13 * HOUR_NS / 2).contains(&start) {
            assert!(relative.bar[row].is_nan() && relative.bucket[row].is_nan() && relative.session[row].is_nan());
            continue;
        }
        let bucket = (start - open) / (HOUR_NS / 12);
        let bars_a_bucket = 60.0;
        let in_bucket = (start - open) / BAR_NS % 60 + 1;
        let mean = profile.mean[bucket as usize];
        let since = |from: i64| {
            let rows = (0..=row).filter(|row| bars.start()[*row] >= from);
            rows.fold((0.0, 0), |(sum, count), row| (sum + volume[row], count + 1))
        };
        let (bucket_volume, bucket_bars) = since(open + bucket * HOUR_NS / 12);
        let (session_volume, session_bars) = since(open);
        let whole: f64 = profile.mean[..bucket as usize].iter().sum();
        let part = mean * in_bucket as f64 / bars_a_bucket;
        let bucket_known = f64::from(bucket_bars) >= 0.9 * in_bucket as f64;
        let session_known = f64::from(session_bars) >= 0.9 * (bucket * 60 + in_bucket) as f64;
        let nan_unless = |is_known: bool, value: f64| if is_known { value } else { f64::NAN };
        let want = [
            volume[row] / (mean / bars_a_bucket),
            nan_unless(bucket_known, bucket_volume / part),
            nan_unless(session_known, session_volume / (whole + part)),
        ];
        for (found, want) in [relative.bar[row], relative.bucket[row], relative.session[row]].into_iter().zip(want) {
            assert!(
                (found - want).abs() <= 1e-9 * want.abs() || found.is_nan() && want.is_nan(),
                "{row}: {found} {want}"
            );
        }
    }
}
