//! Servers that misbehave, and a world that is decided by the test.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use railbird_fetch::{Addresses, FetchRules, Fetcher, Hosts, Outside, Promise};
use railbird_timeline::{ManualClock, Ts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// Names as the test says, and sleep that only moves the clock.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) names: HashMap<&'static str, Vec<IpAddr>>,
    pub(crate) slept: Mutex<Vec<Duration>>,
    pub(crate) clock: ManualClock,
}

impl World {
    pub(crate) fn new(names: &[(&'static str, &[&str])]) -> Arc<Self> {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let names = names.iter().map(|(name, texts)| (*name, addresses(texts))).collect();
        let clock = ManualClock::new(Ts::parse(b"2025-03-16T04:00:00Z").unwrap());
        Arc::new(Self { names, slept: Mutex::default(), clock })
    }

    pub(crate) fn fetcher(self: &Arc<Self>, rules: FetchRules) -> Fetcher {
        Fetcher::with_outside(rules, Arc::new(self.clock.clone()), Arc::clone(self) as Arc<dyn Outside>).unwrap()
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Outside for World {
    fn lookup(&self, host: String) -> Promise<io::Result<Vec<IpAddr>>> {
        let found = self.names.get(host.as_str()).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name")) })
    }

    fn sleep(&self, pause: Duration) -> Promise<()> {
        self.slept.lock().unwrap().push(pause);
        self.clock.advance(pause);
        Box::pin(async {})
    }
}

/// Rules for servers at 127.0.0.1, and at no other address that is not public.
pub(crate) fn local_rules() -> FetchRules {
    FetchRules {
        addresses: Addresses::PublicAnd(vec!["127.0.0.1".parse().unwrap()]),
        plain_http: true,
        bytes_max: 100_000,
        idle_max: Duration::from_millis(200),
        total_max: Duration::from_secs(20),
        ..FetchRules::new(Hosts::Any)
    }
}

/// A server that answers each connection with `answer(number of the connection)`, whatever is asked, and closes it.
pub(crate) struct Server {
    pub(crate) url: Url,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn new<F>(answer: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::on("127.0.0.1:0", answer).await
    }

    pub(crate) async fn on<F>(address: &str, answer: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = Url::parse(&format!("http://{}/file", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                tokio::spawn(answer(count.fetch_add(1, Ordering::SeqCst), stream));
            }
        });
        Self { url, asked }
    }

    /// A server that gives these answers, the last of them for ever.
    pub(crate) async fn says(answers: Vec<Vec<u8>>) -> Self {
        Self::new(move |number, mut stream| {
            let answer = answers[number.min(answers.len() - 1)].clone();
            async move {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// An answer with its length and `head` lines.
pub(crate) fn answer(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}
