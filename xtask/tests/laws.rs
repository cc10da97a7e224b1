//! Laws that hold for the shape of the source: who depends on whom, who reads clocks, files and the environment.
//!
//! Each check is a function over text or names, tried here on planted violations too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{Metadata, MetadataCommand};

/// The row of each crate: it depends on rows below its own, never on its own.
const ROWS: &[(&str, u8)] = &[
    ("railbird-timeline", 0),
    ("railbird-optimize", 0),
    ("railbird-measure", 0),
    ("railbird-store", 1),
    ("railbird-model", 1),
    ("railbird-publish", 1),
    ("railbird-fetch", 2),
    ("railbird-lake", 2),
    ("railbird-backtest", 2),
    ("railbird-f1", 3),
    ("railbird-book", 3),
    ("railbird-market", 3),
    ("railbird-nba", 3),
    ("railbird-horse", 3),
    ("railbird-serve", 3),
    ("railbird-ui", 3),
    ("railbird-cluster", 3),
    ("railbird", 4),
];

/// Not part of what ships: depends on no crate of ours, and none depends on it.
const APART: &[&str] = &["xtask"];

const FIELDS: &[&str] = &["f1", "book", "market", "nba", "horse"];

/// Crates that may touch a file or a socket.
const EDGES: &[&str] = &["railbird-store", "railbird-fetch", "railbird-lake", "railbird-serve", "railbird"];

/// Files that read a clock: the one that `Clock` is made of, and the server's, which reads
/// tokio's timer so that tests can pause it.
const CLOCKS: &[&str] = &["crates/railbird-timeline/src/clock.rs", "crates/railbird-serve/src/clock.rs"];

/// The file that reads the environment.
const ENVIRONMENT: &str = "crates/railbird/src/environment.rs";

/// Places `path:line: what` of forbidden code.
type Places = Vec<String>;

#[test]
fn a_crate_depends_only_on_rows_below_it() {
    let metadata = metadata();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            broken.extend(wrong_dependency(package.name.as_str(), &dependency.name));
        }
        broken.extend(without_row(package.name.as_str()));
    }
    assert_eq!(broken, Places::new());
}

#[test]
fn upward_sideways_and_unknown_dependencies_are_found() {
    assert!(wrong_dependency("railbird-store", "railbird-fetch").is_some());
    assert!(wrong_dependency("railbird-serve", "railbird-f1").is_some());
    assert!(wrong_dependency("railbird-f1", "railbird-book").is_some());
    assert!(wrong_dependency("railbird", "xtask").is_some());
    assert!(wrong_dependency("railbird-f1", "railbird-timeline").is_none());
    assert!(without_row("railbird-chess").is_some());
}

#[test]
fn fields_never_name_each_other() {
    check(&["railbird-f1", "railbird-book", "railbird-market", "railbird-nba", "railbird-horse"], other_fields);
    let planted = "use railbird_book::Book;\n";
    assert_eq!(other_fields("crates/railbird-f1/src/lib.rs", planted).len(), 1);
    assert_eq!(other_fields("crates/railbird-book/src/lib.rs", planted).len(), 0);
}

#[test]
fn a_simulator_never_imports_the_code_that_it_tests() {
    check(&["railbird-f1", "railbird-book", "railbird-market"], simulator_imports);
    let path = "crates/railbird-f1/src/simulate/motion.rs";
    assert_eq!(simulator_imports(path, "use crate::decode::scan;\n").len(), 1);
    assert_eq!(simulator_imports(path, "use super::super::geometry::Centreline;\n").len(), 1);
    assert_eq!(simulator_imports("crates/railbird-f1/src/simulate/mod.rs", "use super::geometry;\n").len(), 1);
    assert_eq!(simulator_imports(path, "use super::track::Track;\nuse crate::simulate::Options;\n").len(), 0);
    assert_eq!(simulator_imports(path, "fn a() {}\n#[cfg(test)]\nmod tests { use crate::import; }\n").len(), 0);
}

#[test]
fn only_the_clock_reads_the_system_clock() {
    check(&all(), reads_a_clock);
    assert_eq!(reads_a_clock("crates/railbird-f1/src/state/mod.rs", "let t = Instant::now();\n").len(), 1);
    assert_eq!(reads_a_clock("crates/railbird/src/main.rs", "let t = std::time::SystemTime::now();\n").len(), 1);
    assert_eq!(reads_a_clock("crates/railbird/src/main.rs", "// Instant::now() would be wrong here\n").len(), 0);
}

