//! What is costly to load is loaded once. Start at [`SingleFlight::get`].
//!
//! Invariants: for one key one load runs at a time, however many ask; an error is never kept; what is kept weighs at most the bound once a
//! load has returned. A value that goes is dropped at once, or by its last user: with an `Arc` nobody's reading is cut short.

use std::{
    fmt,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::{notification::RemovalCause, ops::compute::Op, policy::EvictionPolicy, sync::Cache};
use railbird_timeline::Clock;

/// What a cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRules {
    /// Most bytes kept, by the weights that the caller states.
    pub bytes_max: u64,
    /// How long after its load a value is served; `None`: until it has to make room.
    pub ttl: Option<Duration>,
}

/// What happened in a cache since it was made, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct CacheStats {
    /// Asked, and it was there.
    pub hits: u64,
    /// Asked, and it was loaded, whether that succeeded or not.
    pub misses: u64,
    /// Asked while another was loading the same: waited for his answer.
    pub joined: u64,
    /// Loads that failed.
    pub failures: u64,
    /// Values that went to make room.
    pub evictions: u64,
    /// Values that went because of their age.
    pub expirations: u64,
    /// Values held.
    pub entries: u64,
    /// Bytes held, by the weights that the caller states.
    pub bytes: u64,
}

/// Keeps what was loaded, least recently used first to go, bounded by bytes.
///
/// Clones share what they hold. `V` is cloned at every hit: use an `Arc`, or `Bytes`.
pub struct SingleFlight<K, V> {
    cache: Cache<K, Held<V>>,
    counts: Arc<Counts>,
    ttl: Option<Duration>,
    clock: Arc<dyn Clock>,
}

struct Held<V> {
    /// Emptied when the value goes: moka's map drops what it removed only when its epochs have moved on, which in a quiet server
    /// may be never, and a session is tens of megabytes. A std mutex: held for one clone.
    slot: Arc<Mutex<Option<V>>>,
    loaded_at: Duration,
    bytes: u32,
}

