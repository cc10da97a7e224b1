//! Simulates days, runs all stages on them in a lake, and prints time and memory:
//! `cargo run --release -p railbird-book --example lake_days -- FOLDER [DAYS] [WORKERS]`.
//!
//! Days that are there already are not simulated again; the lake in `FOLDER/lake` is taken away first.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::{env, fs, io::BufWriter, path::PathBuf, sync::Arc};

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use railbird_book::{
    BarClock, EventEnds, Instruments, OPENING_MINUTES, StageRules,
    simulate::{SimulateOptions, Simulator},
    stages,
};
use railbird_lake::{Error, FileSource, Lake, LakeOptions, Machine, Request, Source, Sources, Symbol, Workers, run};
use railbird_timeline::{Clock, SystemClock};

struct Days {
    folder: PathBuf,
    dates: Vec<Date>,
}

impl Days {
    fn path(&self, date: Date) -> PathBuf {
        self.folder.join(format!("SIM_{date}.mbp-10.dbn.zst"))
    }
}

impl Sources for Days {
    fn dates(&self, _: &Symbol) -> Result<Vec<Date>, Error> {
        Ok(self.dates.clone())
    }

    fn source(&self, _: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error> {
        Ok(Some(Arc::new(FileSource::new(self.path(date)))))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let home = PathBuf::from(arguments.next().ok_or("give a folder")?);
    let count: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let asked: Option<usize> = arguments.next().map(|text| text.parse()).transpose()?;
    let clock = SystemClock::new();
    let weekdays = Date::constant(2026, 1, 5).series(1.day());
    let weekdays = weekdays.filter(|date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday));
    let days = Days { folder: home.join("ticks"), dates: weekdays.take(count).collect() };
    fs::create_dir_all(&days.folder)?;
    let started = clock.monotonic();
    if !days.dates.iter().all(|date| days.path(*date).is_file()) {
        let mut simulator = Simulator::new(SimulateOptions::default())?;
        for date in &days.dates {
            simulator.day(*date, BufWriter::new(fs::File::create(days.path(*date))?))?;
        }
    }
    let bytes: u64 = days.dates.iter().map(|date| fs::metadata(days.path(*date)).map_or(0, |file| file.len())).sum();
    println!("{count} days, {:.0} MB of ticks, simulated in {:.1} s", bytes as f64 / 1e6, seconds(&clock, started));

    let root = home.join("lake");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let rules = StageRules {
        instrument: Instruments::built_in().find("SIM").ok_or("SIM is built in")?.clone(),
        size: "5s".parse()?,
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        compression: 3,
        opening_minutes: OPENING_MINUTES,
        user: Vec::new(),
    };
    let graph = stages(&rules)?;
    let lake = Lake::open(root.to_str().ok_or("a folder named in UTF-8")?, &LakeOptions::new(Arc::new(clock)))?;
    let request = Request {
        symbols: vec![Symbol::new("SIM")?],
        from: days.dates[0],
        to: days.dates[count - 1],
        stages: Vec::new(),
        verify: false,
    };
    let task_bytes = graph.stages().iter().map(|stage| stage.memory_bytes).max().unwrap_or(0);
    for pass in ["first", "again"] {
        let workers = |tasks| Workers::decide(&Machine::look(), asked, None, task_bytes, tasks);
        let report = run(&lake, &graph, &days, &request, workers, &clock, &|_| ())?;
        println!(
            "{pass}: {} tasks, {} ran, {} stood, {} failed in {:.2} s; {} workers: {}",
            report.tasks,
            report.ran,
            report.stood,
            report.failed.len(),
            report.seconds,
            report.workers,
            report.workers_why
        );
        for failed in report.failed.iter().take(5) {
            println!("  failed {}: {}", failed.task, failed.error);
        }
        for stage in &report.stages {
            println!(
                "  {:<10} {:>9} rows {:>9.1} MB, busy {:>7.2} s, {:?}",
                stage.stage,
                stage.rows,
                stage.bytes as f64 / 1e6,
                stage.busy_seconds,
                stage.counts
            );
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory: not told here"));
    Ok(())
}

fn seconds(clock: &SystemClock, since: std::time::Duration) -> f64 {
    clock.monotonic().saturating_sub(since).as_secs_f64()
}
