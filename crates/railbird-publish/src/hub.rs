//! A state, published as a snapshot and the updates that follow it. Start at [`Hub`].
//!
//! Invariant: the snapshot that a watcher gets and the updates after it fit without a gap, as both are taken under one
//! lock; subscribing first and reading the snapshot second loses what comes in between.
//!
//! The updates lie in one ring that all watchers read, each from a place of its own: publishing takes the same time
//! whether nobody watches or a thousand do, and a slow watcher holds up nobody. One that the ring has overtaken gets the
//! newest snapshot instead of what it missed, and what it missed is counted.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

/// A state that can be published.
pub trait Subject: Clone + Send + Sync + 'static {
    /// What changes it.
    type Update;
    /// Changes it: the one fold that live, replay and back-test share.
    fn apply(&mut self, update: &Self::Update);
    /// Writes the whole state as JSON.
    fn write(&self, out: &mut Vec<u8>);
    /// Writes one update as JSON.
    fn write_update(update: &Self::Update, out: &mut Vec<u8>);
}

/// Bounds of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubLimits {
    /// Updates that a watcher may be behind before it gets a snapshot instead.
    pub updates_max: usize,
    /// Bytes of the updates kept.
    pub bytes_max: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self { updates_max: 256, bytes_max: 4 << 20 }
    }
}

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// The state after update `seq`.
    Snapshot,
    /// Update `seq`.
    Update,
}

/// One message, encoded once and shared by all who get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Updates are numbered from 1; the state before the first has number 0.
    pub seq: u64,
    /// What it holds.
    pub kind: EnvelopeKind,
    /// `{"type":"snapshot"|"update","seq":…,"data":…}`.
    pub bytes: Bytes,
}

/// A state, its watchers, and the updates that not all of them have taken.
pub struct Hub<S: Subject> {
    inner: Mutex<Inner<S>>,
    limits: HubLimits,
    published: Notify,
    counts: Counts,
}

/// What a hub has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubCounts {
    /// Updates published.
    pub updates: u64,
    /// Snapshots encoded; at most one an update, and only where a watcher needs it.
    pub snapshots: u64,
    /// Updates that watchers did not get as they were behind.
    pub dropped: u64,
    /// Snapshots that watchers got in their place.
    pub resyncs: u64,
    /// Watchers now.
    pub watchers: u64,
}

#[derive(Default)]
struct Counts {
    snapshots: AtomicU64,
    dropped: AtomicU64,
    resyncs: AtomicU64,
    watchers: AtomicU64,
}

struct Inner<S> {
    state: Arc<S>,
    seq: u64,
    /// The last updates, the newest with number `seq`.
    ring: VecDeque<Bytes>,
    ring_bytes: usize,
    /// The snapshot of this very state, once a watcher has asked for it.
    snapshot: Option<Arc<Snapshot<S>>>,
    closed: bool,
}

/// A state on its way to be encoded, outside the lock, by the first watcher that needs it.
struct Snapshot<S> {
    seq: u64,
    state: Arc<S>,
    bytes: OnceLock<Bytes>,
}

