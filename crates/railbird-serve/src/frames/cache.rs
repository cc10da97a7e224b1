//! Encoded frames, each encoded once while it is kept and shared by all clients, within a bound in bytes.
//!
//! A frame that is asked for again while it is being encoded is waited for, not encoded twice. Encoding happens on a
//! bounded number of blocking threads that drain one bounded queue: a burst of frames costs one hop between threads, not
//! one each. What nobody waits for any more when its turn comes is not encoded.
//!
//! Written by hand, as moka admits by frequency (the newest frame could be turned away while all clients want it) and
//! evicts a little later (its bound does not hold at every moment).

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use railbird_publish::{FrameFormat, FrameSource, Refusal, RefusalKind};
use tokio::sync::oneshot;

use crate::{
    Limits,
    metrics::{Count, Metric},
};

/// What keeping a frame costs beside its bytes: key, tables, message.
const ENTRY_BYTES: usize = 256;

/// Names an encoded frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FrameKey {
    /// Route and version.
    pub(crate) source: Arc<str>,
    pub(crate) rate: u32,
    pub(crate) format: FrameFormat,
    pub(crate) gzip: bool,
    pub(crate) n: u64,
}

/// An encoded frame: a message whose bytes are shared.
pub(crate) type Encoded = Result<Message, Refusal>;

/// A frame, or the promise of one.
pub(crate) enum Lookup {
    /// It is there.
    Hit(Message),
    /// It is being encoded.
    Wait(oneshot::Receiver<Encoded>),
    /// Too many wait to be encoded already.
    Busy,
}

/// The cache.
pub(crate) struct FrameCache {
    kept: Mutex<Kept>,
    bytes_max: usize,
    frame_bytes_max: usize,
    threads_max: usize,
    queue_max: usize,
    hits: Count,
    joined: Count,
    encoded: Count,
    failed: Count,
    refused: Count,
    abandoned: Count,
    evicted: Count,
}

#[derive(Default)]
struct Kept {
    slots: HashMap<FrameKey, Slot>,
    /// Frames by when they were last wanted, oldest first.
    order: BTreeMap<u64, FrameKey>,
    wanted: u64,
    bytes: usize,
    queue: VecDeque<Job>,
    threads: usize,
}

enum Slot {
    Ready { message: Message, wanted: u64 },
    Pending(Vec<oneshot::Sender<Encoded>>),
}

struct Job {
    key: FrameKey,
    source: Arc<dyn FrameSource>,
}

