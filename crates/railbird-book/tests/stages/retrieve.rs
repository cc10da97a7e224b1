//! Neighbours against a plain search, what they may know, and whether skill is found where there is some.

use railbird_book::{
    EvaluateRules, Filter, Index, LevelKind, Outcome, OutcomeClass, Query, SHARE_INTERVALS, Scan, SetupVector,
    VECTOR_FEATURES, evaluate,
};

use crate::support::Chance;

const DIMENSIONS: usize = VECTOR_FEATURES.len();

/// Vectors of three symbols of different size, one a minute each; the outcome follows the first component where
/// `skill` is above 0. Outcomes are known two hours after.
fn made_up(count: usize, skill: f64, seed: u64) -> (Vec<SetupVector>, Vec<Outcome>) {
    let mut chance = Chance::new(seed);
    let (mut vectors, mut outcomes) = (Vec::new(), Vec::new());
    for at in 0..count {
        let symbol = ["AAA", "BBB", "CCC"][at % 3];
        let size = [1.0, 1000.0, 0.01][at % 3];
        let known_at = at as i64 * 60_000_000_000;
        let mut values: [f64; DIMENSIONS] = std::array::from_fn(|_| chance.between(-1.0, 1.0) * size);
        if chance.share() < 0.3 {
            values[chance.below(DIMENSIONS as u64) as usize] = f64::NAN;
        }
        let drawn = if chance.share() < skill { (values[0] / size + 1.0) / 2.0 } else { chance.share() };
        let class = if drawn.is_nan() { 0 } else { (drawn * 5.0).min(4.0) as usize };
        let episode = format!("{symbol}@{at:06}");
        if chance.share() < 0.95 {
            outcomes.push(Outcome {
                episode: episode.clone(),
                symbol: symbol.to_owned(),
                class: OutcomeClass::NAMES[class].0,
                early: 0.0,
                late: 0.0,
                known_at: known_at + 7_200_000_000_000,
            });
        }
        vectors.push(SetupVector {
            episode,
            symbol: symbol.to_owned(),
            kind: LevelKind::NAMES[at % 8].0,
            trigger_start: known_at - 5_000_000_000,
            known_at,
            values,
        });
    }
    (vectors, outcomes)
}

fn query(vector: &SetupVector, filter: Filter, scan: Scan) -> Query {
    Query { symbol: vector.symbol.clone(), at: vector.known_at, values: vector.values, filter, neighbours: 20, scan }
}

/// Mean and deviation of a component over what was known of a symbol.
fn spread(vectors: &[SetupVector], symbol: &str, at: i64, dimension: usize) -> (f64, f64) {
    let values: Vec<f64> = vectors
        .iter()
        .filter(|vector| vector.symbol == symbol && vector.known_at < at)
        .map(|vector| vector.values[dimension])
        .filter(|value| !value.is_nan())
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
}

#[test]
fn neighbours_are_those_of_a_plain_search() {
    let (vectors, outcomes) = made_up(900, 0.5, 1);
    let index = Index::new(&vectors, &outcomes);
    let filters = [
        Filter::default(),
        Filter { symbols: vec!["BBB".to_owned()], ..Filter::default() },
        Filter { kinds: vec![LevelKind::PriorHigh, LevelKind::User], ..Filter::default() },
        Filter { outcomes: vec![OutcomeClass::Chop, OutcomeClass::StrongBreak], ..Filter::default() },
        Filter { from: Some(vectors[200].trigger_start), until: Some(vectors[600].trigger_start), ..Filter::default() },
    ];
    for (at, filter) in [400, 555, 899].into_iter().flat_map(|at| filters.iter().map(move |filter| (at, filter))) {
        let asked = &vectors[at];
        let answer = index.query(&query(asked, filter.clone(), Scan::Lanes), &SHARE_INTERVALS).unwrap();
        let mut plain: Vec<(f64, &str, OutcomeClass)> = Vec::new();
        for vector in &vectors {
            let Some(outcome) = outcomes.iter().find(|outcome| outcome.episode == vector.episode) else { continue };
            let fits = outcome.known_at < asked.known_at
                && (filter.symbols.is_empty() || filter.symbols.contains(&vector.symbol))
                && (filter.kinds.is_empty() || filter.kinds.contains(&vector.kind))
                && (filter.outcomes.is_empty() || filter.outcomes.contains(&outcome.class))
                && filter.from.is_none_or(|from| vector.trigger_start >= from)
                && filter.until.is_none_or(|until| vector.trigger_start < until);
            if !fits {
                continue;
            }
            let squares: Vec<f64> = (0..DIMENSIONS)
                .map(|dimension| {
                    let standard = |vector: &SetupVector| {
                        let (mean, deviation) = spread(&vectors, &vector.symbol, asked.known_at, dimension);
                        (vector.values[dimension] - mean) / deviation
                    };
                    (standard(vector) - standard(asked)).powi(2)
                })
                .filter(|square| !square.is_nan())
                .collect();
            plain.push(((squares.iter().sum::<f64>() / squares.len() as f64).sqrt(), &vector.episode, outcome.class));
        }
        plain.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(answer.candidates, plain.len());
        assert_eq!(answer.neighbours.len(), 20.min(plain.len()));
        for (found, want) in answer.neighbours.iter().zip(&plain) {
            assert!(
                (found.distance - want.0).abs() < 1e-4,
                "{} {}: {} {}",
                found.episode,
                want.1,
                found.distance,
                want.0
            );
        }
        let same =
            answer.neighbours.iter().filter(|found| plain[..20].iter().any(|want| want.1 == found.episode)).count();
        assert!(same >= 19, "{same} of 20 are the same");
        check_shares(&answer, &plain);
    }
}

