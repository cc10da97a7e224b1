//! One task: whether it stands, and if not, its inputs, its outputs and its commit. Start at [`Work`].
//!
//! Invariant: data is put before the manifest that names it, and what the old manifest named goes only after.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use arrow::array::RecordBatch;
use jiff::civil::Date;
use railbird_timeline::Clock;

use crate::{
    Chunks, Contract, Edge, Error, Graph, Lake, Manifest, PartFile, Source, Stage, Table, TaskId,
    lake::manifest_path,
    manifest::{Basis, Input, Output},
    name::plain_name,
    storage::Version,
    table::TableWriter,
};

/// What a stage's function reads and writes through.
pub struct Work<'w> {
    job: &'w Job<'w>,
    writers: BTreeMap<String, TableWriter>,
    files: Vec<PartFile>,
    counts: BTreeMap<String, i64>,
}

/// A task with what it reads.
pub(crate) struct Job<'j> {
    pub(crate) lake: &'j Lake,
    pub(crate) graph: &'j Graph,
    pub(crate) stage: &'j Stage,
    pub(crate) task: &'j TaskId,
    pub(crate) source: Option<&'j Arc<dyn Source>>,
    /// Whether the source is gone, so that what is stored must do.
    pub(crate) is_kept: bool,
    /// Manifests of what each edge reads, oldest first.
    pub(crate) upstream: Vec<Vec<Arc<Manifest>>>,
    /// Whether the bytes of what stands are hashed again.
    pub(crate) verify: bool,
    pub(crate) clock: &'j dyn Clock,
}

/// How a task came out.
pub(crate) enum Done {
    /// Made now.
    Ran(Manifest),
    /// There already, from the same inputs, code and settings.
    Stood(Manifest),
    /// Another process is at it.
    Busy,
}

/// Why a task failed, with everything that led to it.
pub(crate) type Reason = String;

