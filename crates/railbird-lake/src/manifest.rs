//! What a partition was made from and what it holds. Start at [`Manifest`].
//!
//! Invariant: nothing in a manifest depends on when, where or beside what it was written, so that the same task gives the same bytes.

use std::collections::BTreeMap;

use railbird_store::ContentHash;
use serde::{Deserialize, Serialize};

use crate::{Error, TaskId};

/// Name of the file in its partition's folder.
pub(crate) const FILE: &str = "manifest.json";
/// Largest manifest that is read.
pub(crate) const BYTES_MAX: u64 = 4 << 20;
const FORM: u32 = 1;

/// The record beside the files of a partition. A partition without it does not exist, whatever files lie there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    form: u32,
    /// Task that wrote it.
    pub task: TaskId,
    /// Hash of all that the outputs depend on: code, settings, contracts and inputs.
    pub key: ContentHash,
    /// Version of the code and of the stage.
    pub code: String,
    /// Settings of the stage.
    pub settings: BTreeMap<String, String>,
    /// What was read, in the order of the stage's edges.
    pub inputs: Vec<Input>,
    /// What was written, in the order of the stage's contracts.
    pub outputs: Vec<Output>,
    /// What the stage counted.
    pub counts: BTreeMap<String, i64>,
}

/// What a task read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Task, as its folder; or the name of a source.
    pub name: String,
    /// Data set; none for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Hash of its bytes.
    pub hash: ContentHash,
}

/// What a task wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Data set.
    pub set: String,
    /// Name of the Parquet file in the partition's folder.
    pub file: String,
    /// Hash of its bytes.
    pub hash: ContentHash,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Earliest and latest known-at of its rows, nanoseconds UTC; none without rows or without such a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<(i64, i64)>,
}

/// All that the outputs of a task depend on; its hash is the manifest's key.
#[derive(Debug, Serialize)]
pub(crate) struct Basis<'b> {
    pub(crate) form: u32,
    pub(crate) task: &'b TaskId,
    pub(crate) code: &'b str,
    pub(crate) settings: &'b BTreeMap<String, String>,
    pub(crate) contracts: Vec<String>,
    pub(crate) inputs: &'b [Input],
}

impl Basis<'_> {
    pub(crate) const FORM: u32 = FORM;

    pub(crate) fn key(&self) -> ContentHash {
        ContentHash::of(&serde_json::to_vec(self).expect("plain structures of text become JSON"))
    }
}

impl Manifest {
    pub(crate) fn new(basis: &Basis<'_>, outputs: Vec<Output>, counts: BTreeMap<String, i64>) -> Self {
        Self {
            form: basis.form,
            task: basis.task.clone(),
            key: basis.key(),
            code: basis.code.to_owned(),
            settings: basis.settings.clone(),
            inputs: basis.inputs.to_vec(),
            outputs,
            counts,
        }
    }

    /// The output of a data set.
    pub fn output(&self, set: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.set == set)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain structures of text become JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a manifest of `task`. `place`: file, for the error.
    pub(crate) fn read(bytes: &[u8], task: &TaskId, place: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Manifest { place: place.to_owned(), form: FORM, reason };
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| wrong(format!("found {error}")))?;
        if manifest.form != FORM {
            return Err(wrong(format!("found form {}", manifest.form)));
        }
        if manifest.task != *task {
            return Err(wrong(format!("found that of {}", manifest.task)));
        }
        // Names that come from a file become parts of a path again.
        for output in &manifest.outputs {
            if output.file != file_name(&output.set, output.hash) {
                return Err(wrong(format!("found the file {:?} for {}", output.file, output.set)));
            }
        }
        Ok(manifest)
    }
}

/// Name of a file of a data set: by content, so that a new one never overwrites one that is being read.
pub(crate) fn file_name(set: &str, hash: ContentHash) -> String {
    format!("{set}-{}.parquet", hash.short(20))
}

#[cfg(test)]
mod tests {
    use crate::Symbol;

    use super::*;

    fn task() -> TaskId {
        TaskId { stage: "bars".into(), symbol: Symbol::new("SIM").unwrap(), date: "2024-01-02".parse().unwrap() }
    }

    fn manifest() -> Manifest {
        let (task, settings) = (task(), BTreeMap::from([("bar".to_owned(), "5s".to_owned())]));
        let inputs = [Input { name: "2024-01-02.dbn.zst".into(), set: None, hash: ContentHash::of(b"in") }];
        let basis =
            Basis { form: FORM, task: &task, code: "0.1.0/1", settings: &settings, contracts: vec![], inputs: &inputs };
        let hash = ContentHash::of(b"out");
        let output = Output {
            set: "bars".into(),
            file: file_name("bars", hash),
            hash,
            rows: 1,
            bytes: 3,
            known_at: Some((1, 2)),
        };
        Manifest::new(&basis, vec![output], BTreeMap::from([("rejected".to_owned(), 3)]))
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let manifest = manifest();
        assert_eq!(Manifest::read(&manifest.to_bytes(), &task(), "x").unwrap(), manifest);
        assert_eq!(manifest.output("bars").unwrap().rows, 1);
        assert!(manifest.output("profiles").is_none());
    }

    #[test]
    fn what_is_cut_changed_or_of_another_task_is_refused() {
        let bytes = manifest().to_bytes();
        for cut in (0..bytes.len() - 2).step_by(7) {
            assert!(matches!(Manifest::read(&bytes[..cut], &task(), "x"), Err(Error::Manifest { .. })), "{cut}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let other = TaskId { stage: "profiles".into(), ..task() };
        assert!(Manifest::read(text.as_bytes(), &other, "x").unwrap_err().to_string().contains("found that of bars"));
        let file = &manifest().outputs[0].file;
        let outside = text.replace(file.as_str(), "../../x.parquet");
        assert!(Manifest::read(outside.as_bytes(), &task(), "x").unwrap_err().to_string().contains("../../x.parquet"));
        let newer = text.replace("\"form\": 1", "\"form\": 2");
        assert!(Manifest::read(newer.as_bytes(), &task(), "x").unwrap_err().to_string().contains("found form 2"));
    }
}