impl<S: Subject> Hub<S> {
    /// A hub of a state without updates.
    pub fn new(state: S, limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                state: Arc::new(state),
                seq: 0,
                ring: VecDeque::new(),
                ring_bytes: 0,
                snapshot: None,
                closed: false,
            }),
            limits,
            published: Notify::new(),
            counts: Counts::default(),
        })
    }

    /// Applies an update, encodes it once, and offers it to all watchers. Returns its number.
    ///
    /// Never waits for a watcher. O(1) in their number, but for waking those that wait.
    pub fn publish(&self, update: &S::Update) -> u64 {
        let seq = {
            let mut guard = self.lock();
            let inner = &mut *guard;
            inner.seq += 1;
            // Let go of the old snapshot first: unless a watcher is still encoding it, the state is changed in place.
            inner.snapshot = None;
            Arc::make_mut(&mut inner.state).apply(update);
            let bytes = envelope("update", inner.seq, |out| S::write_update(update, out));
            inner.ring_bytes += bytes.len();
            inner.ring.push_back(bytes);
            while inner.ring.len() > self.limits.updates_max || inner.ring_bytes > self.limits.bytes_max {
                let Some(oldest) = inner.ring.pop_front() else { break };
                inner.ring_bytes -= oldest.len();
            }
            inner.seq
        };
        self.published.notify_waiters();
        seq
    }

    /// The state now, and everything after it.
    pub fn subscribe(self: &Arc<Self>) -> (Envelope, Watcher<S>) {
        let snapshot = self.snapshot(&mut self.lock());
        // Encoding is outside the lock: what is published meanwhile follows the snapshot, whose number is the watcher's.
        let envelope = self.encode(&snapshot);
        self.counts.watchers.fetch_add(1, Relaxed);
        let watcher = Watcher { hub: Arc::clone(self), seen: envelope.seq };
        (envelope, watcher)
    }

    /// Ends the stream: watchers take what there is, then `None`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.published.notify_waiters();
    }

    /// What was done so far.
    pub fn counts(&self) -> HubCounts {
        HubCounts {
            updates: self.lock().seq,
            snapshots: self.counts.snapshots.load(Relaxed),
            dropped: self.counts.dropped.load(Relaxed),
            resyncs: self.counts.resyncs.load(Relaxed),
            watchers: self.counts.watchers.load(Relaxed),
        }
    }

    fn snapshot(&self, inner: &mut Inner<S>) -> Arc<Snapshot<S>> {
        let (seq, state) = (inner.seq, &inner.state);
        Arc::clone(
            inner
                .snapshot
                .get_or_insert_with(|| Arc::new(Snapshot { seq, state: Arc::clone(state), bytes: OnceLock::new() })),
        )
    }

    fn encode(&self, snapshot: &Snapshot<S>) -> Envelope {
        let bytes = snapshot.bytes.get_or_init(|| {
            self.counts.snapshots.fetch_add(1, Relaxed);
            envelope("snapshot", snapshot.seq, |out| snapshot.state.write(out))
        });
        Envelope { seq: snapshot.seq, kind: EnvelopeKind::Snapshot, bytes: bytes.clone() }
    }

    /// std Mutex: held while one update is applied and encoded, never across an await.
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gets what is published after its snapshot, in order.
pub struct Watcher<S: Subject> {
    hub: Arc<Hub<S>>,
    seen: u64,
}

/// What a look at the hub finds.
enum Found<S> {
    Next(Envelope),
    Behind(Arc<Snapshot<S>>),
    Nothing,
    Closed,
}

impl<S: Subject> Watcher<S> {
    /// The next update, or the newest snapshot where updates were missed. `None` once the hub is closed.
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Envelope> {
        let hub = Arc::clone(&self.hub);
        loop {
            // Registered before the look: what is published after it wakes us.
            let published = hub.published.notified();
            match self.look() {
                Found::Nothing => published.await,
                found => return self.take(found),
            }
        }
    }

    /// What [`Self::next`] would give, if it is there already.
    pub fn try_next(&mut self) -> Option<Envelope> {
        let found = self.look();
        self.take(found)
    }

    fn look(&self) -> Found<S> {
        let mut inner = self.hub.lock();
        let behind = inner.seq - self.seen;
        if behind == 0 {
            return if inner.closed { Found::Closed } else { Found::Nothing };
        }
        match usize::try_from(behind).ok().and_then(|behind| inner.ring.len().checked_sub(behind)) {
            Some(at) => {
                let bytes = inner.ring[at].clone();
                Found::Next(Envelope { seq: self.seen + 1, kind: EnvelopeKind::Update, bytes })
            }
            None => Found::Behind(self.hub.snapshot(&mut inner)),
        }
    }

    fn take(&mut self, found: Found<S>) -> Option<Envelope> {
        let envelope = match found {
            Found::Nothing | Found::Closed => return None,
            Found::Next(envelope) => envelope,
            Found::Behind(snapshot) => {
                self.hub.counts.resyncs.fetch_add(1, Relaxed);
                self.hub.counts.dropped.fetch_add(snapshot.seq - self.seen, Relaxed);
                self.hub.encode(&snapshot)
            }
        };
        self.seen = envelope.seq;
        Some(envelope)
    }
}

impl<S: Subject> Drop for Watcher<S> {
    fn drop(&mut self) {
        self.hub.counts.watchers.fetch_sub(1, Relaxed);
    }
}

