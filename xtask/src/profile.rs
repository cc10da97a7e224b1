//! `cargo xtask profile -- CMD`: a flame graph of a railbird command.
//!
//! `perf` samples the binary of the `profiling` profile; the stacks are folded and drawn here, so that nothing else
//! need be installed.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, have, read, run as run_command};

/// Samples a second: odd, so as not to beat with timers.
const FREQUENCY_HZ: &str = "1999";
const WIDTH_PX: f64 = 1600.0;
const ROW_PX: f64 = 17.0;

/// Records the command, writes `target/profile/<seconds>.svg`, and prints where.
pub(crate) fn run(repo: &Repo, command: &[String]) -> Result<bool> {
    if !have("perf", &["--version"]) {
        bail!("perf is missing: install linux-perf (Debian) or linux-tools (Ubuntu); flame graphs need Linux");
    }
    let binary = repo.binary("profiling")?;
    let folder = repo.target.join("profile");
    fs::create_dir_all(&folder)?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("clock before 1970")?.as_secs();
    let (samples, graph) = (folder.join(format!("{seconds}.data")), folder.join(format!("{seconds}.svg")));
    let mut record = repo.command("perf");
    record.args(["record", "--quiet", "--freq", FREQUENCY_HZ, "--call-graph", "dwarf,16384", "--output"]).arg(&samples);
    run_command(record.arg("--").arg(&binary).args(command)).context(
        "perf could not record; kernel.perf_event_paranoid must be 2 or less, and containers need CAP_PERFMON",
    )?;
    let script = read(repo.command("perf").args(["script", "--fields", "comm,ip,sym", "--input"]).arg(&samples))?;
    let stacks = fold(&script);
    fs::write(&graph, draw(&stacks))?;
    println!("{}: {} samples", graph.display(), stacks.values().sum::<u64>());
    Ok(true)
}

/// Counts equal stacks of `perf script`, outermost frame first.
fn fold(script: &str) -> BTreeMap<Vec<String>, u64> {
    let mut stacks = BTreeMap::new();
    for block in script.split("\n\n") {
        let mut frames: Vec<String> = block
            .lines()
            .filter(|line| line.starts_with(char::is_whitespace))
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(_, symbol)| symbol.trim().to_owned())
            .collect();
        if !frames.is_empty() {
            frames.reverse();
            *stacks.entry(frames).or_insert(0) += 1;
        }
    }
    stacks
}

/// One box a frame, as wide as its share of the samples; hover for the name and the share.
fn draw(stacks: &BTreeMap<Vec<String>, u64>) -> String {
    let total: u64 = stacks.values().sum::<u64>().max(1);
    let depth = stacks.keys().map(Vec::len).max().unwrap_or(0);
    let height = (depth as f64 + 1.0) * ROW_PX;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH_PX} {height}\" font-family=\"monospace\" font-size=\"11\">\n"
    );
    for level in 0..depth {
        let mut start = 0_u64;
        let mut open: Option<(&[String], u64, u64)> = None;
        for (stack, count) in stacks {
            let key = stack.get(..=level);
            match (&mut open, key) {
                (Some((prefix, _, width)), Some(key)) if *prefix == key => *width += count,
                (current, key) => {
                    if let Some((prefix, from, width)) = current.take() {
                        frame(&mut svg, prefix, from, width, total, height);
                    }
                    *current = key.map(|key| (key, start, *count));
                }
            }
            start += count;
        }
        if let Some((prefix, from, width)) = open {
            frame(&mut svg, prefix, from, width, total, height);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn frame(svg: &mut String, prefix: &[String], from: u64, width: u64, total: u64, height: f64) {
    let Some(name) = prefix.last() else { return };
    let (x, w) = (from as f64 / total as f64 * WIDTH_PX, width as f64 / total as f64 * WIDTH_PX);
    if w < 0.3 {
        return;
    }
    let y = height - (prefix.len() as f64 + 1.0) * ROW_PX;
    let hue = name.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % 55;
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let letters = (w / 6.8) as usize;
    let label: String = if letters > 3 { name.chars().take(letters).collect() } else { String::new() };
    let share = width as f64 / total as f64 * 100.0;
    // A String takes every write.
    let _ = writeln!(
        svg,
        "<g><title>{name} {share:.2} %</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{:.1}\" \
         fill=\"hsl({hue},80%,65%)\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        ROW_PX - 1.0,
        x + 2.0,
        y + 12.0,
        if label.contains('&') && !label.ends_with(';') { label.split('&').next().unwrap_or_default() } else { &label },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_counted_and_the_outermost_frame_is_first() {
        let script =
            "railbird \n\t 1 leaf\n\t 2 main\n\nrailbird \n\t 3 leaf\n\t 4 main\n\nrailbird \n\t 5 other\n\t 6 main\n";
        let stacks = fold(script);
        assert_eq!(stacks[&vec!["main".to_owned(), "leaf".to_owned()]], 2);
        assert_eq!(stacks[&vec!["main".to_owned(), "other".to_owned()]], 1);
        let svg = draw(&stacks);
        assert!(svg.contains("<title>main 100.00 %</title>") && svg.contains("<title>leaf 66.67 %</title>"), "{svg}");
    }
}
