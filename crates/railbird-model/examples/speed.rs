//! How fast forecasters are: 304 contexts of 512 values for each of 20 symbols, `speed theta 2` on two threads.

use std::{env, time::Instant};

use railbird_model::builtin;

#[expect(clippy::print_stdout, reason = "an example that prints")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, threads] = &arguments[..] else { return Err("speed MODEL THREADS".into()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    let forecaster = builtin(model)?;
    let series: Vec<Vec<f64>> = (0..80u64)
        .map(|symbol| {
            let (mut state, mut value) = (symbol, 100.0);
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                value += (state >> 11) as f64 / 2f64.powi(53) - 0.5;
                value
            };
            (0..588).map(|_| next()).collect()
        })
        .collect();
    let contexts: Vec<&[f64]> = series.iter().flat_map(|series| (0..76).map(move |at| &series[at..at + 512])).collect();
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let began = Instant::now();
            let made = pool.install(|| forecaster.predict_batch(&contexts, 1, 0)).map_or(0, |made| made.len());
            assert_eq!(made, contexts.len(), "one forecast a context");
            began.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{model}: {} contexts of 512 values on {threads} threads: median {:.1} ms of 9",
        contexts.len(),
        times[4] * 1e3
    );
    Ok(())
}
