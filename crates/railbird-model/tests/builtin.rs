//! What holds for every built-in forecaster, whatever its formula.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

use railbird_model::{BUILTIN, Error, Forecast, Forecaster, LEVELS, Unmade, builtin};

fn series(kind: u64, count: usize) -> Vec<f64> {
    let (mut state, mut value) = (kind + 1, 100.0);
    (0..count)
        .map(|t| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chance = (state >> 11) as f64 / 2f64.powi(53) - 0.5;
            value = (value + chance * 2.0 + 0.3 * (t as f64 * 0.7).sin() * kind as f64).max(1.0);
            value
        })
        .collect()
}

fn each(mut check: impl FnMut(&str, &dyn Forecaster)) {
    for known in BUILTIN {
        let model = builtin(known.name).unwrap();
        let spelled = builtin(&format!("{}:{}", known.name, known.parameters)).unwrap();
        assert_eq!(model.id(), spelled.id(), "defaults are as they are told");
        check(known.name, &model);
    }
}

fn bits(forecasts: &[Forecast]) -> Vec<Vec<u8>> {
    forecasts.iter().map(Forecast::to_bytes).collect()
}

#[test]
fn a_forecast_depends_on_its_context_alone() {
    let all: Vec<Vec<f64>> = (0..4).map(|kind| series(kind, 530)).collect();
    let contexts: Vec<&[f64]> =
        (0..60usize).map(|at| &all[at % 4][(at * 7) % 200..200 + (at * 5) % 300]).chain([&[1.0][..], &[]]).collect();
    each(|name, model| {
        let whole = bits(&model.predict_batch(&contexts, 3, 11).unwrap());
        assert_eq!(whole.len(), contexts.len());
        for (context, whole) in contexts.iter().zip(&whole) {
            let copy = context.to_vec();
            assert_eq!(&bits(&model.predict_batch(&[&copy], 3, 11).unwrap())[0], whole, "{name} alone");
        }
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| bits(&model.predict_batch(&contexts, 3, 11).unwrap()));
            assert!(found == whole, "{name} on {threads} threads");
        }
        let backwards: Vec<&[f64]> = contexts.iter().rev().copied().collect();
        let mut found = bits(&model.predict_batch(&backwards, 3, 11).unwrap());
        found.reverse();
        assert!(found == whole, "{name} in another order");
    });
}

#[test]
fn gives_all_levels_and_a_median_near_the_last_value() {
    let context = series(2, 400);
    each(|name, model| {
        let forecast = model.predict_batch(&[&context], 4, 3).unwrap().remove(0);
        let made = forecast.made().unwrap_or_else(|| panic!("{name}: {forecast:?}"));
        assert_eq!((made.levels(), made.horizon()), (&LEVELS[..], 4), "{name}");
        for step in 0..4 {
            assert!(made.step(step).unwrap().is_sorted(), "{name}");
            let off = (made.median(step).unwrap() / context[399] - 1.0).abs();
            assert!(off < 0.1, "{name}: {off}");
            let width = made.at(step, 0.9).unwrap() - made.at(step, 0.1).unwrap();
            assert!(width > 0.1 && width < 20.0, "{name}: {width}");
        }
    });
}

