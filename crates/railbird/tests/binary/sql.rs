//! `railbird sql` in a build without it.

#![cfg(not(feature = "sql"))]

use crate::common::Home;

#[test]
fn without_the_feature_it_says_how_to_get_it() {
    let home = Home::new();
    let ended = home.run(&["sql", "SELECT 1"]);
    assert!(ended.code == 2 && ended.out.is_empty(), "{ended:?}");
    assert!(ended.err.contains("cargo install --path crates/railbird --features sql"), "{}", ended.err);
    let (code, document) = home.json(&["sql", "SHOW TABLES", "--lake", "s3://bucket/lake"]);
    assert_eq!((code, &document["kind"]), (2, &"usage".into()), "{document}");
    // Wrong flags are wrong in either build.
    assert!(home.run(&["sql"]).err.contains("required"));
}
