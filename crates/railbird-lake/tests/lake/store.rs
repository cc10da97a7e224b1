//! A lake in an object store holds what one on local disk does.

use std::{fs, time::Duration};

use railbird_lake::{Lake, Symbol};

use crate::{
    files,
    graph::{Form, date, open, request, run_on, write_source, write_sources},
    s3::{Server, options},
};

const LEASE: Duration = Duration::from_secs(5);

#[test]
fn local_disk_and_object_store_give_equal_bytes() {
    let home = tempfile::tempdir().unwrap();
    let (sources, root) = (home.path().join("in"), home.path().join("lake"));
    write_sources(&sources, 8, 2_000);
    let server = Server::start();
    let remote = Lake::open("s3://bucket/a/lake", &options(&server.endpoint, LEASE)).unwrap();
    let (local, form) = (open(&root), Form::default());
    for change in 0..3 {
        match change {
            0 => {}
            1 => write_source(&sources, 2, 1_500, 9),
            _ => fs::remove_file(sources.join(format!("{}.txt", date(3)))).unwrap(),
        }
        let there = run_on(&remote, &form, &sources, &request(&[]), 2);
        let here = run_on(&local, &form, &sources, &request(&[]), 2);
        assert_eq!((there.ran, there.stood, there.failed.len()), (here.ran, here.stood, 0), "change {change}");
        assert_eq!(server.objects("a/lake/"), files(&root), "change {change}");
    }
    let tasks = remote.tasks(Some("sums"), Some(&Symbol::new("SIM").unwrap())).unwrap();
    assert_eq!(tasks, local.tasks(Some("sums"), Some(&Symbol::new("SIM").unwrap())).unwrap());
    assert_eq!(server.claims("a/lake/"), 0, "every claim was freed");
}

#[test]
fn an_object_that_was_changed_is_refused_by_its_content() {
    let home = tempfile::tempdir().unwrap();
    let sources = home.path().join("in");
    write_sources(&sources, 2, 100);
    let server = Server::start();
    let lake = Lake::open("s3://bucket/lake", &options(&server.endpoint, LEASE)).unwrap();
    run_on(&lake, &Form::default(), &sources, &request(&[]), 2);
    let task = lake.tasks(Some("sums"), None).unwrap().remove(0);
    let manifest = lake.manifest(&task).unwrap().unwrap();
    let path = format!("lake/{}", lake.path(&manifest, "sums").unwrap());
    server.damage(&path);
    let error = lake.table(&manifest, "sums").unwrap_err().to_string();
    assert!(error.contains(&path) && error.contains("expected content"), "{error}");
}

#[test]
fn a_store_that_does_not_answer_is_told_with_its_address() {
    let server = Server::start();
    let lake = Lake::open("s3://other/lake", &options(&server.endpoint, LEASE)).unwrap();
    let error = lake.tasks(None, None).unwrap_err().to_string();
    assert!(error.starts_with("s3://other/lake"), "{error}");
}