#[test]
fn only_the_binary_reads_the_environment() {
    check(&all(), reads_the_environment);
    assert_eq!(reads_the_environment("crates/railbird-serve/src/lib.rs", "std::env::var(\"A\")\n").len(), 1);
    assert_eq!(reads_the_environment("crates/railbird/src/cmd/f1.rs", "let a = env::args();\n").len(), 1);
    assert_eq!(reads_the_environment("crates/railbird-store/src/lib.rs", "let a = env::temp_dir();\n").len(), 1);
    assert_eq!(reads_the_environment(ENVIRONMENT, "env::var(name).ok()\n").len(), 0);
}

#[test]
fn files_and_sockets_only_at_the_edges() {
    check(&all(), touches_files_or_sockets);
    assert_eq!(touches_files_or_sockets("crates/railbird-f1/src/import.rs", "std::fs::read(path)\n").len(), 1);
    assert_eq!(touches_files_or_sockets("crates/railbird-publish/src/lib.rs", "use tokio::net::TcpStream;\n").len(), 1);
    assert_eq!(touches_files_or_sockets("crates/railbird-store/src/lib.rs", "std::fs::read(path)\n").len(), 0);
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if EDGES.contains(&name) || APART.contains(&name) {
            continue;
        }
        for outside in ["reqwest", "axum", "directories", "tempfile", "notify", "mio", "socket2"] {
            let depends = |kind| move |found: &&cargo_metadata::Dependency| found.name == outside && found.kind == kind;
            let found = package.dependencies.iter().find(depends(cargo_metadata::DependencyKind::Normal));
            assert!(found.is_none(), "{name} does no I/O and so does not need {outside}");
        }
    }
}

#[test]
fn libraries_never_print_or_exit() {
    check(&libraries(), prints_or_exits);
    let path = "crates/railbird-f1/src/lib.rs";
    assert_eq!(prints_or_exits(path, "    println!(\"{a}\");\n").len(), 1);
    assert_eq!(prints_or_exits(path, "    std::process::exit(1);\n").len(), 1);
    assert_eq!(prints_or_exits(path, "#![expect(clippy::print_stdout, reason = \"x\")]\n").len(), 1);
    let root: toml::Table = read(&root().join("Cargo.toml")).parse().expect("the root manifest");
    let lints = &root["workspace"]["lints"]["clippy"];
    for lint in ["print_stdout", "print_stderr", "exit", "unwrap_used", "dbg_macro", "todo", "unimplemented"] {
        assert!(lints.get(lint).is_some(), "lint {lint} is on");
    }
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let laws = text.split("## Laws").nth(1).expect("a section on the laws");
    let laws = laws.split("\n## ").next().unwrap_or_default();
    let code: Vec<String> =
        ["crates", "xtask"].iter().flat_map(|top| sources(&root().join(top))).map(|path| read(&path)).collect();
    let mut unknown = Vec::new();
    // The second cell of each row says what holds the law.
    let cells = laws.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(2));
    for name in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let exists = if name.ends_with(".rs") {
            root().join(name).is_file() || root().join("crates").join(name).is_file()
        } else if name.contains('_')
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_*".contains(&byte))
        {
            let wanted = format!("fn {}", name.trim_end_matches('*'));
            code.iter().any(|text| text.contains(&wanted))
        } else {
            true
        };
        if !exists {
            unknown.push(name);
        }
    }
    assert_eq!(unknown, Vec::<&str>::new());
}

fn wrong_dependency(from: &str, to: &str) -> Option<String> {
    if APART.contains(&from) || APART.contains(&to) {
        return Some(format!("{from} -> {to}: a developers' command stands apart"));
    }
    let rows: BTreeMap<_, _> = ROWS.iter().copied().collect();
    let (above, below) = (*rows.get(from)?, *rows.get(to)?);
    (below >= above).then(|| format!("{from} (row {above}) -> {to} (row {below})"))
}

fn without_row(name: &str) -> Option<String> {
    let known = ROWS.iter().any(|(known, _)| *known == name) || APART.contains(&name);
    (!known).then(|| format!("{name}: has no row"))
}

