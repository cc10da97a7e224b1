//! Serves one finished chunk of 10 kB from memory, to measure what the server itself costs:
//!
//! ```sh
//! cargo run --release -p railbird-serve --example chunks &
//! wrk -t1 -c64 -d10s -H 'Accept-Encoding: gzip' http://127.0.0.1:7979/api/chunks/1
//! ```

use std::sync::Arc;

use bytes::Bytes;
use railbird_publish::{Cost, In, Method, Offer, Parameter, Reply, Route};
use railbird_serve::{Pages, ServeConfig, ServeError, serve};

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let body = Bytes::from(vec![7; 10_000]);
    let route = Route {
        method: Method::Get,
        path: "/api/chunks/{n}",
        summary: "a chunk",
        parameters: vec![Parameter { name: "n", place: In::Path, required: true, description: "which" }],
        body: None,
        media_type: "application/octet-stream",
        schema: None,
        cost: Cost::Quick,
        warm: None,
        answer: Arc::new(move |_| {
            let etag = Some("0123456789abcdef0123".to_owned());
            let reply = Reply { gzip: true, immutable: true, etag, body: body.clone(), ..Reply::bytes("") };
            Ok(Reply { media_type: "application/octet-stream", ..reply })
        }),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:7979").await?;
    let offer = Offer { routes: vec![route], streams: Vec::new() };
    serve(listener, ServeConfig::default(), vec![offer], Pages::default(), std::future::pending()).await
}
