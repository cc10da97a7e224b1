//! When a client is due which frame. Pure: wall time comes in as an argument.
//!
//! Playing at speed s, frame n is due when the clock shows n / fps. Above single speed only every k-th frame is sent,
//! k = ⌈s⌉, so that a client gets at most fps frames a second; and those are the multiples of k, so that clients of one
//! speed want the same frames wherever they started.

use std::time::Duration;

use tokio::time::Instant;

/// Slowest speed.
pub(super) const SPEED_MIN: f64 = 0.1;
/// Fastest speed.
pub(super) const SPEED_MAX: f64 = 100.0;

/// A client's clock over the frames of one source. Positions are in frames, fractions between two of them.
#[derive(Debug, Clone)]
pub(super) struct PlayClock {
    fps: f64,
    last: u64,
    anchor: Instant,
    position: f64,
    speed: f64,
    playing: bool,
    /// A jump that the client has not seen the result of.
    jumped: bool,
    /// Frame shown last.
    shown: Option<u64>,
}

/// A frame to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    pub(super) n: u64,
    pub(super) at: Instant,
    /// Frames that were due since the last one sent, and are left out as the client was behind.
    pub(super) skipped: u64,
}

impl PlayClock {
    /// A clock that runs from `start` (frames from the beginning) on. `frames` must not be 0.
    pub(super) fn new(now: Instant, fps: u32, frames: u64, start: f64, speed: f64) -> Self {
        let last = frames.saturating_sub(1);
        let position = start.clamp(0.0, last as f64);
        Self { fps: f64::from(fps), last, anchor: now, position, speed, playing: true, jumped: true, shown: None }
    }

    pub(super) fn play(&mut self, now: Instant) {
        self.settle(now);
        self.playing = true;
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.settle(now);
        self.playing = false;
    }

    /// Jumps to a position, frames from the beginning; past either end means that end.
    pub(super) fn seek(&mut self, now: Instant, position: f64) {
        self.settle(now);
        self.position = position.clamp(0.0, self.last as f64);
        self.jumped = true;
    }

    pub(super) fn speed(&mut self, now: Instant, speed: f64) {
        self.settle(now);
        self.speed = speed.clamp(SPEED_MIN, SPEED_MAX);
    }

    /// The next frame, when it is due, and what is left out for it. `None` while nothing will come by itself.
    pub(super) fn next(&self, now: Instant) -> Option<Due> {
        let here = self.at(now);
        if self.jumped {
            return Some(Due { n: whole(here), at: now, skipped: 0 });
        }
        if !self.playing {
            return None;
        }
        let step = self.step();
        let after = self.shown.map_or(0, |shown| (shown / step + 1) * step);
        // The last frame is shown even where the step would pass over it: the end must be seen.
        let next = if after > self.last && self.shown != Some(self.last) { self.last } else { after };
        if next > self.last {
            return None;
        }
        let reached = whole(here) / step * step;
        if reached > next {
            return Some(Due { n: reached, at: now, skipped: (reached - next) / step });
        }
        let wait_s = ((next as f64 - self.position) / (self.fps * self.speed)).max(0.0);
        Some(Due { n: next, at: self.anchor + Duration::from_secs_f64(wait_s), skipped: 0 })
    }

    /// Whether the next frame answers a jump.
    pub(super) fn has_jumped(&self) -> bool {
        self.jumped
    }

    /// Notes that frame `n` is on its way.
    pub(super) fn sent(&mut self, n: u64) {
        self.jumped = false;
        self.shown = Some(n);
    }

    fn step(&self) -> u64 {
        self.speed.max(1.0).ceil() as u64
    }

    fn at(&self, now: Instant) -> f64 {
        let passed_s = if self.playing { now.saturating_duration_since(self.anchor).as_secs_f64() } else { 0.0 };
        (self.position + passed_s * self.fps * self.speed).min(self.last as f64)
    }

    fn settle(&mut self, now: Instant) {
        self.position = self.at(now);
        self.anchor = now;
    }
}

