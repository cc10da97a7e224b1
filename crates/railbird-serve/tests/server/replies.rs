//! What good answers look like on the wire.

use std::{io::Read as _, sync::Arc};

use railbird_publish::Offer;
use railbird_serve::Metric;

use crate::world::{Film, Turnstile, client, gzip, offer, thing, world};

#[tokio::test]
async fn a_stored_gzip_body_goes_out_as_it_is_and_means_the_same_without_gzip() {
    let world = world(|_| {}).await;
    let plain = world.get("/api/t/things/a").await;
    assert!(plain.headers().get("content-encoding").is_none());
    assert_eq!(plain.headers()["etag"], "W/\"tag-a\"");
    let packed = client().get(world.url("/api/t/things/a")).header("accept-encoding", "br, gzip").send().await.unwrap();
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-type", "application/json"),
        ("etag", "\"tag-a\""),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("vary", "accept-encoding"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(packed.headers()[name], value, "{name}");
    }
    let csp = packed.headers()["content-security-policy"].to_str().unwrap();
    assert!(csp.starts_with("default-src 'none'; script-src 'self';") && !csp.contains("unsafe"), "{csp}");
    let packed = packed.bytes().await.unwrap();
    assert_eq!(packed, gzip(thing("a").as_bytes()), "compressed again");
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(plain.text().await.unwrap(), unpacked);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = world(|_| {}).await;
    for (path, tag) in [("/api/t/things/a", "\"tag-a\""), ("/", "\"page-8\""), ("/index.html", "W/\"page-8\"")] {
        let ask = |tag: &str| client().get(world.url(path)).header("if-none-match", tag).send();
        let same = ask(tag).await.unwrap();
        assert_eq!(same.status(), 304, "{path}");
        assert!(same.headers().contains_key("etag") && same.headers().contains_key("cache-control"));
        assert!(same.bytes().await.unwrap().is_empty());
        assert_eq!(ask("\"another\"").await.unwrap().status(), 200, "{path}");
    }
    let document = world.get("/api/openapi.json").await.headers()["etag"].clone();
    let again = client().get(world.url("/api/openapi.json")).header("if-none-match", document).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn head_answers_without_a_body() {
    let world = world(|_| {}).await;
    for path in ["/api/t/file", "/", "/healthz"] {
        let get = world.get(path).await;
        let head = client().head(world.url(path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn redirects_downloads_and_refusals_keep_their_form() {
    let world = world(|_| {}).await;
    let moved = world.get("/api/t/moved/a").await;
    assert_eq!((moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()), (307, "/api/t/things/a"));
    let file = world.get("/api/t/file").await;
    let name = "attachment; filename=\"a__b_.csv\"; filename*=UTF-8''a%20%22b%22%2Ecsv";
    assert_eq!(file.headers()["content-disposition"], name);
    let missing = world.get("/api/t/things/nothing").await;
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["content-type"], "application/json");
    assert_eq!(missing.text().await.unwrap(), r#"{"error":"thing nothing: is not there"}"#);
}

#[tokio::test]
async fn pages_come_in_the_coding_that_a_browser_takes() {
    let world = world(|_| {}).await;
    let get = |path: &str, coding: &str| {
        let request = client().get(world.url(path)).header("accept-encoding", coding);
        async { request.send().await.unwrap() }
    };
    for path in ["/", "/index.html"] {
        let plain = get(path, "identity").await;
        assert_eq!(plain.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(plain.headers()["cache-control"], "no-cache");
        assert_eq!(plain.text().await.unwrap(), "<p>index");
        assert_eq!(get(path, "gzip").await.bytes().await.unwrap(), gzip(b"<p>index"));
        assert_eq!(get(path, "gzip, br").await.bytes().await.unwrap(), "not really brotli");
    }
    let asset = get("/assets/app-1a2b.js", "gzip").await;
    assert_eq!(asset.headers()["cache-control"], "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn the_description_names_every_route_whatever_the_order() {
    let world = world(|_| {}).await;
    let text = world.get("/api/openapi.json").await.text().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let offer = offer(&Arc::new(Turnstile::default()), Film::new(1, 1));
    let paths = offer.routes.iter().map(|route| route.path).chain(offer.streams.iter().map(|stream| stream.path));
    for path in paths {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert_eq!(document["paths"]["/api/t/things/{thing}"]["get"]["parameters"][1]["name"], "size");
    assert!(document["paths"]["/api/t/things"]["post"]["requestBody"].is_object());
    let mut turned = Offer { routes: offer.routes.clone(), streams: offer.streams };
    turned.routes.reverse();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/openapi.json", listener.local_addr().unwrap());
    tokio::spawn(railbird_serve::serve(
        listener,
        railbird_serve::ServeConfig::default(),
        vec![turned],
        railbird_serve::Pages::default(),
        std::future::pending(),
    ));
    assert_eq!(client().get(url).send().await.unwrap().text().await.unwrap(), text);
}

#[tokio::test]
async fn offers_that_cannot_be_told_apart_are_refused_not_panicked_on() {
    let turnstile = Arc::new(Turnstile::default());
    let mut renamed = offer(&turnstile, Film::new(1, 1));
    renamed.routes.truncate(1);
    renamed.streams.clear();
    renamed.routes[0].path = "/api/t/things/{other}";
    renamed.routes[0].parameters[0].name = "other";
    let mut outside = renamed.clone();
    outside.routes[0].path = "/metrics";
    let twice = offer(&turnstile, Film::new(1, 1));
    for second in [renamed, outside, twice] {
        let offers = vec![offer(&turnstile, Film::new(1, 1)), second];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = railbird_serve::ServeConfig::default();
        let refused = railbird_serve::serve(listener, config, offers, railbird_serve::Pages::default(), async {}).await;
        assert!(matches!(refused, Err(railbird_serve::ServeError::Route { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn counters_of_the_server_and_of_others_are_shown() {
    let world = world(|config| {
        config.metrics = vec![Arc::new(|| vec![Metric::gauge("railbird_sessions_bytes", "sessions kept", 7.0)])];
    })
    .await;
    world.get("/api/t/things/a").await;
    world.get("/api/t/things/nothing").await;
    let route = "method=\"GET\",route=\"/api/t/things/{thing}\"";
    assert_eq!(world.metric(&format!("railbird_requests_total{{{route},status=\"200\"}}")).await, 1.0);
    assert_eq!(world.metric(&format!("railbird_requests_total{{{route},status=\"404\"}}")).await, 1.0);
    assert_eq!(world.metric(&format!("railbird_request_seconds_count{{{route}}}")).await, 2.0);
    assert_eq!(world.metric("railbird_sessions_bytes").await, 7.0);
    assert!(world.metric("railbird_connections_open").await >= 1.0);
    assert!(world.metric("railbird_executor_stalls_total").await >= 0.0);
}
