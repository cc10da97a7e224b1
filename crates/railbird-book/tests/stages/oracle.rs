//! Episodes against a plain state machine, one level at a time.

use railbird_book::{Bars, Episode, Episodes, Level, Outcome, OutcomeClass, Series, Side, Span, Study, episodes};

use crate::support::{files, made_up, rules};

/// What is found by walking over the bars once for each level, with everything spelled out.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plain {
    /// Level, row of the trigger, first row, side.
    episodes: Vec<(String, usize, usize, Side)>,
    /// Level, row of the trigger, class, early and late.
    outcomes: Vec<(String, usize, OutcomeClass, f64, f64)>,
    /// Level, row of the last bar, touches.
    spans: Vec<(String, i64, usize)>,
}

pub(crate) fn plain(bars: &Bars, levels: &[Level], point: f64) -> Plain {
    let wmid = bars.series(Series::Wmid).unwrap();
    let vwap = bars.series(Series::TradeVwap).unwrap();
    let volume = bars.series(Series::TradeVolume).unwrap();
    let mut found = Plain::default();
    for (at, level) in levels.iter().enumerate() {
        let replaced = levels[at + 1..].iter().find(|later| later.name == level.name).map(|later| later.known_at);
        // Row of the last known price away from the level, and its side; forgotten when price is at the level.
        let mut side: Option<Side> = None;
        let mut open: Option<(usize, usize, usize)> = None;
        let mut closed_until = 0;
        let mut run_start = 0;
        let mut is_watched = false;
        #[expect(clippy::needless_range_loop, reason = "the plain form asks by row for several things at once")]
        for row in 0..bars.len() {
            if row > 0 && bars.start()[row] != bars.end()[row - 1] {
                if let Some((trigger, end, touches)) = open.take().filter(|(_, end, _)| *end == row - 1) {
                    let _ = trigger;
                    found.spans.push((level.name.clone(), bars.start()[end], touches));
                }
                (run_start, side, closed_until) = (row, None, row);
            }
            if let Some((_, end, touches)) = open
                && end < row
            {
                found.spans.push((level.name.clone(), bars.start()[end], touches));
                open = None;
                closed_until = end + 25;
            }
            // The bar with which a level is known only says where price stands.
            let was_watched = is_watched;
            is_watched |= level.known_at <= bars.known_at()[row];
            let ended = level.until.is_some_and(|until| bars.start()[row] >= until)
                || replaced.is_some_and(|replaced| row > 0 && replaced <= bars.known_at()[row - 1]);
            if !is_watched || wmid[row].is_nan() {
                continue;
            }
            let distance = (wmid[row] - level.price) / point;
            let is_at = distance.abs() <= 1.0 + 1e-9;
            let now = if distance > 0.0 { Side::Above } else { Side::Below };
            let touch = was_watched && side.is_some_and(|side| is_at || side != now);
            if touch {
                match &mut open {
                    Some((_, end, touches)) => (*end, *touches) = (row + 96, *touches + 1),
                    None if row >= closed_until && !ended => {
                        let first = run_start.max(row.saturating_sub(180));
                        found.episodes.push((level.name.clone(), row, first, side.unwrap()));
                        open = Some((row, row + 96, 1));
                    }
                    None => {}
                }
            }
            side = (!is_at).then_some(now);
        }
        if let Some((_, end, touches)) = open.filter(|(_, end, _)| *end + 1 == bars.len()) {
            found.spans.push((level.name.clone(), bars.start()[end], touches));
        }
    }
    for (name, trigger, _, from) in &found.episodes {
        let joined =
            (trigger + 1..=trigger + 72).all(|row| row < bars.len() && bars.start()[row] == bars.end()[row - 1]);
        if !joined {
            continue;
        }
        let level =
            levels.iter().rev().find(|level| level.name == *name && level.known_at <= bars.known_at()[*trigger]);
        let price = level.unwrap().price;
        let mean = |from: usize, to: usize| {
            let rows = || (from..=to).filter(|row| !vwap[*row].is_nan());
            let total: f64 = rows().map(|row| volume[row]).sum();
            rows().map(|row| (vwap[row] - price) / point * volume[row]).sum::<f64>() / total
        };
        let beyond = if *from == Side::Above { -1.0 } else { 1.0 };
        let (early, late) = (beyond * mean(trigger + 1, trigger + 48), beyond * mean(trigger + 49, trigger + 72));
        let class = match (early > 1.0, late > 1.0, early < -1.0, late < -1.0) {
            (true, true, ..) => OutcomeClass::StrongBreak,
            (_, true, ..) => OutcomeClass::WeakBreak,
            (_, _, true, true) => OutcomeClass::StrongBounce,
            (_, _, _, true) => OutcomeClass::WeakBounce,
            _ => OutcomeClass::Chop,
        };
        found.outcomes.push((name.clone(), *trigger, class, early, late));
    }
    found
}

