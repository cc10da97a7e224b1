//! Loads of a real server over loopback: chunks, every route, frame clients, and `/healthz` beside an import.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use railbird_measure::LatencyHistogram;
use railbird_timeline::{Clock, SystemClock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Barrier, Semaphore},
    task::JoinSet,
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use super::{
    Figures, Target,
    server::{self, Served},
};
use crate::failure::Failure;

/// Clients of the HTTP loads.
const CLIENTS: usize = 64;
/// Clients of the frame loads.
const FRAME_CLIENTS: usize = 1000;
/// Frames a second that each is sent.
const FRAME_RATE: u32 = 25;

/// Runs every load for `seconds`.
pub(super) fn serving(archive: &Path, folder: &Path, seconds: u64, figures: &mut Figures) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = Served::start(folder)?;
    let bench =
        Loads { address: served.address.clone(), clock: SystemClock::new(), lasts: Duration::from_secs(seconds) };
    runtime.block_on(bench.run(archive, folder, figures))?;
    Ok(())
}

struct Loads {
    address: String,
    clock: SystemClock,
    lasts: Duration,
}

/// What one load came to.
#[derive(Default)]
struct Outcome {
    requests: u64,
    bytes: u64,
    latency: LatencyHistogram,
}

impl Loads {
    async fn run(&self, archive: &Path, folder: &Path, figures: &mut Figures) -> anyhow::Result<()> {
        let manifest = self.session().await?;
        let version = manifest["version"].as_str().context("version")?.to_owned();
        let session = format!("/api/f1/sessions/{version}");
        let chunks: Vec<String> = manifest["chunks"]
            .as_array()
            .context("chunks")?
            .iter()
            .filter(|chunk| chunk["bytes"].as_u64() > Some(0))
            .map(|chunk| format!("{session}/chunks/{}", chunk["n"]))
            .collect();
        let load = self.http(&chunks).await?;
        let rate = load.requests as f64 / self.lasts.as_secs_f64();
        figures.add(format!("chunk requests, {CLIENTS} clients"), rate, "1/s", Some(Target::AtLeast(20_000.0)));
        figures.add("  bytes", load.bytes as f64 / self.lasts.as_secs_f64() / 1e6, "MB/s", None);
        figures.add("  p99", ms(load.latency.p99_ns()), "ms", None);
        self.routes(&session, &manifest, figures).await?;
        for (name, scattered) in [("at one clock", false), ("at scattered clocks", true)] {
            self.frames(&session, &manifest, name, scattered, figures).await?;
        }
        self.health(archive, folder, &chunks, figures).await
    }

    /// Manifest of the session that was imported last.
    async fn session(&self) -> anyhow::Result<serde_json::Value> {
        let mut client = Client::connect(&self.address).await?;
        let sessions: serde_json::Value = serde_json::from_slice(&client.get("/api/f1/sessions").await?)?;
        let version = sessions["sessions"][0]["version"].as_str().context("a session")?.to_owned();
        Ok(serde_json::from_slice(&client.get(&format!("/api/f1/sessions/{version}")).await?)?)
    }

    /// Asks for `paths` in turn from every client until the time is up.
    async fn http(&self, paths: &[String]) -> anyhow::Result<Outcome> {
        let mut clients = JoinSet::new();
        let paths: Arc<[String]> = paths.into();
        let end = self.clock.monotonic() + self.lasts;
        for first in 0..CLIENTS {
            let (paths, clock, address) = (Arc::clone(&paths), self.clock, self.address.clone());
            clients.spawn(async move {
                let mut client = Client::connect(&address).await?;
                let mut outcome = Outcome::default();
                for path in paths.iter().cycle().skip(first % paths.len()) {
                    let start = clock.monotonic();
                    if start >= end {
                        break;
                    }
                    outcome.bytes += client.get(path).await?.len() as u64;
                    outcome.requests += 1;
                    outcome.latency.record(clock.monotonic() - start);
                }
                anyhow::Ok(outcome)
            });
        }
        let mut all = Outcome::default();
        while let Some(one) = clients.join_next().await {
            let one = one??;
            all.requests += one.requests;
            all.bytes += one.bytes;
            all.latency.merge(&one.latency);
        }
        Ok(all)
    }

