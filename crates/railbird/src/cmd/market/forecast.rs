//! `railbird market forecast`: the next bar of each symbol.

use std::sync::Arc;

use clap::Args;
use railbird_market::data::Key;
use railbird_model::Forecaster;
use rayon::prelude::*;
use serde::Serialize;

use super::{Files, Reading, input::sources, walk::Modelling};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `market forecast`.
#[derive(Debug, Args)]
pub(crate) struct Forecast {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    modelling: Modelling,
}

#[derive(Serialize)]
struct Document {
    model: String,
    forecasts: Vec<Row>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Row {
    symbol: String,
    /// Last bar that the forecast knows.
    after: String,
    key: Key,
    /// Last value of the key.
    last: f64,
    /// Levels of `quantiles`; empty where there is no forecast.
    levels: Vec<f64>,
    quantiles: Vec<f64>,
    median: Option<f64>,
}

#[derive(Serialize)]
struct Refused {
    symbol: String,
    reason: String,
}

/// Forecasts the bar after the last of each symbol, every price, one step ahead.
pub(crate) fn run(context: &Context, arguments: &Forecast) -> Result<Outcome, Failure> {
    let sources = sources(&arguments.files.paths)?;
    let options = arguments.reading.options();
    let forecaster = arguments.modelling.forecaster(context)?;
    let forecaster: Arc<dyn Forecaster> = forecaster.forecaster();
    let answers: Vec<Result<Vec<Row>, Refused>> = sources
        .par_iter()
        .map(|source| {
            let rows = || -> Result<Vec<Row>, String> {
                let opened = source.open().map_err(|error| error.to_string())?;
                let series = opened.load(&source.symbol, &options).map_err(|error| error.to_string())?;
                let bars = series.segment_bars(series.newest());
                let contexts: Vec<&[f64]> =
                    Key::ALL.iter().map(|&key| railbird_market::Plan::context(&bars, key, bars.len())).collect();
                let answers = forecaster.predict_batch(&contexts, 1, arguments.modelling.seed);
                let answers = answers.map_err(|error| error.to_string())?;
                let after = bars.time.last().map(ToString::to_string).unwrap_or_default();
                let row = |(&key, answer): (&Key, &railbird_model::Forecast)| {
                    let step = answer.made().and_then(|made| Some((made.levels(), made.step(0)?)));
                    Row {
                        symbol: source.symbol.clone(),
                        after: after.clone(),
                        key,
                        last: bars.prices(key).last().copied().unwrap_or(f64::NAN),
                        levels: step.map(|step| step.0.to_vec()).unwrap_or_default(),
                        quantiles: step.map(|step| step.1.to_vec()).unwrap_or_default(),
                        median: answer.median(0),
                    }
                };
                Ok(Key::ALL.iter().zip(&answers).map(row).collect())
            };
            rows().map_err(|reason| Refused { symbol: source.symbol.clone(), reason })
        })
        .collect();
    let mut document = Document { model: forecaster.id().to_string(), forecasts: Vec::new(), refused: Vec::new() };
    for answer in answers {
        match answer {
            Ok(rows) => document.forecasts.extend(rows),
            Err(refused) => document.refused.push(refused),
        }
    }
    context.output.write(&document, |document| {
        let rows: Vec<Vec<String>> = document
            .forecasts
            .iter()
            .map(|row| {
                let quantile = |level: f64| {
                    let at = row.levels.iter().position(|found| *found == level);
                    at.map(|at| format!("{:.4}", row.quantiles[at])).unwrap_or_default()
                };
                let key = format!("{:?}", row.key).to_lowercase();
                let median = row.median.map(|median| format!("{median:.4}")).unwrap_or_default();
                vec![
                    row.symbol.clone(),
                    row.after.clone(),
                    key,
                    format!("{:.4}", row.last),
                    quantile(0.1),
                    median,
                    quantile(0.9),
                ]
            })
            .collect();
        let mut text = table(&["symbol", "after", "price", "last", "10 %", "median", "90 %"], &rows);
        for refused in &document.refused {
            text.push_str(&format!("{}: refused: {}\n", refused.symbol, refused.reason));
        }
        text
    })?;
    if document.refused.is_empty() {
        Ok(Outcome::Done)
    } else if document.forecasts.is_empty() {
        Ok(Outcome::Refused)
    } else {
        Ok(Outcome::Partly)
    }
}
