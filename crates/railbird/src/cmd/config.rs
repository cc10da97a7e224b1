//! `railbird config`: what holds and why.

use super::Context;
use crate::{
    failure::{Failure, Outcome},
    output,
    settings::{Resolved, Value},
};

/// Prints every setting, its value, where it came from and what it means.
pub(crate) fn run(context: &Context) -> Result<Outcome, Failure> {
    context.output.write(&serde_json::json!({ "settings": context.settings.resolved }), |_| {
        let rows: Vec<Vec<String>> = context.settings.resolved.iter().map(row).collect();
        output::table(&["setting", "value", "why", "meaning"], &rows)
    })?;
    Ok(Outcome::Done)
}

fn row(resolved: &Resolved) -> Vec<String> {
    let value = match &resolved.value {
        Value::Text(text) if text.is_empty() => "-".to_owned(),
        Value::List(list) if list.is_empty() => "-".to_owned(),
        value => value.to_string(),
    };
    vec![resolved.key.to_owned(), value, resolved.origin.clone(), resolved.meaning.to_owned()]
}