impl Work<'_> {
    /// Which task this is.
    pub fn task(&self) -> &TaskId {
        self.job.task
    }

    /// The source, from its start; may be asked for again.
    ///
    /// # Errors
    /// [`Error::Undeclared`] for a stage without [`Edge::Source`], or what hinders opening.
    pub fn source(&self) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(self.source_file()?))
    }

    /// The source, to be read at offsets.
    ///
    /// # Errors
    /// As [`Work::source`].
    pub fn source_chunks(&self) -> Result<Chunks, Error> {
        Chunks::of(&self.source_name(), self.source_file()?)
    }

    fn source_file(&self) -> Result<File, Error> {
        match self.job.source {
            Some(source) => source.open(),
            None => Err(self.undeclared("reads a source without an edge to one")),
        }
    }

    /// Name of the source, for errors and for its form; empty for a stage without one.
    pub fn source_name(&self) -> String {
        self.job.source.map(|source| source.name()).unwrap_or_default()
    }

    /// A data set of the same symbol and date.
    ///
    /// # Errors
    /// [`Error::Undeclared`] without such an edge; [`Error::Contract`] for a file that does not fit; what hinders reading.
    pub fn table(&self, set: &str) -> Result<Table, Error> {
        for (edge, manifests) in self.job.stage.edges.iter().zip(&self.job.upstream) {
            if let (Edge::Same { stage, sets }, [manifest]) = (edge, manifests.as_slice())
                && sets.iter().any(|other| other == set)
            {
                return self.open(stage, manifest, set);
            }
        }
        Err(self.undeclared(&format!("reads {set} of its own date without an edge to it")))
    }

    /// A data set of the dates before that the edge names, oldest first; fewer where there are fewer.
    ///
    /// # Errors
    /// As [`Work::table`].
    pub fn tables_before(&self, set: &str) -> Result<Vec<(Date, Table)>, Error> {
        for (edge, manifests) in self.job.stage.edges.iter().zip(&self.job.upstream) {
            if let Edge::Before { stage, sets, .. } = edge
                && sets.iter().any(|other| other == set)
            {
                let open = |manifest: &Arc<Manifest>| Ok((manifest.task.date, self.open(stage, manifest, set)?));
                return manifests.iter().map(open).collect();
            }
        }
        Err(self.undeclared(&format!("reads {set} of earlier dates without an edge to it")))
    }

    /// Adds rows to a data set, after those before.
    ///
    /// # Errors
    /// [`Error::Contract`] for rows that do not fit; [`Error::Undeclared`] for a set that the stage does not write; what hinders
    /// writing.
    pub fn write(&mut self, set: &str, rows: &RecordBatch) -> Result<(), Error> {
        if let Some(writer) = self.writers.get_mut(set) {
            return writer.write(rows);
        }
        let mut writer = self.begin(set)?;
        writer.write(rows)?;
        self.writers.insert(set.to_owned(), writer);
        Ok(())
    }

    /// Adds to something that was counted; manifests and reports carry it. Small letters, digits and `_`.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn count(&mut self, name: &str, more: i64) -> Result<(), Error> {
        let count = self.counts.entry(plain_name("count", name)?.to_owned()).or_insert(0);
        *count = count.saturating_add(more);
        Ok(())
    }

    /// Begins a data set that the stage encodes itself; [`Work::end_file`] takes it back.
    ///
    /// # Errors
    /// [`Error::Undeclared`] for a set that the stage does not write; what hinders writing.
    pub fn begin_file(&self, set: &str) -> Result<PartFile, Error> {
        let contract = self.contract(set)?;
        Ok(PartFile::begin(contract, self.job.lake.storage.begin(&self.job.task.folder())?))
    }

    /// Takes a data set that the stage encoded. It is looked at when the stage has ended: a file that does not fit fails the task.
    ///
    /// # Errors
    /// [`Error::Undeclared`] for a set that was given already.
    pub fn end_file(&mut self, file: PartFile) -> Result<(), Error> {
        let set = file.set();
        if self.writers.contains_key(set) || self.files.iter().any(|other| other.set() == set) {
            return Err(self.undeclared(&format!("writes {set} twice")));
        }
        self.files.push(file);
        Ok(())
    }

    /// A file without a name, for what is too large for the memory; it is gone when it is dropped. May be asked for on any
    /// thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn spool() -> io::Result<File> {
        tempfile::tempfile()
    }

    fn contract(&self, set: &str) -> Result<&Contract, Error> {
        let contract = self.job.stage.contract(set);
        contract.ok_or_else(|| self.undeclared(&format!("writes {set} without a contract for it")))
    }

    fn begin(&self, set: &str) -> Result<TableWriter, Error> {
        TableWriter::begin(self.contract(set)?, self.job.lake.storage.begin(&self.job.task.folder())?)
    }

    fn open(&self, stage: &str, manifest: &Manifest, set: &str) -> Result<Table, Error> {
        let stage = self.job.graph.stages().iter().find(|other| other.name == stage);
        self.job.lake.table_under(manifest, set, stage.and_then(|stage| stage.contract(set)))
    }

    fn undeclared(&self, reason: &str) -> Error {
        Error::Undeclared { task: self.job.task.clone(), reason: reason.to_owned() }
    }

    /// Ends every data set of the stage, those without rows too.
    fn finish(mut self) -> Result<(Vec<Output>, BTreeMap<String, i64>), Error> {
        let mut outputs = Vec::with_capacity(self.job.stage.outputs.len());
        for contract in &self.job.stage.outputs {
            let set = contract.set();
            let encoded = self.files.iter().position(|file| file.set() == set);
            let file = match (encoded, self.writers.remove(set)) {
                (Some(_), Some(_)) => return Err(self.undeclared(&format!("writes {set} twice"))),
                (Some(place), None) => self.files.swap_remove(place),
                (None, Some(writer)) => writer.finish()?,
                (None, None) => self.begin(set)?.finish()?,
            };
            outputs.push(file.commit()?);
        }
        Ok((outputs, self.counts))
    }
}

