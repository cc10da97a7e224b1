//! What a server on loopback refuses, shown by a client on a real socket.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::common::{Home, archive, copy, text};
use serde_json::Value;

/// A running `railbird serve`, ended when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Server {
    #[track_caller]
    pub(crate) fn start(home: &Home, flags: &[&str]) -> Self {
        let mut arguments = vec!["serve", "--port", "0", "--json"];
        arguments.extend(flags);
        let mut child =
            home.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut server = Self { child, address: String::new() };
        let mut document = String::new();
        for line in said.lines() {
            document.push_str(&line.expect("a line"));
            if let Ok(value) = serde_json::from_str::<Value>(&document) {
                server.address = value["address"].as_str().expect("an address").to_owned();
                return server;
            }
        }
        panic!("the server did not start: {document}");
    }

    /// Sends a request with its own Host, and the headers given.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let json = ("Content-Type", "application/json");
        let headers: Vec<_> = headers.iter().copied().chain((!body.is_empty()).then_some(json)).collect();
        self.send(method, path, &headers, body.as_bytes())
    }

    /// The same with any body, whose type is among the headers.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let host =
            if headers.iter().any(|(name, _)| *name == "Host") { None } else { Some(("Host", self.address.as_str())) };
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in host.iter().chain(headers) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut stream = self.connect();
        // A server that refuses a body may close before it has read all of it.
        let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body));
        read_answer(stream)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    #[track_caller]
    fn import(&self, body: &str) -> Answer {
        self.ask("POST", "/api/f1/sessions", &[], body)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
        stream
    }

    /// Waits for an import to end.
    #[track_caller]
    pub(crate) fn outcome(&self, started: &Answer) -> Value {
        assert_eq!(started.status, 202, "{started:?}");
        let job: Value = serde_json::from_str(&started.body).expect("JSON");
        let path = format!("/api/f1/imports/{}", job["import"].as_str().expect("a name"));
        for _ in 0..600 {
            let status: Value = serde_json::from_str(&self.get(&path).body).expect("JSON");
            if matches!(status["state"].as_str(), Some("done" | "failed")) {
                return status;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{path} never ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection that is reset after the answer has still answered.
    let _ = stream.read_to_end(&mut bytes);
    let whole = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, body: body.to_owned() }
}

#[test]
fn a_path_outside_the_store() {
    let home = Home::new();
    home.import(archive());
    fs::write(home.data().join("secret"), "do not tell").expect("a file");
    let server = Server::start(&home, &[]);
    assert_eq!(server.get("/api/f1/sessions").status, 200);
    for path in [
        "/../secret",
        "/..%2f..%2fsecret",
        "/%2e%2e/%2e%2e/secret",
        "/api/f1/sessions/..%2f..%2fsecret",
        "/api/f1/sessions/../../../secret",
        "/api/f1/sessions/..%5c..%5csecret/chunks/0",
        "/api/f1/sessions/%2e%2e/laps",
        "/api/f1/sessions/x%00/laps",
        "/assets/..%2f..%2fCargo.toml",
    ] {
        let answer = server.get(path);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.body.contains("do not tell"), "{path}: {answer:?}");
    }
}

