//! `cargo xtask bench [name]`: figures beside their targets, and beside the rival where there is one.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::repo::{Repo, have, run as run_command};

/// Runs the benchmarks of one name, or all; whether every target was met.
pub(crate) fn run(repo: &Repo, name: Option<&str>) -> Result<bool> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => std::iter::once("f1".to_owned()).chain(crate_benches(repo)?).collect(),
    };
    for name in names {
        println!("\n=== {name}");
        if name == "f1" {
            f1(repo)?;
        } else {
            run_command(&mut repo.cargo(&["bench", "--workspace", "--bench", &name]))?;
        }
    }
    Ok(true)
}

/// The binary's own figures, then the rival's, loading the same archive on this machine in the same run.
fn f1(repo: &Repo) -> Result<()> {
    let binary = repo.binary("release")?;
    let script = repo.root.join("bench/rivals/f1.py");
    if !have("python3", &["--version"]) {
        bail!("python3 is missing: the rival of f1 is a Python program");
    }
    run_command(repo.command("python3").arg(script).arg("--railbird").arg(binary))
}

/// Names of the benchmarks of the crates: files of `benches/`.
fn crate_benches(repo: &Repo) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for krate in std::fs::read_dir(repo.root.join("crates"))? {
        let benches: PathBuf = krate?.path().join("benches");
        let Ok(entries) = std::fs::read_dir(benches) else { continue };
        for entry in entries {
            let path = entry?.path();
            if let (Some(stem), Some("rs")) =
                (path.file_stem(), path.extension().and_then(|extension| extension.to_str()))
            {
                names.push(stem.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}