impl Job<'_> {
    /// Does what is to be done.
    pub(crate) fn execute(&self) -> Result<Done, Reason> {
        self.try_execute().map_err(|error| chain(&*error))
    }

    fn try_execute(&self) -> Result<Done, Box<dyn std::error::Error + Send + Sync>> {
        if self.is_kept {
            let stored = self.lake.manifest(self.task)?;
            return Ok(Done::Stood(stored.ok_or("its source is gone, and so is what was made of it")?));
        }
        let source = self.source.map(|source| source.hash().map(|hashed| (source, hashed))).transpose()?;
        let mut inputs = Vec::new();
        for (edge, manifests) in self.stage.edges.iter().zip(&self.upstream) {
            if let (Edge::Source, Some((source, (hash, _)))) = (edge, &source) {
                inputs.push(Input { name: source.name(), set: None, hash: *hash });
            }
            inputs.extend(manifests.iter().flat_map(|manifest| of_outputs(manifest, edge.sets())));
        }
        let basis = Basis {
            form: Basis::FORM,
            task: self.task,
            code: &self.stage.code,
            settings: &self.stage.settings,
            contracts: self.stage.outputs.iter().map(Contract::fingerprint).collect(),
            inputs: &inputs,
        };
        let (key, storage) = (basis.key(), &*self.lake.storage);
        let standing = |stored: &Option<(Manifest, Version)>| -> Result<Option<Manifest>, Error> {
            match stored {
                Some((manifest, _)) if manifest.key == key && self.lake.is_whole(manifest, self.verify)? => {
                    Ok(Some(manifest.clone()))
                }
                _ => Ok(None),
            }
        };
        if let Some(manifest) = standing(&self.lake.stored(self.task)?)? {
            return Ok(Done::Stood(manifest));
        }
        let folder = self.task.folder();
        let Some(claim) = storage.claim(&folder)? else { return Ok(Done::Busy) };
        // Looked at again: whoever had the claim may have done it.
        let stored = self.lake.stored(self.task)?;
        if let Some(manifest) = standing(&stored)? {
            return Ok(Done::Stood(manifest));
        }
        self.remove_orphans(stored.as_ref().map(|(manifest, _)| manifest))?;

        let mut work = Work { job: self, writers: BTreeMap::new(), files: Vec::new(), counts: BTreeMap::new() };
        match panic::catch_unwind(AssertUnwindSafe(|| (self.stage.run)(&mut work))) {
            Ok(result) => result?,
            Err(panic) => return Err(told(&*panic).into()),
        }
        let (outputs, counts) = work.finish()?;
        if let Some((source, (_, mark))) = &source
            && source.mark()? != *mark
        {
            return Err(Error::SourceChanged { source_name: source.name() }.into());
        }
        let manifest = Manifest::new(&basis, outputs, counts);
        if let Some((old, _)) = &stored
            && old.key == key
            && let Some(output) = manifest.outputs.iter().find(|output| !old.outputs.contains(output))
        {
            let (set, code) = (output.set.clone(), self.stage.code.clone());
            return Err(Error::NotReproducible { task: self.task.clone(), set, code }.into());
        }
        if !claim.is_held() {
            return Ok(Done::Busy);
        }
        let version = stored.as_ref().map(|(_, version)| version);
        if !storage.put(&manifest_path(self.task), &manifest.to_bytes(), version)? {
            return match self.lake.stored(self.task)? {
                Some((theirs, _)) if theirs == manifest => Ok(Done::Stood(theirs)),
                _ => Err(Error::Contended { task: self.task.clone() }.into()),
            };
        }
        if let Some((old, _)) = &stored {
            for output in &old.outputs {
                if manifest.outputs.iter().all(|new| new.file != output.file) {
                    storage.remove(&format!("{folder}/{}", output.file))?;
                }
            }
        }
        drop(claim);
        Ok(Done::Ran(manifest))
    }

    /// Takes away data that a killed process put and never named.
    fn remove_orphans(&self, manifest: Option<&Manifest>) -> Result<(), Error> {
        let storage = &*self.lake.storage;
        let folder = self.task.folder();
        let old_ns = self.clock.now().0.saturating_sub(storage.orphan_age_ns());
        for entry in storage.list(&folder)? {
            let name = entry.path.strip_prefix(&folder).unwrap_or_default().trim_start_matches('/');
            let is_ours = name.ends_with(".parquet") && !name.contains('/');
            let is_named = manifest.is_some_and(|manifest| manifest.outputs.iter().any(|output| output.file == name));
            // On local disk the lock shows that nobody is writing, whatever the clock says.
            let is_old = storage.orphan_age_ns() == 0 || entry.modified_ns <= old_ns;
            if is_ours && !is_named && is_old {
                storage.remove(&entry.path)?;
            }
        }
        Ok(())
    }
}

fn of_outputs<'m>(manifest: &'m Manifest, sets: &'m [String]) -> impl Iterator<Item = Input> + 'm {
    let read = manifest.outputs.iter().filter(|output| sets.contains(&output.set));
    read.map(|output| Input { name: manifest.task.folder(), set: Some(output.set.clone()), hash: output.hash })
}

/// An error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn told(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the stage panicked: {}", words.unwrap_or("without words"))
}