fn envelope(kind: &str, seq: u64, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = format!("{{\"type\":\"{kind}\",\"seq\":{seq},\"data\":").into_bytes();
    write(&mut out);
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, thread};

    use proptest::prelude::*;

    use super::*;

    /// Last value by key, with counts of how often it was encoded.
    #[derive(Clone, Default)]
    struct Board {
        values: BTreeMap<u8, u32>,
        encoded: Arc<AtomicU64>,
    }

    struct Set(u8, u32, Arc<AtomicU64>);

    impl Subject for Board {
        type Update = Set;

        fn apply(&mut self, Set(key, value, _): &Set) {
            self.values.insert(*key, *value);
        }

        fn write(&self, out: &mut Vec<u8>) {
            self.encoded.fetch_add(1, Relaxed);
            out.extend(serde_json::to_vec(&self.values).unwrap());
        }

        fn write_update(Set(key, value, encoded): &Set, out: &mut Vec<u8>) {
            encoded.fetch_add(1, Relaxed);
            out.extend(serde_json::to_vec(&BTreeMap::from([(key, value)])).unwrap());
        }
    }

    /// What a client makes of the envelopes alone.
    #[derive(Default, Debug, PartialEq)]
    struct Client {
        seq: u64,
        values: BTreeMap<u8, u32>,
    }

    impl Client {
        #[track_caller]
        fn read(&mut self, envelope: &Envelope) {
            #[derive(serde::Deserialize)]
            struct Read {
                r#type: String,
                seq: u64,
                data: BTreeMap<u8, u32>,
            }
            let read: Read = serde_json::from_slice(&envelope.bytes).unwrap();
            assert_eq!(read.seq, envelope.seq);
            match envelope.kind {
                EnvelopeKind::Snapshot => {
                    assert_eq!(read.r#type, "snapshot");
                    self.values = read.data;
                }
                EnvelopeKind::Update => {
                    assert_eq!(read.r#type, "update");
                    assert_eq!(envelope.seq, self.seq + 1, "an update is missing");
                    self.values.extend(read.data);
                }
            }
            self.seq = read.seq;
        }
    }

    fn limits(updates_max: usize) -> HubLimits {
        HubLimits { updates_max, ..HubLimits::default() }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Publish(u8, u32),
        Subscribe,
        /// This client takes so many.
        Take(usize, usize),
        Leave(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..5_u8, any::<u32>()).prop_map(|(key, value)| Step::Publish(key, value)),
            1 => Just(Step::Subscribe),
            3 => (any::<usize>(), 0..6_usize).prop_map(|(who, times)| Step::Take(who, times)),
            1 => any::<usize>().prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        /// Whoever subscribes whenever, and however slowly it takes, ends with the same state as the hub; no more is kept
        /// than may be; what it did not get is counted; each update is encoded once, each state at most once.
        #[test]
        fn every_watcher_ends_with_the_state(steps in steps(), updates_max in 0..8_usize) {
            let updates_encoded = Arc::new(AtomicU64::new(0));
            let board = Board::default();
            let snapshots_encoded = Arc::clone(&board.encoded);
            let hub = Hub::new(board, limits(updates_max));
            let mut clients: Vec<(Client, Watcher<Board>, u64)> = Vec::new();
            let mut published = 0;
            let mut states = std::collections::BTreeSet::new();
            let mut missed = 0;
            for step in steps {
                match step {
                    Step::Publish(key, value) => {
                        published += 1;
                        prop_assert_eq!(hub.publish(&Set(key, value, Arc::clone(&updates_encoded))), published);
                        prop_assert!(hub.lock().ring.len() <= updates_max);
                    }
                    Step::Subscribe => {
                        let (snapshot, watcher) = hub.subscribe();
                        states.insert(snapshot.seq);
                        let mut client = Client::default();
                        client.read(&snapshot);
                        clients.push((client, watcher, 0));
                    }
                    Step::Take(who, times) if !clients.is_empty() => {
                        let who = who % clients.len();
                        let (client, watcher, _) = &mut clients[who];
                        for _ in 0..times {
                            let before = client.seq;
                            let Some(envelope) = watcher.try_next() else { break };
                            if envelope.kind == EnvelopeKind::Snapshot {
                                states.insert(envelope.seq);
                                missed += envelope.seq - before;
                            }
                            client.read(&envelope);
                        }
                    }
                    Step::Leave(who) if !clients.is_empty() => drop(clients.swap_remove(who % clients.len())),
                    Step::Take(..) | Step::Leave(_) => {}
                }
            }
            prop_assert_eq!(hub.counts().watchers, clients.len() as u64);
            for (client, watcher, _) in &mut clients {
                while let Some(envelope) = watcher.try_next() {
                    if envelope.kind == EnvelopeKind::Snapshot {
                        states.insert(envelope.seq);
                        missed += envelope.seq - client.seq;
                    }
                    client.read(&envelope);
                }
                prop_assert_eq!(&client.values, &hub.lock().state.values);
                prop_assert_eq!(client.seq, published);
            }
            prop_assert_eq!(updates_encoded.load(Relaxed), published);
            prop_assert_eq!(snapshots_encoded.load(Relaxed), states.len() as u64);
            prop_assert_eq!(hub.counts().snapshots, states.len() as u64);
            prop_assert_eq!(hub.counts().dropped, missed);
        }
    }

    #[test]
    fn the_ring_is_bounded_in_bytes_too() {
        let encoded = Arc::new(AtomicU64::new(0));
        let hub = Hub::new(Board::default(), HubLimits { updates_max: 1000, bytes_max: 200 });
        let (_, mut watcher) = hub.subscribe();
        for value in 0..100 {
            hub.publish(&Set(1, value, Arc::clone(&encoded)));
            let inner = hub.lock();
            assert!(inner.ring_bytes <= 200);
            assert_eq!(inner.ring_bytes, inner.ring.iter().map(Bytes::len).sum::<usize>());
        }
        assert_eq!(watcher.try_next().map(|envelope| envelope.kind), Some(EnvelopeKind::Snapshot));
    }

    #[test]
    fn all_watchers_share_the_same_bytes() {
        let encoded = Arc::new(AtomicU64::new(0));
        let hub = Hub::new(Board::default(), limits(8));
        let mut watchers: Vec<_> = (0..100).map(|_| hub.subscribe()).collect();
        assert!(watchers.iter().all(|(snapshot, _)| snapshot.bytes.as_ptr() == watchers[0].0.bytes.as_ptr()));
        hub.publish(&Set(1, 1, Arc::clone(&encoded)));
        let got: Vec<Envelope> = watchers.iter_mut().map(|(_, watcher)| watcher.try_next().unwrap()).collect();
        assert!(got.iter().all(|envelope| envelope.bytes.as_ptr() == got[0].bytes.as_ptr()));
        assert_eq!(encoded.load(Relaxed), 1);
    }

    /// Publishes while its snapshot is being encoded.
    #[derive(Clone)]
    struct Restless(u64, Arc<OnceLock<Arc<Hub<Restless>>>>);

    impl Subject for Restless {
        type Update = ();

        fn apply(&mut self, (): &()) {
            self.0 += 1;
        }

        fn write(&self, out: &mut Vec<u8>) {
            out.extend(self.0.to_string().into_bytes());
            self.1.get().map(|hub| hub.publish(&()));
        }

        fn write_update((): &(), out: &mut Vec<u8>) {
            out.extend(b"null");
        }
    }

    #[test]
    fn what_is_published_while_a_snapshot_is_encoded_follows_it() {
        let itself = Arc::new(OnceLock::new());
        let hub = Hub::new(Restless(0, Arc::clone(&itself)), limits(2));
        assert!(itself.set(Arc::clone(&hub)).is_ok());
        let (snapshot, mut watcher) = hub.subscribe();
        assert_eq!(snapshot.bytes, r#"{"type":"snapshot","seq":0,"data":0}"#);
        assert_eq!(watcher.try_next().map(|next| (next.kind, next.seq)), Some((EnvelopeKind::Update, 1)));
        // The same where a watcher that was overtaken gets a snapshot.
        for _ in 0..3 {
            hub.publish(&());
        }
        let resync = watcher.try_next().unwrap();
        assert_eq!((resync.kind, resync.seq), (EnvelopeKind::Snapshot, 4));
        assert_eq!(watcher.try_next().map(|next| (next.kind, next.seq)), Some((EnvelopeKind::Update, 5)));
    }

    /// Subscribing while another thread publishes loses nothing: the snapshot and what follows have no gap.
    #[test]
    fn nothing_is_lost_between_snapshot_and_updates() {
        let hub = Hub::new(Board::default(), limits(100_000));
        let stop = Arc::new(AtomicU64::new(0));
        let publisher = thread::spawn({
            let (hub, stop) = (Arc::clone(&hub), Arc::clone(&stop));
            move || {
                let encoded = Arc::new(AtomicU64::new(0));
                for value in 0.. {
                    hub.publish(&Set((value % 7) as u8, value, Arc::clone(&encoded)));
                    if stop.load(Relaxed) == 1 {
                        return hub.close();
                    }
                    // A mutex is not fair: without a pause its holder takes it again and again.
                    (0..200).for_each(|_| std::hint::spin_loop());
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for round in 0..1_000 {
            // At another moment between two updates each time.
            (0..round % 250).for_each(|_| std::hint::spin_loop());
            let (snapshot, mut watcher) = hub.subscribe();
            let next = runtime.block_on(watcher.next()).unwrap();
            assert_eq!((next.kind, next.seq), (EnvelopeKind::Update, snapshot.seq + 1));
        }
        stop.store(1, Relaxed);
        publisher.join().unwrap();
        assert_eq!(hub.counts().dropped, 0);
        assert!(runtime.block_on(async { hub.subscribe().1.next().await }).is_none());
    }
}
