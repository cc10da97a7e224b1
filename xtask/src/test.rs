//! `cargo xtask test`: every check that CI runs.

use std::process::Command;

use anyhow::Result;

use crate::{
    browser,
    repo::{Repo, have, run as run_command},
    steps::Steps,
    tidy,
};

/// Runs the steps; whether none failed.
pub(crate) fn run(repo: &Repo, all: bool, only: Option<&str>) -> Result<bool> {
    let mut steps = Steps::new(only, repo.ci);
    let cargo = |arguments: &[&str]| -> Command {
        let mut command = repo.cargo(arguments);
        if all {
            command.env("RAILBIRD_TEST_ALL", "1");
        }
        command
    };
    let passed = |mut command: Command| run_command(&mut command).map(|()| None);

    steps.step("tidy", || match tidy::run(repo)? {
        true => Ok(None),
        false => anyhow::bail!("rules of the repository are broken"),
    });
    steps.step("format", || passed(cargo(&["fmt", "--all", "--check"])));
    steps.step("clippy", || passed(cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])));
    steps.step("tests", || {
        if have("cargo", &["nextest", "--version"]) {
            return passed(cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "slow"]));
        }
        println!("cargo-nextest is missing: cargo test runs the same tests");
        passed(cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--quiet"]))
    });
    steps.step("doc tests", || passed(cargo(&["test", "--workspace", "--doc", "--quiet"])));
    steps.step("docs", || {
        let mut command = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
        command.env("RUSTDOCFLAGS", "--deny warnings");
        passed(command)
    });
    // DataFusion is built in this step alone: in all others the feature is off.
    steps.step("sql", || {
        let sql = ["--package", "railbird-cluster", "--package", "railbird", "--features", "railbird/sql"];
        let mut clippy = cargo(&["clippy"]);
        run_command(clippy.args(sql).args(["--lib", "--bins", "--tests", "--", "--deny", "warnings"]))?;
        let targets = ["--lib", "--test", "lake_sql", "--test", "sql"];
        if have("cargo", &["nextest", "--version"]) {
            let mut tests = cargo(&["nextest", "run", "--no-fail-fast", "--status-level", "slow"]);
            tests.args(sql).args(targets);
            return passed(tests);
        }
        let mut tests = cargo(&["test", "--no-fail-fast", "--quiet"]);
        tests.args(sql).args(targets);
        passed(tests)
    });
    steps.step("page types", || browser::types(repo));
    steps.step("page unit tests", || browser::unit_tests(repo, all));
    steps.step("browser tests", || browser::run(repo, all));
    Ok(steps.finish())
}