#[test]
fn episodes_are_those_of_a_plain_state_machine() {
    for seed in 0..4 {
        let files = files(&made_up(4, 20 + seed));
        let mut study = Study::new(rules());
        let mut seen = 0;
        for bars in &files {
            let studied = study.apply(bars).unwrap();
            let want = plain(bars, &studied.levels, 1.0);
            seen += check(bars, &studied.episodes, want);
        }
        assert!(seen > 30, "{seen} episodes show little");
    }
}

/// Compares what was found with the plain reading; how many episodes there were.
pub(crate) fn check(bars: &Bars, found: &Episodes, mut want: Plain) -> usize {
    let row_of = |start: i64| bars.start().partition_point(|other| *other < start);
    let key = |episode: &Episode| (episode.level.clone(), episode.trigger_row, episode.first_row, episode.from);
    let mut episodes: Vec<_> = found.episodes.iter().map(key).collect();
    episodes.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    want.episodes.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    assert_eq!(episodes, want.episodes);
    for episode in &found.episodes {
        assert_eq!(row_of(episode.trigger_start), episode.trigger_row);
        assert_eq!(episode.known_at, bars.known_at()[episode.trigger_row]);
    }
    want.outcomes.retain(|(.., early, late)| !early.is_nan() && !late.is_nan());
    assert_eq!(found.outcomes.len(), want.outcomes.len());
    for (name, trigger, class, early, late) in want.outcomes {
        let id = format!("{}@{}@{name}", bars.symbol(), railbird_timeline::Ts(bars.start()[trigger]));
        let outcome = found.outcomes.iter().find(|outcome| outcome.episode == id).expect("an outcome of the episode");
        assert!((outcome.early - early).abs() < 1e-9 && (outcome.late - late).abs() < 1e-9, "{outcome:?}");
        assert_eq!((outcome.class, outcome.known_at), (class, bars.known_at()[trigger + 72]));
    }
    let mut spans: Vec<_> = found
        .spans
        .iter()
        .map(|span| (span.episode.rsplit('@').next().unwrap().to_owned(), span.last_start, span.touches))
        .collect();
    spans.sort();
    want.spans.sort();
    assert_eq!(spans, want.spans);
    episodes.len()
}

#[test]
fn outcomes_are_graded_by_both_windows() {
    use OutcomeClass as C;
    for (early, late, want) in [
        (1.5, 1.5, C::StrongBreak),
        (0.0, 1.5, C::WeakBreak),
        (-3.0, 1.5, C::WeakBreak),
        (1.5, 1.0, C::Chop),
        (-1.5, -1.0, C::Chop),
        (3.0, -1.5, C::WeakBounce),
        (-1.5, -1.5, C::StrongBounce),
    ] {
        assert_eq!(OutcomeClass::of(early, late), want, "{early} {late}");
    }
    for (class, name) in C::NAMES {
        assert_eq!((class.name(), C::from_name(name)), (name, Some(class)));
    }
}

#[test]
fn tables_read_back() {
    let files = files(&made_up(2, 20));
    let mut study = Study::new(rules());
    study.apply(&files[0]).unwrap();
    let Episodes { episodes: found, outcomes, spans } = study.apply(&files[1]).unwrap().episodes;
    assert!(found.len() > 5 && outcomes.len() > 3);
    assert_eq!(Episode::read(&Episode::table(&found)).unwrap(), found);
    assert_eq!(Outcome::read(&Outcome::table(&outcomes)).unwrap(), outcomes);
    assert_eq!(Span::read(&Span::table(&spans)).unwrap(), spans);
}

#[test]
fn a_point_of_nothing_is_refused() {
    let files = files(&made_up(1, 20));
    let mut rules = rules().episode;
    rules.point = 0;
    let error = episodes(&files[0], &[], &rules).unwrap_err().to_string();
    assert_eq!(error, "instrument SIM: point 0: expected more than 0");
}
