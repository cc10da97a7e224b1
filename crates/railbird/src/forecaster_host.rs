//! Forecasters that come from outside: a file, or a program on two pipes. Start at [`forecaster`].
//!
//! The program is started when it is first asked for, and answers one request at a time. When it dies, answers nonsense or is late, it
//! is killed and started again, after a pause that doubles, and asked the same again; answers do not depend on when that happens. What it
//! writes on its standard error goes into the log.
//!
//! Invariant: no shell is involved, no program outlives its [`ForecasterHost`], and one that gives other weights or
//! another name after a restart is refused.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use railbird_model::{Error, Forecast, Forecaster, HostReplies, HostRequests, ModelFile, ModelId, builtin};
use railbird_store::read_bounded;

use crate::failure::Failure;

/// A forecaster as the command line names it: a built-in one, `onnx:FILE`, `lightgbm:FILE` or `lightgbm:0.1=FILE,0.5=FILE…`, or
/// `host:PROGRAM ARGUMENTS…`.
///
/// A program is started here, since who it is decides what the cache knows of it. `cancelled`: when it becomes true, a
/// program that is being waited for is killed.
pub(crate) fn forecaster(text: &str, cancelled: &Arc<AtomicBool>) -> Result<Box<dyn Forecaster>, Failure> {
    if let Some(path) = text.strip_prefix("onnx:") {
        let bytes = read_bounded(Path::new(path), MODEL_BYTES_MAX).map_err(Failure::refused)?;
        let model = ModelFile::onnx(&bytes).map_err(|error| Failure::refused_because(format!("{path}: {error}")))?;
        return Ok(Box::new(model));
    }
    if let Some(files) = text.strip_prefix("lightgbm:") {
        return lightgbm(files);
    }
    let Some(command) = text.strip_prefix("host:") else {
        return builtin(text).map_err(|error| Failure::usage(error.to_string()));
    };
    let words = words(command).map_err(Failure::usage)?;
    let host = ForecasterHost::start(words, HostRules::default(), Arc::clone(cancelled))?;
    Ok(Box::new(host))
}

/// Largest file of a model, bytes.
const MODEL_BYTES_MAX: u64 = 1 << 30;

/// One file is the median; several are told by their levels.
fn lightgbm(files: &str) -> Result<Box<dyn Forecaster>, Failure> {
    let mut models = Vec::new();
    for file in files.split(',') {
        let (level, path) = file.split_once('=').unwrap_or(("0.5", file));
        let level: f64 = level
            .parse()
            .map_err(|_| Failure::usage(format!("lightgbm:{file}: expected LEVEL=FILE, as in 0.5=FILE")))?;
        models.push((level, read_bounded(Path::new(path), MODEL_BYTES_MAX).map_err(Failure::refused)?));
    }
    let models: Vec<(f64, &[u8])> = models.iter().map(|(level, bytes)| (*level, &bytes[..])).collect();
    let model = ModelFile::lightgbm(&models).map_err(|error| Failure::refused_because(format!("{files}: {error}")))?;
    Ok(Box::new(model))
}

/// How long a program may take, and how often it may die.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostRules {
    /// Until it says who it is: large models take long to load.
    pub(crate) start_deadline: Duration,
    /// For one request.
    pub(crate) request_deadline: Duration,
    /// Contexts a request at most.
    pub(crate) request_max: usize,
    /// Times that one request is asked.
    pub(crate) attempts: u32,
    /// Pause before the first restart; doubles.
    pub(crate) backoff: Duration,
}

impl Default for HostRules {
    fn default() -> Self {
        Self {
            start_deadline: Duration::from_secs(300),
            request_deadline: Duration::from_secs(300),
            request_max: 256,
            attempts: 4,
            backoff: Duration::from_millis(200),
        }
    }
}

/// A program that answers requests.
pub(crate) struct ForecasterHost {
    words: Vec<String>,
    rules: HostRules,
    id: ModelId,
    cancelled: Arc<AtomicBool>,
    /// One request at a time: the program has one pipe. `None` while it has to be started.
    running: Mutex<Option<Running>>,
}

