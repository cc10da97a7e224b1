//! Steps that run one after another, each with its time and how it ended. Start at [`Steps::step`].

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It passed.
    Passed,
    /// It could not run here, and why.
    Skipped(String),
    /// It failed, and why.
    Failed(String),
}

/// Steps run so far.
pub(crate) struct Steps<'a> {
    only: Option<&'a str>,
    ci: bool,
    done: Vec<(&'static str, Duration, End)>,
}

impl<'a> Steps<'a> {
    /// None yet. With `only`, steps whose name lacks that text are left out. In `ci` a skipped step is a failed one.
    pub(crate) fn new(only: Option<&'a str>, ci: bool) -> Self {
        Self { only, ci, done: Vec::new() }
    }

    /// Whether a step of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_none_or(|only| name.contains(only))
    }

    /// Runs a step; what it could not run here for is its `Ok(Some(reason))`.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<Option<String>>) {
        if !self.wants(name) {
            return;
        }
        println!("\n=== {name}");
        let started = Instant::now();
        let end = match run() {
            Ok(None) => End::Passed,
            Ok(Some(reason)) if self.ci => End::Failed(format!("{reason}; CI skips nothing")),
            Ok(Some(reason)) => End::Skipped(reason),
            Err(error) => End::Failed(format!("{error:#}")),
        };
        let took = started.elapsed();
        println!("=== {name}: {} in {:.1} s", words(&end), took.as_secs_f64());
        self.done.push((name, took, end));
    }

    /// Prints every step with its time; whether none failed.
    pub(crate) fn finish(self) -> bool {
        println!();
        for (name, took, end) in &self.done {
            println!("{name:<24} {:>8.1} s  {}", took.as_secs_f64(), words(end));
        }
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        let count = |wanted: fn(&End) -> bool| self.done.iter().filter(|(_, _, end)| wanted(end)).count();
        let (failed, skipped) =
            (count(|end| matches!(end, End::Failed(_))), count(|end| matches!(end, End::Skipped(_))));
        println!("{:<24} {:>8.1} s  {failed} failed, {skipped} skipped", "total", total.as_secs_f64());
        failed == 0
    }
}

fn words(end: &End) -> String {
    match end {
        End::Passed => "passed".to_owned(),
        End::Skipped(reason) => format!("SKIPPED: {reason}"),
        End::Failed(reason) => format!("FAILED: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_passes_here_and_fails_in_ci() {
        for ci in [false, true] {
            let mut steps = Steps::new(None, ci);
            steps.step("pages", || Ok(Some("no node".to_owned())));
            assert_eq!(steps.finish(), !ci);
        }
    }

    #[test]
    fn a_failed_step_fails_the_whole_and_the_next_still_runs() {
        let mut steps = Steps::new(None, false);
        steps.step("first", || anyhow::bail!("broken"));
        let mut ran = false;
        steps.step("second", || {
            ran = true;
            Ok(None)
        });
        assert!(ran && !steps.finish());
    }
}
