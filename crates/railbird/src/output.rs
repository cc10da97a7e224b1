//! What a command says: results on standard output, everything else on standard error. Start at [`Output`].
//!
//! With `--json`, standard output holds exactly one JSON document, for failures too.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Where a command's result goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Whether the result is one JSON document.
    pub(crate) json: bool,
    /// Whether nothing is said at all: of a command that another command runs.
    pub(crate) quiet: bool,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: &'a str,
    kind: &'a str,
    exit_code: u8,
}

impl Output {
    /// The same, but silent.
    pub(crate) fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Writes `value` as JSON, or `text` where JSON was not asked for.
    pub(crate) fn write<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json { self.document(value) } else { self.text(&text(value)) }
    }

    /// Writes one JSON document.
    pub(crate) fn document<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    /// Writes text as it is; adds the end of the last line where it lacks.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.bytes(format!("{text}{end}").as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(())
    }

    /// A note for people on standard error; nothing with `--json`.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            // A reader of notes that went away is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Says why a command failed: a JSON document on standard output, or words on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        let message = failure.to_string();
        if self.json {
            let document = ErrorDocument { error: &message, kind: failure.kind(), exit_code: failure.code() };
            // Nothing is left to tell a reader that went away.
            let _ = self.document(&document);
        } else {
            let _ = writeln!(io::stderr().lock(), "railbird: {message}");
        }
    }

    /// A progress bar over `steps`, drawn only where standard error is a terminal and JSON was not asked for.
    pub(crate) fn progress(&self, steps: u64, unit: &'static str) -> ProgressBar {
        if self.json || self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg:<28} [{bar:32}] {human_pos}/{human_len} {prefix}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        ProgressBar::new(steps).with_style(style).with_prefix(unit)
    }
}

/// Columns of text, each as wide as its widest cell; numbers stand right.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let numeric: Vec<bool> = (0..head.len())
        .map(|column| {
            rows.iter().all(|row| row.get(column).is_none_or(|cell| cell.is_empty() || cell.parse::<f64>().is_ok()))
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut written = String::new();
        for ((cell, width), right) in cells.zip(&widths).zip(&numeric) {
            let padding = " ".repeat(width - cell.chars().count());
            let (before, after) = if *right { (padding.as_str(), "") } else { ("", padding.as_str()) };
            written.push_str(before);
            written.push_str(cell);
            written.push_str(after);
            written.push_str("  ");
        }
        text.push_str(written.trim_end());
        text.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let rows = [vec!["NOR".to_owned(), "1".to_owned()], vec!["P".to_owned(), "12.5".to_owned()]];
        expect![[r"
            driver  gap_s
            NOR         1
            P        12.5
        "]]
        .assert_eq(&table(&["driver", "gap_s"], &rows));
    }
}