impl ForecasterHost {
    /// Starts the program and learns who it is.
    pub(crate) fn start(words: Vec<String>, rules: HostRules, cancelled: Arc<AtomicBool>) -> Result<Self, Error> {
        let (running, id) = Running::start(&words, &rules, &cancelled)?;
        Ok(Self { words, rules, id, cancelled, running: Mutex::new(Some(running)) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request, asked until it is answered or patience ends.
    fn ask(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        let mut slot = self.lock();
        let mut pause = self.rules.backoff;
        let mut attempt = 1;
        loop {
            let answer = self.attempt(&mut slot, contexts, horizon, seed);
            let Err(error) = answer else { return answer };
            // Whatever went wrong, the stream can no longer be trusted.
            *slot = None;
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(failed(&self.words, "cancelled"));
            }
            if attempt >= self.rules.attempts {
                let reason =
                    format!("{}; gave up after {attempt} attempts, its own words are in the log", words_of(&error));
                return Err(failed(&self.words, &reason));
            }
            tracing::warn!(program = self.words[0], attempt, %error, "forecaster is started again");
            thread::sleep(pause);
            (pause, attempt) = (pause * 2, attempt + 1);
        }
    }

    fn attempt(
        &self,
        slot: &mut Option<Running>,
        contexts: &[&[f64]],
        horizon: usize,
        seed: u64,
    ) -> Result<Vec<Forecast>, Error> {
        let running = match slot {
            Some(running) => running,
            None => {
                let (running, id) = Running::start(&self.words, &self.rules, &self.cancelled)?;
                if id != self.id {
                    let reason = format!("was {} and is {id} after a restart; use one model for one run", self.id);
                    return Err(failed(&self.words, &reason));
                }
                slot.insert(running)
            }
        };
        let contexts = contexts.iter().map(|context| context.to_vec()).collect();
        running.jobs.send(Job { contexts, horizon, seed }).map_err(|_| failed(&self.words, "has ended"))?;
        receive(&running.answers, self.rules.request_deadline, &self.cancelled)
            .map_err(|what| failed(&self.words, what))?
    }
}

impl Forecaster for ForecasterHost {
    fn id(&self) -> ModelId {
        self.id.clone()
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        let mut forecasts = Vec::with_capacity(contexts.len());
        for part in contexts.chunks(self.rules.request_max) {
            forecasts.append(&mut self.ask(part, horizon, seed)?);
        }
        Ok(forecasts)
    }
}

struct Job {
    contexts: Vec<Vec<f64>>,
    horizon: usize,
    seed: u64,
}

/// A program that runs, and the thread that talks to it; killed when dropped.
struct Running {
    child: Child,
    jobs: SyncSender<Job>,
    answers: Receiver<Result<Vec<Forecast>, Error>>,
}

impl Running {
    fn start(words: &[String], rules: &HostRules, cancelled: &AtomicBool) -> Result<(Self, ModelId), Error> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(words, &format!("cannot be started: {error}")))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (jobs, asked) = mpsc::sync_channel::<Job>(1);
        let (answered, answers) = mpsc::sync_channel(1);
        let (introduced, introduction) = mpsc::sync_channel(1);
        let program = words[0].clone();
        // From here on dropping it kills the program.
        let running = Self { child, jobs, answers };
        if let Some(stderr) = stderr {
            thread::spawn(move || log_lines(stderr, &program));
        }
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { return Err(failed(words, "has no pipes")) };
        // Reads and writes here block as long as they like: whoever waits for the answer has a deadline, and kills the program, which
        // ends both.
        thread::spawn(move || {
            let opened = HostRequests::open(stdin).and_then(|requests| Ok((requests, HostReplies::open(stdout)?)));
            let (mut requests, mut replies) = match opened {
                Ok(opened) => opened,
                Err(error) => return drop(introduced.send(Err(error))),
            };
            if introduced.send(Ok(replies.id().clone())).is_err() {
                return;
            }
            while let Ok(Job { contexts, horizon, seed }) = asked.recv() {
                let asked = requests.ask(&contexts, horizon, seed);
                let answer = asked.and_then(|()| replies.reply(contexts.len(), horizon));
                if answered.send(answer).is_err() {
                    return;
                }
            }
        });
        let id = receive(&introduction, rules.start_deadline, cancelled).map_err(|what| failed(words, what))?;
        let id = id.map_err(|error| {
            failed(words, &format!("{}; what it says on standard error is shown with -v", words_of(&error)))
        })?;
        Ok((running, id))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be in the middle of something long that nobody wants any more. It holds nothing that would be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What arrives within `deadline`; else what is wrong.
fn receive<T>(from: &Receiver<T>, deadline: Duration, cancelled: &AtomicBool) -> Result<T, &'static str> {
    let mut left = deadline;
    loop {
        // Waited for in slices, so that a cancellation is seen.
        let slice = left.min(Duration::from_millis(50));
        match from.recv_timeout(slice) {
            Ok(arrived) => return Ok(arrived),
            Err(RecvTimeoutError::Disconnected) => return Err("has ended"),
            Err(RecvTimeoutError::Timeout) if cancelled.load(Ordering::Relaxed) => return Err("cancelled"),
            Err(RecvTimeoutError::Timeout) => left -= slice,
        }
        if left.is_zero() {
            return Err("gave no answer before its deadline");
        }
    }
}

/// Lines of a program, into the log; longer ones are cut, so that a program cannot fill our memory.
fn log_lines(stderr: impl Read, program: &str) {
    const LINE_BYTES_MAX: u64 = 4 << 10;
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => tracing::info!(program, "{}", String::from_utf8_lossy(&line).trim_end()),
        }
    }
}

/// A command line cut into words: at spaces, but for those within single or double quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_some() {
        return Err(format!("host:{text}: a quote is not closed"));
    }
    if words.is_empty() {
        Err("host: expected a program, as in 'host:python3 my_host.py'".to_owned())
    } else {
        Ok(words)
    }
}

fn failed(words: &[String], reason: &str) -> Error {
    Error::Failed { model: format!("host:{}", words.join(" ")), reason: reason.to_owned() }
}

/// The reason alone, to be told with the name of the program.
fn words_of(error: &Error) -> String {
    match error {
        Error::Failed { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