#[test]
fn too_short_not_finite_and_too_large_are_said_and_nothing_is_made_up() {
    let long = series(1, 300);
    each(|name, model| {
        let mut shortest = None;
        for count in 0..200 {
            match &model.predict_batch(&[&long[..count]], 1, 0).unwrap()[0] {
                Forecast::Unmade(Unmade::TooShort { needed, found }) => {
                    assert!(*found == count && *needed > count && shortest.is_none(), "{name} at {count}");
                }
                made => {
                    assert!(made.made().is_some(), "{name} at {count}: {made:?}");
                    shortest.get_or_insert(count);
                }
            }
        }
        assert!(shortest.is_some_and(|count| count >= 2), "{name}: {shortest:?}");
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut context = long.clone();
            context[7] = wrong;
            let forecast = &model.predict_batch(&[&context], 1, 0).unwrap()[0];
            assert_eq!(*forecast, Forecast::Unmade(Unmade::NotFinite { at: 7 }), "{name}");
        }
        let huge: Vec<f64> = long.iter().enumerate().map(|(at, v)| v * if at % 2 == 0 { 1e306 } else { 1.0 }).collect();
        match &model.predict_batch(&[&huge], 5, 0).unwrap()[0] {
            Forecast::Unmade(Unmade::Overflow) => {}
            made => assert!(made.made().is_some_and(|made| made.values().iter().all(|v| v.is_finite())), "{name}"),
        }
        for odd in [vec![0.0; 300], vec![-5.0; 300], vec![5.0; 300], (0..300).map(|i| f64::from(i) - 150.0).collect()] {
            let forecast = &model.predict_batch(&[&odd], 2, 0).unwrap()[0];
            let declined = *forecast == Forecast::Unmade(Unmade::Declined) && name == "boosted";
            assert!(forecast.made().is_some() || declined, "{name} {odd:?}: {forecast:?}");
        }
        assert!(matches!(model.predict_batch(&[&long], 0, 0), Err(Error::Horizon { .. })), "{name}");
        assert_eq!(model.predict_batch(&[], 1, 0), Ok(Vec::new()), "{name}");
    });
}

#[test]
fn only_the_bootstrap_draws_and_only_from_its_seed() {
    let context = series(3, 300);
    each(|name, model| {
        let seeded = |seed| bits(&model.predict_batch(&[&context], 2, seed).unwrap());
        assert_eq!(seeded(1), seeded(1), "{name}");
        assert_eq!(seeded(1) == seeded(2), name != "bootstrap", "{name}");
    });
}

#[test]
fn parameters_are_checked_by_name_and_range() {
    for (text, said) in [
        ("chronos", "model \"chronos\": unknown; expected one of naive, drift, ewma"),
        ("theta:alpha=1", "model theta: alpha=1: the model has no parameters"),
        ("ewma:alpha", "model ewma: alpha: expected NAME=VALUE"),
        ("ewma:alpha=x", "model ewma: alpha=x: expected a number"),
        ("ewma:alpha=0", "expected a weight above 0 and at most 1"),
        ("ewma:alpha=NaN", "expected a weight above 0 and at most 1"),
        ("ewma:beta=1", "not a parameter of the model, which has alpha=0.2"),
        ("ar:lags=0", "expected 1 to 100 lags"),
        ("seasonal:period=0", "values a season"),
        ("bootstrap:paths=1", "expected 19 to 100000 paths"),
        ("boosted:depth=9", "expected a depth of 1 to 6"),
    ] {
        let error = builtin(text).err().unwrap_or_else(|| panic!("{text} was taken")).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_ne!(builtin("ewma:alpha=0.3").unwrap().id(), builtin("ewma").unwrap().id());
}

#[test]
fn intervals_hold_about_as_often_as_they_say() {
    let truth = series(0, 3_000);
    let contexts: Vec<&[f64]> = (0..250).map(|at| &truth[at * 10..at * 10 + 256]).collect();
    each(|name, model| {
        let forecasts = model.predict_batch(&contexts, 1, 5).unwrap();
        let held = forecasts.iter().enumerate().filter(|(at, forecast)| {
            let next = truth[at * 10 + 256];
            forecast.at(0, 0.1).unwrap() <= next && next <= forecast.at(0, 0.9).unwrap()
        });
        let held = held.count();
        // 200 of 250 are due. Steps are uniform, which a normal distribution covers a little less often at this level.
        let wanted = if matches!(name, "seasonal" | "ewma") { 120..=250 } else { 170..=230 };
        assert!(wanted.contains(&held), "{name}: {held} of 250");
    });
}
