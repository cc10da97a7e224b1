//! What the world does: names and sleep. Start at [`Outside`].

use std::{future::Future, io, net::IpAddr, pin::Pin, time::Duration};

/// A future behind a pointer.
pub type Promise<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a fetcher needs of the world besides sockets; a test puts its own there.
pub trait Outside: Send + Sync {
    /// All addresses of a host.
    fn lookup(&self, host: String) -> Promise<io::Result<Vec<IpAddr>>>;

    /// Comes back after `pause`.
    fn sleep(&self, pause: Duration) -> Promise<()>;
}

/// The system's name service and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Outside for System {
    fn lookup(&self, host: String) -> Promise<io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }

    fn sleep(&self, pause: Duration) -> Promise<()> {
        Box::pin(tokio::time::sleep(pause))
    }
}