fn check_shares(answer: &railbird_book::Answer, plain: &[(f64, &str, OutcomeClass)]) {
    let mean =
        answer.neighbours.iter().map(|found| found.distance.powi(2)).sum::<f64>() / answer.neighbours.len() as f64;
    let total: f64 = answer.neighbours.iter().map(|found| (-found.distance.powi(2) / (2.0 * mean)).exp()).sum();
    let mut sum = 0.0;
    for share in &answer.shares {
        let of_class = answer.neighbours.iter().filter(|found| found.outcome == share.outcome);
        let want = of_class.map(|found| (-found.distance.powi(2) / (2.0 * mean)).exp()).sum::<f64>() / total;
        let base = plain.iter().filter(|(.., class)| *class == share.outcome).count() as f64 / plain.len() as f64;
        assert!((share.share.value() - want).abs() < 1e-9);
        assert!((share.share.baseline().value - base).abs() < 1e-12);
        assert!(share.share.interval().contains(want), "{share:?}");
        sum += share.share.value();
    }
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn both_scans_give_the_same_answer() {
    let (vectors, outcomes) = made_up(600, 0.5, 2);
    let index = Index::new(&vectors, &outcomes);
    for vector in vectors.iter().skip(300).step_by(17) {
        let answer = |scan| index.query(&query(vector, Filter::default(), scan), &SHARE_INTERVALS).unwrap();
        assert_eq!(format!("{:?}", answer(Scan::Lanes)), format!("{:?}", answer(Scan::Scalar)));
    }
}

#[test]
fn an_answer_does_not_depend_on_what_comes_after() {
    let (vectors, outcomes) = made_up(600, 0.5, 3);
    let whole = Index::new(&vectors, &outcomes);
    let mut chance = Chance::new(9);
    for _ in 0..50 {
        let asked = &vectors[250 + chance.below(350) as usize];
        // Neither what was known at the moment itself nor what came later.
        let known: Vec<SetupVector> =
            vectors.iter().filter(|vector| vector.known_at < asked.known_at).cloned().collect();
        let known_outcomes: Vec<Outcome> =
            outcomes.iter().filter(|outcome| outcome.known_at < asked.known_at).cloned().collect();
        let query = query(asked, Filter::default(), Scan::Lanes);
        let found = whole.query(&query, &SHARE_INTERVALS).unwrap();
        let want = Index::new(&known, &known_outcomes).query(&query, &SHARE_INTERVALS).unwrap();
        assert_eq!(format!("{found:?}"), format!("{want:?}"));
    }
}

#[test]
fn order_of_input_changes_nothing() {
    let (mut vectors, mut outcomes) = made_up(300, 0.5, 4);
    let asked = query(&vectors[299], Filter::default(), Scan::Lanes);
    let found = Index::new(&vectors, &outcomes).query(&asked, &SHARE_INTERVALS).unwrap();
    vectors.reverse();
    outcomes.reverse();
    assert_eq!(Index::new(&vectors, &outcomes).query(&asked, &SHARE_INTERVALS).unwrap(), found);
}

#[test]
fn too_little_known_is_said() {
    let (vectors, outcomes) = made_up(300, 0.5, 5);
    let index = Index::new(&vectors, &outcomes);
    let asked = query(&vectors[3], Filter::default(), Scan::Lanes);
    let error = index.query(&asked, &SHARE_INTERVALS).unwrap_err().to_string();
    assert!(error.starts_with("vectors of the symbol: 2 needed, 1 known"), "{error}");
    // After an hour no outcome is known yet.
    let asked = query(&vectors[60], Filter::default(), Scan::Lanes);
    let error = index.query(&asked, &SHARE_INTERVALS).unwrap_err().to_string();
    assert!(error.starts_with("neighbours: 2 needed, 0 known"), "{error}");
}

#[test]
fn skill_is_found_where_there_is_some_and_only_there() {
    let rules = EvaluateRules { resamples: 200, ..EvaluateRules::default() };
    let (vectors, outcomes) = planted(900);
    let evaluation = evaluate(&Index::new(&vectors, &outcomes), &rules).unwrap();
    assert!(evaluation.log_loss_skill.beats_baseline(), "{evaluation:?}");
    assert!(evaluation.brier_skill.beats_baseline(), "{evaluation:?}");
    assert!(evaluation.log_loss.value() < evaluation.log_loss.baseline().value);
    assert_eq!(evaluation.predicted + evaluation.too_early, outcomes.len());
    assert_eq!(evaluation.log_loss.samples().get(), evaluation.predicted);

    let (vectors, outcomes) = made_up(900, 0.0, 7);
    let evaluation = evaluate(&Index::new(&vectors, &outcomes), &rules).unwrap();
    assert!(!evaluation.log_loss_skill.beats_baseline(), "{evaluation:?}");
    assert_eq!(evaluation.without_outcome, vectors.len() - outcomes.len());
}

/// Vectors in five clouds, each with its outcome.
fn planted(count: usize) -> (Vec<SetupVector>, Vec<Outcome>) {
    let (mut vectors, mut outcomes) = made_up(count, 0.0, 6);
    let mut chance = Chance::new(8);
    outcomes.retain_mut(|outcome| {
        let class = chance.below(5) as usize;
        outcome.class = OutcomeClass::NAMES[class].0;
        let vector = vectors.iter_mut().find(|vector| vector.episode == outcome.episode).unwrap();
        for dimension in 0..10 {
            vector.values[dimension] = class as f64 + chance.between(-1.0, 1.0);
        }
        true
    });
    (vectors, outcomes)
}

#[test]
fn one_thread_or_many_same_evaluation() {
    let (vectors, outcomes) = planted(400);
    let index = Index::new(&vectors, &outcomes);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&index, &EvaluateRules::default()).unwrap())
    };
    assert_eq!(on(1), on(4));
}
