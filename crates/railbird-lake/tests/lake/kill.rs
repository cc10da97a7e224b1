//! Killed anywhere, a lake holds whole partitions only, and another run completes to the same bytes; two runs at once give one result.
//!
//! The test runs itself as a child process that runs a lake, and kills it at random moments.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use railbird_lake::{Lake, LakeOptions, TaskId};

use crate::{
    files,
    graph::{Form, open, options, request, run_on, write_sources},
    s3::Server,
};

const ROLE: &str = "RAILBIRD_TEST_LAKE_RUNNER";
const SOURCES: &str = "RAILBIRD_TEST_LAKE_SOURCES";

/// Short, so that a test does not wait long for a dead process's claims.
const LEASE: Duration = Duration::from_millis(600);

/// A small generator, so that the moments of the kills are the same in every run.
struct Moments(u64);

impl Moments {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }
}

/// The child's part: returns at once unless it was called as the child.
#[test]
fn runs_a_lake_until_it_is_done_or_killed() {
    let (Ok(location), Ok(sources)) = (env::var(ROLE), env::var(SOURCES)) else { return };
    let form = Form::default();
    let report = run_on(&open_at(&location), &form, Path::new(&sources), &request(&[]), 2);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    println!("really ran {}", form.runs.load(Ordering::SeqCst));
}

fn open_at(location: &str) -> Lake {
    let mut options = options();
    options.lease = LEASE;
    if location.starts_with("s3://") {
        let endpoint = env::var("RAILBIRD_TEST_ENDPOINT").expect("the child is told where the store is");
        options = crate::s3::options(&endpoint, LEASE);
    }
    Lake::open(location, &options).unwrap()
}

fn child(location: &str, sources: &Path, endpoint: &str) -> Child {
    Command::new(env::current_exe().expect("own path"))
        .args(["--exact", "kill::runs_a_lake_until_it_is_done_or_killed", "--nocapture"])
        .env(ROLE, location)
        .env(SOURCES, sources)
        .env("RAILBIRD_TEST_ENDPOINT", endpoint)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("child")
}

/// Each partition that has a manifest can be read and holds what the manifest says.
#[track_caller]
fn assert_whole(lake: &Lake, want: &BTreeMap<TaskId, String>) -> usize {
    let tasks = lake.tasks(None, None).unwrap();
    for task in &tasks {
        let manifest = lake.manifest(task).unwrap().expect("it was listed");
        assert_eq!(Some(&format!("{manifest:?}")), want.get(task), "{task}");
        for output in &manifest.outputs {
            let rows = lake.table(&manifest, &output.set).unwrap().whole(None).unwrap().num_rows();
            assert_eq!(rows as u64, output.rows, "{task} {}", output.set);
        }
    }
    tasks.len()
}

fn manifests(lake: &Lake) -> BTreeMap<TaskId, String> {
    let tasks = lake.tasks(None, None).unwrap();
    tasks.into_iter().map(|task| (task.clone(), format!("{:?}", lake.manifest(&task).unwrap().unwrap()))).collect()
}

fn kills(usual: usize, all: usize) -> usize {
    if env::var("RAILBIRD_TEST_ALL").is_ok_and(|value| value == "1") { all } else { usual }
}

