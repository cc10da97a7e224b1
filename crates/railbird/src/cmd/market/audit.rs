//! `railbird market audit`: whether signals, or the program that makes them, look ahead.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use clap::Args;
use railbird_market::{
    data::File,
    signals::{Audit, Prices, Table, audit, compare_rows},
};
use railbird_timeline::Ts;
use serde::Serialize;

use super::signals::{Input, Symbol, aligned, columns};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
};

/// Most bytes that a program may answer.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// `market audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(flatten)]
    input: Input,
    /// How often the future is cut off
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    cuts: u16,
    /// Longest that the program may take for one answer, seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,
    /// A program that reads bars (symbol,timestamp,open,high,low,close,volume) and writes a table of signals, both as CSV
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

#[derive(Serialize)]
struct Document {
    /// What the program that makes the signals gave with the future cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<Audit>,
    /// What the back-test gave with the future cut.
    back_test: Audit,
    clean: bool,
}

/// Reruns with the future cut; a difference is a miss.
pub(crate) fn run(context: &Context, command: &AuditCommand) -> Result<Outcome, Failure> {
    let rules = command.input.rules()?;
    let thresholds = command.input.thresholds()?;
    let (symbols, refused) = command.input.symbols()?;
    for refused in &refused {
        context.output.note(refused);
    }
    let longest = symbols.iter().max_by_key(|symbol| symbol.bars.len());
    let cuts = longest.map_or_else(Vec::new, |symbol| Prices::from(&symbol.bars).cuts(command.cuts.into()));
    let (signals, program) = match command.input.table()? {
        Some((table, _)) if command.program.is_empty() => (table, None),
        Some(_) => return Err(Failure::usage("audit: name a table or a program, not both")),
        None => {
            let whole = answer(command, &symbols, Ts::MAX)?;
            let mut program = Audit::default();
            let progress = context.output.progress(cuts.len() as u64, "cuts");
            for &cut in &cuts {
                program.add(compare_rows(&whole.rows, &answer(command, &symbols, cut)?.rows, cut));
                progress.inc(1);
            }
            progress.finish_and_clear();
            (whole, Some(program))
        }
    };
    let aligned = aligned(&signals, &symbols, &thresholds)?;
    let back_test = audit(&columns(&symbols, &aligned), &rules, &cuts);
    let clean = back_test.is_clean() && program.as_ref().is_none_or(Audit::is_clean);
    let document = Document { program, back_test, clean };
    context.output.write(&document, text)?;
    Ok(if clean { Outcome::Done } else { Outcome::Missed })
}

/// What the program says to the bars up to `cut`.
fn answer(command: &AuditCommand, symbols: &[Symbol], cut: Ts) -> Result<Table, Failure> {
    let [program, arguments @ ..] = &command.program[..] else {
        return Err(Failure::usage("audit: name a table with --signals, or a program behind --"));
    };
    let mut bars = String::from("symbol,timestamp,open,high,low,close,volume\n");
    for symbol in symbols {
        let known = symbol.bars.time.partition_point(|time| *time <= cut);
        for at in 0..known {
            let column = |column: &[f64]| column[at];
            let own = &symbol.bars;
            // Writing to text cannot fail.
            let _ = writeln!(
                bars,
                "{},{},{},{},{},{},{}",
                symbol.name,
                own.time[at],
                column(&own.open),
                column(&own.high),
                column(&own.low),
                column(&own.close),
                column(&own.volume)
            );
        }
    }
    let name = command.program.join(" ");
    let failed = |what: String| Failure::Failed(anyhow::anyhow!("{name}: {what}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("{error}; expected a program that can be run")))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Err(failed("has no pipes".to_owned())) };
    // Threads of their own: what the program started may hold its pipes open when it is killed, and is not waited for.
    // A program need not read all that it is given.
    thread::spawn(move || drop(stdin.write_all(bars.as_bytes())));
    let (received, answer) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes);
        // Nobody may be waiting any more.
        let _ = received.send(read.map(|_| bytes));
    });
    let late = || failed(format!("gave no answer in {} s; allow more with --deadline", command.deadline));
    let (status, left) = wait(&mut child, Duration::from_secs(command.deadline))?.ok_or_else(late)?;
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    let bytes = answer.recv_timeout(left).map_err(|_| late())??;
    if bytes.len() as u64 > ANSWER_BYTES_MAX {
        return Err(failed(format!("answered more than {ANSWER_BYTES_MAX} bytes")));
    }
    Table::read(&File { name: format!("{name}, answer.csv"), bytes }).map_err(Failure::refused)
}

/// Waits for the end of a program: how it ended, and what is left of the deadline. Past that it is killed and `None` returned.
fn wait(child: &mut Child, deadline: Duration) -> Result<Option<(ExitStatus, Duration)>, Failure> {
    const NAP: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            // At least a moment, in which the last of an answer arrives.
            return Ok(Some((status, deadline.saturating_sub(waited).max(Duration::from_secs(1)))));
        }
        if waited >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(NAP);
        waited += NAP;
    }
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    let mut tell = |what: &str, audit: &Audit| {
        let verdict = if audit.is_clean() { "nothing looks ahead" } else { "LOOKS AHEAD" };
        let _ = writeln!(text, "{what}: {} cuts, {} compared: {verdict}", audit.cuts, audit.compared);
        for difference in &audit.differences {
            let _ = writeln!(text, "  known up to {}: {}", difference.cut, difference.what);
        }
    };
    if let Some(program) = &document.program {
        tell("program", program);
    }
    tell("back-test", &document.back_test);
    text
}