impl<V: Clone> Held<V> {
    fn value(&self) -> Option<V> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot), ..*self }
    }
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    joined: AtomicU64,
    failures: AtomicU64,
    evictions: AtomicU64,
    expirations: AtomicU64,
}

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Send + Sync + Clone + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty cache. `clock` tells the age of values.
    pub fn new(rules: CacheRules, clock: Arc<dyn Clock>) -> Self {
        let counts = Arc::new(Counts::default());
        let evicted = Arc::clone(&counts);
        let mut builder = Cache::builder()
            .max_capacity(rules.bytes_max)
            .weigher(|_, held: &Held<V>| held.bytes)
            // Least recently used, not moka's TinyLFU, which would turn away a session that was just loaded.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |_, held, cause| {
                match cause {
                    RemovalCause::Size => bump(&evicted.evictions),
                    RemovalCause::Expired => bump(&evicted.expirations),
                    RemovalCause::Explicit | RemovalCause::Replaced => {}
                }
                // One too large to be kept goes at once, and those who waited for it have yet to take it.
                if u64::from(held.bytes) <= rules.bytes_max {
                    held.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
            });
        if let Some(ttl) = rules.ttl {
            // Frees the memory of what nobody asks for any more; whether a value is served is decided by `clock`.
            builder = builder.time_to_live(ttl);
        }
        Self { cache: builder.build(), counts, ttl: rules.ttl, clock }
    }

    /// The value of `key`, by `load` if it is not there. `load` returns the value and its bytes (from 4 GiB on the
    /// weight is 4 GiB); one too large for the cache is returned and not kept.
    ///
    /// Blocks while another thread loads the same key: not for async workers, which first ask [`SingleFlight::peek`]. `load` must
    /// not ask for the same key again. If it panics, the panic goes on in its thread and those who wait load themselves.
    ///
    /// # Errors
    /// What `load` returned, the same for all who waited for it; the next who asks loads again.
    pub fn get<E: Send + Sync + 'static>(
        &self,
        key: &K,
        load: impl FnOnce() -> Result<(V, u64), E>,
    ) -> Result<V, Arc<E>> {
        let mut load = Some(load);
        loop {
            if let Some(value) = self.peek(key) {
                return Ok(value);
            }
            let mut loaded = None;
            let held = self.cache.try_get_with_by_ref(key, || {
                let load = load.take().expect("a load is called once, and its answer ends the loop");
                bump(&self.counts.misses);
                let (value, bytes) = load().inspect_err(|_| bump(&self.counts.failures))?;
                loaded = Some(value.clone());
                Ok(Held {
                    slot: Arc::new(Mutex::new(Some(value))),
                    loaded_at: self.clock.monotonic(),
                    bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                })
            });
            if load.is_none() {
                // moka evicts in batches; here values are megabytes, and the bound is to hold now.
                self.cache.run_pending_tasks();
            }
            match (held, loaded) {
                (Ok(_), Some(value)) => return Ok(value),
                (Ok(held), None) => {
                    // Empty: it went between another's load and our taking it.
                    if let Some(value) = held.value() {
                        bump(&self.counts.joined);
                        return Ok(value);
                    }
                }
                (Err(error), _) => {
                    if load.is_some() {
                        bump(&self.counts.joined);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// The value of `key` if it is there; a hit is counted, its absence is not. Never blocks on a load.
    pub fn peek(&self, key: &K) -> Option<V> {
        let held = self.cache.get(key)?;
        if self.is_stale(&held) {
            self.remove_stale(key);
            return None;
        }
        let value = held.value()?;
        bump(&self.counts.hits);
        Some(value)
    }

    /// Forgets `key`, as when what it stands for is gone.
    pub fn forget(&self, key: &K) {
        self.cache.invalidate(key);
    }

    /// What happened, and what is held. Costs the cache's outstanding housekeeping: for a metrics page, not a hot path.
    pub fn stats(&self) -> CacheStats {
        self.cache.run_pending_tasks();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            joined: read(&self.counts.joined),
            failures: read(&self.counts.failures),
            evictions: read(&self.counts.evictions),
            expirations: read(&self.counts.expirations),
            entries: self.cache.entry_count(),
            bytes: self.cache.weighted_size(),
        }
    }

    fn is_stale(&self, held: &Held<V>) -> bool {
        self.ttl.is_some_and(|ttl| self.clock.monotonic().saturating_sub(held.loaded_at) >= ttl)
    }

    /// Looks again under the key's lock, so that a value that another has loaded meanwhile stays.
    fn remove_stale(&self, key: &K) {
        let _ = self.cache.entry_by_ref(key).and_compute_with(|entry| match entry {
            Some(entry) if self.is_stale(entry.value()) => {
                bump(&self.counts.expirations);
                Op::Remove
            }
            _ => Op::Nop,
        });
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            counts: Arc::clone(&self.counts),
            ttl: self.ttl,
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SingleFlight").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Barrier, atomic::AtomicUsize},
        thread,
    };

    use railbird_timeline::{ManualClock, Ts};

    use super::*;

    type Cached = SingleFlight<u32, Arc<Vec<u8>>>;

    fn cache(bytes_max: u64, ttl: Option<Duration>) -> (Cached, ManualClock) {
        let clock = ManualClock::new(Ts(0));
        (SingleFlight::new(CacheRules { bytes_max, ttl }, Arc::new(clock.clone())), clock)
    }

    fn value(bytes: usize) -> Result<(Arc<Vec<u8>>, u64), String> {
        Ok((Arc::new(vec![1; bytes]), bytes as u64))
    }

    #[test]
    fn sixty_four_threads_in_the_cold_load_once() {
        let (cache, _) = cache(1000, None);
        let (loads, together) = (AtomicUsize::new(0), Barrier::new(64));
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    together.wait();
                    let got = cache.get(&7, || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        value(10)
                    });
                    assert_eq!(got.unwrap().len(), 10);
                });
            }
        });
        assert_eq!(loads.into_inner(), 1);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.hits + stats.joined, stats.entries, stats.bytes), (1, 63, 1, 10));
    }

    #[test]
    fn an_error_is_told_and_not_kept() {
        let (cache, _) = cache(1000, None);
        assert_eq!(*cache.get(&7, || Err("no such file".to_owned())).unwrap_err(), "no such file");
        assert_eq!(cache.get(&7, || value(3)).unwrap().len(), 3);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.failures, stats.hits, stats.entries), (2, 1, 0, 1));
    }

    #[test]
    fn a_load_that_panics_is_done_again_by_the_next() {
        let (cache, _) = cache(1000, None);
        let panicked = thread::scope(|scope| {
            scope.spawn(|| cache.get::<String>(&7, || panic!("a decoder that gave up"))).join().is_err()
        });
        assert!(panicked);
        assert_eq!(cache.get(&7, || value(3)).unwrap().len(), 3);
    }

    #[test]
    fn the_least_recently_used_makes_room_and_who_reads_it_reads_on() {
        let (cache, _) = cache(100, None);
        let reading = cache.get(&1, || value(40)).unwrap();
        cache.get(&2, || value(40)).unwrap();
        assert!(cache.peek(&2).is_some());
        cache.get(&3, || value(40)).unwrap();
        assert!(cache.peek(&1).is_none());
        assert!(cache.peek(&2).is_some() && cache.peek(&3).is_some());
        assert_eq!((reading.len(), Arc::strong_count(&reading)), (40, 1));
        let stats = cache.stats();
        assert_eq!((stats.evictions, stats.entries, stats.bytes), (1, 2, 80));
    }

    #[test]
    fn what_is_kept_never_weighs_more_than_the_bound() {
        let (cache, _) = cache(1000, None);
        for key in 0..200 {
            cache.get(&key, || value(1 + (key as usize * 37) % 400)).unwrap();
            assert!(cache.cache.weighted_size() <= 1000, "after {key}");
        }
        assert_eq!(cache.get(&999, || value(1001)).unwrap().len(), 1001);
        assert!(cache.peek(&999).is_none());
    }

    #[test]
    fn a_value_is_served_until_its_time_is_up() {
        let (cache, clock) = cache(1000, Some(Duration::from_secs(60)));
        cache.get(&7, || value(1)).unwrap();
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(cache.get(&7, || value(2)).unwrap().len(), 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(cache.get(&7, || value(2)).unwrap().len(), 2);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.hits, stats.expirations, stats.evictions), (2, 1, 1, 0));
    }

    #[test]
    fn who_waits_for_a_value_too_large_to_keep_gets_it_too() {
        let (cache, _) = cache(10, None);
        let (loads, together) = (AtomicUsize::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    let load = || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        value(11)
                    };
                    assert_eq!(cache.get(&7, load).unwrap().len(), 11);
                });
            }
        });
        assert_eq!(cache.stats().misses, loads.into_inner() as u64);
        assert_eq!(cache.stats().bytes, 0);
    }

    #[test]
    fn what_is_forgotten_is_loaded_again() {
        let (cache, _) = cache(1000, None);
        cache.get(&7, || value(1)).unwrap();
        cache.forget(&7);
        assert_eq!(cache.get(&7, || value(2)).unwrap().len(), 2);
    }

    #[test]
    fn every_call_is_counted_once() {
        let (cache, _) = cache(50, None);
        thread::scope(|scope| {
            for thread in 0..8u32 {
                let cache = &cache;
                scope.spawn(move || {
                    for call in 0..100u32 {
                        let key = (call * 7 + thread) % 10;
                        let _ = cache.get(&key, || if call % 5 == 0 { Err("no".to_owned()) } else { value(10) });
                    }
                });
            }
        });
        let stats = cache.stats();
        assert_eq!(stats.hits + stats.misses + stats.joined, 800);
        assert_eq!(stats.misses - stats.failures, stats.entries + stats.evictions);
    }
}