#[test]
fn a_killed_run_leaves_whole_partitions_and_another_completes_to_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let (sources, whole) = (home.path().join("in"), home.path().join("whole"));
    write_sources(&sources, 12, 4_000);
    let started = Instant::now();
    let done = child(whole.to_str().unwrap(), &sources, "").wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap();
    let want = files(&whole);
    let want_manifests = manifests(&open(&whole));
    let (mut moments, mut amid, mut debris) = (Moments(7), 0, 0);
    let kills = kills(20, 50);
    for kill in 0..kills {
        let root = home.path().join(format!("lake-{kill}"));
        let mut child = child(root.to_str().unwrap(), &sources, "");
        thread::sleep(Duration::from_micros(moments.next(took_us)));
        // Already ended is as good a moment as any.
        let _ = child.kill();
        child.wait().unwrap();
        let lake = open(&root);
        let found = assert_whole(&lake, &want_manifests);
        amid += usize::from(found > 0 && found < want_manifests.len());
        debris += files(&root).keys().filter(|name| name.contains("tmp-")).count();
        let report = run_on(&lake, &Form::default(), &sources, &request(&[]), 2);
        assert_eq!((report.failed.len(), report.stood >= found), (0, true), "kill {kill}: what was committed stands");
        assert_eq!(files(&root), want, "kill {kill}");
        fs::remove_dir_all(&root).unwrap();
    }
    println!("{kills} kills within {} ms: {amid} amid the tasks, {debris} files half written", took_us / 1000);
    assert!(amid > 0, "no kill came amid the tasks: the test shows nothing");
}

#[test]
fn a_run_on_an_object_store_killed_anywhere_is_completed_by_another() {
    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_sources(&sources, 5, 1_000);
    let server = Server::start();
    let started = Instant::now();
    let done = child("s3://bucket/whole", &sources, &server.endpoint).wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap();
    let want = server.objects("whole/");
    let options: LakeOptions = crate::s3::options(&server.endpoint, LEASE);
    let want_manifests = manifests(&Lake::open("s3://bucket/whole", &options).unwrap());
    let (mut moments, mut amid) = (Moments(11), 0);
    for kill in 0..kills(5, 20) {
        let location = format!("s3://bucket/kill-{kill}");
        let mut child = child(&location, &sources, &server.endpoint);
        thread::sleep(Duration::from_micros(moments.next(took_us)));
        let _ = child.kill();
        child.wait().unwrap();
        let lake = Lake::open(&location, &options).unwrap();
        let found = assert_whole(&lake, &want_manifests);
        amid += usize::from(found > 0 && found < want_manifests.len());
        let report = run_on(&lake, &Form::default(), &sources, &request(&[]), 2);
        assert_eq!(report.failed.len(), 0, "kill {kill}: {:?}", report.failed);
        assert_eq!(server.objects(&format!("kill-{kill}/")), want, "kill {kill}");
    }
    println!("{amid} kills amid the tasks within {} ms", took_us / 1000);
}

#[test]
fn two_processes_at_once_give_one_result_and_share_the_work() {
    let home = tempfile::tempdir().unwrap();
    let (sources, alone) = (home.path().join("in"), home.path().join("alone"));
    write_sources(&sources, 20, 3_000);
    let report = run_on(&open(&alone), &Form::default(), &sources, &request(&[]), 2);
    let want = files(&alone);
    for round in 0..3 {
        let root = home.path().join(format!("both-{round}"));
        let both = [(); 2].map(|()| child(root.to_str().unwrap(), &sources, ""));
        let mut ran = 0;
        for child in both {
            let done = child.wait_with_output().unwrap();
            let out = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(done.status.success(), "{out}{}", String::from_utf8_lossy(&done.stderr));
            let told = out.lines().find_map(|line| line.split("really ran ").nth(1)).expect("the child says it");
            ran += told.trim().parse::<usize>().unwrap();
        }
        assert_eq!(files(&root), want);
        assert_eq!(ran, report.ran, "each task was run by one of them");
    }
}

#[test]
fn two_processes_on_an_object_store_give_one_result() {
    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_sources(&sources, 5, 1_000);
    let server = Server::start();
    let options = crate::s3::options(&server.endpoint, LEASE);
    run_on(&Lake::open("s3://bucket/alone", &options).unwrap(), &Form::default(), &sources, &request(&[]), 2);
    let both = [(); 2].map(|()| child("s3://bucket/both", &sources, &server.endpoint));
    for child in both {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(server.objects("both/"), server.objects("alone/"));
}