fn other_fields(path: &str, text: &str) -> Places {
    let others: Vec<String> = FIELDS
        .iter()
        .filter(|field| !path.starts_with(&format!("crates/railbird-{field}/")))
        .flat_map(|field| [format!("railbird_{field}"), format!("railbird-{field}")])
        .collect();
    places(path, text, |line| others.iter().any(|other| line.contains(other.as_str())))
}

fn simulator_imports(path: &str, text: &str) -> Places {
    let Some(inside) = path.split("/src/simulate").nth(1) else { return Vec::new() };
    let is_top = matches!(inside, ".rs" | "/mod.rs");
    places(path, text, |line| {
        let elsewhere = line.split("crate::").skip(1).any(|rest| !rest.starts_with("simulate"));
        let grouped = line.contains("use crate::{");
        elsewhere || grouped || line.contains("super::super::") || (is_top && line.contains("super::"))
    })
}

fn reads_a_clock(path: &str, text: &str) -> Places {
    if CLOCKS.contains(&path) {
        return Vec::new();
    }
    const FORMS: &[&str] =
        &["Instant::now", "SystemTime::now", "Utc::now", "Local::now", "clock_gettime", "UNIX_EPOCH.elapsed"];
    places(path, text, |line| FORMS.iter().any(|form| line.contains(form)))
}

fn reads_the_environment(path: &str, text: &str) -> Places {
    if path == ENVIRONMENT {
        return Vec::new();
    }
    const FORMS: &[&str] =
        &["env::var", "env::args", "env::temp_dir", "env::home_dir", "env::current_dir", "env::current_exe"];
    places(path, text, |line| FORMS.iter().any(|form| line.contains(form)))
}

fn touches_files_or_sockets(path: &str, text: &str) -> Places {
    if EDGES.iter().any(|edge| path.starts_with(&format!("crates/{edge}/"))) {
        return Vec::new();
    }
    const FORMS: &[&str] = &[
        "std::fs",
        "fs::read",
        "File::open",
        "File::create",
        "std::net::Tcp",
        "tokio::net",
        "tokio::fs",
        "tokio::time",
        "tokio::process",
        "tokio::io",
        "tokio::signal",
        "UdpSocket",
        "TcpListener",
        "process::Command",
    ];
    places(path, text, |line| FORMS.iter().any(|form| line.contains(form)))
}

fn prints_or_exits(path: &str, text: &str) -> Places {
    const FORMS: &[&str] = &[
        "println!",
        "eprintln!",
        "print!(",
        "eprint!(",
        "process::exit",
        "process::abort",
        "io::stdout",
        "io::stderr",
        "clippy::print_",
        "clippy::exit",
    ];
    places(path, text, |line| FORMS.iter().any(|form| line.contains(form)))
}

/// Lines of shipped code, comments and the tests at the end of a file left out, in which `is` finds something.
fn places(path: &str, text: &str, is: impl Fn(&str) -> bool) -> Places {
    let shipped =
        text.lines().enumerate().take_while(|(_, line)| line.trim_end() != "#[cfg(test)]" || line.starts_with(' '));
    let code = shipped.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(|(_, line)| is(line)).map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect()
}

#[track_caller]
fn check(crates: &[&str], find: fn(&str, &str) -> Places) {
    let mut broken = Vec::new();
    let mut files = 0;
    for name in crates {
        let folder = root().join("crates").join(name).join("src");
        for path in sources(&folder) {
            let text = read(&path);
            let relative = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
            // A file that is a test module as a whole is named by `#[cfg(test)] mod tests;`.
            if relative.ends_with("/tests.rs") || relative.contains("/tests/") {
                continue;
            }
            files += 1;
            broken.extend(find(&relative, &text));
        }
    }
    assert!(files > 0, "no source of {crates:?} was read");
    assert_eq!(broken, Places::new());
}

fn all() -> Vec<&'static str> {
    ROWS.iter().map(|(name, _)| *name).filter(|name| root().join("crates").join(name).is_dir()).collect()
}

fn libraries() -> Vec<&'static str> {
    all().into_iter().filter(|name| *name != "railbird").collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry of the source folder").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the root of the project")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
