//! Frames over WebSockets: who gets which, how often each is encoded, and what a bad client does to a good one.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read as _,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use railbird_publish::FrameFormat;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::world::{Film, PATIENCE, Socket, world, world_of};

/// The next message that is no ping.
async fn next(socket: &mut Socket) -> Message {
    let message = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return message,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, message).await.unwrap()
}

async fn hello(socket: &mut Socket) -> serde_json::Value {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

/// The next frame: its number and its bytes.
async fn frame(socket: &mut Socket) -> (u64, Bytes) {
    let bytes = next(socket).await.into_data();
    let frame: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    (frame["n"].as_u64().unwrap_or_else(|| panic!("{frame}")), bytes)
}

async fn say(socket: &mut Socket, control: &str) {
    socket.send(Message::text(control)).await.unwrap();
}

/// Seeks, and takes frames until the one sought comes.
async fn seek(socket: &mut Socket, n: u64, rate: u32) -> Bytes {
    say(socket, &format!("{{\"op\":\"seek\",\"t\":{}}}", 100.0 + n as f64 / f64::from(rate))).await;
    let sought = async {
        loop {
            let (came, bytes) = frame(socket).await;
            if came == n {
                return bytes;
            }
        }
    };
    tokio::time::timeout(PATIENCE, sought).await.unwrap()
}

#[tokio::test]
async fn frames_follow_the_hello_in_order() {
    let film = Film::new(20, 10);
    let world = world_of(Arc::clone(&film), |_| {}).await;
    let mut socket = world.socket("?fps=50").await;
    let greeting = serde_json::json!({ "type": "hello", "version": "f11a", "fps": 50, "frames": 20, "start": 100.0 });
    assert_eq!(hello(&mut socket).await, greeting);
    let mut last = None;
    while last != Some(19) {
        let (n, bytes) = frame(&mut socket).await;
        assert!(last.is_none_or(|last| n > last) && (last.is_some() || n == 0), "{n} after {last:?}");
        assert_eq!(bytes, film.frame(50, n).to_string());
        last = Some(n);
    }
}

#[tokio::test]
async fn a_hundred_clients_at_one_clock_share_one_encoding_a_frame() {
    let film = Film::new(25, 2000);
    let world = world_of(Arc::clone(&film), |_| {}).await;
    let clients = (0..100).map(|_| async {
        let mut socket = world.socket("?fps=50").await;
        hello(&mut socket).await;
        let mut frames = BTreeMap::new();
        while !frames.contains_key(&24) {
            let (n, bytes) = frame(&mut socket).await;
            frames.insert(n, bytes);
        }
        frames
    });
    let all = join_all(clients).await;
    for frames in &all {
        assert!(frames.iter().all(|(n, bytes)| *bytes == film.frame(50, *n).to_string()));
    }
    let encodings: HashMap<_, _> = film.encodings.lock().unwrap().clone();
    assert!(encodings.len() > 10, "{}", encodings.len());
    assert!(encodings.values().all(|times| *times == 1), "{encodings:?}");
    assert_eq!(world.metric("railbird_frames_encoded_total").await, encodings.len() as f64);
    let found = world.metric("railbird_frame_hits_total").await + world.metric("railbird_frame_joined_total").await;
    let sent = world.metric("railbird_frames_sent_total").await;
    assert_eq!(found + encodings.len() as f64, sent);
    assert_eq!(sent, all.iter().map(BTreeMap::len).sum::<usize>() as f64);
}

#[tokio::test]
async fn every_form_of_a_frame_means_the_same() {
    let film = Film::new(1000, 3000);
    let world = world_of(Arc::clone(&film), |_| {}).await;
    let gunzip = |bytes: &Bytes| {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&**bytes).read_to_end(&mut plain).unwrap();
        plain
    };
    for (query, packed, msgpack) in [
        ("?fps=25&t=102", false, false),
        ("?fps=25&t=102&encoding=gzip", true, false),
        ("?fps=25&t=102&format=msgpack", false, true),
        ("?fps=25&t=102&format=msgpack&encoding=gzip", true, true),
    ] {
        let mut socket = world.socket(query).await;
        hello(&mut socket).await;
        let message = next(&mut socket).await;
        assert_eq!(message.is_text(), !packed && !msgpack, "{query}");
        let bytes = message.into_data();
        let plain = if packed { gunzip(&bytes) } else { bytes.to_vec() };
        assert!(!packed || bytes.len() < plain.len() / 2);
        let frame: serde_json::Value = match msgpack {
            true => rmp_serde::from_slice(&plain).unwrap(),
            false => serde_json::from_slice(&plain).unwrap(),
        };
        assert_eq!(frame, film.frame(25, 50), "{query}");
    }
    // Compressed from the frame that was there, not encoded again.
    let encodings = film.encodings.lock().unwrap().clone();
    assert_eq!(encodings[&(25, FrameFormat::Json, 50)], 1);
}

