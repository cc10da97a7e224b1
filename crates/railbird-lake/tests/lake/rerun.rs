//! What runs again, what stands, what fails and what that takes with it.

use std::fs;

use arrow::{array::AsArray, datatypes::Int64Type};
use expect_test::{Expect, expect};
use railbird_lake::{Error, Report};

use crate::{
    files,
    graph::{Form, date, open, request, run_on, try_run_on, write_source, write_sources},
};

fn told(report: &Report) -> String {
    let mut text = format!("{} tasks, {} ran, {} stood\n", report.tasks, report.ran, report.stood);
    for stage in &report.stages {
        text.push_str(&format!("{} {}/{}\n", stage.stage, stage.ran, stage.tasks));
    }
    for failed in &report.failed {
        text.push_str(&format!("failed {}: {}\n", failed.task, failed.error));
    }
    for not_run in &report.not_run {
        text.push_str(&format!("not run {} because of {}\n", not_run.task, not_run.because));
    }
    text
}

/// A lake of eight days that was run; then what `change` did to sources or form, and another run.
#[track_caller]
fn check(change: impl FnOnce(&std::path::Path, &std::path::Path, &mut Form), want: Expect) {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 10, 100);
    let (lake, mut form) = (open(&root), Form::default());
    let first = run_on(&lake, &form, &sources, &request(&[]), 2);
    assert_eq!((first.ran, first.failed.len()), (32, 0));
    change(&sources, &root, &mut form);
    let again = run_on(&lake, &form, &sources, &request(&[]), 2);
    want.assert_eq(&told(&again));
    // Whatever happened: no file that no manifest names.
    for name in files(&root).keys().filter(|name| name.ends_with(".parquet")) {
        let (folder, file) = name.rsplit_once('/').unwrap();
        let manifest = fs::read_to_string(root.join(folder).join("manifest.json")).unwrap();
        assert!(manifest.contains(file), "{name} is named by no manifest");
    }
    if again.failed.is_empty() {
        let third = run_on(&lake, &form, &sources, &request(&[]), 2);
        assert_eq!(third.ran, 0, "nothing changed, and yet {}", told(&third));
        // The same bytes as a lake that never held anything else, where there is still all to make it of.
        if fs::read_dir(&sources).unwrap().count() < 8 {
            return;
        }
        let fresh = home.path().join("fresh");
        run_on(&open(&fresh), &form, &sources, &request(&[]), 1);
        assert_eq!(files(&fresh), files(&root));
    }
}

