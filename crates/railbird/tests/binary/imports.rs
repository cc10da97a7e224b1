//! The ways into the store: a folder, its URL root, an upload; and what an earlier session brings along.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use serde_json::Value;

use crate::{
    common::{Home, archive, copy, text},
    refusals::Server,
};

/// Serves the files of `folder` over HTTP on loopback until the test program ends; its URL root.
fn served(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let root = format!("http://{}/race", listener.local_addr().expect("an address"));
    let folder = folder.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a connection")).lines();
            let first = lines.next().expect("a request").expect("text");
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let name = first.split(' ').nth(1).and_then(|path| path.strip_prefix("/race/")).unwrap_or_default();
            let (status, body) = match fs::read(folder.join(name)) {
                Ok(bytes) => ("200 OK", bytes),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            // A client that has gone away has seen enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    root
}

#[test]
fn a_url_root_gives_the_same_version_as_its_folder() {
    let (by_url, by_folder) = (Home::new(), Home::new());
    let (code, fetched) = by_url.json(&["f1", "import", &served(archive())]);
    assert_eq!(code, 0, "{fetched}");
    let read = by_folder.import(archive());
    assert_eq!((&fetched["version"], &fetched["session"]), (&read["version"], &read["session"]));
    assert_eq!(by_url.files(), by_folder.files());
    let (code, refused) = by_url.json(&["f1", "import", &served(&by_url.path().join("gone"))]);
    assert_eq!((code, &refused["kind"]), (3, &"refused".into()), "{refused}");
}

/// The files of a folder as a tar file.
fn tar(folder: &Path) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is read") {
        let entry = entry.expect("an entry");
        let (name, bytes) = (entry.file_name(), fs::read(entry.path()).expect("the file is read"));
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_encoded_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(&bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

#[test]
fn an_upload_gives_the_same_version_as_its_folder() {
    let (home, by_folder) = (Home::new(), Home::new());
    let server = Server::start(&home, &[]);
    let rules: Value = serde_json::from_str(&server.get("/api/f1/imports").body).expect("JSON");
    assert_eq!(
        (&rules["paths"], &rules["hosts"]),
        (&false.into(), &serde_json::json!(["livetiming.formula1.com"])),
        "{rules}"
    );
    let send = |kind: &str, body: &[u8]| server.send("POST", "/api/f1/uploads?name=x", &[("Content-Type", kind)], body);
    assert_eq!(send("application/json", b"{}").status, 415);
    let noise = send("application/x-tar", b"no archive");
    assert!(noise.status == 422 && noise.body.contains("tar"), "{noise:?}");
    let foreign = [("Content-Type", "application/x-tar"), ("Origin", "https://evil.example")];
    assert_eq!(server.send("POST", "/api/f1/uploads", &foreign, b"x").status, 403);
    assert!(!home.data().exists(), "nothing was written");
    let status = server.outcome(&send("application/x-tar", &tar(archive())));
    let read = by_folder.import(archive());
    assert_eq!((&status["state"], &status["version"]), (&"done".into(), &read["version"]), "{status}");
    // Laps are answered from memory once they were asked for, the same as before.
    let path = format!("/api/f1/sessions/{}/laps", read["version"].as_str().expect("a version"));
    let (first, second) = (server.get(&path), server.get(&path));
    assert_eq!((first.status, &first.body), (200, &second.body));
    let some = server.get(&format!("{path}?laps=1-9"));
    assert_eq!(some.body, first.body);
}

#[test]
fn a_session_takes_the_centreline_of_an_earlier_one_and_keeps_it() {
    let home = Home::new();
    let first = home.import(archive());
    assert_eq!(first["centreline_of"], Value::Null, "{first}");
    let later = home.path().join("later");
    copy(archive(), &later);
    let info = later.join("SessionInfo.jsonStream");
    let words = fs::read_to_string(&info).expect("the stream");
    let at = words.find("\"StartDate\":\"").expect("a date") + "\"StartDate\":\"".len();
    let day = words[at..at + 10].to_owned();
    fs::write(&info, words.replace(&day, &format!("{}-12-30", &day[..4]))).expect("the stream is written");
    let second = home.import(&later);
    assert_eq!(second["centreline_of"], first["session"], "{second}");
    // The same input gives the same version, whatever else is there now.
    assert_eq!(home.import(&later)["change"], "unchanged");
    let (_, again) = home.json(&["f1", "import", "--again", text(&later)]);
    assert_eq!((&again["change"], &again["version"]), (&"unchanged".into(), &second["version"]), "{again}");
    let alone = Home::new();
    let own = alone.import(&later);
    assert_eq!(own["centreline_of"], Value::Null);
    assert_ne!(own["version"], second["version"]);
    let (code, again) = home.json(&["f1", "import", "--own-centreline", text(&later)]);
    assert_eq!((code, &again["version"]), (0, &own["version"]), "{again}");
}
