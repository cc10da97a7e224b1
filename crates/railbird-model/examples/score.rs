//! Scores rows by a model in a file, for comparison with other programs: `score lightgbm|onnx FILE ROWS`.
//!
//! ROWS: f64, little-endian, row by row; LightGBM's rows are features, ONNX's are contexts of `n + 1` values each (`n + 1` as a fourth
//! argument). Prints one number a line, and on standard error the best of five times.

use std::{env, fs, time::Instant};

use railbird_model::{Ensemble, Forecaster, ModelFile};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example that prints")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kind, file, rows, rest @ ..] = &arguments[..] else { return Err("score lightgbm|onnx FILE ROWS".into()) };
    let rows: Vec<f64> =
        fs::read(rows)?.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0.0, f64::from_le_bytes)).collect();
    let mut seconds_best = f64::INFINITY;
    let mut scores = Vec::new();
    let trees = (kind == "lightgbm")
        .then(|| Ensemble::from_lightgbm(&fs::read_to_string(file)?).map_err(Box::<dyn std::error::Error>::from));
    let trees = trees.transpose()?;
    let model = if trees.is_none() { Some(ModelFile::onnx(&fs::read(file)?)?) } else { None };
    for _ in 0..5 {
        let began = Instant::now();
        scores = match (&trees, &model) {
            (Some(trees), _) => trees.score(&rows),
            (None, Some(model)) => {
                let width: usize = rest.first().ok_or("values a context")?.parse()?;
                let contexts: Vec<&[f64]> = rows.chunks_exact(width).collect();
                let forecasts = model.predict_batch(&contexts, 1, 0)?;
                forecasts.iter().map(|forecast| forecast.median(0).unwrap_or(f64::NAN)).collect()
            }
            (None, None) => Vec::new(),
        };
        seconds_best = seconds_best.min(began.elapsed().as_secs_f64());
    }
    if let Some(trees) = &trees {
        assert!(
            trees.score_plainly(&rows).iter().zip(&scores).all(|(a, b)| a.to_bits() == b.to_bits()),
            "plain reading"
        );
    }
    eprintln!("{:.2} ms", seconds_best * 1e3);
    for score in scores {
        println!("{score:?}");
    }
    Ok(())
}
