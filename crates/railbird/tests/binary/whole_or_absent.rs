//! Laws 4 and 7 through the real binary: same bytes on any number of threads, and never half a session.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Home, archive, end, text};
use serde_json::Value;

/// A small generator, so that the moments of the kills are the same in every run.
struct Moments(u64);

impl Moments {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn one_thread_or_two_give_the_same_bytes() {
    let (one, two) = (Home::new(), Home::new());
    let import = |home: &Home, threads: &str| {
        let (code, document) = home.json(&["f1", "import", text(archive()), "--threads", threads]);
        assert_eq!(code, 0, "{document}");
        without_times(document)
    };
    assert_eq!(import(&one, "1"), import(&two, "2"));
    assert_eq!(session_files(&one), session_files(&two));
    for arguments in [&["f1", "laps", "latest"][..], &["f1", "order", "latest"], &["f1", "classification", "latest"]] {
        let threads = |home: &Home, threads| {
            let mut all = arguments.to_vec();
            all.extend(["--threads", threads]);
            home.json(&all)
        };
        assert_eq!(threads(&one, "1"), threads(&two, "2"), "{arguments:?}");
    }
}

#[test]
fn importing_again_changes_nothing() {
    let home = Home::new();
    let first = home.import(archive());
    let files = home.files();
    let second = home.import(archive());
    assert_eq!((&second["change"], &second["decoded"]), (&"unchanged".into(), &false.into()));
    let (code, again) = home.json(&["f1", "import", "--again", text(archive())]);
    assert_eq!((code, &again["change"], &again["decoded"]), (0, &"unchanged".into(), &true.into()), "{again}");
    assert_eq!((&first["version"], &first["version"]), (&second["version"], &again["version"]));
    assert_eq!(home.files(), files);
}

#[test]
fn other_input_under_the_same_name_is_a_new_version_and_the_old_one_stays() {
    let home = Home::new();
    let first = home.import(archive());
    let shorter = home.path().join("shorter");
    crate::common::copy(archive(), &shorter);
    let timing = shorter.join("TimingData.jsonStream");
    let bytes = std::fs::read(&timing).expect("the stream");
    let cut = bytes[..bytes.len() * 2 / 3].iter().rposition(|byte| *byte == b'\n').expect("a record ends");
    std::fs::write(&timing, &bytes[..=cut]).expect("the stream is written");
    let second = home.import(&shorter);
    assert_eq!((&second["session"], &second["change"]), (&first["session"], &"new_version".into()), "{second}");
    let old = first["version"].as_str().expect("a version");
    assert_eq!(home.run(&["f1", "order", old]).code, 0, "the old version can still be read");
    assert_eq!(home.json(&["f1", "sessions"]).1["sessions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_damaged_file_is_refused_by_its_hash_and_mended_by_another_import() {
    let home = Home::new();
    let imported = home.import(archive());
    let files = home.files();
    let version = imported["version"].as_str().expect("a version");
    let pack = home.data().join("f1/sessions").join(version).join("chunks.pack");
    let mut bytes = std::fs::read(&pack).expect("the pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).expect("the pack is written");
    let ended = home.run(&["f1", "laps", "latest"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("chunks.pack") && ended.err.contains("import the session again"), "{}", ended.err);
    assert_eq!(home.import(archive())["change"], "repaired");
    assert_eq!(home.files(), files);
}

#[test]
fn two_imports_of_one_session_at_once_give_one_result() {
    let (alone, home) = (Home::new(), Home::new());
    alone.import(archive());
    let runs = if crate::common::all() { 10 } else { 3 };
    for _ in 0..runs {
        let ended: Vec<_> = thread::scope(|scope| {
            let import = || end(&mut home.command(&["f1", "import", "--again", text(archive()), "--json"]));
            let both = [scope.spawn(import), scope.spawn(import)];
            both.map(|one| one.join().expect("no panic")).into()
        });
        assert!(ended.iter().all(|ended| ended.code == 0), "{ended:?}");
        assert_eq!(session_files(&home), session_files(&alone));
        std::fs::remove_dir_all(home.data()).expect("the data folder goes");
    }
}

#[test]
fn a_killed_import_leaves_a_whole_session_or_none() {
    let kills = if crate::common::all() { 50 } else { 20 };
    let whole = Home::new();
    // Learn how long an import takes here, so that the kills fall all over it.
    let started = Instant::now();
    whole.import(archive());
    let took_us = u64::try_from(started.elapsed().as_micros()).expect("a short time").max(1000);
    let want = session_files(&whole);
    let mut moments = Moments(7);
    let (mut absent, mut present) = (0, 0);
    for kill in 0..kills {
        let home = Home::new();
        let mut command = home.command(&["f1", "import", text(archive())]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        thread::sleep(Duration::from_micros(moments.next(took_us * 11 / 10)));
        // Already ended is as good a moment as any.
        let _ = child.kill();
        child.wait().expect("it ends");

        let (code, sessions) = home.json(&["f1", "sessions"]);
        assert_eq!(code, 0, "kill {kill}: {sessions}");
        match sessions["sessions"].as_array().expect("a list").as_slice() {
            [] => absent += 1,
            [_] => {
                present += 1;
                assert_eq!(session_files(&home), want, "kill {kill}");
                let opened = home.run(&["f1", "laps", "latest"]);
                assert_eq!(opened.code, 0, "kill {kill}: {opened:?}");
            }
            more => panic!("kill {kill}: {} sessions", more.len()),
        }
        home.import(archive());
        assert_eq!(session_files(&home), want, "kill {kill}, imported again");
        assert!(home.files().keys().all(|name| !name.contains("tmp-")), "kill {kill}: what was half written is swept");
    }
    eprintln!("{kills} kills within {:.0} ms: absent {absent}, whole {present}", took_us as f64 / 1e3);
    assert!(absent > 0, "no kill came before the end: the test shows nothing");
}

/// A result without what the law leaves out: times and memory.
fn without_times(mut document: Value) -> Value {
    let object = document.as_object_mut().expect("an object");
    for key in ["seconds", "stages", "peak_memory_bytes"] {
        object.remove(key).expect("the key is there");
    }
    document
}

/// Files of the data folder without lock files; what a killed process left half written is no session.
fn session_files(home: &Home) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = home.files();
    let kept = files.into_iter().filter(|(name, _)| !name.ends_with(".lock") && !name.contains("tmp-"));
    kept.collect()
}
