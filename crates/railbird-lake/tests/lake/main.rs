//! A small graph of four stages, run in every way in which a lake may be run, interrupted and shared.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

mod graph;
mod kill;
mod rerun;
mod s3;
mod store;

use std::{collections::BTreeMap, fs, path::Path};

use railbird_store::ContentHash;

/// Every file below a folder but locks, by path, with the hash of its content.
pub(crate) fn files(root: &Path) -> BTreeMap<String, String> {
    fn collect(root: &Path, folder: &Path, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, into);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                into.insert(name, ContentHash::of_file(&path).unwrap().to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(root, root, &mut found);
    found.retain(|name, _| !name.starts_with(".locks/"));
    found
}