#[test]
fn a_foreign_host_or_origin() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:7878", ""] {
        let answer = server.ask("GET", "/api/f1/sessions", &[("Host", host)], "");
        assert!((400..500).contains(&answer.status), "{host:?}: {answer:?}");
    }
    let body = "{\"path\":\"x\"}";
    let answer = server.ask("POST", "/api/f1/sessions", &[("Origin", "https://evil.example")], body);
    assert_eq!(answer.status, 403, "{answer:?}");
    let socket = [
        ("Origin", "https://evil.example"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = server.ask("GET", "/api/f1/sessions/any/frames?fps=25", &socket, "");
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[test]
fn an_oversized_body() {
    let server_home = Home::new();
    let server = Server::start(&server_home, &[]);
    let answer = server.import(&format!("{{\"path\":\"{}\"}}", "x".repeat(1 << 20)));
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[test]
fn a_missing_or_wrong_token() {
    let home = Home::new();
    fs::write(home.path().join("token"), "correct horse battery staple\n").expect("a file");
    let server = Server::start(&home, &["--token-file", "token"]);
    let with = |value: &str| server.ask("GET", "/api/f1/sessions", &[("Authorization", value)], "").status;
    assert_eq!(server.get("/api/f1/sessions").status, 401);
    assert_eq!(with("Bearer wrong horse battery staple"), 401);
    assert_eq!(with("Bearer "), 401);
    assert_eq!(with("Bearer correct horse battery staple"), 200);
    assert_eq!(server.get("/healthz").status, 200);
    assert!(matches!(server.get("/metrics").status, 401 | 303), "metrics are behind the token too");
}

#[test]
fn an_address_that_others_reach_without_a_token() {
    let home = Home::new();
    let ended = home.run(&["serve", "--address", "0.0.0.0", "--port", "0"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("--token-file") && ended.err.contains("--no-auth"), "{}", ended.err);
    fs::write(home.path().join("token"), "short").expect("a file");
    assert_eq!(home.run(&["serve", "--token-file", "token", "--port", "0"]).code, 2);
    assert_eq!(home.run(&["serve", "--address", "everywhere"]).code, 2);
}

#[test]
fn an_import_that_is_not_allowed() {
    let home = Home::new();
    let root = home.path().join("root");
    copy(archive(), &root.join("race"));
    let outside = home.path().join("outside");
    copy(archive(), &outside);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, root.join("link")).expect("a link");
    let flags = ["--import-root", text(&root), "--import-host", "127.0.0.1", "--import-host", "localhost"];
    let server = Server::start(&home, &flags);
    for path in ["../outside", text(&outside), "link", "/etc", "race/../../outside"] {
        let answer = server.import(&serde_json::json!({ "path": path }).to_string());
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    for url in [
        "https://example.org/",
        "https://127.0.0.1/",
        "http://localhost/",
        "file:///etc/passwd",
        "https://[::1]/",
        "https://169.254.169.254/latest",
    ] {
        let answer = server.import(&serde_json::json!({ "url": url }).to_string());
        assert_eq!(answer.status, 403, "{url}: {answer:?}");
    }
    // The name is allowed; the address behind it is not, which shows only when it is resolved.
    let status = server.outcome(&server.import("{\"url\":\"https://localhost/\"}"));
    assert_eq!(status["state"], "failed", "{status}");
    assert!(status["error"].as_str().is_some_and(|error| error.contains("not allowed")), "{status}");
    assert_eq!(server.get("/api/f1/imports/999").status, 404);
    assert_eq!(server.import("{\"what\":1}").status, 400);
    assert!(!home.data().exists(), "nothing was written: {:?}", home.files().keys());

    let status = server.outcome(&server.import("{\"path\":\"race\"}"));
    assert_eq!(status["state"], "done", "{status}");
    let listed: Value = serde_json::from_str(&server.get("/api/f1/sessions").body).expect("JSON");
    assert_eq!(listed["sessions"][0]["id"], status["session"], "{listed}");
}

#[test]
fn more_connections_than_the_limit() {
    let home = Home::new();
    let server = Server::start(&home, &["--connections-max", "2"]);
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).expect("sent");
            let mut first = [0; 12];
            stream.read_exact(&mut first).expect("an answer");
            assert_eq!(&first, b"HTTP/1.1 200");
            stream
        })
        .collect();
    assert_eq!(server.get("/healthz").status, 503);
    drop(held);
    let again = (0..100).find_map(|_| {
        thread::sleep(Duration::from_millis(20));
        (server.get("/healthz").status == 200).then_some(())
    });
    assert!(again.is_some(), "a place that was given back can be taken");
}

#[cfg(unix)]
#[test]
fn a_terminated_server_ends_well() {
    let home = Home::new();
    let mut server = Server::start(&home, &[]);
    assert_eq!(server.get("/healthz").status, 200);
    let killed = std::process::Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn demo_checks_itself() {
    let home = Home::new();
    let (code, document) = home.json(&["demo", "--check", "--port", "0"]);
    assert_eq!(code, 0, "{document}");
    assert!(document["page"].as_str().is_some_and(|page| page.contains("/f1/")), "{document}");
}
