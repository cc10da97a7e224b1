//! Times the way from a file of ticks to bars, stage by stage, in CPU time where the system tells it, best of several runs:
//! `cargo run --release -p railbird-book --example bars -- FILE POINT [RUNS [THREADS [OUT]]]`.
//!
//! `… --example bars -- simulate FILE DATE` writes a simulated day to be timed.
#![expect(clippy::print_stdout, reason = "an example says what it measured")]

use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Cursor},
    time::Duration,
};

use railbird_book::{
    BarClock, BarsOptions, EventEnds, Instrument, Shelf, TableForm, TickFormat, TickReader, TickSource, bars,
    parse_decimal,
    simulate::{SimulateOptions, Simulator},
};
use railbird_timeline::{Clock, SystemClock, Ts};

/// Time that the thread has been running on a core, where the system tells it; what has passed, elsewhere.
struct CoreTime(SystemClock);

impl Clock for CoreTime {
    fn now(&self) -> Ts {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        let running = fs::read_to_string("/proc/thread-self/schedstat").ok();
        let ns = running.and_then(|text| text.split(' ').next().and_then(|ns| ns.parse().ok()));
        ns.map_or_else(|| self.0.monotonic(), Duration::from_nanos)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, path, date] = arguments.as_slice()
        && verb == "simulate"
    {
        let out = BufWriter::new(File::create(path)?);
        let (_, truth) = Simulator::new(SimulateOptions::default())?.day(date.parse()?, out)?;
        println!("{} trades, {} events", truth.trades, truth.immigrants + truth.children);
        return Ok(());
    }
    let [path, point, rest @ ..] = arguments.as_slice() else { return Err("give FILE and POINT".into()) };
    let number = |at: usize, other: usize| rest.get(at).map_or(Ok(other), |text| text.parse());
    let (runs, threads) = (number(0, 3)?, number(1, 1)?);
    let point = parse_decimal(point).ok_or("POINT is a decimal")?;
    let instrument = Instrument::plain("", point, 1, 1.0)?;
    let options = BarsOptions {
        size: "5s".parse()?,
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        form: TableForm::new(None, 3)?,
        unnamed: String::new(),
        threads,
    };
    let mut best = [f64::INFINITY; 3];
    for _ in 0..runs {
        let bytes = fs::read(path)?;
        let format = TickFormat::of(&bytes);
        let source = match format {
            TickFormat::Parquet => TickSource::Parquet(File::open(path)?),
            _ => TickSource::Stream(Box::new(Cursor::new(bytes))),
        };
        let reader = TickReader::open(source, format)?;
        let shelf = || Ok(Box::new(Cursor::new(Vec::new())) as Box<dyn Shelf>);
        let clock = CoreTime(SystemClock::new());
        let (out, report) = bars(reader, &options, &|_| instrument.clone(), Vec::new(), &shelf, &clock)?;
        let of = |stage: &str| report.busy_seconds.get(stage).copied().unwrap_or_default();
        let rate = |seconds: f64| report.rows as f64 / seconds / 1e6;
        println!("{} rows, {} bars, {} bytes out", report.rows, report.bars, out.len());
        let (mut sum, stages) = (0.0, ["decode", "fold", "write"]);
        for (best, stage) in best.iter_mut().zip(stages) {
            sum += of(stage);
            *best = best.min(sum);
            let (alone, all) = (rate(of(stage)), rate(sum));
            println!("  {stage:<6} {:.3} s, {alone:.2} M rows/s alone; up to here {sum:.3} s, {all:.2}", of(stage));
        }
        let all = rate(best[2]);
        println!(
            "  best up to decode {:.3} s, fold {:.3} s, write {:.3} s: {all:.2} M rows/s",
            best[0], best[1], best[2]
        );
        if let Some(path) = rest.get(2) {
            fs::write(path, out)?;
        }
    }
    Ok(())
}