#[tokio::test]
async fn a_hit_equals_a_miss() {
    let film = Film::new(100_000, 500);
    // Three frames fit.
    let world = world_of(Arc::clone(&film), |config| config.limits.frame_cache_bytes_max = 3 * 1000).await;
    let mut socket = world.socket("?fps=25").await;
    hello(&mut socket).await;
    say(&mut socket, r#"{"op":"pause"}"#).await;
    let missed = seek(&mut socket, 5000, 25).await;
    let hit = seek(&mut socket, 5000, 25).await;
    for n in [1, 2, 3, 4, 5] {
        seek(&mut socket, n, 25).await;
    }
    let missed_again = seek(&mut socket, 5000, 25).await;
    assert_eq!(film.encodings.lock().unwrap()[&(25, FrameFormat::Json, 5000)], 2, "was never evicted");
    assert!(missed == hit && hit == missed_again);
    assert!(world.metric("railbird_frame_evictions_total").await > 0.0);
}

#[tokio::test]
async fn storms_of_seeks_stay_within_the_bound() {
    const BYTES_MAX: usize = 100_000;
    let film = Film::new(1_000_000, 2000);
    let world = world_of(Arc::clone(&film), |config| config.limits.frame_cache_bytes_max = BYTES_MAX).await;
    let storm = join_all((0..100_u64).map(|client| {
        let world = &world;
        async move {
            let mut socket = world.socket("?fps=25").await;
            hello(&mut socket).await;
            // A clock that runs is a frame further on when its seek is answered.
            say(&mut socket, r#"{"op":"pause"}"#).await;
            for step in 0..5 {
                // A burst, of which only the last must be answered.
                for skipped in 0..4 {
                    say(&mut socket, &format!("{{\"op\":\"seek\",\"t\":{}}}", 1000 * skipped + client)).await;
                }
                seek(&mut socket, (client * 7919 + step * 104_729) % 999_000, 25).await;
            }
            seek(&mut socket, 999_999, 25).await;
        }
    }));
    let watch = async {
        loop {
            let kept = world.metric("railbird_frame_cache_bytes").await;
            assert!(kept <= BYTES_MAX as f64, "{kept}");
        }
    };
    tokio::select! {
        _ = storm => {}
        () = watch => {}
    }
    assert!(world.metric("railbird_frame_evictions_total").await > 0.0);
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_nobody_and_loses_only_its_own_frames() {
    // 4 MB in all, which the system would gladly queue; it is told not to, so the slow client is behind at once.
    let film = Film::new(100, 40_000);
    let world = world_of(Arc::clone(&film), |_| {}).await;
    let mut slow = world.socket("?fps=50").await;
    hello(&mut slow).await;
    let started = tokio::time::Instant::now();
    let mut fast = world.socket("?fps=50").await;
    hello(&mut fast).await;
    let mut got = 0;
    loop {
        got += 1;
        if frame(&mut fast).await.0 == 99 {
            break;
        }
    }
    // 100 frames at 50 a second take 2 s; whoever waited for the slow one would wait for ever.
    assert!(started.elapsed() >= std::time::Duration::from_millis(1900), "{:?}", started.elapsed());
    assert!(got > 10, "{got}");
    assert!(world.metric("railbird_frames_sent_total").await < 200.0);
    // Once it reads again it gets what was on the way, then the newest.
    let mut seen = Vec::new();
    while seen.last() != Some(&99) {
        seen.push(frame(&mut slow).await.0);
    }
    assert!(seen.len() < 60, "{}", seen.len());
    assert!(world.metric("railbird_frames_dropped_total").await >= (100 - seen.len()) as f64);
}

#[tokio::test]
async fn at_a_hundred_times_no_more_than_fps_messages_a_second_come() {
    let world = world(|_| {}).await;
    let started = tokio::time::Instant::now();
    let mut socket = world.socket("?fps=25&speed=100").await;
    hello(&mut socket).await;
    let mut last = frame(&mut socket).await.0;
    for _ in 0..20 {
        let (n, _) = frame(&mut socket).await;
        assert!(n > last && n % 100 == 0, "{n} after {last}");
        last = n;
    }
    // Twenty frames after the first, at 25 a second.
    assert!(started.elapsed() >= std::time::Duration::from_millis(790), "{:?}", started.elapsed());
}

#[tokio::test]
async fn controls_move_one_clock_only() {
    let film = Film::new(1_000_000, 10);
    let world = world_of(Arc::clone(&film), |_| {}).await;
    let mut still = world.socket("?fps=50").await;
    let mut moving = world.socket("?fps=50").await;
    hello(&mut still).await;
    hello(&mut moving).await;
    say(&mut still, r#"{"op":"pause"}"#).await;
    // Past either end means that end.
    seek(&mut still, 999_999, 50).await;
    assert_eq!(seek(&mut still, 0, 50).await, film.frame(50, 0).to_string());
    let mut last = 0;
    for _ in 0..10 {
        last = frame(&mut moving).await.0;
    }
    assert!((9..500).contains(&last), "{last}");
    // Standing still, nothing comes but the answer to the next seek.
    say(&mut still, r#"{"op":"seek","t":101}"#).await;
    assert_eq!(frame(&mut still).await.0, 50);
}

#[tokio::test]
async fn a_bad_control_is_named_and_ends_the_stream() {
    let world = world(|_| {}).await;
    let bad = [
        Message::text("nonsense"),
        Message::text(r#"{"op":"speed","value":1000}"#),
        Message::text(r#"{"op":"seek","t":"now"}"#),
        Message::binary(vec![1, 2, 3]),
    ];
    for message in bad {
        let mut socket = world.socket("?fps=1").await;
        hello(&mut socket).await;
        socket.send(message).await.unwrap();
        let mut named = false;
        let end = async {
            loop {
                match next(&mut socket).await {
                    Message::Text(text) => named |= text.contains(r#""type":"error""#),
                    Message::Close(Some(frame)) => return frame.code,
                    other => panic!("{other:?}"),
                }
            }
        };
        let code = tokio::time::timeout(PATIENCE, end).await.unwrap();
        assert!(named);
        assert_eq!(code, CloseCode::Policy);
    }
    // Larger than a control can be: cut off.
    let mut socket = world.socket("?fps=1").await;
    let _ = socket.send(Message::text("x".repeat(100_000))).await;
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
}

#[tokio::test]
async fn a_client_that_never_stops_talking_is_cut_off() {
    let world = world(|config| config.limits.controls_per_second_max = 10).await;
    let mut socket = world.socket("?fps=1").await;
    for _ in 0..50 {
        let _ = socket.send(Message::text(r#"{"op":"pause"}"#)).await;
    }
    let mut closed = None;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, socket.next()).await {
        if let Message::Close(Some(frame)) = message {
            closed = Some(frame.code);
        }
    }
    assert_eq!(closed, Some(CloseCode::Policy));
}

#[tokio::test]
async fn a_client_that_is_not_heard_of_is_let_go() {
    let world = world(|config| {
        config.limits.ping_interval = std::time::Duration::from_millis(20);
        config.limits.socket_idle_max = std::time::Duration::from_millis(600);
    })
    .await;
    // Answers pings while it is polled, so it stays.
    let mut heard = world.socket("?fps=1").await;
    let silent = world.socket("?fps=1").await;
    let poll = async { while let Some(Ok(_)) = heard.next().await {} };
    let gone = world.until("railbird_sockets_idle_total", |closed| closed == 1.0);
    tokio::select! {
        () = poll => panic!("let go though it answered"),
        () = gone => {}
    }
    drop(silent);
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_before_the_upgrade() {
    let world = world(|config| config.limits.sockets_max = 1).await;
    for query in ["?fps=24", "?fps=x", "?format=xml", "?encoding=br", "?speed=0", "?speed=NaN", "?t=inf", "?depth=1"] {
        assert_eq!(world.try_socket(query, &[]).await.unwrap_err(), 400, "{query}");
    }
    assert_eq!(world.get("/api/t/things/film/frames").await.status(), 426);
    let first = world.socket("").await;
    assert_eq!(world.try_socket("", &[]).await.unwrap_err(), 503);
    assert_eq!(world.metric("railbird_refused_total{reason=\"sockets\"}").await, 1.0);
    drop(first);
    world.until("railbird_sockets_open", |open| open == 0.0).await;
    assert!(world.try_socket("", &[]).await.is_ok());
}