    /// p99 of each route at [`CLIENTS`] clients.
    async fn routes(&self, session: &str, manifest: &serde_json::Value, figures: &mut Figures) -> anyhow::Result<()> {
        let codes: Vec<&str> =
            manifest["drivers"].as_array().context("drivers")?.iter().filter_map(|d| d["code"].as_str()).collect();
        let [first, second, ..] = codes.as_slice() else { return Err(anyhow!("fewer than two drivers")) };
        for (route, path) in [
            ("sessions", "/api/f1/sessions".to_owned()),
            ("manifest", session.to_owned()),
            ("events", format!("{session}/events")),
            ("gaps", format!("{session}/gaps")),
            ("laps", format!("{session}/laps")),
            ("sectors", format!("{session}/sectors")),
            ("telemetry of a lap", format!("{session}/telemetry?driver={first}&lap=3")),
            ("comparison of two laps", format!("{session}/compare?laps={first}:3,{second}:3")),
        ] {
            let load = self.http(&[path]).await?;
            let rate = load.requests as f64 / self.lasts.as_secs_f64();
            figures.add(format!("{route}, {CLIENTS} clients"), rate, "1/s", None);
            figures.add("  p50", ms(load.latency.p50_ns()), "ms", None);
            figures.add("  p99", ms(load.latency.p99_ns()), "ms", None);
        }
        Ok(())
    }

    /// Frame clients: how late frames come, and how often each was encoded.
    async fn frames(
        &self,
        session: &str,
        manifest: &serde_json::Value,
        name: &str,
        scattered: bool,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let before = self.metrics().await?;
        let (start, end) = (manifest["lights_out_s"].as_f64(), manifest["last_sample_s"].as_f64());
        let (start, end) = (start.unwrap_or(0.0), end.context("samples")?);
        let mut clients = JoinSet::new();
        let gate = Arc::new(Gate { opening: Semaphore::new(CLIENTS), all_there: Barrier::new(FRAME_CLIENTS) });
        for client in 0..FRAME_CLIENTS {
            let share = if scattered { client as f64 / FRAME_CLIENTS as f64 } else { 0.0 };
            let seek = start + 60.0 + share * (end - start - 120.0).max(0.0);
            let path = format!("{session}/frames?fps={FRAME_RATE}&format=json");
            let (address, clock, lasts) = (self.address.clone(), self.clock, self.lasts);
            clients.spawn(watch(address, path, seek, clock, lasts, Arc::clone(&gate)));
        }
        let (mut late, mut received) = (LatencyHistogram::default(), 0);
        while let Some(one) = clients.join_next().await {
            let (histogram, frames) = one??;
            late.merge(&histogram);
            received += frames;
        }
        let after = self.metrics().await?;
        let rose = |metric: &str| after.get(metric).unwrap_or(&0.0) - before.get(metric).unwrap_or(&0.0);
        let encoded = rose("railbird_frames_encoded_total");
        let shared = rose("railbird_frame_hits_total") + rose("railbird_frame_joined_total");
        let clients = format!("{FRAME_CLIENTS} frame clients {name}");
        figures.add(format!("{clients}: frames received"), received as f64 / self.lasts.as_secs_f64(), "1/s", None);
        figures.add("  frames encoded", encoded, "", None);
        figures.add("  sent for each encoded", received as f64 / encoded.max(1.0), "", None);
        figures.add("  hit rate", shared / (shared + encoded).max(1.0), "", None);
        figures.add("  dropped", rose("railbird_frames_dropped_total"), "", None);
        figures.add("  p50 late", ms(late.p50_ns()), "ms", None);
        let target = (!scattered).then_some(Target::AtMost(50.0));
        figures.add("  p99 late", ms(late.p99_ns()), "ms", target);
        Ok(())
    }

