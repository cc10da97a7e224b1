//! What is known at a moment does not depend on what comes after, for every column of every stage.

use std::collections::BTreeMap;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use railbird_book::{Bars, Episode, Features, Outcome, Series, Studied, Study, vectors_of_table};

use crate::support::{Chance, difference, files, known_by, made_up, rules};

const CUTS: usize = 50;

/// Tables of the stages by file and name.
type Tables = BTreeMap<(usize, &'static str), RecordBatch>;

fn studied(files: &[Bars]) -> Vec<Studied> {
    let mut study = Study::new(rules());
    files.iter().map(|bars| study.apply(bars).expect("bars in order")).collect()
}

fn every_table(files: &[Bars]) -> Tables {
    let by_file = studied(files).into_iter().enumerate();
    by_file.flat_map(|(at, studied)| studied.tables().map(|(name, table)| ((at, name), table))).collect()
}

/// The first row that differs between what is computed from cut bars and what was known then of the whole; and how many
/// rows were compared.
fn first_leak(files: &[Bars], stage: impl Fn(&[Bars]) -> Tables) -> (Option<String>, usize) {
    let whole = stage(files);
    let known: Vec<i64> = files.iter().flat_map(|bars| bars.known_at().iter().copied()).collect();
    let mut chance = Chance::new(77);
    let mut compared = 0;
    for _ in 0..CUTS {
        let cut = known[chance.below(known.len() as u64) as usize] + chance.below(2) as i64 * 1_000_000_000;
        let cut_files: Vec<Bars> =
            files.iter().map(|bars| bars.known_by(cut)).filter(|bars| !bars.is_empty()).collect();
        let part = stage(&cut_files);
        for (key, table) in &whole {
            let want = known_by(table, cut);
            let found = part.get(key).map_or_else(|| want.slice(0, 0), |table| known_by(table, cut));
            compared += want.num_rows();
            if let Some(difference) = difference(&found, &want) {
                return (Some(format!("{key:?} at {cut}: {difference}")), compared);
            }
        }
    }
    (None, compared)
}

#[test]
fn no_stage_sees_the_future() {
    let files = files(&made_up(10, 3));
    let whole = every_table(&files);
    for name in ["levels", "profiles", "episodes", "outcomes", "spans", "features", "vectors"] {
        let rows: usize =
            whole.iter().filter(|((_, table), _)| *table == name).map(|(_, table)| table.num_rows()).sum();
        assert!(rows > 20, "{name}: {rows} rows show little");
    }
    let (leak, compared) = first_leak(&files, every_table);
    assert_eq!(leak, None);
    assert!(compared > 10_000, "{compared} rows compared");
}

/// Features with a column more, which has one value an episode.
fn with_column(studied: &Studied, name: &str, value: impl Fn(&Episode) -> Option<f64>) -> RecordBatch {
    let table = studied.features.table();
    let of: BTreeMap<&str, Option<f64>> =
        studied.episodes.episodes.iter().map(|episode| (episode.id.as_str(), value(episode))).collect();
    let ids = table.column_by_name("episode").expect("a key");
    let ids = ids.as_any().downcast_ref::<StringArray>().expect("text");
    let values: Float64Array = ids.iter().map(|id| id.and_then(|id| of[id])).collect();
    let mut fields: Vec<_> = table.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(name, DataType::Float64, true));
    let mut columns = table.columns().to_vec();
    columns.push(std::sync::Arc::new(values));
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns).expect("a column as long as the others")
}

#[test]
fn a_setup_signature_over_the_whole_episode_is_caught() {
    let files = files(&made_up(4, 5));
    // The greatest distance of the episode from its first bar to its last, on each of its rows up to the trigger.
    let leaking = |files: &[Bars]| {
        let by_file = studied(files).into_iter().enumerate();
        let table = |(at, studied): (usize, Studied)| {
            let bars = &files[at];
            let wmid = bars.series(Series::Wmid).expect("it was read");
            let widest = |episode: &Episode| {
                let last = (episode.trigger_row + 96).min(bars.len() - 1);
                let distances = wmid[episode.first_row..=last].iter().map(|wmid| (wmid - episode.price).abs());
                Some(distances.fold(0.0, f64::max))
            };
            ((at, "features"), with_column(&studied, "setup_max_dist_of_all", widest))
        };
        by_file.map(table).collect()
    };
    let (leak, _) = first_leak(&files, leaking);
    assert!(leak.is_some_and(|leak| leak.contains("setup_max_dist_of_all")), "the leak was not caught");
}

#[test]
fn an_outcome_joined_to_features_is_caught_and_refused() {
    let files = files(&made_up(4, 5));
    let joined = |studied: &Studied| {
        let of: BTreeMap<&str, f64> =
            studied.episodes.outcomes.iter().map(|outcome| (outcome.episode.as_str(), outcome.late)).collect();
        with_column(studied, "outcome_late", |episode| of.get(episode.id.as_str()).copied())
    };
    let leaking = |files: &[Bars]| {
        let by_file = studied(files).into_iter().enumerate();
        by_file.map(|(at, studied)| ((at, "features"), joined(&studied))).collect()
    };
    let (leak, _) = first_leak(&files, leaking);
    assert!(leak.is_some_and(|leak| leak.contains("outcome_late")), "the join was not caught");
    let studied = &studied(&files)[1];
    let error = vectors_of_table(&joined(studied), &studied.episodes.episodes).unwrap_err().to_string();
    assert_eq!(error, "column outcome_late tells an outcome; features and vectors must not hold it");
}

#[test]
fn features_and_vectors_have_no_column_of_the_outcomes() {
    let studied = &studied(&files(&made_up(2, 5)))[1];
    let tables: BTreeMap<_, _> = studied.tables().into_iter().collect();
    for column in Outcome::COLUMNS {
        assert!(tables["outcomes"].column_by_name(column).is_some(), "{column}");
        for table in ["episodes", "features", "vectors"] {
            assert!(tables[table].column_by_name(column).is_none(), "{table}: {column}");
        }
    }
}

#[test]
fn features_do_not_change_with_what_comes_after_the_trigger() {
    // Each episode alone, with every bar after its trigger taken away.
    let files = files(&made_up(2, 8));
    let whole = studied(&files);
    for episode in whole[1].episodes.episodes.iter().take(12) {
        let cut_bars = files[1].known_by(episode.known_at);
        let again: &[Studied] = &studied(&[files[0].clone(), cut_bars]);
        let of = |features: &Features| known_by(&features.table(), episode.known_at);
        assert_eq!(difference(&of(&again[1].features), &of(&whole[1].features)), None, "{}", episode.id);
        assert!(again[1].episodes.outcomes.iter().all(|outcome| outcome.episode != episode.id), "{}", episode.id);
    }
}
