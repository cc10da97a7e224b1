//! A lake in an object store gives the answers of one on disk.

use std::time::Duration;

use object_store::{ObjectStoreExt as _, path::Path};
use railbird_lake::Lake;

use crate::{
    s3::{Server, options},
    small_lake::{DAYS, SYMBOLS, Version, ask, told, whole, write},
};

#[test]
fn local_disk_and_object_store_give_equal_answers() {
    let (_home, local) = whole();
    let server = Server::start();
    let remote = Lake::open("s3://bucket/a/lake", &options(&server.endpoint, Duration::from_secs(5))).unwrap();
    write(&remote, Version::Today, &SYMBOLS, DAYS);
    for sql in [
        "SELECT * FROM quotes",
        "SELECT symbol, date, count(*), avg(price) FROM quotes WHERE size > 7 GROUP BY 1, 2",
        "SELECT * FROM quotes WHERE symbol = 'BBB' AND date >= '2024-03-07'",
        "SELECT * FROM days ORDER BY symbol, date DESC",
        "SHOW TABLES",
    ] {
        let ((there, there_read), (here, here_read)) = (ask(&remote, sql).unwrap(), ask(&local, sql).unwrap());
        assert_eq!(told(&there), told(&here), "{sql}");
        assert_eq!(there_read, here_read, "{sql}");
    }
    let (_, read) = ask(&remote, "SELECT max(price) FROM quotes WHERE symbol = 'AAA' AND date = '2024-03-05'").unwrap();
    assert_eq!((read.partitions_kept, read.files), (1, 1));
    // An object that nobody's manifest names.
    let task = remote.tasks(Some("quotes"), None).unwrap().remove(0);
    let named = remote.path(&remote.manifest(&task).unwrap().unwrap(), "quotes").unwrap();
    let named = Path::from(format!("a/lake/{named}"));
    let foreign = Path::from(format!("a/lake/{}/quotes-0000.parquet", task.folder()));
    let store = remote.objects().unwrap().store;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bytes = store.get(&named).await.unwrap().bytes().await.unwrap();
        store.put(&foreign, bytes.into()).await.unwrap();
    });
    let count = "SELECT count(*), sum(size) FROM quotes";
    assert_eq!(told(&ask(&remote, count).unwrap().0), told(&ask(&local, count).unwrap().0));
}
