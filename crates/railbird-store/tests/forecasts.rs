//! Forecasts on disk: what was kept is found again by any process, whatever is killed or damaged.
//!
//! A store is opened once a process, so several processes are this test run again as a child, in a role.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use railbird_store::{ForecastStore, SetAside};

const ROLE: &str = "RAILBIRD_TEST_FORECASTS";
const ROOM: u64 = 64 << 20;

fn entry(number: u64) -> ([u8; 32], Vec<u8>) {
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (at % 8 * 8)) as u8;
    }
    key[31] = (number >> 8) as u8;
    key[30] = number as u8;
    let value = (0..60 + number % 40).map(|at| (number * 7 + at) as u8).collect();
    (key, value)
}

fn entries(numbers: std::ops::Range<u64>) -> Vec<([u8; 32], Vec<u8>)> {
    numbers.map(entry).collect()
}

fn open(folder: &Path) -> (ForecastStore, Option<SetAside>) {
    ForecastStore::open(folder, ROOM).expect("open")
}

/// Values of `numbers` that are there; each must be the one that was put.
fn found(store: &ForecastStore, numbers: std::ops::Range<u64>) -> usize {
    let wanted = entries(numbers);
    let keys: Vec<_> = wanted.iter().map(|(key, _)| *key).collect();
    let values = store.get_many(&keys).expect("read");
    let there = values.into_iter().zip(wanted).filter_map(|(found, (_, wanted))| found.map(|found| (found, wanted)));
    there.inspect(|(found, wanted)| assert_eq!(found, wanted)).count()
}

/// The child's part: puts what it is told, batch by batch, without end where it is told no end.
#[test]
fn puts_in_a_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let parts: Vec<&str> = role.split('|').collect();
    let (store, _) = open(Path::new(parts[0]));
    let (from, to): (u64, u64) = (parts[1].parse().expect("from"), parts[2].parse().expect("to"));
    for batch in (from..to).step_by(100) {
        store.put_many(&entries(batch..(batch + 100).min(to))).expect("put");
        println!("put {batch}");
    }
}

fn child(folder: &Path, from: u64, to: u64) -> Child {
    Command::new(env::current_exe().expect("own path"))
        .args(["--exact", "puts_in_a_role", "--nocapture"])
        .env(ROLE, format!("{}|{from}|{to}", folder.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("child")
}

#[test]
fn what_was_kept_is_there_in_the_next_process_and_what_was_not_is_not() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, aside) = open(folder.path());
        assert_eq!(aside, None);
        store.put_many(&entries(0..5_000)).unwrap();
        assert_eq!(found(&store, 0..5_000), 5_000);
        let error = ForecastStore::open(folder.path(), ROOM).unwrap_err().to_string();
        assert!(error.contains("already open"), "{error}");
    }
    let (store, aside) = open(folder.path());
    assert_eq!((aside, found(&store, 0..6_000)), (None, 5_000));
    let stats = store.stats().unwrap();
    assert_eq!((stats.entries, stats.hits, stats.misses, stats.damaged), (5_000, 5_000, 1_000, 0));
    assert_eq!(store.verify().unwrap().checked, 5_000);
    drop(store);
    ForecastStore::clear(folder.path(), ROOM).unwrap();
    assert!(!folder.path().join("data.mdb").exists());
    let (store, _) = open(folder.path());
    assert_eq!(found(&store, 0..6_000), 0);
}

#[test]
fn a_value_that_is_put_again_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (key, _) = entry(1);
    for value in [b"one".to_vec(), vec![7; 100_000], b"three".to_vec()] {
        store.put_many(&[(key, value.clone())]).unwrap();
        assert_eq!(store.get_many(&[key]).unwrap(), [Some(value)]);
        assert_eq!(store.stats().unwrap().entries, 1);
    }
    store.put_many(&[(key, vec![0; (1 << 20) + 1])]).unwrap();
    assert_eq!(store.get_many(&[key]).unwrap(), [Some(b"three".to_vec())], "too long to be kept");
}

#[test]
fn processes_share_it_while_they_write() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let mut children = [child(folder.path(), 0, 3_000), child(folder.path(), 2_000, 5_000)];
    store.put_many(&entries(5_000..6_000)).unwrap();
    for child in &mut children {
        let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).last();
        assert!(child.wait().unwrap().success(), "{output:?}");
    }
    assert_eq!(found(&store, 0..7_000), 6_000);
    assert_eq!(store.stats().unwrap().entries, 6_000);
    // Removing is for the last one only: while we use it, only its values go.
    let mut clearing = child(folder.path(), 0, 0);
    clearing.wait().unwrap();
    assert_eq!(store.verify().unwrap().damaged, 0);
}