#[test]
fn what_stands_is_not_made_again() {
    check(
        |_, _, _| (),
        expect![[r#"
        32 tasks, 0 ran, 32 stood
        lines 0/8
        sums 0/8
        means 0/8
        tags 0/8
    "#]],
    );
}

#[test]
fn a_changed_input_runs_just_what_depends_on_it() {
    // Day 2: its lines, sums and tags, and the means and tags of the three days that look back on it.
    check(
        |sources, _, _| write_source(sources, 2, 100, 5_000),
        expect![[r#"
        32 tasks, 9 ran, 23 stood
        lines 1/8
        sums 1/8
        means 3/8
        tags 4/8
    "#]],
    );
    // The last day: nobody looks back on it.
    check(
        |sources, _, _| write_source(sources, 10, 100, 1),
        expect![[r#"
        32 tasks, 3 ran, 29 stood
        lines 1/8
        sums 1/8
        means 0/8
        tags 1/8
    "#]],
    );
}

#[test]
fn an_input_that_gives_the_same_rows_stops_at_them() {
    // Another text of the same numbers.
    check(
        |sources, _, _| {
            let path = sources.join(format!("{}.txt", date(2)));
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.lines().map(|line| format!("+{line}\n")).collect::<String>()).unwrap();
        },
        expect![[r#"
            32 tasks, 1 ran, 31 stood
            lines 1/8
            sums 0/8
            means 0/8
            tags 0/8
        "#]],
    );
}

#[test]
fn a_changed_setting_or_code_version_runs_just_its_stage_and_what_depends_on_it() {
    // The first day's means have no row and stay as they are, and with them its tags.
    check(
        |_, _, form| form.factor = 3,
        expect![[r#"
        32 tasks, 22 ran, 10 stood
        lines 0/8
        sums 8/8
        means 7/8
        tags 7/8
    "#]],
    );
    // Another version that gives the same rows: what follows stands.
    check(
        |_, _, form| form.means_code = "2",
        expect![[r#"
        32 tasks, 8 ran, 24 stood
        lines 0/8
        sums 0/8
        means 8/8
        tags 0/8
    "#]],
    );
}

#[test]
fn a_failed_task_is_listed_and_what_depends_on_it_is_not_run() {
    check(
        |sources, _, _| fs::write(sources.join(format!("{}.txt", date(8))), "1\ntwo\n").unwrap(),
        expect![[r#"
            32 tasks, 0 ran, 25 stood
            lines 0/8
            sums 0/8
            means 0/8
            tags 0/8
            failed lines SIM 2024-03-08: 2024-03-08.txt:2: expected a number, found "two"
            not run sums SIM 2024-03-08 because of lines SIM 2024-03-08
            not run tags SIM 2024-03-08 because of lines SIM 2024-03-08
            not run means SIM 2024-03-09 because of lines SIM 2024-03-08
            not run tags SIM 2024-03-09 because of lines SIM 2024-03-08
            not run means SIM 2024-03-10 because of lines SIM 2024-03-08
            not run tags SIM 2024-03-10 because of lines SIM 2024-03-08
        "#]],
    );
}

#[test]
fn a_source_that_is_gone_leaves_what_was_made_of_it() {
    check(
        |sources, _, _| fs::remove_file(sources.join(format!("{}.txt", date(3)))).unwrap(),
        expect![[r#"
        32 tasks, 0 ran, 32 stood
        lines 0/8
        sums 0/8
        means 0/8
        tags 0/8
    "#]],
    );
}

#[test]
fn a_file_that_went_or_was_cut_is_made_again() {
    let of = |root: &std::path::Path, set: &str| {
        let folder = root.join(format!("stage=lines/symbol=SIM/date={}", date(2)));
        let mut found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(set)).unwrap()
    };
    let want = || {
        expect![[r#"
        32 tasks, 1 ran, 31 stood
        lines 1/8
        sums 0/8
        means 0/8
        tags 0/8
    "#]]
    };
    check(|_, root, _| fs::remove_file(of(root, "lines-")).unwrap(), want());
    check(|_, root, _| fs::write(of(root, "lines-"), "cut").unwrap(), want());
    check(|_, root, _| fs::remove_file(of(root, "manifest")).unwrap(), want());
}

#[test]
fn what_another_wrote_between_is_found_by_its_content_when_asked() {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 4, 100);
    let (lake, form) = (open(&root), Form::default());
    run_on(&lake, &form, &sources, &request(&[]), 2);
    let want = files(&root);
    let name = want.keys().find(|name| name.contains("/odd-")).unwrap();
    let mut flipped = fs::read(root.join(name)).unwrap();
    flipped[10] ^= 1;
    fs::write(root.join(name), &flipped).unwrap();
    assert_eq!(run_on(&lake, &form, &sources, &request(&[]), 2).ran, 0, "of the same size");
    let mut verifying = request(&[]);
    verifying.verify = true;
    assert_eq!(run_on(&lake, &form, &sources, &verifying, 2).ran, 1);
    assert_eq!(files(&root), want);
}

#[test]
fn the_bytes_do_not_depend_on_workers_dates_or_order() {
    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_sources(&sources, 20, 3_000);
    let form = Form::default();
    let lake = |name: &str| open(&home.path().join(name));
    run_on(&lake("one"), &form, &sources, &request(&[]), 1);
    let want = files(&home.path().join("one"));
    run_on(&lake("eight"), &form, &sources, &request(&[]), 8);
    assert_eq!(files(&home.path().join("eight")), want);
    // Day by day, the last first: what it looks back on is made with it.
    let days = lake("days");
    for day in (1..=20).rev() {
        let mut one = request(&[]);
        (one.from, one.to) = (date(day), date(day));
        match try_run_on(&days, &form, &sources, &one, 2) {
            Ok(report) => assert!(report.failed.is_empty()),
            Err(error) => assert!(day % 7 >= 5 && matches!(error, Error::NoDates { .. }), "{error}"),
        }
    }
    assert_eq!(files(&home.path().join("days")), want);
}

#[test]
fn dates_stages_and_graphs_that_are_not_there_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 4, 10);
    let (lake, form) = (open(&root), Form::default());
    let told = |request| try_run_on(&lake, &form, &sources, &request, 1).unwrap_err().to_string();
    expect!["stage \"bars\": unknown; expected one of lines, sums, means, tags"].assert_eq(&told(request(&["bars"])));
    let mut late = request(&[]);
    late.from = date(20);
    expect!["SIM: no source and no stored partition between 2024-03-20 and 2024-03-31; there are 4 dates from 2024-03-01 to 2024-03-04"]
        .assert_eq(&told(late));
    let missing = railbird_lake::Lake::existing("/nonexistent/lake", &crate::graph::options()).unwrap_err();
    assert!(matches!(missing, Error::NoLake { .. }), "{missing}");
    for location in ["", "ftp://host/lake", "s3://"] {
        let error = railbird_lake::Lake::open(location, &crate::graph::options()).unwrap_err();
        assert!(matches!(error, Error::Location { .. } | Error::Remote { .. }), "{location}: {error}");
    }
    assert_eq!(files(&root).len(), 0, "nothing was written");
}

#[test]
fn a_stage_that_breaks_its_word_fails_alone() {
    use crate::graph::{Folder, batch, graph};
    use parquet::arrow::ArrowWriter;
    use railbird_lake::{Edge, Graph, StageFn, Workers, run};
    use std::{io::Write, sync::Arc};

    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_sources(&sources, 1, 10);
    let told = |name: &str, run_stage: StageFn, edges: Vec<Edge>| {
        let mut stages = graph(&Form::default()).stages().to_vec();
        stages.truncate(2);
        (stages[1].run, stages[1].edges) = (run_stage, edges);
        let root = home.path().join(name);
        let workers = |_| Workers { count: 2, why: String::new() };
        let report = run(
            &open(&root),
            &Graph::new(stages).unwrap(),
            &Folder(sources.clone()),
            &request(&[]),
            workers,
            &railbird_timeline::SystemClock::new(),
            &|_| (),
        )
        .unwrap();
        assert_eq!((report.ran, report.failed.len()), (1, 1));
        assert!(!root.join("stage=sums/symbol=SIM/date=2024-03-01/manifest.json").exists());
        assert!(files(&root).keys().all(|name| !name.contains("tmp-")), "nothing half written is left");
        report.failed[0].error.clone()
    };
    let same = || vec![Edge::same("lines", &["lines"])];
    let wrong: StageFn = Arc::new(|work| Ok(work.write("sums", &batch(&[("known_at", vec![]), ("total", vec![])]))?));
    expect!["data set sums: column sum: expected it as column 2, found no column of that name; this is an error in the stage"]
        .assert_eq(&told("contract", wrong, same()));
    let half: StageFn = Arc::new(|work| {
        work.write("sums", &batch(&[("known_at", vec![Some(1)]), ("sum", vec![Some(1)])]))?;
        Err("gave up amid the rows".into())
    });
    expect!["gave up amid the rows"].assert_eq(&told("half", half, same()));
    let undeclared: StageFn = Arc::new(|work| work.table("lines").map(drop).map_err(Into::into));
    expect!["sums SIM 2024-03-01: reads lines of its own date without an edge to it; this is an error in the stage"]
        .assert_eq(&told("undeclared", undeclared, vec![Edge::before("lines", "lines", 1)]));
    let sourceless: StageFn = Arc::new(|work| work.source().map(drop).map_err(Into::into));
    expect!["sums SIM 2024-03-01: reads a source without an edge to one; this is an error in the stage"]
        .assert_eq(&told("sourceless", sourceless, same()));
    let garbage: StageFn = Arc::new(|work| {
        let mut file = work.begin_file("sums")?;
        file.write_all(b"no Parquet")?;
        Ok(work.end_file(file)?)
    });
    let error = told("garbage", garbage, same());
    assert!(error.starts_with("data set sums: "), "{error}");
    let other: StageFn = Arc::new(|work| {
        let rows = batch(&[("known_at", vec![Some(1)]), ("total", vec![Some(1)])]);
        let mut writer = ArrowWriter::try_new(work.begin_file("sums")?, rows.schema(), None)?;
        writer.write(&rows)?;
        Ok(work.end_file(writer.into_inner()?)?)
    });
    expect!["data set sums: column sum: expected it as column 2, found no column of that name; this is an error in the stage"]
        .assert_eq(&told("encoded", other, same()));
    let twice: StageFn = Arc::new(|work| {
        work.write("sums", &batch(&[("known_at", vec![Some(1)]), ("sum", vec![Some(1)])]))?;
        Ok(work.end_file(work.begin_file("sums")?)?)
    });
    expect!["sums SIM 2024-03-01: writes sums twice; this is an error in the stage"].assert_eq(&told(
        "twice",
        twice,
        same(),
    ));
    let panics: StageFn = Arc::new(|_| panic!("at row {}", 7));
    expect!["the stage panicked: at row 7"].assert_eq(&told("panic", panics, same()));
    let misnamed: StageFn = Arc::new(|work| Ok(work.write("lines", &batch(&[("known_at", vec![])]))?));
    expect!["sums SIM 2024-03-01: writes lines without a contract for it; this is an error in the stage"]
        .assert_eq(&told("misnamed", misnamed, same()));
}

#[test]
fn a_stage_that_gives_other_bytes_each_time_is_found_out() {
    use crate::graph::{Folder, batch, graph};
    use railbird_lake::{Graph, Workers, run};
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 1, 10);
    let mut stages = graph(&Form::default()).stages().to_vec();
    stages.truncate(1);
    let calls = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&calls);
    stages[0].run = Arc::new(move |work| {
        let call = Some(counter.fetch_add(1, Ordering::SeqCst));
        Ok(work.write("lines", &batch(&[("known_at", vec![call]), ("value", vec![call])]))?)
    });
    let graph = Graph::new(stages).unwrap();
    let again = || {
        let workers = |_| Workers { count: 1, why: String::new() };
        let clock = railbird_timeline::SystemClock::new();
        run(&open(&root), &graph, &Folder(sources.clone()), &request(&[]), workers, &clock, &|_| ()).unwrap()
    };
    assert_eq!(again().ran, 1);
    let lines = files(&root).into_keys().find(|name| name.contains("lines-")).unwrap();
    fs::remove_file(root.join(lines)).unwrap();
    let report = again();
    assert!(report.failed[0].error.contains("came out other than before"), "{}", report.failed[0].error);
}

#[test]
fn a_stage_that_encodes_by_itself_gives_the_same_table() {
    use crate::graph::{Folder, graph};
    use parquet::arrow::ArrowWriter;
    use railbird_lake::{Graph, Workers, run};
    use std::sync::Arc;

    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 1, 5_000);
    let form = Form::default();
    let batches = open(&home.path().join("batches"));
    run_on(&batches, &form, &sources, &request(&["sums"]), 1);
    let mut stages = graph(&form).stages().to_vec();
    stages.truncate(2);
    stages[1].run = Arc::new(|work| {
        let lines = work.table("lines")?;
        let values = lines.whole(Some(&["value"]))?;
        let sum: i64 = arrow::compute::sum(values.column(0).as_primitive::<Int64Type>()).unwrap_or(0);
        let last = lines.rows() as i64 - 1;
        let rows = crate::graph::batch(&[("known_at", vec![Some(last)]), ("sum", vec![Some(sum * 2)])]);
        let mut writer = ArrowWriter::try_new(work.begin_file("sums")?, rows.schema(), None)?;
        writer.write(&rows)?;
        Ok(work.end_file(writer.into_inner()?)?)
    });
    let (lake, graph) = (open(&root), Graph::new(stages).unwrap());
    let workers = |_| Workers { count: 1, why: String::new() };
    let clock = railbird_timeline::SystemClock::new();
    let report = run(&lake, &graph, &Folder(sources), &request(&[]), workers, &clock, &|_| ()).unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let read = |lake: &railbird_lake::Lake| {
        let task = lake.tasks(Some("sums"), None).unwrap().remove(0);
        let manifest = lake.manifest(&task).unwrap().unwrap();
        let output = manifest.output("sums").unwrap();
        (lake.table(&manifest, "sums").unwrap().whole(None).unwrap(), output.rows, output.known_at)
    };
    assert_eq!(read(&lake), read(&batches));
    assert_eq!(read(&lake).2, Some((4_999, 4_999)));
}
