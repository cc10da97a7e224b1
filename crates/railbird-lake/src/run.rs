//! Runs the tasks of a graph on worker threads. Start at [`run`].
//!
//! Invariant: what a task writes depends on its inputs, settings and code, never on the number of workers or on who else runs.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use jiff::civil::Date;
use railbird_timeline::Clock;
use serde::Serialize;

use crate::{
    Error, Graph, Lake, Manifest, Request, Sources, TaskId, Workers,
    plan::{Node, plan},
    work::{Done, Job},
};

/// How long a worker waits before it asks again for a task that another process is at.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Tasks of the run, those included that were only read.
    pub tasks: usize,
    /// Made now.
    pub ran: usize,
    /// There already, from the same inputs, code and settings; also those that another process made meanwhile.
    pub stood: usize,
    /// What went wrong, in order of date, stage and symbol.
    pub failed: Vec<Failed>,
    /// What was not run for want of something that failed.
    pub not_run: Vec<NotRun>,
    /// By stage, in the order of the graph.
    pub stages: Vec<StageReport>,
    /// Threads that ran tasks.
    pub workers: usize,
    /// What decided their number.
    pub workers_why: String,
    /// Time from planning to the last commit, s.
    pub seconds: f64,
}

/// A task that failed.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// Task.
    pub task: TaskId,
    /// Why.
    pub error: String,
}

/// A task that was not run.
#[derive(Debug, Clone, Serialize)]
pub struct NotRun {
    /// Task.
    pub task: TaskId,
    /// The failed task that it needs, directly or through others.
    pub because: TaskId,
}

/// What a run did in one stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// Name.
    pub stage: String,
    /// Tasks.
    pub tasks: usize,
    /// Made now.
    pub ran: usize,
    /// Rows of all that stands now, over the stage's data sets.
    pub rows: u64,
    /// Bytes of all that stands now.
    pub bytes: u64,
    /// Time of its tasks, summed over workers, s.
    pub busy_seconds: f64,
    /// Sums of what the stage counted.
    pub counts: BTreeMap<String, i64>,
}

/// A task that ended, for whoever shows progress.
#[derive(Debug, Clone)]
pub struct Progress<'p> {
    /// Tasks that ended so far, this one included.
    pub ended: usize,
    /// Tasks of the run.
    pub tasks: usize,
    /// Task.
    pub task: &'p TaskId,
    /// Whether it was made now.
    pub ran: bool,
    /// Why it failed, where it did.
    pub error: Option<&'p str>,
}

/// Brings everything that a request names up to date.
///
/// `workers` is asked once the number of tasks is known. Each task is a function of its inputs, so that the files are the same
/// whatever the number of workers, and killed anywhere, another run completes to the same bytes.
///
/// # Errors
/// What hinders planning: names, dates, sources or a lake that cannot be read. What goes wrong in a task is in the report.
pub fn run(
    lake: &Lake,
    graph: &Graph,
    sources: &dyn Sources,
    request: &Request,
    workers: impl FnOnce(usize) -> Workers,
    clock: &dyn Clock,
    progress: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Report, Error> {
    let started = clock.monotonic();
    let nodes = plan(lake, graph, sources, request)?;
    let workers = workers(nodes.len());
    let scene = Scene::new(lake, graph, request, &nodes, clock, progress);
    thread::scope(|scope| {
        for number in 0..workers.count.max(1) {
            let named = thread::Builder::new().name(format!("lake-{number}"));
            let spawned = named.spawn_scoped(scope, || scene.work());
            if spawned.is_err() {
                // The system gives no more threads: those that are there do the work, and this one helps.
                scene.work();
                break;
            }
        }
    });
    let mut report = scene.report();
    report.workers = workers.count.max(1);
    report.workers_why = workers.why;
    report.seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    Ok(report)
}

/// A run under way, as all workers see it.
struct Scene<'s> {
    lake: &'s Lake,
    graph: &'s Graph,
    request: &'s Request,
    nodes: &'s [Node],
    clock: &'s dyn Clock,
    progress: &'s (dyn Fn(&Progress<'_>) + Sync),
    /// Who waits for each node.
    dependents: Vec<Vec<usize>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What can run now, earliest date first, so that what is read together is made together.
    ready: BTreeSet<(Date, usize, usize)>,
    /// What another process is at.
    busy: VecDeque<usize>,
    /// Inputs that each node still waits for.
    waiting: Vec<usize>,
    ended: Vec<Option<End>>,
    ended_count: usize,
    busy_time: Vec<Duration>,
}