impl FrameCache {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            bytes_max: limits.frame_cache_bytes_max,
            frame_bytes_max: limits.frame_bytes_max,
            threads_max: limits.encode_threads,
            queue_max: limits.encode_queue_max,
            hits: Count::default(),
            joined: Count::default(),
            encoded: Count::default(),
            failed: Count::default(),
            refused: Count::default(),
            abandoned: Count::default(),
            evicted: Count::default(),
        })
    }

    /// Looks a frame up, and has it encoded where it is not there. Never waits.
    pub(crate) fn get(self: &Arc<Self>, key: &FrameKey, source: &Arc<dyn FrameSource>) -> Lookup {
        let mut guard = self.lock();
        let kept = &mut *guard;
        match kept.slots.get_mut(key) {
            Some(Slot::Ready { message, wanted }) => {
                self.hits.add(1);
                kept.wanted += 1;
                if let Some(key) = kept.order.remove(wanted) {
                    kept.order.insert(kept.wanted, key);
                }
                *wanted = kept.wanted;
                Lookup::Hit(message.clone())
            }
            Some(Slot::Pending(waiting)) => {
                self.joined.add(1);
                let (tell, told) = oneshot::channel();
                waiting.push(tell);
                Lookup::Wait(told)
            }
            None if kept.queue.len() >= self.queue_max => {
                self.refused.add(1);
                Lookup::Busy
            }
            None => {
                let (tell, told) = oneshot::channel();
                kept.slots.insert(key.clone(), Slot::Pending(vec![tell]));
                kept.queue.push_back(Job { key: key.clone(), source: Arc::clone(source) });
                if kept.threads < self.threads_max {
                    kept.threads += 1;
                    let cache = Arc::clone(self);
                    tokio::task::spawn_blocking(move || cache.drain());
                }
                Lookup::Wait(told)
            }
        }
    }

    /// Encodes until nothing waits.
    fn drain(&self) {
        loop {
            let mut guard = self.lock();
            let Some(job) = guard.queue.pop_front() else {
                guard.threads -= 1;
                return;
            };
            if let Some(Slot::Pending(waiting)) = guard.slots.get(&job.key)
                && waiting.iter().all(oneshot::Sender::is_closed)
            {
                guard.slots.remove(&job.key);
                self.abandoned.add(1);
                continue;
            }
            let plain_key = FrameKey { gzip: false, ..job.key.clone() };
            let plain = match guard.slots.get(&plain_key) {
                Some(Slot::Ready { message, .. }) if job.key.gzip => Some(bytes_of(message)),
                _ => None,
            };
            drop(guard);
            let encoded = catch_unwind(AssertUnwindSafe(|| self.encode(&job, plain))).unwrap_or_else(|_| {
                let message = format!("frame {}: could not be encoded; the server's log says why", job.key.n);
                Err(Refusal { kind: RefusalKind::Broken, message })
            });
            self.keep(job.key, &encoded);
        }
    }

    fn encode(&self, job: &Job, plain: Option<Bytes>) -> Encoded {
        let FrameKey { rate, format, gzip, n, .. } = job.key;
        let plain = match plain {
            Some(plain) => plain,
            None => {
                let plain = job.source.encode(rate, format, n)?;
                self.encoded.add(1);
                plain
            }
        };
        let broken = |reason: &str| Refusal { kind: RefusalKind::Broken, message: format!("frame {n}: {reason}") };
        let bytes = if gzip { gzip_of(&plain).ok_or_else(|| broken("could not be compressed"))? } else { plain };
        if bytes.len() > self.frame_bytes_max {
            return Err(broken(&format!("{} bytes, of at most {}", bytes.len(), self.frame_bytes_max)));
        }
        match (format, gzip) {
            (FrameFormat::Json, false) => {
                Ok(Message::Text(Utf8Bytes::try_from(bytes).map_err(|_| broken("is not UTF-8"))?))
            }
            _ => Ok(Message::Binary(bytes)),
        }
    }

    /// Tells those who wait, and keeps a good frame within the bound. A failure is not kept.
    fn keep(&self, key: FrameKey, encoded: &Encoded) {
        let mut guard = self.lock();
        let kept = &mut *guard;
        let waiting = match kept.slots.remove(&key) {
            Some(Slot::Pending(waiting)) => waiting,
            Some(Slot::Ready { .. }) | None => Vec::new(),
        };
        match encoded {
            Err(_) => self.failed.add(1),
            Ok(message) => {
                let bytes = weight(message);
                if bytes <= self.bytes_max {
                    while kept.bytes + bytes > self.bytes_max {
                        let Some((_, oldest)) = kept.order.pop_first() else { break };
                        if let Some(Slot::Ready { message, .. }) = kept.slots.remove(&oldest) {
                            kept.bytes -= weight(&message);
                            self.evicted.add(1);
                        }
                    }
                    kept.bytes += bytes;
                    kept.wanted += 1;
                    kept.order.insert(kept.wanted, key.clone());
                    kept.slots.insert(key, Slot::Ready { message: message.clone(), wanted: kept.wanted });
                }
            }
        }
        drop(guard);
        for tell in waiting {
            // Whoever went away does not hear it.
            let _ = tell.send(encoded.clone());
        }
    }

    /// std Mutex: held for well under a microsecond, never across an await or an encoding.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn collect(&self, into: &mut Vec<Metric>) {
        let (bytes, entries, queue) = {
            let kept = self.lock();
            (kept.bytes, kept.order.len(), kept.queue.len())
        };
        into.extend([
            Metric::gauge("railbird_frame_cache_bytes", "encoded frames kept", bytes as f64),
            Metric::gauge("railbird_frame_cache_bytes_max", "bound of encoded frames kept", self.bytes_max as f64),
            Metric::gauge("railbird_frame_cache_entries", "encoded frames kept", entries as f64),
            Metric::gauge("railbird_frame_queue", "frames waiting to be encoded", queue as f64),
            Metric::counter("railbird_frame_hits_total", "frames found encoded", self.hits.get()),
            Metric::counter("railbird_frame_joined_total", "frames found being encoded", self.joined.get()),
            Metric::counter("railbird_frames_encoded_total", "frames encoded", self.encoded.get()),
            Metric::counter(
                "railbird_frame_evictions_total",
                "encoded frames dropped to stay in bounds",
                self.evicted.get(),
            ),
            Metric::counter("railbird_frame_failures_total", "frames that could not be encoded", self.failed.get()),
            Metric::counter("railbird_frame_busy_total", "frames refused as the queue was full", self.refused.get()),
            Metric::counter(
                "railbird_frame_abandoned_total",
                "frames nobody waited for any more",
                self.abandoned.get(),
            ),
        ]);
    }
}

fn weight(message: &Message) -> usize {
    length(message) + ENTRY_BYTES
}

/// Bytes of a frame.
pub(super) fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

fn bytes_of(message: &Message) -> Bytes {
    message.clone().into_data()
}

thread_local! {
    /// One a thread: its tables take longer to make than a frame takes to compress.
    static COMPRESSOR: RefCell<Compressor> =
        // Level 6 takes 30 µs for 3 kB, once for all clients.
        RefCell::new(Compressor::new(CompressionLvl::new(6).unwrap_or_default()));
}

fn gzip_of(plain: &[u8]) -> Option<Bytes> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let mut gzip = vec![0; compressor.gzip_compress_bound(plain.len())];
        let bytes = compressor.gzip_compress(plain, &mut gzip).ok()?;
        gzip.truncate(bytes);
        gzip.shrink_to_fit();
        Some(gzip.into())
    })
}
