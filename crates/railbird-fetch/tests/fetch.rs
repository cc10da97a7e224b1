//! A fetcher against real sockets: servers that behave, and servers that do not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{io::Write, num::NonZeroU32, time::Duration};

use common::{Server, World, answer, local_rules};
use expect_test::{Expect, expect};
use flate2::{Compression, write::GzEncoder};
use railbird_fetch::{Addresses, Error, FetchRequest, FetchRules, Fetched, Fetcher, Hosts, Validators};
use tokio::io::AsyncWriteExt;
use url::Url;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, header_exists, method, path},
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What comes of getting `url`, with the part of the URL that differs from run to run as `HOST`.
async fn outcome(fetcher: &Fetcher, url: &Url) -> String {
    let host = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
    match fetcher.document(url).await {
        Ok(document) => format!("{} bytes", document.bytes.len()),
        Err(error) => error.to_string(),
    }
    .replace(&host, "HOST")
}

#[track_caller]
fn check(found: &str, want: Expect) {
    want.assert_eq(found);
}

#[tokio::test]
async fn a_document_comes_with_its_validators_and_is_not_sent_twice() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/DriverList.jsonStream"))
        .and(header("if-none-match", "\"v1\""))
        .and(header_exists("if-modified-since"))
        .respond_with(ResponseTemplate::new(304))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/DriverList.jsonStream"))
        .and(header("accept-encoding", "gzip"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("etag", "\"v1\"")
                .insert_header("last-modified", "Sun, 16 Mar 2025 06:00:00 GMT")
                .set_body_raw(b"drivers".to_vec(), "application/json"),
        )
        .mount(&server)
        .await;
    let fetcher = World::new(&[]).fetcher(local_rules());
    let url = Url::parse(&format!("{}/DriverList.jsonStream", server.uri())).unwrap();
    let document = fetcher.document(&url).await.unwrap();
    assert_eq!((&document.bytes[..], document.content_type.as_deref()), (&b"drivers"[..], Some("application/json")));
    let again = FetchRequest { validators: document.validators, ..FetchRequest::new(url.clone()) };
    assert_eq!(fetcher.get(&again).await.unwrap(), Fetched::Unchanged);
    // A server that says so unasked has not sent a document.
    let other = Validators { etag: Some("\"v2\"".to_owned()), last_modified: None };
    let changed = FetchRequest { validators: other, ..FetchRequest::new(url) };
    assert!(matches!(fetcher.get(&changed).await.unwrap(), Fetched::Document(_)));
    let stats = fetcher.stats();
    assert_eq!((stats.requests, stats.retries, stats.failures, stats.bytes), (3, 0, 0, 14));
}

#[tokio::test]
async fn a_busy_server_is_given_its_time_and_then_asked_again() {
    let server = Server::says(vec![
        answer("503 Service Unavailable", "Retry-After: 7\r\n", b""),
        answer("429 Too Many Requests", "Retry-After: Sun, 16 Mar 2025 04:00:20 GMT\r\n", b""),
        answer("200 OK", "", b"laps"),
    ])
    .await;
    let world = World::new(&[]);
    check(
        &outcome(&world.fetcher(FetchRules { total_max: Duration::from_secs(60), ..local_rules() }), &server.url).await,
        expect!["4 bytes"],
    );
    // The date is 20 s after the world began, 13 s after the first pause.
    assert_eq!(world.slept(), [Duration::from_secs(7), Duration::from_secs(13)]);
}