    /// p99 of `/healthz` and of chunks while another process imports again and again into the same store.
    async fn health(
        &self,
        archive: &Path,
        folder: &Path,
        chunks: &[String],
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let imports = {
            let (stop, archive, data) = (Arc::clone(&stop), archive.to_owned(), folder.join("data"));
            tokio::task::spawn_blocking(move || -> anyhow::Result<u64> {
                let mut imports = 0;
                while !stop.load(Ordering::Relaxed) {
                    let mut command = server::command(&data).map_err(|error| anyhow!("{error}"))?;
                    let again = command.args(["f1", "import", "--again", "--json"]).arg(&archive);
                    let status = again.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
                    ensure!(status.success(), "an import failed beside the server");
                    imports += 1;
                }
                Ok(imports)
            })
        };
        for (name, paths) in [("/healthz", vec!["/healthz".to_owned()]), ("chunk", chunks.to_vec())] {
            let mut client = Client::connect(&self.address).await?;
            let mut latency = LatencyHistogram::default();
            let end = self.clock.monotonic() + self.lasts;
            for path in paths.iter().cycle() {
                let start = self.clock.monotonic();
                if start >= end {
                    break;
                }
                client.get(path).await?;
                latency.record(self.clock.monotonic() - start);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            figures.add(format!("{name} while importing, p99"), ms(latency.p99_ns()), "ms", Some(Target::AtMost(20.0)));
        }
        stop.store(true, Ordering::Relaxed);
        figures.add("  imports meanwhile", imports.await?? as f64, "", None);
        Ok(())
    }

    async fn metrics(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let text = String::from_utf8(Client::connect(&self.address).await?.get("/metrics").await?)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }
}

/// Lets clients in a few at a time, as they come in life, and starts them together.
struct Gate {
    opening: Semaphore,
    all_there: Barrier,
}

/// Plays frames for a while; how late each came after the first, and how many came.
async fn watch(
    address: String,
    path: String,
    seek: f64,
    clock: SystemClock,
    lasts: Duration,
    gate: Arc<Gate>,
) -> anyhow::Result<(LatencyHistogram, u64)> {
    let opening = gate.opening.acquire().await?;
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async(format!("ws://{address}{path}"), stream).await?;
    drop(opening);
    gate.all_there.wait().await;
    for control in [serde_json::json!({"op": "seek", "t": seek}), serde_json::json!({"op": "play"})] {
        socket.send(Message::text(control.to_string())).await?;
    }
    // The first second, in which every client seeks at once, is a load of its own kind.
    let begin = clock.monotonic() + Duration::from_secs(1);
    let end = begin + lasts;
    let (mut late, mut frames, mut first) = (LatencyHistogram::default(), 0, None);
    while let Some(message) = socket.next().await {
        let now = clock.monotonic();
        if now >= end {
            break;
        }
        let Message::Text(text) = message? else { continue };
        let Some(n) = index(&text) else { continue };
        if now < begin {
            continue;
        }
        frames += 1;
        let due = |first: (Duration, u64)| {
            first.0 + Duration::from_secs_f64((n.saturating_sub(first.1)) as f64 / f64::from(FRAME_RATE))
        };
        match first {
            // A frame that came early says that the first one was late: it becomes the measure.
            Some(known) if now >= due(known) => late.record(now - due(known)),
            _ => first = Some((now, n)),
        }
    }
    Ok((late, frames))
}

/// Index of a frame, from the head of its JSON.
fn index(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("{\"n\":")?;
    digits[..digits.find(',')?].parse().ok()
}

/// A connection that is kept.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    host: String,
}

impl Client {
    async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10), host: address.to_owned() })
    }

    /// Body of a good answer, as it is sent: gzip where the server sends it.
    async fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let gzip = if path.contains("/chunks/") || path.ends_with("/events") || path.ends_with("/gaps") {
            "gzip"
        } else {
            "identity"
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: {gzip}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "{path}: the server hung up");
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{path}: {}", text.lines().next().unwrap_or_default());
        let length: usize = text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .with_context(|| format!("{path}: no length"))?;
        while self.buffer.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "{path}: the server hung up");
        }
        Ok(self.buffer[head..head + length].to_vec())
    }
}

fn ms(ns: Option<u64>) -> f64 {
    ns.map_or(f64::NAN, |ns| ns as f64 / 1e6)
}