/// The frame shown at a position. A frame due at this very moment must not be missed by a rounding error.
fn whole(position: f64) -> u64 {
    (position + 1e-6).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays for `ms`, taking every frame when it is due; returns (frame, ms at which it came).
    fn run(clock: &mut PlayClock, from: Instant, ms: u64) -> Vec<(u64, u64)> {
        let mut now = from;
        let mut frames = Vec::new();
        while let Some(due) = clock.next(now) {
            if due.at > from + Duration::from_millis(ms) {
                break;
            }
            now = now.max(due.at);
            assert_eq!(due.skipped, 0);
            clock.sent(due.n);
            frames.push((due.n, (now - from).as_millis() as u64));
        }
        frames
    }

    #[test]
    fn frame_n_comes_when_the_clock_shows_n() {
        let t = crate::clock::now();
        let mut clock = PlayClock::new(t, 10, 1000, 0.0, 1.0);
        assert_eq!(run(&mut clock, t, 300), [(0, 0), (1, 100), (2, 200), (3, 300)]);
        let mut clock = PlayClock::new(t, 10, 1000, 4.5, 0.5);
        assert_eq!(run(&mut clock, t, 500), [(4, 0), (5, 100), (6, 300), (7, 500)]);
    }

    #[test]
    fn above_single_speed_at_most_fps_frames_a_second_come_and_all_clients_want_the_same() {
        let t = crate::clock::now();
        for (speed, step) in [(2.0, 2), (2.5, 3), (10.0, 10), (100.0, 100)] {
            for start in [0.0, 7.0, 33.3] {
                let mut clock = PlayClock::new(t, 25, 100_000, start, speed);
                let frames = run(&mut clock, t, 1000);
                assert!(frames.len() <= 26 + 1, "{speed}: {} frames", frames.len());
                assert!(frames.len() >= 20, "{speed}: {} frames", frames.len());
                assert!(frames[1..].iter().all(|(n, _)| n % step == 0), "{speed}: {frames:?}");
                for (n, ms) in &frames[1..] {
                    let shown = start + *ms as f64 / 1000.0 * 25.0 * speed;
                    assert!((shown - *n as f64).abs() <= 0.025 * speed + 1e-6, "{speed}: frame {n} at {shown}");
                }
            }
        }
    }

    #[test]
    fn who_falls_behind_gets_the_newest_frame_and_the_rest_is_counted() {
        let t = crate::clock::now();
        let mut clock = PlayClock::new(t, 10, 1000, 0.0, 1.0);
        clock.sent(0);
        let late = t + Duration::from_millis(570);
        assert_eq!(clock.next(late), Some(Due { n: 5, at: late, skipped: 4 }));
        clock.sent(5);
        assert_eq!(clock.next(late), Some(Due { n: 6, at: t + Duration::from_millis(600), skipped: 0 }));
    }

    #[test]
    fn controls_move_the_clock_without_a_jump() {
        let t = crate::clock::now();
        let ms = |ms| t + Duration::from_millis(ms);
        let mut clock = PlayClock::new(t, 10, 1000, 0.0, 1.0);
        assert_eq!(run(&mut clock, t, 250).len(), 3);
        clock.pause(ms(250));
        assert_eq!(clock.next(ms(99_000)), None);
        clock.play(ms(99_000));
        assert_eq!(clock.next(ms(99_000)), Some(Due { n: 3, at: ms(99_050), skipped: 0 }));
        clock.speed(ms(99_000), 0.1);
        assert_eq!(clock.next(ms(99_000)), Some(Due { n: 3, at: ms(99_500), skipped: 0 }));
        clock.pause(ms(99_000));
        clock.seek(ms(99_000), 500.9);
        assert_eq!(clock.next(ms(99_001)), Some(Due { n: 500, at: ms(99_001), skipped: 0 }));
        clock.sent(500);
        assert_eq!(clock.next(ms(99_002)), None);
        // Backwards too.
        clock.seek(ms(99_003), 2.0);
        clock.sent(2);
        clock.play(ms(99_003));
        assert_eq!(clock.next(ms(99_003)).map(|due| due.n), Some(3));
    }

    #[test]
    fn the_end_is_shown_once_and_stays() {
        let t = crate::clock::now();
        let mut clock = PlayClock::new(t, 10, 25, 0.0, 10.0);
        assert_eq!(run(&mut clock, t, 99_000), [(0, 0), (10, 100), (20, 200), (24, 240)]);
        assert_eq!(clock.next(t + Duration::from_secs(1000)), None);
        clock.seek(t + Duration::from_secs(1000), 1e18);
        assert_eq!(clock.next(t + Duration::from_secs(1000)).map(|due| due.n), Some(24));
        let mut single = PlayClock::new(t, 10, 1, 0.0, 1.0);
        assert_eq!(run(&mut single, t, 1000), [(0, 0)]);
    }

    #[test]
    fn an_hour_at_any_speed_does_not_drift() {
        let t = crate::clock::now();
        for speed in [0.1, 0.3, 1.0, 7.7, 100.0] {
            let mut clock = PlayClock::new(t, 25, u64::from(u32::MAX), 0.0, speed);
            clock.sent(0);
            let hour = t + Duration::from_secs(3600);
            let due = clock.next(hour).unwrap();
            let wanted = 3600.0 * 25.0 * speed;
            assert!((due.n as f64 - wanted).abs() <= speed.max(1.0) + 1.0, "{speed}: {} for {wanted}", due.n);
        }
    }
}