#[tokio::test]
async fn attempts_end() {
    let server = Server::says(vec![answer("503 Service Unavailable", "", b"")]).await;
    let world = World::new(&[]);
    check(
        &outcome(&world.fetcher(local_rules()), &server.url).await,
        expect!["http://HOST/file: refused with status 503"],
    );
    assert_eq!((server.asked(), world.slept().len()), (4, 3));
    // One that asks for longer than anyone is ready to wait is left at once.
    let server = Server::says(vec![answer("503 Service Unavailable", "Retry-After: 3600\r\n", b"")]).await;
    check(
        &outcome(&world.fetcher(local_rules()), &server.url).await,
        expect!["http://HOST/file: refused with status 503"],
    );
    assert_eq!(server.asked(), 1);
    // So is one whose pauses would outlast the time that there is.
    let server = Server::says(vec![answer("503 Service Unavailable", "Retry-After: 21\r\n", b"")]).await;
    check(
        &outcome(&world.fetcher(local_rules()), &server.url).await,
        expect!["http://HOST/file: refused with status 503"],
    );
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_asked_for_again() {
    let server = Server::says(vec![answer("404 Not Found", "", b"gone")]).await;
    let fetcher = World::new(&[]).fetcher(local_rules());
    let error = fetcher.document(&server.url).await.unwrap_err();
    assert!(error.is_not_found() && !error.is_transient(), "{error}");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn compressed_documents_are_opened_within_the_bound() {
    let gzipped = |body: &[u8]| answer("200 OK", "Content-Encoding: gzip\r\n", &gzip(body));
    let fetcher = World::new(&[]).fetcher(local_rules());
    for (bytes, want) in [
        (gzipped(&[b'x'; 100_000]), expect!["100000 bytes"]),
        (
            gzipped(&[b'x'; 100_001]),
            expect![
                "http://HOST/file: expected at most 100000 bytes, the server sends more; raise the limit if this is meant"
            ],
        ),
        // A bomb: 50 MB in 50 KB.
        (
            gzipped(&vec![0; 50 << 20]),
            expect![
                "http://HOST/file: expected at most 100000 bytes, the server sends more; raise the limit if this is meant"
            ],
        ),
        (
            answer("200 OK", "Content-Encoding: br\r\n", b"?"),
            expect![[r#"http://HOST/file: content encoding "br" was not asked for, expected gzip or none"#]],
        ),
        (
            answer("200 OK", "Content-Encoding: gzip\r\n", b"not gzip at all, though it says so"),
            expect!["http://HOST/file: body: expected one whole gzip member, invalid gzip header; get the bytes again"],
        ),
    ] {
        let server = Server::says(vec![bytes]).await;
        check(&outcome(&fetcher, &server.url).await, want);
    }
}

#[tokio::test]
async fn a_document_that_is_too_large_is_refused_as_soon_as_that_shows() {
    let fetcher = World::new(&[]).fetcher(local_rules());
    // It says so itself, and sends nothing.
    let stated = Server::says(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n".to_vec()]).await;
    check(
        &outcome(&fetcher, &stated.url).await,
        expect![
            "http://HOST/file: expected at most 100000 bytes, the server sends more; raise the limit if this is meant"
        ],
    );
    // It never ends.
    let endless = Server::new(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    check(
        &outcome(&fetcher, &endless.url).await,
        expect![
            "http://HOST/file: expected at most 100000 bytes, the server sends more; raise the limit if this is meant"
        ],
    );
    // One document may be bounded more closely than the rules do.
    let small = Server::says(vec![answer("200 OK", "", b"12345")]).await;
    let request = FetchRequest { bytes_max: Some(4), ..FetchRequest::new(small.url.clone()) };
    assert!(matches!(fetcher.get(&request).await, Err(Error::TooLarge { bytes_max: 4, .. })));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let silent = Server::new(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123").await;
        std::future::pending::<()>().await;
    })
    .await;
    let fetcher = World::new(&[]).fetcher(FetchRules { attempts_max: 2, ..local_rules() });
    check(&outcome(&fetcher, &silent.url).await, expect!["http://HOST/file: transfer broke: timed out"]);
    assert_eq!(silent.asked(), 2);
}

#[tokio::test]
async fn a_server_that_trickles_is_left_when_the_time_is_up() {
    let trickling = Server::new(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let fetcher = World::new(&[]).fetcher(FetchRules { total_max: Duration::from_millis(400), ..local_rules() });
    check(&outcome(&fetcher, &trickling.url).await, expect!["http://HOST/file: not done within 0.4 s"]);
}

#[tokio::test]
async fn a_document_shorter_than_stated_is_no_document() {
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n123".to_vec();
    let server = Server::says(vec![short.clone(), answer("200 OK", "", b"1234567890")]).await;
    check(&outcome(&World::new(&[]).fetcher(local_rules()), &server.url).await, expect!["10 bytes"]);
    let server = Server::says(vec![short]).await;
    check(
        &outcome(&World::new(&[]).fetcher(local_rules()), &server.url).await,
        expect!["http://HOST/file: transfer broke: end of file before message length reached"],
    );
    let server = Server::says(vec![b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()]).await;
    check(
        &outcome(&World::new(&[]).fetcher(local_rules()), &server.url).await,
        expect!["http://HOST/file: transfer broke: invalid HTTP version parsed"],
    );
}

#[tokio::test]
async fn every_hop_is_checked() {
    // A server of this machine that no one may reach, at an address that is not the allowed one.
    let private = Server::on("127.0.0.2:0", |_, mut stream| async move {
        let _ = stream.write_all(&answer("200 OK", "", b"secret")).await;
    })
    .await;
    let fetcher = World::new(&[("rebound.test", &["127.0.0.2"]), ("metadata.test", &["169.254.169.254", "fe80::1"])])
        .fetcher(local_rules());
    let port = private.url.port().unwrap();
    for (to, want) in [
        (
            private.url.to_string(),
            expect!["http://127.0.0.2:PORT/file: address 127.0.0.2 is not allowed, expected a public one"],
        ),
        (
            format!("http://rebound.test:{port}/x"),
            expect!["http://rebound.test:PORT/x: address 127.0.0.2 is not allowed, expected a public one"],
        ),
        (
            "http://metadata.test/latest/".to_owned(),
            expect!["http://metadata.test/latest/: address 169.254.169.254 is not allowed, expected a public one"],
        ),
        (
            "http://[::ffff:127.0.0.2]/".to_owned(),
            expect!["http://[::ffff:7f00:2]/: address ::ffff:127.0.0.2 is not allowed, expected a public one"],
        ),
        (
            "http://2130706434/".to_owned(),
            expect!["http://127.0.0.2/: address 127.0.0.2 is not allowed, expected a public one"],
        ),
        (
            "http://user:password@127.0.0.1/".to_owned(),
            expect!["http://127.0.0.1/: holds a name or password, expected none"],
        ),
        ("gopher://127.0.0.1/".to_owned(), expect!["gopher://127.0.0.1/: expected https or http"]),
        ("http://nowhere.test/".to_owned(), expect!["http://nowhere.test/: cannot connect: no such name"]),
    ] {
        let first = answer("302 Found", &format!("Location: {to}\r\n"), b"");
        let server = Server::says(vec![first]).await;
        check(&outcome(&fetcher, &server.url).await.replace(&port.to_string(), "PORT"), want);
    }
    assert_eq!(private.asked(), 0);
    // The names alone, too.
    let direct = Url::parse(&format!("http://rebound.test:{port}/x")).unwrap();
    assert!(matches!(fetcher.document(&direct).await, Err(Error::AddressRefused { .. })));
    assert_eq!(private.asked(), 0);
    assert_eq!(fetcher.stats().refused, 8);
}

#[tokio::test]
async fn a_name_with_addresses_of_both_kinds_is_reached_at_the_allowed_one() {
    let private = Server::on("127.0.0.2:0", |_, _| async {}).await;
    let port = private.url.port().unwrap();
    let allowed = Server::on(&format!("127.0.0.1:{port}"), |_, mut stream| async move {
        let _ = stream.write_all(&answer("200 OK", "", b"public")).await;
    })
    .await;
    let fetcher = World::new(&[("both.test", &["127.0.0.2", "127.0.0.1"])]).fetcher(local_rules());
    let url = Url::parse(&format!("http://both.test:{port}/")).unwrap();
    assert_eq!(&fetcher.document(&url).await.unwrap().bytes[..], b"public");
    assert_eq!((private.asked(), allowed.asked()), (0, 1));
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_not_listed_is_refused() {
    let server = Server::says(vec![answer("301 Moved Permanently", "Location: http://8.8.8.8/\r\n", b"")]).await;
    let host = format!("127.0.0.1:{}", server.url.port().unwrap()).parse().unwrap();
    let rules = FetchRules { hosts: Hosts::Listed(vec![host]), ..local_rules() };
    check(
        &outcome(&World::new(&[]).fetcher(rules), &server.url).await,
        expect!["http://8.8.8.8/: host 8.8.8.8:80 is not allowed; add it to the allowed hosts if it is meant"],
    );
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_number() {
    let circle = Server::says(vec![answer("307 Temporary Redirect", "Location: /again\r\n", b"")]).await;
    check(
        &outcome(&World::new(&[]).fetcher(local_rules()), &circle.url).await,
        expect!["http://HOST/file: redirected more than 5 times"],
    );
    assert_eq!(circle.asked(), 6);
    let twice = Server::says(vec![
        answer("302 Found", "Location: a/b?c\r\n", b""),
        answer("308 Permanent Redirect", "Location: ../end\r\n", b""),
        answer("200 OK", "", b"here"),
    ])
    .await;
    let document = World::new(&[]).fetcher(local_rules()).document(&twice.url).await.unwrap();
    assert_eq!((document.url.path(), &document.bytes[..]), ("/end", &b"here"[..]));
}

#[tokio::test]
async fn a_host_that_fails_again_and_again_is_left_alone() {
    let server = Server::says(vec![
        answer("500 Internal Server Error", "", b""),
        answer("500 Internal Server Error", "", b""),
        answer("200 OK", "", b"well again"),
    ])
    .await;
    let world = World::new(&[]);
    let rules = FetchRules { attempts_max: 1, breaker_failures: NonZeroU32::new(2).unwrap(), ..local_rules() };
    let fetcher = world.fetcher(rules);
    for want in [
        expect!["http://HOST/file: refused with status 500"],
        expect!["http://HOST/file: refused with status 500"],
        expect!["HOST: failed too often, left alone for another 30 s"],
    ] {
        check(&outcome(&fetcher, &server.url).await, want);
    }
    assert_eq!(server.asked(), 2);
    world.clock.advance(Duration::from_secs(30));
    check(&outcome(&fetcher, &server.url).await, expect!["10 bytes"]);
    check(&outcome(&fetcher, &server.url).await, expect!["10 bytes"]);
}

#[tokio::test]
async fn attempts_end_when_the_host_is_left_alone_and_say_what_it_did() {
    let server = Server::says(vec![answer("502 Bad Gateway", "", b"")]).await;
    let rules = FetchRules { breaker_failures: NonZeroU32::new(2).unwrap(), ..local_rules() };
    check(
        &outcome(&World::new(&[]).fetcher(rules), &server.url).await,
        expect!["http://HOST/file: refused with status 502"],
    );
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_host_is_not_asked_faster_than_its_rate() {
    let server = Server::says(vec![answer("200 OK", "", b"")]).await;
    let world = World::new(&[]);
    let rules = FetchRules { host_rate: NonZeroU32::new(4).unwrap(), host_burst: NonZeroU32::MIN, ..local_rules() };
    let fetcher = world.fetcher(rules);
    for _ in 0..4 {
        fetcher.document(&server.url).await.unwrap();
    }
    assert_eq!(world.slept(), [Duration::from_millis(250); 3]);
}

#[tokio::test]
async fn no_more_requests_than_allowed_are_under_way() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside_too, most_too) = (Arc::clone(&inside), Arc::clone(&most));
    let server = Server::new(move |_, mut stream| {
        let (inside, most) = (Arc::clone(&inside_too), Arc::clone(&most_too));
        async move {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(&answer("200 OK", "", b"")).await;
        }
    })
    .await;
    let rules = FetchRules { requests_max: 3, host_burst: NonZeroU32::new(100).unwrap(), ..local_rules() };
    let fetcher = Arc::new(World::new(&[]).fetcher(rules));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (fetcher, url) = (Arc::clone(&fetcher), server.url.clone());
        all.spawn(async move { fetcher.document(&url).await.map(|_| ()) });
    }
    for done in all.join_all().await {
        done.unwrap();
    }
    assert_eq!((server.asked(), most.load(Ordering::SeqCst)), (20, 3));
}

#[tokio::test]
async fn a_closed_port_is_named_and_public_means_public() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Url::parse(&format!("http://{}/?token=secret", listener.local_addr().unwrap())).unwrap()
    };
    let world = World::new(&[]);
    check(
        &outcome(&world.fetcher(local_rules()), &closed).await,
        expect!["http://HOST/: cannot connect: Connection refused (os error 111)"],
    );
    let strict = FetchRules { addresses: Addresses::Public, ..local_rules() };
    check(
        &outcome(&world.fetcher(strict), &closed).await,
        expect!["http://HOST/: address 127.0.0.1 is not allowed, expected a public one"],
    );
    let https_only = FetchRules { plain_http: false, ..local_rules() };
    check(
        &outcome(&world.fetcher(https_only), &closed).await,
        expect!["http://HOST/: plain http is not allowed, expected https"],
    );
}

#[tokio::test]
async fn the_system_resolves_this_machine_and_the_rules_refuse_it() {
    let clock = std::sync::Arc::new(railbird_timeline::ManualClock::default());
    let rules = FetchRules { plain_http: true, ..FetchRules::new(Hosts::Any) };
    let fetcher = Fetcher::new(rules, clock).unwrap();
    let error = fetcher.document(&Url::parse("http://localhost:9/").unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::AddressRefused { .. }) && error.is_refused(), "{error}");
}
