//! What is wrong with a text of SQL, with the line and the place in it. Start at [`told`].

use datafusion::{
    common::{Location, SchemaError},
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
    let root = error.find_root();
    let (text, parsed) = match root {
        DataFusionError::SQL(error, _) => parser_words(error),
        DataFusionError::SchemaError(error, _) => (schema_words(error), None),
        other => (words(&other.message()), None),
    };
    let Some(diagnostic) = error.diagnostic() else { return placed(sql, parsed, &text) };
    let is_own = matches!(root, DataFusionError::SQL(..) | DataFusionError::SchemaError(..));
    let mut text = if is_own { text } else { words(&diagnostic.message) };
    if !is_own {
        let notes = diagnostic.notes.iter().map(|note| &note.message);
        for hint in diagnostic.helps.iter().map(|help| &help.message).chain(notes).take(HINTS_MAX) {
            text.push_str(&format!("; {}", words(hint)));
        }
    }
    placed(sql, diagnostic.span.map(|span| span.start).or(parsed), &text)
}

/// The first line of what DataFusion says, without the reasons that it gives for every type that it tried.
fn words(text: &str) -> String {
    if text.contains("single SQL statement") {
        return "expected one statement, found several; give them one after another".to_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(", errors: ").next().unwrap_or_default();
    line.trim_start_matches("Internal error: ").trim_end_matches('.').to_owned()
}

/// A column that is not there, with the nearest and the first few that are.
fn schema_words(error: &SchemaError) -> String {
    let said = error.to_string();
    let SchemaError::FieldNotFound { field, valid_fields } = error else { return words(&said) };
    let nearest = said.split("Did you mean '").nth(1).and_then(|rest| rest.split("'?").next());
    let nearest = nearest.map_or(String::new(), |nearest| format!(", did you mean {nearest}?"));
    let named: Vec<&str> = valid_fields.iter().take(COLUMNS_NAMED).map(|field| field.name.as_str()).collect();
    let more = valid_fields.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more, which DESCRIBE lists") };
    let there = if named.is_empty() { String::new() } else { format!("; there are {}{more}", named.join(", ")) };
    format!("column {}: not there{nearest}{there}", field.flat_name())
}

fn parser_words(error: &ParserError) -> (String, Option<Location>) {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        other => other.to_string(),
    };
    let (text, place) = cut_place(&text);
    (text.to_owned(), place)
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
