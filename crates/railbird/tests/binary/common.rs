//! What the tests of the real binary share: a home of their own, and a session simulated once.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder with nothing in it, in which the binary runs without anything of the user's environment.
pub(crate) struct Home {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder that its commands use.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_railbird"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path()).env("RAILBIRD_DATA_DIR", self.data());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        end(&mut self.command(arguments))
    }

    /// Runs with `--json` and reads the one document that is expected, whatever the exit code.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut all = arguments.to_vec();
        all.push("--json");
        let ended = self.run(&all);
        let document = serde_json::from_str(&ended.out);
        (
            ended.code,
            document.unwrap_or_else(|error| panic!("{arguments:?}: not one JSON document: {error}: {ended:?}")),
        )
    }

    /// Imports `archive`; the result.
    #[track_caller]
    pub(crate) fn import(&self, archive: &Path) -> Value {
        let (code, document) = self.json(&["f1", "import", text(archive)]);
        assert_eq!(code, 0, "{document}");
        document
    }

    /// Every file of the data folder with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.data(), &self.data(), &mut files);
        files
    }
}

#[track_caller]
pub(crate) fn end(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
        err: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
    }
}

/// An archive of a short simulated race, made once a test program.
pub(crate) fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<(Home, PathBuf)> = OnceLock::new();
    let (_, path) = ARCHIVE.get_or_init(|| {
        let home = Home::new();
        let path = home.path().join("archive");
        simulate(&home, &path, 5);
        (home, path)
    });
    path
}

#[track_caller]
pub(crate) fn simulate(home: &Home, path: &Path, seed: u64) {
    let seed = seed.to_string();
    let (code, document) =
        home.json(&["f1", "simulate", "--out", text(path), "--seed", &seed, "--drivers", "6", "--laps", "4"]);
    assert_eq!(code, 0, "{document}");
}

/// Copies a folder of files.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder is read") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("the file is copied");
    }
}

/// Whether the long sweeps are wanted.
pub(crate) fn all() -> bool {
    std::env::var("RAILBIRD_TEST_ALL").is_ok_and(|value| value == "1")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have UTF-8 names")
}

/// The folder of real recordings; without it the test is skipped aloud, or fails in CI.
pub(crate) fn recordings() -> Option<PathBuf> {
    let named = std::env::var_os("RAILBIRD_TEST_DATA").map(PathBuf::from);
    let path = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").is_err(), "{}: recordings are missing, and CI skips nothing", path.display());
    eprintln!("SKIPPED: {}: no recordings there; name their folder in RAILBIRD_TEST_DATA", path.display());
    None
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            files.insert(name, fs::read(&path).expect("the file is read"));
        }
    }
}

/// The archive of a whole race among the recordings.
pub(crate) fn australia(recordings: &Path) -> PathBuf {
    recordings.join("f1/livetiming/2025/2025-03-16_Australian_Grand_Prix/2025-03-16_Race")
}