#[derive(Clone)]
enum End {
    Ran(Arc<Manifest>),
    Stood(Arc<Manifest>),
    Failed(String),
    /// The failed node that it needs.
    NotRun(usize),
}

impl<'s> Scene<'s> {
    fn new(
        lake: &'s Lake,
        graph: &'s Graph,
        request: &'s Request,
        nodes: &'s [Node],
        clock: &'s dyn Clock,
        progress: &'s (dyn Fn(&Progress<'_>) + Sync),
    ) -> Self {
        let mut dependents = vec![Vec::new(); nodes.len()];
        let mut waiting = vec![0; nodes.len()];
        let mut ready = BTreeSet::new();
        for (number, node) in nodes.iter().enumerate() {
            for input in node.edges.iter().flatten() {
                dependents[*input].push(number);
                waiting[number] += 1;
            }
            if waiting[number] == 0 {
                ready.insert((node.task.date, node.stage, number));
            }
        }
        let state = State {
            ready,
            busy: VecDeque::new(),
            waiting,
            ended: vec![None; nodes.len()],
            ended_count: 0,
            busy_time: vec![Duration::ZERO; graph.stages().len()],
        };
        Self {
            lake,
            graph,
            request,
            nodes,
            clock,
            progress,
            dependents,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// What each worker does until nothing is left.
    fn work(&self) {
        while let Some((number, upstream)) = self.next() {
            let started = self.clock.monotonic();
            let done = self.job(number, upstream).execute();
            self.end(number, done, self.clock.monotonic().saturating_sub(started));
        }
    }

    /// The next task with the manifests of what it reads; waits for one. `None` when all have ended.
    fn next(&self) -> Option<(usize, Vec<Vec<Arc<Manifest>>>)> {
        let mut state = self.lock();
        let mut has_paused = false;
        loop {
            if state.ended_count == self.nodes.len() {
                return None;
            }
            if let Some((_, _, number)) = state.ready.pop_first() {
                let upstream = self.upstream(&state, number);
                return Some((number, upstream));
            }
            if has_paused && let Some(number) = state.busy.pop_front() {
                let upstream = self.upstream(&state, number);
                return Some((number, upstream));
            }
            if state.busy.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                let waited = self.changed.wait_timeout(state, BUSY_PAUSE).unwrap_or_else(PoisonError::into_inner);
                has_paused = waited.1.timed_out();
                state = waited.0;
            }
        }
    }

    fn upstream(&self, state: &State, number: usize) -> Vec<Vec<Arc<Manifest>>> {
        let manifest = |input: &usize| match &state.ended[*input] {
            Some(End::Ran(manifest) | End::Stood(manifest)) => Arc::clone(manifest),
            _ => unreachable!("a task becomes ready when all that it reads stands"),
        };
        self.nodes[number].edges.iter().map(|inputs| inputs.iter().map(manifest).collect()).collect()
    }

    fn job(&self, number: usize, upstream: Vec<Vec<Arc<Manifest>>>) -> Job<'_> {
        let node = &self.nodes[number];
        Job {
            lake: self.lake,
            graph: self.graph,
            stage: &self.graph.stages()[node.stage],
            task: &node.task,
            source: node.source.as_ref(),
            is_kept: node.is_kept,
            upstream,
            verify: self.request.verify,
            clock: self.clock,
        }
    }

    fn end(&self, number: usize, done: Result<Done, String>, took: Duration) {
        let mut state = self.lock();
        state.busy_time[self.nodes[number].stage] += took;
        let end = match done {
            Ok(Done::Ran(manifest)) => End::Ran(Arc::new(manifest)),
            Ok(Done::Stood(manifest)) => End::Stood(Arc::new(manifest)),
            Ok(Done::Busy) => {
                state.busy.push_back(number);
                drop(state);
                self.changed.notify_one();
                return;
            }
            Err(error) => End::Failed(error),
        };
        let stands = matches!(end, End::Ran(_) | End::Stood(_));
        self.record(&mut state, number, end);
        if stands {
            for dependent in &self.dependents[number] {
                // One that already ended was given up for another input that failed.
                state.waiting[*dependent] -= 1;
                if state.waiting[*dependent] == 0 && state.ended[*dependent].is_none() {
                    let node = &self.nodes[*dependent];
                    state.ready.insert((node.task.date, node.stage, *dependent));
                }
            }
        } else {
            let mut without: Vec<usize> = self.dependents[number].clone();
            while let Some(dependent) = without.pop() {
                if state.ended[dependent].is_none() {
                    self.record(&mut state, dependent, End::NotRun(number));
                    without.extend(&self.dependents[dependent]);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn record(&self, state: &mut State, number: usize, end: End) {
        state.ended_count += 1;
        let error = match &end {
            End::Failed(error) => Some(error.as_str()),
            _ => None,
        };
        (self.progress)(&Progress {
            ended: state.ended_count,
            tasks: self.nodes.len(),
            task: &self.nodes[number].task,
            ran: matches!(end, End::Ran(_)),
            error,
        });
        state.ended[number] = Some(end);
    }

    fn report(&self) -> Report {
        let state = self.lock();
        let mut report = Report {
            tasks: self.nodes.len(),
            ran: 0,
            stood: 0,
            failed: Vec::new(),
            not_run: Vec::new(),
            stages: Vec::new(),
            workers: 0,
            workers_why: String::new(),
            seconds: 0.0,
        };
        for (stage, busy) in self.graph.stages().iter().zip(&state.busy_time) {
            report.stages.push(StageReport {
                stage: stage.name.clone(),
                tasks: 0,
                ran: 0,
                rows: 0,
                bytes: 0,
                busy_seconds: busy.as_secs_f64(),
                counts: BTreeMap::new(),
            });
        }
        // In order of what is told, not of what ended first.
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|number| {
            let node = &self.nodes[*number];
            (node.task.date, node.stage, &node.task.symbol)
        });
        for number in order {
            let node = &self.nodes[number];
            let stage = &mut report.stages[node.stage];
            stage.tasks += 1;
            let task = node.task.clone();
            match &state.ended[number] {
                Some(End::Ran(manifest) | End::Stood(manifest)) => {
                    stage.rows += manifest.outputs.iter().map(|output| output.rows).sum::<u64>();
                    stage.bytes += manifest.outputs.iter().map(|output| output.bytes).sum::<u64>();
                    for (name, count) in &manifest.counts {
                        let sum = stage.counts.entry(name.clone()).or_insert(0);
                        *sum = sum.saturating_add(*count);
                    }
                    if matches!(state.ended[number], Some(End::Ran(_))) {
                        (stage.ran, report.ran) = (stage.ran + 1, report.ran + 1);
                    } else {
                        report.stood += 1;
                    }
                }
                Some(End::Failed(error)) => report.failed.push(Failed { task, error: error.clone() }),
                Some(End::NotRun(failed)) => {
                    report.not_run.push(NotRun { task, because: self.nodes[*failed].task.clone() });
                }
                None => unreachable!("workers return when every task has ended"),
            }
        }
        report.stages.retain(|stage| stage.tasks > 0);
        report
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A worker that panicked while it held the lock was in our own few lines; what it left is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
