//! A lake: partitions of data sets, each with its manifest. Start at [`Lake::open`].

use std::{path::Path, sync::Arc, time::Duration};

use jiff::civil::Date;
use railbird_timeline::Clock;

use crate::{
    Contract, Error, Manifest, Objects, Symbol, Table, TaskId,
    manifest::{BYTES_MAX, FILE},
    storage::{Local, Location, Remote, Storage, Version},
};

/// How long a claim in an object store stands without being renewed. On local disk a claim ends with its process.
const LEASE: Duration = Duration::from_secs(30);

/// How a lake is opened.
#[derive(Clone)]
pub struct LakeOptions {
    /// Settings of the object store by its own names, such as `aws_endpoint`; not used on local disk.
    pub store: Vec<(String, String)>,
    /// How long a claim in an object store stands without being renewed; 30 s by default.
    pub lease: Duration,
    /// Tells how long a claim has stood.
    pub clock: Arc<dyn Clock>,
}

impl LakeOptions {
    /// What serves most.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { store: Vec::new(), lease: LEASE, clock }
    }
}

/// Partitioned data sets in a folder or an object store. Clones are the same lake.
#[derive(Debug, Clone)]
pub struct Lake {
    pub(crate) storage: Arc<dyn Storage>,
    location: String,
}

impl Lake {
    /// Opens the lake at a folder, which is made where it is not there, or at a URL such as `s3://bucket/folder`.
    ///
    /// # Errors
    /// [`Error::Location`], or what hinders opening.
    pub fn open(location: &str, options: &LakeOptions) -> Result<Self, Error> {
        let storage: Arc<dyn Storage> = match Location::parse(location)? {
            Location::Folder(path) => Arc::new(Local::make(&path)?),
            Location::Url(url) => {
                Arc::new(Remote::open(&url, &options.store, options.lease, Arc::clone(&options.clock))?)
            }
        };
        Ok(Self { storage, location: location.to_owned() })
    }

    /// As [`Lake::open`], for reading: a folder that is not there is refused, and nothing is made.
    ///
    /// # Errors
    /// [`Error::NoLake`] and as [`Lake::open`].
    pub fn existing(location: &str, options: &LakeOptions) -> Result<Self, Error> {
        match Location::parse(location)? {
            Location::Folder(path) => Self::existing_folder(&path, location),
            Location::Url(_) => Self::open(location, options),
        }
    }

    fn existing_folder(path: &Path, location: &str) -> Result<Self, Error> {
        let local = Local::existing(path).ok_or_else(|| Error::NoLake { location: location.to_owned() })?;
        Ok(Self { storage: Arc::new(local), location: location.to_owned() })
    }

    /// Where it lies, as it was given.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The manifest of a partition; `None` where the partition does not exist.
    ///
    /// # Errors
    /// [`Error::Manifest`], or what hinders reading.
    pub fn manifest(&self, task: &TaskId) -> Result<Option<Manifest>, Error> {
        Ok(self.stored(task)?.map(|(manifest, _)| manifest))
    }

    pub(crate) fn stored(&self, task: &TaskId) -> Result<Option<(Manifest, Version)>, Error> {
        let path = manifest_path(task);
        let Some(stored) = self.storage.get(&path, BYTES_MAX)? else { return Ok(None) };
        let manifest = Manifest::read(&stored.bytes, task, &self.storage.place(&path))?;
        Ok(Some((manifest, stored.version)))
    }

    /// Partitions that exist, in order of stage, symbol and date; those of one stage, and of one symbol of it, where given.
    ///
    /// # Errors
    /// What hinders listing.
    pub fn tasks(&self, stage: Option<&str>, symbol: Option<&Symbol>) -> Result<Vec<TaskId>, Error> {
        let folder = match (stage, symbol) {
            (Some(stage), Some(symbol)) => format!("stage={stage}/symbol={symbol}"),
            (Some(stage), None) => format!("stage={stage}"),
            (None, _) => String::new(),
        };
        let entries = self.storage.list(&folder)?;
        let folders = entries.iter().filter_map(|entry| entry.path.strip_suffix(FILE)?.strip_suffix('/'));
        let mut tasks: Vec<TaskId> = folders.filter_map(TaskId::of_folder).collect();
        tasks.retain(|task| symbol.is_none_or(|symbol| task.symbol == *symbol));
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// Dates of a stage and symbol that exist, oldest first.
    pub(crate) fn dates(&self, stage: &str, symbol: &Symbol) -> Result<Vec<Date>, Error> {
        Ok(self.tasks(Some(stage), Some(symbol))?.into_iter().map(|task| task.date).collect())
    }

    /// Opens a data set of a partition that exists.
    ///
    /// # Errors
    /// [`Error::UnknownSet`], [`Error::Damaged`], or what hinders reading.
    pub fn table(&self, manifest: &Manifest, set: &str) -> Result<Table, Error> {
        self.table_under(manifest, set, None)
    }

    pub(crate) fn table_under(
        &self,
        manifest: &Manifest,
        set: &str,
        contract: Option<&Contract>,
    ) -> Result<Table, Error> {
        let output = manifest.output(set).ok_or_else(|| {
            let known: Vec<_> = manifest.outputs.iter().map(|output| output.set.as_str()).collect();
            Error::UnknownSet { found: set.to_owned(), known: known.join(", ") }
        })?;
        let path = format!("{}/{}", manifest.task.folder(), output.file);
        let file = self.storage.open(&path, output.bytes, output.hash)?;
        Table::open(self.storage.place(&path), file, contract)
    }

    /// Path of a data set's file below the lake, with `/` between names.
    ///
    /// # Errors
    /// [`Error::UnknownSet`].
    pub fn path(&self, manifest: &Manifest, set: &str) -> Result<String, Error> {
        let output = manifest
            .output(set)
            .ok_or_else(|| Error::UnknownSet { found: set.to_owned(), known: "others".to_owned() })?;
        Ok(format!("{}/{}", manifest.task.folder(), output.file))
    }

    /// The files, for readers that bring their own scheduling.
    ///
    /// # Errors
    /// What hinders opening.
    pub fn objects(&self) -> Result<Objects, Error> {
        self.storage.objects()
    }

    /// Whether a partition's files are there with the sizes of its manifest; with `content`, with its hashes too, all bytes read.
    pub(crate) fn is_whole(&self, manifest: &Manifest, content: bool) -> Result<bool, Error> {
        for output in &manifest.outputs {
            let path = format!("{}/{}", manifest.task.folder(), output.file);
            if self.storage.size(&path)? != Some(output.bytes) || (content && self.storage.hash(&path)? != output.hash)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

pub(crate) fn manifest_path(task: &TaskId) -> String {
    format!("{}/{FILE}", task.folder())
}
