//! Times back-tests of signals: columns of bars in memory, signals of a given density; trades and statistics of each
//! column.
//!
//! Arguments: a folder with `open`, `close` (f64) and `entries`, `exits` (one byte a bar), little endian, column after
//! column; the number of bars; the number of columns; the fee. Prints a line `statistic` a column (total, drawdown,
//! trades, winners, Sharpe ratio, checksums of the bars of entries and exits, money that all trades moved), and for
//! each kind of run a line `time` with the least and the median of its seconds, the processors' seconds, trades, and
//! trades that a stop or target ended.
//!
//! In the time: from prices and packed signals in memory to the statistics of all columns, and to their trades where
//! the kind's name has them. `trades` writes them where those of the run before were, `trades_anew` into new memory.
#![expect(clippy::print_stdout, reason = "an example speaks on standard output")]

use std::{error::Error, fs, path::Path, time::Instant};

use railbird_market::signals::{Bits, Column, Counts, Prices, Rules, Signals, Statistics, Stops, Trade, skip};
use railbird_timeline::Ts;
use rayon::prelude::*;

/// Runs of a kind.
const RUNS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, bars, columns, fee] = &arguments[..] else { return Err("expected FOLDER BARS COLUMNS FEE".into()) };
    let (bars, columns): (usize, usize) = (bars.parse()?, columns.parse()?);
    let folder = Path::new(folder);
    let prices = |name: &str| -> Result<Vec<f64>, Box<dyn Error>> {
        let bytes = fs::read(folder.join(name))?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect())
    };
    let (open, close) = (prices("open")?, prices("close")?);
    let pairs = || open.iter().zip(&close);
    let high: Vec<f64> = pairs().map(|(open, close)| open.max(*close)).collect();
    let low: Vec<f64> = pairs().map(|(open, close)| open.min(*close)).collect();
    let (entries, exits) = (fs::read(folder.join("entries"))?, fs::read(folder.join("exits"))?);
    let time: Vec<Ts> = (0..bars as i64).map(|minute| Ts(minute * 60_000_000_000)).collect();
    let part = |column: usize| column * bars..(column + 1) * bars;
    let pack = || -> Vec<Signals> {
        let column = |column: usize| Signals {
            long_entry: Bits::from_bytes(&entries[part(column)]),
            long_exit: Bits::from_bytes(&exits[part(column)]),
            ..Signals::default()
        };
        (0..columns).into_par_iter().map(column).collect()
    };
    let signals = pack();
    let column = |at: usize| {
        let [open, high, low, close] = [&open, &high, &low, &close].map(|prices| &prices[part(at)]);
        Column { prices: Prices { time: &time, open, high, low, close }, signals: &signals[at] }
    };
    let statistics = |rules: &Rules| -> Vec<Statistics> {
        (0..columns).into_par_iter().map(|at| skip(&column(at), rules, 525_600.0, None)).collect()
    };
    let traded = |rules: &Rules, logs: &mut [Vec<Trade>]| -> Vec<Statistics> {
        let one = |(at, log): (usize, &mut Vec<Trade>)| {
            log.clear();
            skip(&column(at), rules, 525_600.0, Some(log))
        };
        logs.par_iter_mut().enumerate().map(one).collect()
    };
    let none = || vec![Vec::new(); columns];
    let rules = Rules { fee: fee.parse()?, cash: 100.0, ..Rules::default() };
    let stops = |stops: Stops| Rules { stops, ..rules.clone() };
    let loss = stops(Stops { loss: Some(0.01), ..Stops::default() });
    let both = stops(Stops { loss: Some(0.01), profit: Some(0.02), trailing: None });
    let all = stops(Stops { loss: Some(0.01), profit: Some(0.02), trailing: Some(0.01) });

    let plain = statistics(&rules);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    assert_eq!(one.install(|| statistics(&rules)), plain, "one thread and many give the same");
    let mut logs = none();
    assert_eq!(traded(&rules, &mut logs), plain, "a trade log changes nothing");
    for (column, log) in plain.iter().zip(&logs) {
        let (counts, sharpe) = (column.counts, column.sharpe.unwrap_or(f64::NAN));
        let (total, drawdown) = (column.total, column.drawdown_max);
        let (entries, exits) = (checksum(log, |trade| trade.entry_bar), checksum(log, |trade| trade.exit_bar));
        let moved: f64 = log.iter().map(|trade| trade.gain.abs()).sum();
        let Counts { trades, wins, .. } = counts;
        println!("statistic {total:e} {drawdown:e} {trades} {wins} {sharpe:e} {entries} {exits} {moved:e}");
    }
    report("pack", &mut || {
        std::hint::black_box(pack());
        vec![]
    });
    report("trades", &mut || traded(&rules, &mut logs));
    report("trades_anew", &mut || traded(&rules, &mut none()));
    report("statistics", &mut || statistics(&rules));
    for (name, rules) in [("stop_loss", &loss), ("stop_loss+take_profit", &both), ("with+trailing", &all)] {
        report(name, &mut || traded(rules, &mut logs));
    }
    Ok(())
}

/// A number that is the same where trades are of the same bars in the same order: each bar times its trade's number,
/// wrapping.
fn checksum(log: &[Trade], bar: fn(&Trade) -> usize) -> u64 {
    (1..).zip(log).fold(0, |sum: u64, (number, trade)| sum.wrapping_add((bar(trade) as u64).wrapping_mul(number)))
}

/// Runs and prints times.
fn report(name: &str, work: &mut dyn FnMut() -> Vec<Statistics>) {
    let found = work();
    let before = processors_s();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(work());
            begin.elapsed().as_secs_f64()
        })
        .collect();
    let processors = (processors_s() - before) / RUNS as f64;
    times.sort_by(f64::total_cmp);
    let sum = |count: fn(&Statistics) -> u64| found.iter().map(count).sum::<u64>();
    let (trades, stopped) = (sum(|one| one.counts.trades), sum(|one| one.counts.stopped + one.counts.reached));
    println!("time {name} {:.6} {:.6} {processors:.6} {trades} {stopped}", times[0], times[RUNS / 2]);
}

/// What all threads have spent on processors, seconds; 0 where the system does not tell.
fn processors_s() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    spent.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
}
