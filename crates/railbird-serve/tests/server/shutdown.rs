//! How the server ends.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::world::{PATIENCE, client, world};

#[tokio::test]
async fn open_requests_finish_and_sockets_are_told() {
    let mut world = world(|_| {}).await;
    let answer = tokio::spawn(client().get(world.url("/api/t/wait")).send());
    let mut socket = world.socket("?fps=25").await;
    world.until("railbird_blocking_busy", |busy| busy == 1.0).await;
    world.stop.take().unwrap().send(()).unwrap();
    let closed = loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => break frame.code,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed, CloseCode::Away);
    // Takes the closing handshake to its end.
    while socket.next().await.is_some() {}
    assert!(TcpStream::connect(world.address).await.is_err(), "still accepts");
    let served = world.served.take().unwrap();
    assert!(!served.is_finished());
    world.turnstile.open();
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "\"late\""));
    tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up_and_the_grace_period_ends() {
    let mut world = world(|config| config.limits.grace = Duration::from_millis(200)).await;
    let _idle = TcpStream::connect(world.address).await.unwrap();
    let stuck = tokio::spawn(client().get(world.url("/api/t/wait")).send());
    world.until("railbird_blocking_busy", |busy| busy == 1.0).await;
    world.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(PATIENCE, world.served.take().unwrap()).await.unwrap().unwrap().unwrap();
    assert!(stuck.await.unwrap().is_err(), "cut off at the end of the grace period");
    world.turnstile.open();
}
