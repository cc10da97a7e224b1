//! What is wrong with a text of SQL, with the line and the place in it. Start at [`told`].

use datafusion::{
    common::{Diagnostic, Location, SchemaError},
    error::DataFusionError,
    sql::sqlparser::parser::ParserError,
};

/// Columns that are named where one is unknown: a table of bars has hundreds.
const COLUMNS_NAMED: usize = 8;
/// Hints that are repeated.
const HINTS_MAX: usize = 3;
/// Characters of a line that are shown, so that SQL made by a program fills no screen.
const LINE_CHARACTERS: usize = 160;

/// The error in words; beneath it, where the place is known, the line with a mark.
pub(crate) fn told(sql: &str, error: &DataFusionError) -> String {
    if let DataFusionError::Collection(errors) = error
        && let Some(first) = errors.first()
    {
        return told(sql, first);
    }
    if let Some(diagnostic) = error.diagnostic() {
        let place = diagnostic.span.map(|span| span.start);
        return placed(sql, place, &diagnosed(diagnostic, error));
    }
    match error.find_root() {
        DataFusionError::SQL(error, _) => {
            let text = match &**error {
                ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
                other => other.to_string(),
            };
            let (text, place) = cut_place(&text);
            placed(sql, place, text)
        }
        root => placed(sql, None, &words(root)),
    }
}

/// What a diagnostic says, and what it advises.
fn diagnosed(diagnostic: &Diagnostic, error: &DataFusionError) -> String {
    let root = words(error.find_root());
    let mut text = if root.is_empty() { diagnostic.message.clone() } else { root };
    let notes = diagnostic.notes.iter().map(|note| &note.message);
    let hints = diagnostic.helps.iter().map(|help| &help.message).chain(notes);
    for hint in hints.filter(|hint| !hint.starts_with("possible column")).take(HINTS_MAX) {
        text.push_str(&format!("; {hint}"));
    }
    text
}

/// An error without what DataFusion puts before it; a column that is not there with the nearest and the first few.
fn words(error: &DataFusionError) -> String {
    if let DataFusionError::SchemaError(schema, _) = error
        && let SchemaError::FieldNotFound { field, valid_fields } = &**schema
    {
        let said = schema.to_string();
        // The list of all columns follows on a line of its own.
        let said = said.lines().next().unwrap_or_default().replacen("No field named ", "column ", 1);
        let said = said.replacen(&format!("{}.", field.quoted_flat_name()), &field.quoted_flat_name(), 1);
        let named: Vec<String> = valid_fields.iter().take(COLUMNS_NAMED).map(|field| field.name.clone()).collect();
        let more = valid_fields.len().saturating_sub(named.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more, which DESCRIBE lists") };
        let there = if named.is_empty() { String::new() } else { format!("; there are {}{more}", named.join(", ")) };
        return format!("{}: not there{there}", said.replace(". Did you mean", ", did you mean"));
    }
    let text = error.message().into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

/// A parser's text without its `at Line: …, Column: …`, and that place.
fn cut_place(text: &str) -> (&str, Option<Location>) {
    let Some(at) = text.rfind(" at Line: ") else { return (text, None) };
    let place = text[at..].trim_start_matches(" at Line: ").split_once(", Column: ").and_then(|(line, column)| {
        let digits = column.split(|letter: char| !letter.is_ascii_digit()).next()?;
        Some(Location { line: line.parse().ok()?, column: digits.parse().ok()? })
    });
    (&text[..at], place)
}

fn placed(sql: &str, place: Option<Location>, text: &str) -> String {
    let Some(place) = place.filter(|place| place.line > 0) else { return text.to_owned() };
    let head = format!("line {}, column {}: {text}", place.line, place.column);
    let line = usize::try_from(place.line - 1).ok().and_then(|line| sql.lines().nth(line));
    let Some(line) = line.filter(|line| line.chars().count() <= LINE_CHARACTERS) else { return head };
    let before = usize::try_from(place.column.saturating_sub(1)).unwrap_or(0).min(LINE_CHARACTERS);
    format!("{head}\n  {}\n  {}^", line.replace('\t', " "), " ".repeat(before))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(sql: &str, text: &str, want: Expect) {
        let error = DataFusionError::SQL(Box::new(ParserError::ParserError(text.to_owned())), None);
        want.assert_eq(&told(sql, &error));
    }

    #[test]
    fn the_place_is_marked_beneath_its_line() {
        check(
            "SELECT a\nFROM bars WHER x",
            "Expected: end of statement, found: x at Line: 2, Column: 16",
            expect![[r"
                line 2, column 16: Expected: end of statement, found: x
                  FROM bars WHER x
                                 ^"]],
        );
        check("SELECT", "Expected: an expression, found: EOF", expect!["Expected: an expression, found: EOF"]);
        check("SELECT", "no such line at Line: 9, Column: 1", expect!["line 9, column 1: no such line"]);
        check("SELECT", "no place at Line: x, Column: y", expect!["no place"]);
    }
}
