//! Times of the stages of a command, which add up to the total.

use std::time::Duration;

use railbird_timeline::{Clock, Stopwatch};

/// Stages so far.
pub(crate) struct Stages<'c> {
    watch: Stopwatch<'c>,
    ended: Vec<(&'static str, f64)>,
}

impl<'c> Stages<'c> {
    /// The first stage begins now.
    pub(crate) fn start(clock: &'c dyn Clock) -> Self {
        Self { watch: Stopwatch::start(clock), ended: Vec::new() }
    }

    /// A stage ends now, and the next begins.
    pub(crate) fn end(&mut self, stage: &'static str) {
        let took = self.watch.lap();
        self.ended.push((stage, took.as_secs_f64()));
    }

    /// A stage ends now that measured its own parts; what they leave is `rest`.
    pub(crate) fn end_in_parts(&mut self, parts: &[(&'static str, f64)], rest: &'static str) {
        let took: Duration = self.watch.lap();
        let measured: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
        self.ended.extend_from_slice(parts);
        self.ended.push((rest, (took.as_secs_f64() - measured).max(0.0)));
    }

    /// Stages in order with their seconds, and their sum.
    pub(crate) fn finish(self) -> (Vec<(&'static str, f64)>, f64) {
        let total = self.ended.iter().map(|(_, seconds)| seconds).sum();
        (self.ended, total)
    }
}

#[cfg(test)]
mod tests {
    use railbird_timeline::ManualClock;

    use super::*;

    #[test]
    fn stages_add_up_to_the_total() {
        let clock = ManualClock::default();
        let mut stages = Stages::start(&clock);
        clock.advance(Duration::from_millis(250));
        stages.end("read");
        clock.advance(Duration::from_millis(1000));
        stages.end_in_parts(&[("decode", 0.5), ("fold", 0.25)], "other");
        let (ended, total) = stages.finish();
        assert_eq!(ended, [("read", 0.25), ("decode", 0.5), ("fold", 0.25), ("other", 0.25)]);
        assert_eq!(total, 1.25);
    }
}
