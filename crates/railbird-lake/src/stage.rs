//! Stages and what they read, as data that a field declares. Start at [`Stage`].

use std::{collections::BTreeMap, error, fmt, fs::File, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc};

use jiff::civil::Date;
use railbird_store::ContentHash;

use crate::{Contract, Error, Symbol, Work, name::plain_name};

/// What a stage's function gives: anything that went wrong, in its own words.
pub type StageResult = Result<(), Box<dyn error::Error + Send + Sync>>;

/// What a stage does for one symbol and date. Pure: it reads and writes through its [`Work`] and nothing else, so that the
/// same inputs and settings give the same bytes.
pub type StageFn = Arc<dyn Fn(&mut Work<'_>) -> StageResult + Send + Sync>;

/// One step of a graph: for each symbol and date, some data sets from others.
#[derive(Clone)]
pub struct Stage {
    /// Name: part of paths.
    pub name: String,
    /// Version of the code: raised when the same inputs would give other outputs, so that they are made anew.
    pub code: String,
    /// All that the outputs depend on beside code and inputs.
    pub settings: BTreeMap<String, String>,
    /// What it reads.
    pub edges: Vec<Edge>,
    /// What it writes; each exactly once, also where it has no rows.
    pub outputs: Vec<Contract>,
    /// Most memory that one task takes, bytes, estimated: decides how many run at once.
    pub memory_bytes: u64,
    /// What it does.
    pub run: StageFn,
}

/// What a task reads, beside its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// The source of its symbol and date.
    Source,
    /// Data sets of a stage for its own symbol and date.
    Same {
        /// Stage.
        stage: String,
        /// Data sets; the others cannot be read, and changes of them change nothing here.
        sets: Vec<String>,
    },
    /// Data sets of a stage for its symbol on the last dates before its own: as many as there are, at most `dates`.
    Before {
        /// Stage.
        stage: String,
        /// Data sets.
        sets: Vec<String>,
        /// Most dates.
        dates: usize,
    },
}

impl Edge {
    /// Data sets of a stage for the own date.
    pub fn same(stage: &str, sets: &[&str]) -> Self {
        Self::Same { stage: stage.to_owned(), sets: sets.iter().map(|set| (*set).to_owned()).collect() }
    }

    /// A data set of a stage for at most so many dates before.
    pub fn before(stage: &str, set: &str, dates: usize) -> Self {
        Self::Before { stage: stage.to_owned(), sets: vec![set.to_owned()], dates }
    }

    /// Data sets that are read; none for a source.
    pub(crate) fn sets(&self) -> &[String] {
        match self {
            Self::Source => &[],
            Self::Same { sets, .. } | Self::Before { sets, .. } => sets,
        }
    }

    /// Stage that is read; none for a source.
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Source => None,
            Self::Same { stage, .. } | Self::Before { stage, .. } => Some(stage),
        }
    }
}

impl Stage {
    /// The contract of a data set.
    pub(crate) fn contract(&self, set: &str) -> Option<&Contract> {
        self.outputs.iter().find(|contract| contract.set() == set)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stage")
            .field("name", &self.name)
            .field("code", &self.code)
            .field("settings", &self.settings)
            .field("edges", &self.edges)
            .finish_non_exhaustive()
    }
}

/// Stages that fit together: each reads only sources and stages that stand before it.
#[derive(Debug, Clone)]
pub struct Graph {
    stages: Vec<Stage>,
}

impl Graph {
    /// Checks the names and edges of `stages`.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Stages`].
    pub fn new(stages: Vec<Stage>) -> Result<Self, Error> {
        for (number, stage) in stages.iter().enumerate() {
            let wrong = |reason: String| Error::Stages { stage: stage.name.clone(), reason };
            plain_name("stage", &stage.name)?;
            let before = &stages[..number];
            if before.iter().any(|other| other.name == stage.name) {
                return Err(wrong("is there twice".to_owned()));
            }
            for edge in &stage.edges {
                let Some(name) = edge.stage() else { continue };
                let Some(other) = before.iter().find(|other| other.name == name) else {
                    return Err(wrong(format!("reads {name}, which does not stand before it")));
                };
                if let Some(set) = edge.sets().iter().find(|set| other.contract(set).is_none()) {
                    return Err(wrong(format!("reads {set} of {name}, which does not write it")));
                }
            }
            for (place, contract) in stage.outputs.iter().enumerate() {
                let sets = before.iter().flat_map(|other| &other.outputs).chain(&stage.outputs[..place]);
                if sets.into_iter().any(|other| other.set() == contract.set()) {
                    return Err(wrong(format!("writes {}, which is written already", contract.set())));
                }
            }
            if stage.outputs.is_empty() {
                return Err(wrong("writes nothing".to_owned()));
            }
        }
        Ok(Self { stages })
    }

    /// The stages, each after those that it reads.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Place of a stage in the list.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }
}

/// Where the first stages' inputs come from.
pub trait Sources: Send + Sync {
    /// Dates for which there is a source of `symbol`, in any order.
    ///
    /// # Errors
    /// What hinders looking.
    fn dates(&self, symbol: &Symbol) -> Result<Vec<Date>, Error>;

    /// The source of a symbol and date; `None` where there is none.
    ///
    /// # Errors
    /// What hinders looking.
    fn source(&self, symbol: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error>;
}

/// One input from outside the lake.
pub trait Source: Send + Sync {
    /// Name for manifests and errors: the same wherever the source lies.
    fn name(&self) -> String;

    /// Hash of its bytes, and a mark that is another one when they change.
    ///
    /// # Errors
    /// What hinders reading.
    fn hash(&self) -> Result<(ContentHash, Mark), Error>;

    /// The mark as it is now.
    ///
    /// # Errors
    /// What hinders looking.
    fn mark(&self) -> Result<Mark, Error>;

    /// Its bytes, at their start.
    ///
    /// # Errors
    /// What hinders reading.
    fn open(&self) -> Result<File, Error>;
}

/// Something that is another one when a source was changed: for a file its size, time of change and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub Vec<u64>);

/// A file of this machine.
#[derive(Debug, Clone)]
pub struct FileSource {
    path: PathBuf,
}

impl FileSource {
    /// A file that is there, or will be when it is read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        self.path.file_name().map_or_else(|| self.place(), |name| name.to_string_lossy().into_owned())
    }

    fn hash(&self) -> Result<(ContentHash, Mark), Error> {
        let mark = self.mark()?;
        Ok((ContentHash::of_file(&self.path)?, mark))
    }

    fn mark(&self) -> Result<Mark, Error> {
        let metadata = std::fs::metadata(&self.path).map_err(Error::io(self.place(), "look at"))?;
        let number = |value: i64| u64::from_ne_bytes(value.to_ne_bytes());
        Ok(Mark(vec![metadata.len(), metadata.ino(), number(metadata.mtime()), number(metadata.mtime_nsec())]))
    }

    fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(Error::io(self.place(), "open"))
    }
}
