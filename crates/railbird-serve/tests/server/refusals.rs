//! What the server must refuse, and what it must still do meanwhile.

use std::time::Duration;

use railbird_serve::{Access, Pages, ServeConfig, ServeError, Token, serve};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::world::{client, limits, read_to_end, status, world};

const TOKEN: &str = "a token of twenty-six bytes";

#[tokio::test]
async fn a_foreign_host_is_refused_on_every_route() {
    let world = world(|_| {}).await;
    for path in ["/", "/healthz", "/metrics", "/api/openapi.json", "/api/t/things/a"] {
        for host in ["evil.example", "127.0.0.1", "localhost:1", &format!("evil.example:{}", world.address.port())] {
            let answer = world.raw(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
            assert_eq!(status(&answer), 421, "{path} {host}: {answer}");
            assert!(answer.contains("{\"error\":"), "{answer}");
        }
        assert_eq!(status(&world.raw(&format!("GET {path} HTTP/1.0\r\n\r\n")).await), 421);
    }
    let localhost = format!("localhost:{}", world.address.port());
    let answer = world.raw(&format!("GET /healthz HTTP/1.1\r\nhost: {localhost}\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(world.metric("railbird_refused_total{reason=\"host\"}").await, 25.0);
}

#[tokio::test]
async fn a_foreign_origin_changes_nothing_and_opens_no_socket() {
    let world = world(|_| {}).await;
    let post = |origin: Option<&str>, site: Option<&str>| {
        let mut request =
            client().post(world.url("/api/t/things")).header("content-type", "application/json").body("{}");
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    let own = format!("http://{}", world.address);
    assert_eq!(post(None, None).await, 202);
    assert_eq!(post(Some(&own), Some("same-origin")).await, 202);
    for foreign in ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        assert_eq!(post(Some(foreign), None).await, 403, "{foreign}");
        assert_eq!(world.try_socket("", &[("origin", foreign)]).await.unwrap_err(), 403, "{foreign}");
    }
    assert_eq!(post(None, Some("cross-site")).await, 403);
    assert!(world.try_socket("", &[("origin", &own)]).await.is_ok());
    assert_eq!(world.metric("railbird_refused_total{reason=\"origin\"}").await, 9.0);
}

#[tokio::test]
async fn without_the_token_nothing_but_health_and_login_answers() {
    let world = world(|config| config.access = Access::Token(Token::new(TOKEN).unwrap())).await;
    let get = |path: &str, headers: &[(&str, &str)]| {
        let request = client().get(world.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        async { request.send().await.unwrap() }
    };
    let bearer = format!("Bearer {TOKEN}");
    for path in [
        "/",
        "/assets/app-1a2b.js",
        "/metrics",
        "/api/openapi.json",
        "/api/t/things/a",
        "/nothing",
        "/login/",
        "/healthz/x",
    ] {
        let refused = get(path, &[]).await;
        assert_eq!(refused.status(), 401, "{path}");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        for wrong in [
            "Bearer wrong",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            TOKEN,
            &format!("{bearer}x"),
            &format!("Bearer  x{TOKEN}"),
        ] {
            assert_eq!(get(path, &[("authorization", wrong)]).await.status(), 401, "{path} {wrong}");
        }
        assert_eq!(get(path, &[("cookie", &format!("railbird_login={TOKEN}"))]).await.status(), 401, "{path}");
        assert_ne!(get(path, &[("authorization", &bearer)]).await.status(), 401, "{path}");
    }
    assert_eq!(get("/healthz", &[]).await.status(), 200);
    assert_eq!(get("/login", &[]).await.status(), 200);
    assert_eq!(get("/login/style.css", &[]).await.status(), 200);
    let shown = get("/", &[("accept", "text/html,*/*")]).await;
    assert_eq!((shown.status().as_u16(), shown.headers()["location"].to_str().unwrap()), (303, "/login"));
    assert_eq!(world.try_socket("", &[]).await.unwrap_err(), 401);
    assert!(world.try_socket("", &[("authorization", &bearer)]).await.is_ok());
    // With a token, no cache between may keep an answer.
    let kept = get("/api/t/things/a", &[("authorization", &bearer)]).await;
    assert_eq!(kept.headers()["cache-control"], "private, max-age=31536000, immutable");
}

#[tokio::test]
async fn the_login_page_exchanges_the_token_for_a_cookie() {
    let world = world(|config| config.access = Access::Token(Token::new(TOKEN).unwrap())).await;
    let login = |token: &str, origin: Option<&str>| {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        let request = client().post(world.url("/login")).header("content-type", "application/x-www-form-urlencoded");
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        async { request.body(form).send().await.unwrap() }
    };
    assert_eq!(login("wrong", None).await.status(), 403);
    assert_eq!(login(TOKEN, Some("http://evil.example")).await.status(), 403);
    assert!(login("wrong", None).await.headers().get("set-cookie").is_none());
    let big = "x".repeat(100_000);
    assert_eq!(login(&big, None).await.status(), 413);
    let good = login(TOKEN, Some(&format!("http://{}", world.address))).await;
    assert_eq!((good.status().as_u16(), good.headers()["location"].to_str().unwrap()), (303, "/"));
    let cookie = good.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let cookie = format!("other=1; {}", cookie.split(';').next().unwrap());
    let page = client().get(world.url("/")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(world.try_socket("", &[("cookie", &cookie)]).await.is_ok());
}

#[tokio::test]
async fn another_address_than_loopback_needs_a_token_or_an_explicit_choice() {
    let check = |access: Access, address: &str| {
        ServeConfig { access, ..ServeConfig::default() }.check(address.parse().unwrap()).is_ok()
    };
    let token = || Access::Token(Token::new(TOKEN).unwrap());
    for address in ["127.0.0.1:1", "[::1]:1", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
        assert!(check(Access::Loopback, address), "{address}");
    }
    for address in ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "[::ffff:192.168.1.2]:1"] {
        assert!(!check(Access::Loopback, address), "{address}");
        assert!(check(token(), address) && check(Access::Anyone, address), "{address}");
    }
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve(listener, ServeConfig::default(), vec![], Pages::default(), async {}).await;
    assert!(matches!(refused, Err(ServeError::Open { .. })));
}

#[tokio::test]
async fn no_path_leaves_its_root() {
    let world = world(|_| {}).await;
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "/assets/..%5cindex.html",
        "//etc/passwd",
        "/index.html%00",
        "/etc/passwd",
    ] {
        assert_eq!(status(&world.raw_get(path).await), 404, "{path}");
    }
    for name in ["%2e%2e", "..%2f..%2fetc%2fpasswd", "..%5cx", "a%00b", "a%0ab", "%ff", "."] {
        assert_eq!(status(&world.raw_get(&format!("/api/t/things/{name}")).await), 400, "{name}");
    }
    let long = "x".repeat(limits().parameter_bytes_max + 1);
    assert_eq!(status(&world.raw_get(&format!("/api/t/things/{long}")).await), 400);
}

#[tokio::test]
async fn unknown_parameters_are_named() {
    let world = world(|_| {}).await;
    let answer = world.get("/api/t/things/a?size=1&shape=round").await;
    assert_eq!(answer.status(), 400);
    let error = answer.text().await.unwrap();
    assert_eq!(error, r#"{"error":"query parameter \"shape\": unknown; expected colour, size"}"#);
    assert_eq!(world.get("/api/t/things/a?size=1&colour=%20").await.status(), 200);
    let many = "size=1&".repeat(100);
    assert_eq!(world.get(&format!("/api/t/things/a?{many}")).await.status(), 400);
}

#[tokio::test]
async fn an_oversized_or_compressed_body_is_refused() {
    let world = world(|_| {}).await;
    let head = format!("POST /api/t/things HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", world.address);
    // Said beforehand: refused before a byte of it is read.
    assert_eq!(status(&world.raw(&format!("{head}content-length: 1001\r\n\r\n")).await), 413);
    assert_eq!(status(&world.raw(&format!("{head}content-length: 99999999999999\r\n\r\n")).await), 413);
    // Not said: refused once it is too much.
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    assert_eq!(
        status(&world.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}")).await),
        413
    );
    let most = client().post(world.url("/api/t/things")).header("content-type", "application/json");
    let most = most.body(" ".repeat(1000)).send().await.unwrap();
    assert_eq!((most.status().as_u16(), most.text().await.unwrap().as_str()), (202, r#"{"bytes":1000}"#));
    // A decompression bomb has nothing that would decompress it.
    for coding in ["gzip", "br", "deflate", "zstd"] {
        let bomb = client().post(world.url("/api/t/things")).header("content-encoding", coding);
        let bomb = bomb.header("content-type", "application/json").body(vec![0_u8; 500]).send().await.unwrap();
        assert_eq!(bomb.status(), 415, "{coding}");
    }
    let typed = client().post(world.url("/api/t/things")).header("content-type", "text/plain").body("{}");
    assert_eq!(typed.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn a_stored_bomb_is_decoded_only_within_its_bound() {
    let world = world(|config| config.limits.inflate_bytes_max = 1 << 20).await;
    assert_eq!(world.get("/api/t/bomb").await.status(), 406);
    let taken = client().get(world.url("/api/t/bomb")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(taken.status(), 200);
}

#[tokio::test]
async fn headers_are_bounded_in_size_number_and_time() {
    let world = world(|config| config.limits.header_deadline = Duration::from_millis(500)).await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n", world.address);
    let large = format!("{head}x: {}\r\n\r\n", "y".repeat(limits().header_bytes_max));
    assert_eq!(status(&world.raw(&large).await), 431);
    assert_eq!(status(&world.raw(&format!("{head}{}\r\n", "x: y\r\n".repeat(limits().headers_max))).await), 431);
    // Never finishes its headers: closed. Never asks again: closed too.
    let slow = world.raw(&head).await;
    assert!(slow.is_empty() || status(&slow) == 408, "{slow}");
    let idle = world.raw(&format!("{head}\r\n")).await;
    assert_eq!(status(&idle), 200);
}

#[tokio::test]
async fn a_connection_past_the_bound_is_told_so() {
    let world = world(|config| config.limits.connections_max = 2).await;
    let ask = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", world.address);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = world.tcp().await;
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    let mut third = world.tcp().await;
    third.write_all(ask.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut third).await;
    assert_eq!(status(&answer), 503);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["error"].is_string());
    // A place that is given back can be taken again.
    drop(held);
    let again = async {
        loop {
            if status(&world.raw_get("/healthz").await) == 200 {
                break;
            }
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, again).await.unwrap();
    assert!(world.metric("railbird_refused_total{reason=\"connections\"}").await >= 1.0);
}

#[tokio::test]
async fn a_full_pool_refuses_and_health_answers_meanwhile() {
    let world = world(|config| {
        config.limits.blocking_threads = 1;
        config.limits.blocking_queue_max = 2;
    })
    .await;
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(client().get(world.url("/api/t/wait")).send())).collect();
    world.until("railbird_blocking_queue", |queue| queue == 2.0).await;
    let refused = world.get("/api/t/wait").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    // What needs no thread answers while all threads are taken.
    assert_eq!(world.get("/healthz").await.status(), 200);
    assert_eq!(world.get("/api/t/warm/hot").await.text().await.unwrap(), "\"warm\"");
    assert_eq!(world.get("/api/t/warm/cold").await.status(), 503);
    let packed = client().get(world.url("/api/t/things/a")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.status(), 200);
    assert!(world.turnstile.came() <= 1, "more calls at once than threads");
    world.turnstile.open();
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(world.metric("railbird_blocking_refused_total").await, 2.0);
}

#[tokio::test]
async fn a_call_past_its_deadline_is_given_up_but_keeps_its_thread() {
    let world = world(|config| {
        config.limits.blocking_threads = 1;
        config.limits.request_deadline = Duration::from_millis(50);
    })
    .await;
    assert_eq!(world.get("/api/t/wait").await.status(), 503);
    assert_eq!(world.metric("railbird_blocking_busy").await, 1.0);
    world.turnstile.open();
    world.until("railbird_blocking_busy", |busy| busy == 0.0).await;
    assert_eq!(world.metric("railbird_refused_total{reason=\"deadline\"}").await, 1.0);
}

#[tokio::test]
async fn a_panic_in_a_field_is_an_answer_and_nothing_more() {
    let world = world(|_| {}).await;
    for path in ["/api/t/panic/quick", "/api/t/panic/blocking"] {
        let answer = world.get(path).await;
        assert_eq!(answer.status(), 500, "{path}");
        assert!(!answer.text().await.unwrap().contains("planted"));
    }
    assert_eq!(world.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn methods_that_are_not_offered_are_refused() {
    let world = world(|_| {}).await;
    for (method, path) in [("POST", "/api/t/file"), ("DELETE", "/api/t/things/a"), ("PUT", "/"), ("POST", "/healthz")] {
        let method = method.parse().unwrap();
        let answer = client().request(method, world.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
    }
    assert_eq!(world.get("/api/nothing").await.status(), 404);
}
