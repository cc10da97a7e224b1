//! A process that is killed while it writes leaves the old state or the new one, and no debris that stays.
//!
//! The test runs itself as a child process, which writes folders and a file without end, and kills it at random moments.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use railbird_store::{AtomicDir, Committed, FileLock, sweep, write_atomic};

const ROLE: &str = "RAILBIRD_TEST_KILLED_WRITER";
const FILES: usize = 4;
/// Times the rounds that are tried before the test gives up.
const MOST: u64 = 20;

fn content(file: usize) -> Vec<u8> {
    (0..20_000 * (file + 1)).map(|at| (at * 31 + file) as u8).collect()
}

fn commit(place: &Path) -> Committed {
    let mut folder = AtomicDir::begin(place).expect("begin");
    for file in 0..FILES {
        folder.write(&format!("file-{file}"), &content(file)).expect("write");
    }
    folder.commit().expect("commit")
}

/// The child's part: returns at once unless it was called as the child.
#[test]
fn writes_until_it_is_killed() {
    let Some(root) = env::var_os(ROLE) else { return };
    let root = Path::new(&root);
    let _held = FileLock::try_acquire(&root.join("lock")).expect("lock").expect("the killed one's lock is free");
    for round in 0.. {
        commit(&root.join(format!("folder-{round}")));
        write_atomic(&root.join("name"), format!("folder-{round}").as_bytes()).expect("name");
        println!("round {round}");
        // Else the child's folder grows for as long as the machine is slow.
        if round > 0 {
            fs::remove_dir_all(root.join(format!("folder-{}", round - 1))).expect("remove");
        }
    }
}

#[test]
fn a_killed_writer_leaves_whole_folders_only() {
    let rounds = if env::var_os("RAILBIRD_TEST_ALL").is_some() { 50 } else { 12 };
    let (mut killed_amid, executable) = (0, env::current_exe().expect("own path"));
    for round in 0..MOST * rounds {
        // Where the machine is so fast or so busy that no kill has come amid a write, more follow.
        if round >= rounds && killed_amid > 0 {
            break;
        }
        let root = tempfile::tempdir().expect("folder");
        let mut child = Command::new(&executable)
            .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
            .env(ROLE, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        // Killed some turns of a loop after it is under way: anywhere in a write, without a clock.
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains("round 0"))), "the child did not get going");
        (0..round % rounds * 150_000u64).for_each(|turn| {
            std::hint::black_box(turn);
        });
        child.kill().expect("kill");
        child.wait().expect("wait");

        assert!(
            FileLock::try_acquire(&root.path().join("lock")).expect("lock").is_some(),
            "a dead process holds a lock"
        );
        let named = fs::read_to_string(root.path().join("name")).expect("the name was written once");
        let swept = sweep(root.path()).expect("sweep");
        assert_eq!(swept.busy, 0);
        killed_amid += swept.removed;
        for entry in fs::read_dir(root.path()).expect("list") {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            assert!(!name.starts_with("tmp-"), "{name} stayed");
            // The child takes away what is older than the name, so that one may be half removed.
            if name == named {
                for file in 0..FILES {
                    let bytes = fs::read(path.join(format!("file-{file}"))).expect("a whole folder");
                    assert!(bytes == content(file), "{name}/file-{file}");
                }
                assert_eq!(commit(&path), Committed::Kept);
            }
        }
        assert!(root.path().join(&named).is_dir(), "{named} is named and not there");
    }
    assert!(killed_amid > 0, "no kill came amid a write in {} rounds", MOST * rounds);
}
