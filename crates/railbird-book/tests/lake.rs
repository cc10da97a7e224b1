//! The stages in a lake, over simulated days: the same tables as the fold over all days in turn, whatever the workers.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{ToSpan, civil::Date};
use railbird_book::{
    BarClock, Bars, EventEnds, Instruments, OPENING_MINUTES, Series, StageRules, Study, StudyRules,
    simulate::{SimulateOptions, Simulator},
    stages,
};
use railbird_lake::{
    Error, FileSource, Lake, LakeOptions, Report, Request, Source, Sources, Symbol, TaskId, Workers, run,
};
use railbird_timeline::SystemClock;

const DAYS: usize = 5;

struct Folder(PathBuf);

impl Sources for Folder {
    fn dates(&self, _: &Symbol) -> Result<Vec<Date>, Error> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        Ok(names.filter_map(|name| name.strip_suffix(".dbn.zst")?.parse().ok()).collect())
    }

    fn source(&self, _: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error> {
        let path = self.0.join(format!("{date}.dbn.zst"));
        Ok(path.is_file().then(|| Arc::new(FileSource::new(path)) as _))
    }
}

fn rules() -> StageRules {
    StageRules {
        instrument: Instruments::built_in().find("SIM").unwrap().clone(),
        size: "5s".parse().unwrap(),
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        compression: 3,
        opening_minutes: OPENING_MINUTES,
        user: Vec::new(),
    }
}

/// Monday 2026-01-05 and the days after it.
fn date(day: usize) -> Date {
    Date::constant(2026, 1, 5).saturating_add((day as i64).days())
}

fn write_days(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut simulator = Simulator::new(SimulateOptions { rows: 30_000, ..SimulateOptions::default() }).unwrap();
    for day in 0..DAYS {
        let (bytes, _) = simulator.day(date(day), Vec::new()).unwrap();
        fs::write(folder.join(format!("{}.dbn.zst", date(day))), bytes).unwrap();
    }
}

fn run_in(root: &Path, sources: &Path, workers: usize, last: usize) -> (Lake, Report) {
    let clock = SystemClock::new();
    let lake = Lake::open(root.to_str().unwrap(), &LakeOptions::new(Arc::new(clock))).unwrap();
    let request = Request {
        symbols: vec![Symbol::new("SIM").unwrap()],
        from: date(0),
        to: date(last),
        stages: Vec::new(),
        verify: false,
    };
    let workers = |_| Workers { count: workers, why: String::new() };
    let graph = stages(&rules()).unwrap();
    let report = run(&lake, &graph, &Folder(sources.to_owned()), &request, workers, &clock, &|_| ()).unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    (lake, report)
}

fn files(root: &Path, folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, into);
        } else if !path.to_str().unwrap().contains("/.locks/") {
            into.insert(path.strip_prefix(root).unwrap().display().to_string(), fs::read(&path).unwrap());
        }
    }
}

fn all(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(root, root, &mut found);
    found
}

#[test]
fn the_stages_of_a_lake_give_what_the_fold_over_all_days_gives() {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_days(&sources);
    let (lake, report) = run_in(&root, &sources, 2, DAYS - 1);
    assert_eq!((report.tasks, report.ran), (5 * DAYS, 5 * DAYS));
    assert_eq!(run_in(&root, &sources, 1, DAYS - 1).1.ran, 0, "everything stands");

    let mut study = Study::new(StudyRules::of(&rules().instrument, OPENING_MINUTES, Vec::new()).unwrap());
    let (mut episodes, mut relative) = (0, 0);
    for day in 0..DAYS {
        let task =
            |stage: &str| TaskId { stage: stage.to_owned(), symbol: Symbol::new("SIM").unwrap(), date: date(day) };
        let table = |stage: &str, set: &str| {
            let manifest = lake.manifest(&task(stage)).unwrap().expect("the partition stands");
            lake.table(&manifest, set).unwrap().whole(None).unwrap()
        };
        let bars = Bars::read(&[table("bars", "bars")], Series::ALL).unwrap().remove(0);
        let studied = study.apply(&bars).unwrap();
        episodes += studied.episodes.episodes.len();
        for (set, want) in studied.tables() {
            let stage = match set {
                "levels" | "outcomes" | "spans" => "episodes",
                other => other,
            };
            assert_eq!(table(stage, set), want, "{set} of day {day}");
        }
        let rvol = table("profiles", "relative_volume");
        assert_eq!(rvol.num_rows(), bars.len());
        let known = rvol.column_by_name("rvol_bar").unwrap();
        relative += known.len() - known.null_count();
    }
    assert!(episodes > 10, "{episodes} episodes: the days show too little");
    assert!(relative > 0, "five days have volume relative to three before");
}

#[test]
fn one_worker_or_three_and_a_shorter_run_before_give_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_days(&sources);
    let lake = |name: &str| home.path().join(name);
    run_in(&lake("one"), &sources, 1, DAYS - 1);
    run_in(&lake("three"), &sources, 3, DAYS - 1);
    // The prefix: what the first days gave is what they give beside later ones.
    run_in(&lake("cut"), &sources, 2, 1);
    let (whole, cut) = (all(&lake("one")), all(&lake("cut")));
    assert!(whole.len() > 5 * DAYS && cut.len() < whole.len());
    assert!(whole == all(&lake("three")), "three workers");
    for (name, bytes) in &cut {
        assert!(whole.get(name) == Some(bytes), "{name}");
    }
}

#[test]
fn a_file_that_is_no_book_fails_its_day_and_what_looks_back_on_it() {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_days(&sources);
    fs::write(sources.join(format!("{}.dbn.zst", date(3))), b"DBN\x09 is no version").unwrap();
    let clock = SystemClock::new();
    let lake = Lake::open(root.to_str().unwrap(), &LakeOptions::new(Arc::new(clock))).unwrap();
    let request = Request {
        symbols: vec![Symbol::new("SIM").unwrap()],
        from: date(0),
        to: date(DAYS - 1),
        stages: Vec::new(),
        verify: false,
    };
    let workers = |_| Workers { count: 2, why: String::new() };
    let graph = stages(&rules()).unwrap();
    let report = run(&lake, &graph, &Folder(sources), &request, workers, &clock, &|_| ()).unwrap();
    let failed: Vec<_> = report.failed.iter().map(|failed| failed.task.to_string()).collect();
    assert_eq!(failed, ["bars SIM 2026-01-08"]);
    assert!(report.failed[0].error.starts_with("2026-01-08.dbn.zst: "), "{}", report.failed[0].error);
    // Four stages of that day, and the four of the day after that look back on it.
    assert_eq!((report.ran, report.not_run.len()), (3 * 5 + 1, 8));
}
