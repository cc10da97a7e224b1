//! Times back-tests of signals: 8 columns of bars in memory, signals of a given density, statistics of each column.
//!
//! Arguments: a folder with `open`, `close` (f64) and `entries`, `exits` (one byte a bar), little endian, column after column;
//! the number of bars; the number of columns; the fee. Prints `statistic` lines a column, then the least of the times.
#![expect(clippy::print_stdout, reason = "an example speaks on standard output")]

use std::{error::Error, fs, path::Path, time::Instant};

use railbird_market::signals::{Bits, Column, Prices, Rules, Signals, Statistics, skip};
use railbird_timeline::Ts;
use rayon::prelude::*;

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
    let rules = Rules { fee: fee.parse()?, cash: 100.0, ..Rules::default() };
    let run = |signals: &[Signals]| -> Vec<Statistics> {
        let statistics = |(at, signals): (usize, &Signals)| {
            let (open, close) = (&open[part(at)], &close[part(at)]);
            let prices = Prices { time: &time, open, high: close, low: close, close };
            skip(&Column { prices, signals }, &rules, 525_600.0, None)
        };
        signals.par_iter().enumerate().map(statistics).collect()
    };
    let signals = pack();
    let statistics = run(&signals);
    let least = |work: &mut dyn FnMut()| {
        let mut times: Vec<f64> = (0..15)
            .map(|_| {
                let begin = Instant::now();
                work();
                begin.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        (times[0], times[7])
    };
    let packing = least(&mut || drop(std::hint::black_box(pack())));
    let running = least(&mut || drop(std::hint::black_box(run(&signals))));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    assert_eq!(one.install(|| run(&signals)), statistics, "one thread and many give the same");
    for column in &statistics {
        println!(
            "statistic {:e} {:e} {} {} {:e}",
            column.total,
            column.drawdown_max,
            column.counts.trades,
            column.counts.wins,
            column.sharpe.unwrap_or(f64::NAN)
        );
    }
    let rate = |seconds: f64| (bars * columns) as f64 / seconds / 1e9;
    println!("pack_s {:.6} {:.6}", packing.0, packing.1);
    println!("run_s {:.6} {:.6}", running.0, running.1);
    println!("giga_bars_a_second {:.3} {:.3}", rate(running.0), rate(running.1));
    Ok(())
}
