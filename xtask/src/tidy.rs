//! `cargo xtask tidy`: rules of the repository that no other tool checks. Each rule is one line of [`RULES`].

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    command_names,
    repo::{Repo, read},
};

/// A file of the repository.
struct File {
    /// Path from the root, with slashes.
    path: String,
    bytes: u64,
    /// Its text, where it is UTF-8.
    text: Option<String>,
}

/// A rule: what it asks, and where a file breaks it: `(line from 1, what stands there)`.
struct Rule {
    asks: &'static str,
    broken: fn(&File) -> Vec<(usize, String)>,
}

const LINES_MAX: usize = 800;
const BYTES_MAX: u64 = 256 << 10;

/// Every rule that looks at one file.
const RULES: &[Rule] = &[
    Rule { asks: "a source file has at most 800 lines", broken: too_long },
    Rule { asks: "a file has at most 256 KiB", broken: too_large },
    Rule { asks: "no recording or data set is committed", broken: is_data },
    Rule { asks: "nothing from npm and nothing built is committed", broken: is_built },
    Rule { asks: "nothing is left to be done later", broken: left_for_later },
    Rule { asks: "no path of one machine", broken: machine_paths },
    Rule { asks: "a lint is silenced by #[expect(…, reason)], and no test is ignored", broken: silenced },
    Rule { asks: "a module says at its head what it is for", broken: no_head },
    Rule { asks: "a crate takes version, lints and dependencies from the workspace", broken: own_versions },
];

/// Checks every tracked or new file; prints what breaks a rule.
pub(crate) fn run(repo: &Repo) -> Result<bool> {
    let listed = read(repo.command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let mut broken = Vec::new();
    let mut count = 0;
    for path in listed.lines() {
        // A file that is tracked and deleted is none.
        let Some(file) = load(&repo.root, path)? else { continue };
        count += 1;
        broken.extend(check(&file));
        if path.ends_with(".md") {
            broken.extend(dead_links(&repo.root, &file));
            broken.extend(unknown_commands(&file, &command_names()));
        }
    }
    for line in &broken {
        println!("{line}");
    }
    println!("{count} files, {} rules, {} broken", RULES.len() + 2, broken.len());
    Ok(broken.is_empty())
}

fn load(root: &Path, path: &str) -> Result<Option<File>> {
    let full = root.join(path);
    if !full.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(&full).with_context(|| format!("{path}: cannot be read"))?;
    Ok(Some(File { path: path.to_owned(), bytes: bytes.len() as u64, text: String::from_utf8(bytes).ok() }))
}

fn check(file: &File) -> Vec<String> {
    let each = RULES.iter().flat_map(|rule| (rule.broken)(file).into_iter().map(move |found| (rule, found)));
    each.map(|(rule, (line, found))| format!("{}:{line}: {} ({found})", file.path, rule.asks)).collect()
}

fn too_long(file: &File) -> Vec<(usize, String)> {
    let lines = file.text.as_ref().map_or(0, |text| text.lines().count());
    if is_source(&file.path) && lines > LINES_MAX { vec![(lines, format!("{lines} lines"))] } else { Vec::new() }
}

fn too_large(file: &File) -> Vec<(usize, String)> {
    if file.bytes > BYTES_MAX && !is_lock(&file.path) { vec![(1, format!("{} bytes", file.bytes))] } else { Vec::new() }
}

fn is_data(file: &File) -> Vec<(usize, String)> {
    let endings = [".jsonStream", ".parquet", ".arrow", ".dbn", ".zst", ".gz", ".zip", ".sqlite", ".pkl", ".npy"];
    found(endings.iter().find(|ending| file.path.ends_with(**ending)).map(|ending| (*ending).to_owned()))
}

fn is_built(file: &File) -> Vec<(usize, String)> {
    let folders = ["node_modules/", "dist/", "target/", "__pycache__/", ".venv/"];
    let inside = |folder: &&&str| file.path.starts_with(**folder) || file.path.contains(&format!("/{folder}"));
    found(folders.iter().find(inside).map(|folder| (*folder).to_owned()))
}

fn left_for_later(file: &File) -> Vec<(usize, String)> {
    // Written in two parts, so that this file does not name what it forbids.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("HA", "CK")];
    if is_lock(&file.path) {
        return Vec::new();
    }
    lines(file, |line| {
        line.split(|letter: char| !letter.is_ascii_alphanumeric()).find(|word| words.contains(word)).map(str::to_owned)
    })
}

fn machine_paths(file: &File) -> Vec<(usize, String)> {
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/."),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("C:\\Us", "ers"),
    ];
    lines(file, |line| paths.iter().find(|path| line.contains(**path)).map(|path| (*path).to_owned()))
}

fn silenced(file: &File) -> Vec<(usize, String)> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let forms = [concat!("#[al", "low("), concat!("#[ig", "nore"), concat!("cfg_attr(al", "low")];
    // A file that several test programs share cannot expect what only some of them leave unused.
    let shared = concat!("#![al", "low(dead_code, ");
    lines(file, |line| {
        let line = line.trim_start();
        let whole =
            line.starts_with(concat!("#![al", "low(")) && !(line.starts_with(shared) && line.contains("reason = "));
        let form = forms.iter().find(|form| line.starts_with(**form));
        form.map(|form| (*form).to_owned()).or_else(|| whole.then(|| line.to_owned()))
    })
}

