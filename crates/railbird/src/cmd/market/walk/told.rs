//! A walk as people read it on a terminal.

use serde_json::Value;

use super::Document;
use crate::output::table;

/// The figures as a table, then what was asked for and, with `profile`, where the time went.
pub(super) fn text(document: &Document, profile: bool) -> String {
    let percent = |value: Option<&Value>| {
        value.and_then(Value::as_f64).map(|share| format!("{:.2}", share * 100.0)).unwrap_or_default()
    };
    let number =
        |value: Option<&Value>| value.and_then(Value::as_f64).map(|value| format!("{value:.2}")).unwrap_or_default();
    let mut rows = Vec::new();
    let mut qualities = Vec::new();
    for symbol in &document.kept.symbols {
        // It was written a moment ago.
        let Ok(symbol) = serde_json::from_str::<Value>(symbol.get()) else { continue };
        let name = symbol["symbol"].as_str().unwrap_or_default().to_owned();
        for strategy in symbol["strategies"].as_array().into_iter().flatten() {
            let mut row = vec![name.clone(), strategy["strategy"].as_str().unwrap_or_default().to_owned()];
            row.push(percent(strategy.pointer("/metrics/total")));
            row.push(percent(strategy.pointer("/metrics/annualised")));
            row.push(number(strategy.pointer("/metrics/sharpe")));
            row.push(number(strategy.pointer("/metrics/sortino")));
            row.push(percent(strategy.pointer("/metrics/drawdown_max")));
            row.push(percent(strategy.pointer("/metrics/hit_rate")));
            row.push(percent(strategy.pointer("/metrics/exposure")));
            for side in ["pessimistic", "optimistic", "untuned_pessimistic", "untuned_optimistic"] {
                row.push(percent(strategy.pointer(&format!("/{side}/total"))));
            }
            row.push(percent(symbol.pointer("/buy_hold/total")));
            rows.push(row);
        }
        let quality = &symbol["forecasts"];
        qualities.push(vec![
            name,
            number(quality.pointer("/mase/value")),
            number(quality.pointer("/mase/baseline/value")),
            number(quality.pointer("/pinball/value")),
            number(quality.pointer("/pinball/baseline/value")),
            percent(quality.get("coverage")),
            percent(quality.get("coverage_naive")),
        ]);
    }
    let head = [
        "symbol",
        "strategy",
        "return_%",
        "a_year_%",
        "sharpe",
        "sortino",
        "drawdown_%",
        "hit_%",
        "exposure_%",
        "pessim_%",
        "optim_%",
        "untuned_p_%",
        "untuned_o_%",
        "buy_hold_%",
    ];
    let mut text = table(&head, &rows);
    let head = ["symbol", "mase", "naive", "pinball_bp", "naive_bp", "80 %_covers_%", "naive_%"];
    text.push_str(&format!("\nforecasts of the close\n{}", table(&head, &qualities)));
    let counts = &document.counts;
    text.push_str(&format!(
        "\n{}: {} calls, {} unique; {} duplicates, {} from memory, {} from disk, {} made\n",
        document.kept.model,
        counts.calls,
        counts.unique,
        counts.duplicates,
        counts.from_memory,
        counts.from_disk,
        counts.calls_made
    ));
    if document.resumed > 0 {
        text.push_str(&format!("{} symbols were walked before and taken from there\n", document.resumed));
    }
    for left_out in &document.kept.left_out {
        text.push_str(&format!("{}: left out: {}\n", left_out.symbol, left_out.reason));
    }
    for refused in &document.kept.refused {
        text.push_str(&format!("{}: refused: {}\n", refused.symbol, refused.reason));
    }
    if profile {
        let rows: Vec<Vec<String>> =
            document.stages.iter().map(|(stage, seconds)| vec![(*stage).to_owned(), format!("{seconds:.4}")]).collect();
        text.push_str(&format!("\n{}total     {:.4}\n", table(&["stage", "seconds"], &rows), document.seconds));
        text.push_str(&format!("\n{}\n", document.definitions));
    }
    text
}
