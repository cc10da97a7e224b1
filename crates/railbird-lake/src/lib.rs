//! Partitioned Parquet data sets on local disk or object storage, with manifests, atomic commits and a stage graph.
//!
//! A [`Lake`] is opened; a [`Graph`] of [`Stage`]s, which a field declares, says what is made from what; [`run`] brings a
//! [`Request`] up to date. A stage's function gets a [`Work`], through which it reads sources and tables and writes rows that must
//! fit their [`Contract`]. What stands is told by its [`Manifest`]. `docs/formats/lake.md` has the layout.
//!
//! Invariant: knows no field. A partition exists when its manifest does, and is then whole; the same inputs, code and settings give the
//! same bytes, whatever the number of workers and processes, and wherever one was killed.

mod contract;
mod error;
mod lake;
mod manifest;
mod name;
mod plan;
mod run;
mod stage;
mod storage;
mod table;
mod work;
mod workers;

pub use contract::Contract;
pub use error::Error;
pub use lake::{Lake, LakeOptions};
pub use manifest::{Input, Manifest, Output};
pub use name::{Symbol, TaskId};
pub use plan::Request;
pub use run::{Failed, NotRun, Progress, Report, StageReport, run};
pub use stage::{Edge, FileSource, Graph, Mark, Source, Sources, Stage, StageFn, StageResult};
pub use storage::Objects;
pub use table::{Batches, Chunks, PartFile, Table};
pub use work::Work;
pub use workers::{Machine, Workers};