fn no_head(file: &File) -> Vec<(usize, String)> {
    let Some(text) = file.text.as_ref().filter(|_| file.path.ends_with(".rs")) else { return Vec::new() };
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!")).unwrap_or_default();
    found((!first.starts_with("//!")).then(|| format!("begins with {first:?}")))
}

fn own_versions(file: &File) -> Vec<(usize, String)> {
    let Some(text) = file.text.as_ref().filter(|_| is_member(&file.path)) else { return Vec::new() };
    let mut wrong = Vec::new();
    for needed in ["version.workspace = true", "edition.workspace = true", "[lints]\nworkspace = true"] {
        if !text.contains(needed) {
            wrong.push((1, format!("lacks {needed:?}")));
        }
    }
    let mut in_dependencies = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies
            && line.contains(" = ")
            && !line.starts_with('#')
            && !line.contains("workspace = true")
        {
            wrong.push((number + 1, line.to_owned()));
        }
    }
    wrong
}

/// Links of a document to files that are not there.
fn dead_links(root: &Path, file: &File) -> Vec<String> {
    let folder = root.join(&file.path).parent().map(Path::to_owned).unwrap_or_default();
    let dead = lines(file, |line| {
        line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).find_map(|link| {
            let path = link.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            (!elsewhere && !folder.join(path).exists()).then(|| link.to_owned())
        })
    });
    dead.into_iter().map(|(line, link)| format!("{}:{line}: a link leads somewhere ({link})", file.path)).collect()
}

/// Developers' commands that a document names and that do not exist.
fn unknown_commands(file: &File, names: &[String]) -> Vec<String> {
    let unknown = lines(file, |line| {
        line.split("cargo xtask ").skip(1).find_map(|rest| {
            let word: String =
                rest.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
            (!word.is_empty() && !names.contains(&word)).then_some(word)
        })
    });
    unknown.into_iter().map(|(line, word)| format!("{}:{line}: cargo xtask {word} does not exist", file.path)).collect()
}

/// Lines in which `find` finds something.
fn lines(file: &File, find: impl Fn(&str) -> Option<String>) -> Vec<(usize, String)> {
    let text = file.text.as_deref().unwrap_or_default();
    text.lines().enumerate().filter_map(|(number, line)| Some((number + 1, find(line)?))).collect()
}

fn found(what: Option<String>) -> Vec<(usize, String)> {
    what.map(|what| (1, what)).into_iter().collect()
}

fn is_source(path: &str) -> bool {
    [".rs", ".ts", ".svelte", ".css", ".mjs", ".py", ".html"].iter().any(|ending| path.ends_with(ending))
}

fn is_lock(path: &str) -> bool {
    path.ends_with("Cargo.lock") || path.ends_with("package-lock.json")
}

/// Manifests of the workspace's members; `fuzz/` is a workspace of its own.
fn is_member(path: &str) -> bool {
    path.ends_with("/Cargo.toml")
        && (path.starts_with("crates/") || path.starts_with("xtask/") || path.starts_with("bench/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_one(path: &str, text: &str, want: &str) {
        let file = File { path: path.to_owned(), bytes: text.len() as u64, text: Some(text.to_owned()) };
        let broken = check(&file).join("\n");
        if want.is_empty() {
            assert_eq!(broken, "");
        } else {
            assert!(broken.contains(want), "{broken:?} does not name {want:?}");
        }
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        check_one("a.rs", "//! Fine.\nfn main() {}\n", "");
        check_one("a.rs", &format!("//! Long.\n{}", "\n".repeat(800)), "at most 800 lines");
        check_one("a.bin", &"x".repeat(300 << 10), "at most 256 KiB");
        check_one("tests/CarData.z.jsonStream", "", "no recording");
        check_one("web/node_modules/x.js", "", "nothing from npm");
        check_one("a.py", concat!("# TO", "DO: more"), "left to be done");
        check_one("a.md", concat!("see /wo", "rk/main"), "no path of one machine");
        check_one("a.rs", concat!("//! A.\n#[al", "low(dead_code)]"), "silenced by");
        check_one("a.rs", concat!("//! A.\n    #[ig", "nore]"), "silenced by");
        check_one("a.rs", concat!("//! A.\n#![al", "low(dead_code)]"), "silenced by");
        check_one("a.rs", "fn main() {}", "at its head");
        check_one("crates/x/Cargo.toml", "[dependencies]\nserde = \"1\"\n", "from the workspace (serde = \"1\")");
    }

    #[test]
    fn documents_name_what_exists() {
        let file = |text: &str| File { path: "README.md".into(), bytes: 0, text: Some(text.to_owned()) };
        let names = ["test".to_owned(), "fuzz-smoke".to_owned()];
        assert!(unknown_commands(&file("`cargo xtask test`, `cargo xtask fuzz-smoke`"), &names).is_empty());
        assert_eq!(unknown_commands(&file("run `cargo xtask tset`"), &names).len(), 1);
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("here.md"), "").expect("a file");
        assert!(dead_links(root.path(), &file("[a](here.md#part) [b](https://example.org) [c](#part)")).is_empty());
        assert_eq!(dead_links(root.path(), &file("[a](gone.md)")).len(), 1);
    }
}