#[test]
fn a_killed_writer_leaves_whole_batches_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..12u64 {
        let mut child = child(folder.path(), 0, u64::MAX / 2);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = |wanted: &str| loop {
            let line = lines.next().expect("the child goes on").expect("its words");
            if line.contains(wanted) {
                return line;
            }
        };
        line("put ");
        for _ in 0..round {
            line("put ");
        }
        (0..round * 70_000).for_each(|turn| {
            std::hint::black_box(turn);
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let (store, aside) = open(folder.path());
        assert_eq!(aside, None, "a kill damages nothing");
        let entries = store.stats().unwrap().entries;
        assert!(entries > 100 * round && entries % 100 == 0, "{entries} in round {round}");
        assert_eq!(found(&store, 0..entries) as u64, entries);
        assert_eq!(store.verify().unwrap().damaged, 0);
    }
}

#[test]
fn a_foreign_file_is_set_aside_and_the_run_goes_on() {
    for content in [&b"not a database"[..], &[0; 100_000], b""] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data.mdb"), content).unwrap();
        let (store, aside) = open(folder.path());
        assert_eq!(aside.is_some(), !content.is_empty());
        if let Some(aside) = aside {
            assert_eq!(fs::read(&aside.aside).unwrap(), content, "{}", aside.reason);
        }
        store.put_many(&entries(0..10)).unwrap();
        assert_eq!(found(&store, 0..10), 10);
    }
}

#[test]
fn any_damage_is_found_before_it_is_mapped_or_costs_only_the_values_that_it_hit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.mdb");
    {
        let (store, _) = open(folder.path());
        for batch in 0..20 {
            store.put_many(&entries(batch * 200..batch * 200 + 300)).unwrap();
        }
        // Free pages, and a value over several pages.
        store.shrink(200_000).unwrap();
        store.put_many(&[([9; 32], vec![3; 20_000])]).unwrap();
    }
    let sound = fs::read(&path).unwrap();
    let mut outcomes = HashMap::<&str, u32>::new();
    let trials = if env::var_os("RAILBIRD_TEST_ALL").is_some() { 3_000 } else { 300 };
    let mut state = 1u64;
    let mut chance = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for trial in 0..trials {
        let mut bytes = sound.clone();
        match trial % 4 {
            // One byte anywhere, a byte in the head of a page, a page of noise, a file cut short.
            0 => {
                let at = chance(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << chance(8);
            }
            1 => {
                let at = chance(bytes.len() as u64 / 4096) * 4096 + chance(160);
                bytes[at as usize] = chance(256) as u8;
            }
            2 => {
                let at = (chance(bytes.len() as u64 / 4096) * 4096) as usize;
                bytes[at..at + 4096].iter_mut().for_each(|byte| *byte = chance(256) as u8);
            }
            _ => bytes.truncate(chance(bytes.len() as u64) as usize),
        }
        fs::write(&path, &bytes).unwrap();
        let (store, aside) = open(folder.path());
        // Whatever it is: nothing wrong is given out, nothing dies, and new values are kept.
        let before = found(&store, 0..4_100);
        store.put_many(&entries(10_000..10_200)).unwrap();
        assert_eq!(found(&store, 10_000..10_200), 200);
        store.shrink(50_000).unwrap();
        store.verify().unwrap();
        *outcomes.entry(if aside.is_some() { "set aside" } else { "went on" }).or_default() += 1;
        assert!(aside.is_none() || before == 0);
    }
    println!("{trials} damaged files: {outcomes:?}");
    assert!(outcomes["set aside"] > 20 && outcomes["went on"] > 20, "{outcomes:?}");
}

#[test]
fn what_only_we_wrote_is_not_read_again_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.mdb");
    {
        let (store, _) = open(folder.path());
        for batch in 0..100 {
            store.put_many(&entries(batch * 200..batch * 200 + 200)).unwrap();
        }
    }
    assert!(fs::metadata(&path).unwrap().len() > 2 << 20, "large enough to tell");
    let read_by_opening = || {
        let read = || -> u64 {
            let told = fs::read_to_string("/proc/self/io").unwrap();
            told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
        };
        let before = read();
        let (store, aside) = open(folder.path());
        let bytes = read() - before;
        assert_eq!((aside, found(&store, 0..20_000)), (None, 20_000));
        bytes
    };
    // Other tests of this process read as well, but not for long.
    let least = (0..20).map(|_| read_by_opening()).min().unwrap();
    assert!(least < 64 << 10, "{least} bytes read");
    // A byte that another program writes, even the same, has all of it looked at once.
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1 << 20).unwrap();
    file.write_all_at(&byte, 1 << 20).unwrap();
    drop(file);
    assert!(read_by_opening() > 2 << 20);
}

#[test]
fn the_oldest_goes_and_what_is_read_stays() {
    let folder = tempfile::tempdir().unwrap();
    let room = 1 << 20;
    let (store, _) = ForecastStore::open(folder.path(), room).unwrap();
    for batch in 0..200u64 {
        store.put_many(&entries(batch * 100..batch * 100 + 100)).unwrap();
        assert!(store.stats().unwrap().bytes <= room);
        // The first hundred are read again and again.
        assert_eq!(found(&store, 0..100), 100, "batch {batch}");
        store.flush().unwrap();
    }
    let stats = store.stats().unwrap();
    assert!(stats.evictions > 10_000, "{stats:?}");
    assert!(stats.file_bytes <= 2 * room + (33 << 20), "{stats:?}");
    assert!(stats.entries > 3_000, "{stats:?}");
    assert_eq!(found(&store, 100..200), 0, "the second hundred were never read");
    assert_eq!(found(&store, 19_000..20_000), 1_000);
    store.shrink(0).unwrap();
    assert_eq!((store.stats().unwrap().entries, store.stats().unwrap().bytes), (0, 0));
}
