//! Who tells the time. Start at [`Clock`].
//!
//! Invariant: [`SystemClock`] is the only place in the workspace that reads the time of the machine. Everything else takes a
//! [`Clock`], or an instant, as an argument.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::Ts;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time of day, UTC. May jump, also backwards, when the machine's clock is set.
    fn now(&self) -> Ts;

    /// Time since some moment fixed for this clock. Never falls; for deadlines and durations.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Ts {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Ts {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    zero: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::monotonic`] is zero now.
    pub fn new() -> Self {
        Self { zero: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Ts {
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Ts(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => Ts(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)),
        }
    }

    fn monotonic(&self) -> Duration {
        self.zero.elapsed()
    }
}

/// A clock that stands until it is moved. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    shared: Arc<Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    now_ns: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now`, with [`Clock::monotonic`] at zero.
    pub fn new(now: Ts) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// Moves both the time of day and the monotonic time on.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.shared.now_ns.fetch_add(i64::try_from(nanos).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.shared.monotonic_ns.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Sets the time of day, as when a machine's clock is corrected; the monotonic time stays.
    pub fn set(&self, now: Ts) {
        self.shared.now_ns.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Ts {
        Ts(self.shared.now_ns.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.shared.monotonic_ns.load(Ordering::SeqCst))
    }
}

/// Measures stages that follow one another: the laps add up to the total.
pub struct Stopwatch<'c> {
    clock: &'c dyn Clock,
    started: Duration,
    lapped: Duration,
}

impl<'c> Stopwatch<'c> {
    /// Starts now.
    pub fn start(clock: &'c dyn Clock) -> Self {
        let now = clock.monotonic();
        Self { clock, started: now, lapped: now }
    }

    /// Time since the last lap, or since the start.
    pub fn lap(&mut self) -> Duration {
        let now = self.clock.monotonic();
        let lap = now.saturating_sub(self.lapped);
        self.lapped = now;
        lap
    }

    /// Time since the start.
    pub fn total(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = ManualClock::new(Ts(5));
        let same = clock.clone();
        assert_eq!((clock.now(), clock.monotonic()), (Ts(5), Duration::ZERO));
        clock.advance(Duration::from_nanos(7));
        assert_eq!((same.now(), same.monotonic()), (Ts(12), Duration::from_nanos(7)));
        clock.set(Ts(1));
        assert_eq!((same.now(), same.monotonic()), (Ts(1), Duration::from_nanos(7)));
    }

    #[test]
    fn laps_add_up_to_the_total() {
        let clock = ManualClock::default();
        let mut watch = Stopwatch::start(&clock);
        clock.advance(Duration::from_millis(3));
        let first = watch.lap();
        clock.advance(Duration::from_millis(4));
        let second = watch.lap();
        assert_eq!((first, second), (Duration::from_millis(3), Duration::from_millis(4)));
        assert_eq!(watch.total(), first + second);
    }

    #[test]
    fn the_system_clock_is_after_this_was_written() {
        let clock = SystemClock::new();
        assert!(clock.now() > Ts(1_760_000_000_000_000_000), "the machine's clock is wrong");
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
