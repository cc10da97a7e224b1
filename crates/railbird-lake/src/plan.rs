//! Which tasks a run has, and which waits for which. Start at [`plan`].

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::civil::Date;

use crate::{Edge, Error, Graph, Lake, Source, Sources, Symbol, TaskId};

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Symbols.
    pub symbols: Vec<Symbol>,
    /// First date.
    pub from: Date,
    /// Last date, included.
    pub to: Date,
    /// Stages; all where none is named. What they read is made too.
    pub stages: Vec<String>,
    /// Whether the bytes of what stands are hashed again, and made anew where they were changed.
    pub verify: bool,
}

/// A task and what it waits for.
pub(crate) struct Node {
    pub(crate) stage: usize,
    pub(crate) task: TaskId,
    pub(crate) source: Option<Arc<dyn Source>>,
    pub(crate) is_kept: bool,
    /// What each edge of the stage reads, oldest first.
    pub(crate) edges: Vec<Vec<usize>>,
}

/// Finds the tasks of a request and, before them, those that they read.
///
/// A symbol's calendar is every date that has a source or a stored partition of a stage that reads one; a date before another is
/// meant in it, so that what a task reads does not depend on the dates asked for.
pub(crate) fn plan(lake: &Lake, graph: &Graph, sources: &dyn Sources, request: &Request) -> Result<Vec<Node>, Error> {
    let mut targets = Vec::new();
    for name in &request.stages {
        targets.push(graph.index(name).ok_or_else(|| Error::UnknownStage {
            found: name.clone(),
            known: graph.stages().iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>().join(", "),
        })?);
    }
    if targets.is_empty() {
        targets.extend(0..graph.stages().len());
    }
    let mut plan = Plan { lake, graph, sources, nodes: Vec::new(), known: HashMap::new() };
    for symbol in &request.symbols {
        let calendar = plan.calendar(symbol)?;
        let dates: Vec<Date> = calendar.range(request.from..=request.to).copied().collect();
        if request.from > request.to || dates.is_empty() {
            let hint = match (calendar.first(), calendar.last()) {
                (Some(first), Some(last)) => format!("there are {} dates from {first} to {last}", calendar.len()),
                _ => "there is none at any other date; check the symbol and the folder of sources".to_owned(),
            };
            return Err(Error::NoDates { symbol: symbol.clone(), from: request.from, to: request.to, hint });
        }
        for date in dates {
            for stage in &targets {
                plan.add(*stage, symbol, date, &calendar)?;
            }
        }
    }
    Ok(plan.nodes)
}

struct Plan<'p> {
    lake: &'p Lake,
    graph: &'p Graph,
    sources: &'p dyn Sources,
    nodes: Vec<Node>,
    known: HashMap<(usize, Symbol, Date), usize>,
}

impl Plan<'_> {
    fn calendar(&self, symbol: &Symbol) -> Result<BTreeSet<Date>, Error> {
        let mut dates: BTreeSet<Date> = self.sources.dates(symbol)?.into_iter().collect();
        for stage in self.graph.stages() {
            if stage.edges.contains(&Edge::Source) {
                dates.extend(self.lake.dates(&stage.name, symbol)?);
            }
        }
        Ok(dates)
    }

    /// Depth is bounded by the number of stages, since each reads only those before it.
    fn add(&mut self, stage: usize, symbol: &Symbol, date: Date, calendar: &BTreeSet<Date>) -> Result<usize, Error> {
        if let Some(known) = self.known.get(&(stage, symbol.clone(), date)) {
            return Ok(*known);
        }
        let graph = self.graph;
        let declared = &graph.stages()[stage];
        let (mut edges, mut source, mut is_kept) = (Vec::with_capacity(declared.edges.len()), None, false);
        let index = |name: &str| graph.index(name).expect("edges were checked when the graph was made");
        for edge in &declared.edges {
            edges.push(match edge {
                Edge::Source => {
                    source = self.sources.source(symbol, date)?;
                    // The date is in the calendar, so that its partition is stored.
                    is_kept = source.is_none();
                    Vec::new()
                }
                Edge::Same { stage: name, .. } => vec![self.add(index(name), symbol, date, calendar)?],
                Edge::Before { stage: name, dates, .. } => {
                    let mut before: Vec<Date> = calendar.range(..date).rev().take(*dates).copied().collect();
                    before.reverse();
                    let add = |date| self.add(index(name), symbol, date, calendar);
                    before.into_iter().map(add).collect::<Result<_, _>>()?
                }
            });
        }
        let task = TaskId { stage: declared.name.clone(), symbol: symbol.clone(), date };
        let node = self.nodes.len();
        self.nodes.push(Node { stage, task, source, is_kept, edges });
        self.known.insert((stage, symbol.clone(), date), node);
        Ok(node)
    }
}
