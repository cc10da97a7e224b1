//! Times the exact search on windows of bars: entry and exit levels of a long position, both exit policies.
//!
//! Standard input: a bar a line, `open high low close high_forecast low_forecast`, moves from the close before in units of
//! 1e-8; an empty line ends a window. Standard output: `value x y policy` a window (policy 0 leaves at the close), then
//! `seconds S repeats R`, the least time of one pass over all windows, boxes included.
#![expect(clippy::print_stdout, reason = "an example speaks on standard output")]

use std::{error::Error, io::Read, time::Instant};

use railbird_optimize::{AffineBox, Best, BoxSum, Candidates, Exact, Span, least_move};

const BOUND: i64 = 3_000_000;
const FEE: i64 = 500;
const MONEY: i64 = 1_000_000;
const ONE: i64 = 100_000_000;

struct Bar {
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    high_forecast: i64,
    low_forecast: i64,
}

#[derive(Default)]
struct Room {
    exact: Exact,
    level: Vec<AffineBox>,
    close: Vec<AffineBox>,
    x: Vec<i64>,
    y: Vec<i64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let windows = text.split("\n\n").map(window).filter(|window| !matches!(window, Ok(window) if window.is_empty()));
    let windows: Vec<Vec<Bar>> = windows.collect::<Result<_, _>>()?;
    let mut room = Room::default();
    let mut best = Vec::new();
    let (mut least_s, mut repeats, begin) = (f64::INFINITY, 0, Instant::now());
    while repeats < 3 || begin.elapsed().as_secs_f64() < 1.0 {
        let start = Instant::now();
        best.clear();
        for window in &windows {
            best.push(optimize(window, &mut room)?);
        }
        least_s = least_s.min(start.elapsed().as_secs_f64());
        repeats += 1;
    }
    for best in &best {
        println!("{} {} {} {}", best.value, best.point.x, best.point.y, best.objective);
    }
    let (pairs, ruled_out) = best.iter().fold((0, 0), |sum, best| (sum.0 + best.pairs, sum.1 + best.ruled_out));
    println!("seconds {least_s:.9} repeats {repeats} pairs {pairs} ruled_out {ruled_out}");
    Ok(())
}

fn window(text: &str) -> Result<Vec<Bar>, Box<dyn Error>> {
    let bar = |line: &str| -> Result<Bar, Box<dyn Error>> {
        let moves: Vec<i64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [open, high, low, close, high_forecast, low_forecast] = moves[..] else {
            return Err(format!("{line}: expected six moves").into());
        };
        Ok(Bar { open, high, low, close, high_forecast, low_forecast })
    };
    text.lines().filter(|line| !line.is_empty()).map(bar).collect()
}

/// Both policies over one window; the close wins a tie.
fn optimize(bars: &[Bar], room: &mut Room) -> Result<Best, Box<dyn Error>> {
    let Room { exact, level, close, x, y } = room;
    level.clear();
    close.clear();
    x.clear();
    y.clear();
    x.push(BOUND);
    y.push(-BOUND);
    for bar in bars {
        x.extend([bar.high, bar.open, bar.close].map(|at| at - 1 - bar.high_forecast));
        y.extend([bar.low, bar.open, bar.close].map(|at| at + 1 - bar.low_forecast));
        bar.boxes(level, close);
    }
    let span = Span { least: -BOUND, most: BOUND };
    let candidates = Candidates::Given { x, y };
    // Without a target `x` changes nothing: its smallest candidate move is the one that ties would choose.
    let still = [x.iter().copied().min_by_key(|x| (x.abs(), *x)).unwrap_or(0)];
    let objectives =
        [BoxSum { boxes: close, candidates: Candidates::Given { x: &still, y } }, BoxSum { boxes: level, candidates }];
    Ok(exact.maximize_first((span, span), &objectives, least_move)?)
}

impl Bar {
    fn boxes(&self, level: &mut Vec<AffineBox>, close: &mut Vec<AffineBox>) {
        if self.low + 1 > 0 {
            return;
        }
        let (low, open) = (self.low + 1 - self.low_forecast, self.open + 1 - self.low_forecast);
        let zero = 1 - self.low_forecast;
        self.row(low..open.min(zero), (self.low_forecast, 1), self.close, level, close);
        if self.open + 1 > 0 {
            self.row(zero..i64::MAX, (0, 0), self.close, level, close);
        } else {
            self.row(open..i64::MAX, (self.open, 0), self.high, level, close);
        }
    }

    /// Boxes of one way in: `entry` is its price at 0 and a unit of y, `reached` the price that proves the target.
    fn row(
        &self,
        y: std::ops::Range<i64>,
        entry: (i64, i64),
        reached: i64,
        level: &mut Vec<AffineBox>,
        close: &mut Vec<AffineBox>,
    ) {
        let each = |x: std::ops::Range<i64>, leave: (i64, i64)| AffineBox {
            x,
            y: y.clone(),
            constant: (ONE + leave.0) * (MONEY - FEE) - (ONE + entry.0) * (MONEY + FEE),
            x_slope: leave.1 * (MONEY - FEE),
            y_slope: -entry.1 * (MONEY + FEE),
        };
        close.push(each(i64::MIN..i64::MAX, (self.close, 0)));
        if reached < 1 {
            level.push(each(i64::MIN..i64::MAX, (self.close, 0)));
            return;
        }
        let (zero, last) = (1 - self.high_forecast, reached - self.high_forecast);
        level.push(each(i64::MIN..zero, (0, 0)));
        level.push(each(zero..last, (self.high_forecast, 1)));
        level.push(each(last..i64::MAX, (self.close, 0)));
    }
}
