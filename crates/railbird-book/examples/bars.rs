//! Times the way from a file of ticks to bars, stage by stage, best of several runs:
//! `cargo run --release -p railbird-book --example bars -- FILE POINT [RUNS [THREADS [OUT]]]`.
#![expect(clippy::print_stdout, reason = "an example says what it measured")]

use std::{
    error::Error,
    fs::{self, File},
    io::Cursor,
    time::Instant,
};

use railbird_book::{
    BarClock, BarsOptions, EventEnds, Instrument, Shelf, TableForm, TickFormat, TickReader, TickSource, bars,
    parse_decimal,
};
use railbird_timeline::SystemClock;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
    for _ in 0..runs {
        let bytes = fs::read(path)?;
        let format = TickFormat::of(&bytes);
        let source = match format {
            TickFormat::Parquet => TickSource::Parquet(File::open(path)?),
            _ => TickSource::Stream(Box::new(Cursor::new(bytes))),
        };
        let begun = Instant::now();
        let reader = TickReader::open(source, format)?;
        let shelf = || Ok(Box::new(Cursor::new(Vec::new())) as Box<dyn Shelf>);
        let clock = SystemClock::new();
        let (out, report) = bars(reader, &options, &|_| instrument.clone(), Vec::new(), &shelf, &clock)?;
        let seconds = begun.elapsed().as_secs_f64();
        let rate = |seconds: f64| report.rows as f64 / seconds / 1e6;
        println!(
            "{} rows, {} bars, {} bytes out, {seconds:.3} s, {:.2} M rows/s; {}",
            report.rows,
            report.bars,
            out.len(),
            rate(seconds),
            report
                .busy_seconds
                .iter()
                .map(|(stage, seconds)| format!("{stage} {seconds:.3} s ({:.1} M/s)", rate(*seconds)))
                .collect::<Vec<_>>()
                .join(", ")
        );
        if let Some(path) = rest.get(2) {
            fs::write(path, out)?;
        }
    }
    Ok(())
}
