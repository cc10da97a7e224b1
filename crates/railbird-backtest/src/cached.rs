//! A forecaster round a forecaster that makes nothing twice. Start at [`Cached::new`].
//!
//! Asked for a batch, it looks for each distinct context in memory, then on the shelf, and has the rest made in one go. Who uses it never
//! puts or gets anything, and cannot tell it from the forecaster within, but for the time.
//!
//! Invariants: what is kept depends on nothing but its key; for one key one thread makes, and the others wait (within rayon's pool,
//! where waiting could be for ever, they make it too, and the copy is counted apart); an error is not kept.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use railbird_model::{Error, Forecast, ForecastKey, Forecaster, ModelId};
use railbird_store::ForecastStore;
use railbird_timeline::Clock;
use rayon::prelude::*;

/// Where forecasts are kept between runs.
pub trait ForecastShelf: Send + Sync {
    /// The values of `keys`, in their order; `None` where there is none.
    ///
    /// # Errors
    /// What keeps the shelf from being used, in words. The run goes on without it.
    fn get_many(&self, keys: &[[u8; 32]]) -> Result<Vec<Option<Vec<u8>>>, String>;

    /// Keeps `entries`.
    ///
    /// # Errors
    /// As [`ForecastShelf::get_many`].
    fn put_many(&self, entries: &[([u8; 32], Vec<u8>)]) -> Result<(), String>;
}

impl ForecastShelf for ForecastStore {
    fn get_many(&self, keys: &[[u8; 32]]) -> Result<Vec<Option<Vec<u8>>>, String> {
        Self::get_many(self, keys).map_err(|error| error.to_string())
    }

    fn put_many(&self, entries: &[([u8; 32], Vec<u8>)]) -> Result<(), String> {
        Self::put_many(self, entries).map_err(|error| error.to_string())
    }
}

/// What a [`Cached`] may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedRules {
    /// Most bytes of forecasts in memory.
    pub memory_bytes_max: u64,
    /// Contexts given to the forecaster at a time. What is made is put on the shelf at the latest half a second after such a part.
    pub batch_max: usize,
    /// Makes anew about one in so many of what the shelf gave, and at least one a batch, and compares; 0: none.
    pub verify_one_in: u64,
}

impl Default for CachedRules {
    fn default() -> Self {
        Self { memory_bytes_max: 512 << 20, batch_max: 1_024, verify_one_in: 0 }
    }
}

/// What was asked for, and where it came from: `asked = from_memory + from_disk + made`. But for the seconds and what depends on timing, the
/// same on any number of threads.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct CachedStats {
    /// Forecasts asked for.
    pub asked: u64,
    /// Different ones among them; no longer counted from four million on.
    pub unique: u64,
    /// Given from memory; also those asked for several times in one batch, and those that another thread was just making.
    pub from_memory: u64,
    /// Given from the shelf.
    pub from_disk: u64,
    /// Made by the forecaster, and kept.
    pub made: u64,
    /// Made a second time since another thread was making them and could not be waited for. Depends on timing.
    pub made_again: u64,
    /// Of those from the shelf: made anew and found equal.
    pub verified: u64,
    /// Batches that the forecaster was given.
    pub batches: u64,
    /// Values of the shelf that were none.
    pub damaged: u64,
    /// Seconds in the forecaster, over all threads.
    pub seconds_making: f64,
    /// Seconds at the shelf, over all threads.
    pub seconds_shelf: f64,
    /// What went wrong at the shelf first; it was not used from then on.
    pub shelf_error: Option<String>,
}

/// Gives the forecasts of `inner`, from memory or a shelf where they were made before.
pub struct Cached<F> {
    inner: F,
    id: ModelId,
    digest: [u8; 32],
    shelf: Option<Arc<dyn ForecastShelf>>,
    rules: CachedRules,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    arrived: Condvar,
}

impl<F: Forecaster> Cached<F> {
    /// `shelf`: where forecasts outlive this value; `clock`: for the seconds in the statistics.
    pub fn new(inner: F, shelf: Option<Arc<dyn ForecastShelf>>, rules: CachedRules, clock: Arc<dyn Clock>) -> Self {
        let id = inner.id();
        let digest = id.digest();
        Self { inner, id, digest, shelf, rules, clock, state: Mutex::default(), arrived: Condvar::new() }
    }

    /// What happened so far.
    pub fn stats(&self) -> CachedStats {
        let state = self.lock();
        CachedStats { unique: state.known.len() as u64, ..state.stats.clone() }
    }

    /// The forecaster within.
    pub const fn inner(&self) -> &F {
        &self.inner
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Forecaster> Forecaster for Cached<F> {
    fn id(&self) -> ModelId {
        self.id.clone()
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        let (distinct, places) = self.distinct(contexts, horizon, seed);
        let mut found: Vec<Option<Forecast>> = vec![None; distinct.len()];
        let mut fetched = 0;
        loop {
            let claimed = self.claim(&distinct, &mut found);
            fetched += claimed.indices.len();
            self.fetch(&distinct, &claimed.indices, horizon, seed, &mut found)?;
            drop(claimed);
            let missing: Vec<usize> = (0..found.len()).filter(|&index| found[index].is_none()).collect();
            if missing.is_empty() {
                break;
            }
            // Others are making the rest. A thread of the pool must not wait: what it waits for may lie below it on its own stack.
            if rayon::current_thread_index().is_some() {
                let again: Vec<&[f64]> = missing.iter().map(|&index| distinct[index].context).collect();
                let made = self.make(&again, horizon, seed)?;
                self.lock().stats.made_again += made.len() as u64;
                missing.into_iter().zip(made).for_each(|(index, made)| found[index] = Some(made));
                break;
            }
            self.wait(&distinct, &missing);
        }
        // What was fetched is counted where it came from; the rest was there.
        self.lock().stats.count(contexts.len() - fetched, |stats| &mut stats.from_memory);
        let found: Vec<Forecast> =
            found.into_iter().map(|forecast| forecast.expect("the loop ends when all are found")).collect();
        Ok(places.into_iter().map(|place| found[place].clone()).collect())
    }
}

/// A context that was asked for, once.
struct Distinct<'a> {
    key: ForecastKey,
    context: &'a [f64],
}

impl<F: Forecaster> Cached<F> {
    /// The distinct contexts, in the order of their first appearance, and for each asked one its place among them.
    fn distinct<'a>(&self, contexts: &[&'a [f64]], horizon: usize, seed: u64) -> (Vec<Distinct<'a>>, Vec<usize>) {
        // The same memory is the same content: windows of one series are mostly that, and need no hash.
        let mut by_memory = HashMap::with_capacity(contexts.len());
        let mut slices: Vec<&[f64]> = Vec::new();
        let slice_of: Vec<usize> = contexts
            .iter()
            .map(|context| {
                *by_memory.entry((context.as_ptr(), context.len())).or_insert_with(|| {
                    slices.push(context);
                    slices.len() - 1
                })
            })
            .collect();
        let key = |context: &&[f64]| ForecastKey::new(&self.digest, context, horizon, seed);
        let keys: Vec<ForecastKey> = slices.par_iter().with_min_len(64).map(key).collect();
        let mut by_key: HashMap<ForecastKey, usize, Plain> = HashMap::default();
        let mut distinct = Vec::new();
        let place_of: Vec<usize> = keys
            .iter()
            .zip(&slices)
            .map(|(&key, &context)| {
                *by_key.entry(key).or_insert_with(|| {
                    distinct.push(Distinct { key, context });
                    distinct.len() - 1
                })
            })
            .collect();
        (distinct, slice_of.into_iter().map(|slice| place_of[slice]).collect())
    }

    /// Takes what memory has, and claims what nobody is making; the claim ends when it is dropped.
    fn claim(&self, distinct: &[Distinct<'_>], found: &mut [Option<Forecast>]) -> Claim<'_, F> {
        let mut state = self.lock();
        let mut claim = Claim { cached: self, indices: Vec::new(), keys: Vec::new() };
        for (index, Distinct { key, .. }) in distinct.iter().enumerate() {
            if found[index].is_some() {
                continue;
            }
            state.know(*key);
            found[index] = state.memory.get(key);
            if found[index].is_none() && state.in_flight.insert(*key) {
                claim.indices.push(index);
                claim.keys.push(*key);
            }
        }
        claim
    }

    /// What was claimed: from the shelf, else made.
    fn fetch(
        &self,
        distinct: &[Distinct<'_>],
        wanted: &[usize],
        horizon: usize,
        seed: u64,
        found: &mut [Option<Forecast>],
    ) -> Result<(), Error> {
        let from_shelf = self.look_up(distinct, wanted, found);
        self.verify(distinct, &from_shelf, horizon, seed, found)?;
        let to_make: Vec<usize> = wanted.iter().copied().filter(|&index| found[index].is_none()).collect();
        let mut unsaved = Vec::new();
        let mut saved_at = self.clock.monotonic();
        for part in to_make.chunks(self.rules.batch_max.max(1)) {
            let contexts: Vec<&[f64]> = part.iter().map(|&index| distinct[index].context).collect();
            let made = self.make(&contexts, horizon, seed);
            if let Ok(made) = &made {
                let mut state = self.lock();
                for (&index, made) in part.iter().zip(made) {
                    state.memory.put(distinct[index].key, made.clone(), self.rules.memory_bytes_max);
                    unsaved.push((*distinct[index].key.as_bytes(), made.to_bytes()));
                    found[index] = Some(made.clone());
                }
                state.stats.count(made.len(), |stats| &mut stats.made);
            }
            // Saved also before an error is told: what was made is not lost. Costly models are saved often, quick ones once.
            let now = self.clock.monotonic();
            if made.is_err() || now.saturating_sub(saved_at) >= Duration::from_millis(500) {
                self.save(&mut unsaved);
                saved_at = now;
            }
            made?;
        }
        self.save(&mut unsaved);
        Ok(())
    }

    /// Takes from the shelf what it has; returns which.
    fn look_up(&self, distinct: &[Distinct<'_>], wanted: &[usize], found: &mut [Option<Forecast>]) -> Vec<usize> {
        let Some(shelf) = self.shelf_in_use().filter(|_| !wanted.is_empty()) else { return Vec::new() };
        let began = self.clock.monotonic();
        let keys: Vec<[u8; 32]> = wanted.iter().map(|&index| *distinct[index].key.as_bytes()).collect();
        let values = shelf.get_many(&keys);
        let seconds = self.seconds_since(began);
        let mut state = self.lock();
        state.stats.seconds_shelf += seconds;
        let values = match values {
            Ok(values) => values,
            Err(error) => {
                state.stats.shelf_error.get_or_insert(error);
                return Vec::new();
            }
        };
        let mut levels = None;
        let mut taken = Vec::new();
        for (&index, value) in wanted.iter().zip(values) {
            match value.map(|value| Forecast::from_bytes(&value, &mut levels)) {
                Some(Ok(forecast)) => {
                    state.memory.put(distinct[index].key, forecast.clone(), self.rules.memory_bytes_max);
                    found[index] = Some(forecast);
                    taken.push(index);
                }
                Some(Err(_)) => state.stats.damaged += 1,
                None => {}
            }
        }
        state.stats.count(taken.len(), |stats| &mut stats.from_disk);
        taken
    }

    /// Makes a sample of what the shelf gave anew, and compares bit by bit.
    fn verify(
        &self,
        distinct: &[Distinct<'_>],
        taken: &[usize],
        horizon: usize,
        seed: u64,
        found: &[Option<Forecast>],
    ) -> Result<(), Error> {
        let every = self.rules.verify_one_in;
        if every == 0 {
            return Ok(());
        }
        // By the key, so that the sample is the same on any number of threads.
        let chosen = |index: usize| first_eight(distinct[index].key.as_bytes()).is_multiple_of(every);
        let mut sample: Vec<usize> = taken.iter().copied().filter(|&index| chosen(index)).collect();
        if sample.is_empty() {
            sample.extend(taken.first());
        }
        for part in sample.chunks(self.rules.batch_max.max(1)) {
            let contexts: Vec<&[f64]> = part.iter().map(|&index| distinct[index].context).collect();
            let made = self.make(&contexts, horizon, seed)?;
            for (&index, made) in part.iter().zip(made) {
                if found[index].as_ref().map(Forecast::to_bytes) != Some(made.to_bytes()) {
                    let digits = distinct[index].key.as_bytes()[..6].iter().map(|byte| format!("{byte:02x}"));
                    return Err(Error::Differs { model: self.id.to_string(), key: digits.collect() });
                }
            }
        }
        self.lock().stats.verified += sample.len() as u64;
        Ok(())
    }

    fn make(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        let began = self.clock.monotonic();
        let made = self.inner.predict_batch(contexts, horizon, seed);
        let seconds = self.seconds_since(began);
        let mut state = self.lock();
        state.stats.batches += 1;
        state.stats.seconds_making += seconds;
        let made = made?;
        if made.len() == contexts.len() {
            Ok(made)
        } else {
            let reason = format!("expected {} forecasts, found {}", contexts.len(), made.len());
            Err(Error::Failed { model: self.id.to_string(), reason })
        }
    }

    fn save(&self, unsaved: &mut Vec<([u8; 32], Vec<u8>)>) {
        let Some(shelf) = self.shelf_in_use().filter(|_| !unsaved.is_empty()) else { return unsaved.clear() };
        let began = self.clock.monotonic();
        let put = shelf.put_many(unsaved);
        let seconds = self.seconds_since(began);
        let mut state = self.lock();
        state.stats.seconds_shelf += seconds;
        if let Err(error) = put {
            state.stats.shelf_error.get_or_insert(error);
        }
        unsaved.clear();
    }

    /// Waits until none of `missing` is being made any more.
    fn wait(&self, distinct: &[Distinct<'_>], missing: &[usize]) {
        let mut state = self.lock();
        while missing.iter().any(|&index| state.in_flight.contains(&distinct[index].key)) {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn shelf_in_use(&self) -> Option<&Arc<dyn ForecastShelf>> {
        self.shelf.as_ref().filter(|_| self.lock().stats.shelf_error.is_none())
    }

    fn seconds_since(&self, began: Duration) -> f64 {
        self.clock.monotonic().saturating_sub(began).as_secs_f64()
    }
}

/// Keys that this thread fetches; given back when it is dropped, also by an error or a panic, so that nobody waits for ever.
struct Claim<'a, F: Forecaster> {
    cached: &'a Cached<F>,
    indices: Vec<usize>,
    keys: Vec<ForecastKey>,
}

impl<F: Forecaster> Drop for Claim<'_, F> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            let mut state = self.cached.lock();
            for key in &self.keys {
                state.in_flight.remove(key);
            }
            self.cached.arrived.notify_all();
        }
    }
}

#[derive(Default)]
struct State {
    memory: Memory,
    in_flight: HashSet<ForecastKey, Plain>,
    /// First eight bytes of every key that was asked for: two alike among millions are a matter of 1 to 10⁷.
    known: HashSet<u64, Plain>,
    stats: CachedStats,
}

impl State {
    fn know(&mut self, key: ForecastKey) {
        if self.known.len() < KNOWN_MAX {
            self.known.insert(first_eight(key.as_bytes()));
        }
    }
}

impl CachedStats {
    /// So many were asked for and came from there.
    fn count(&mut self, forecasts: usize, from: impl Fn(&mut Self) -> &mut u64) {
        *from(self) += forecasts as u64;
        self.asked += forecasts as u64;
    }
}

/// Least recently used, in two halves: when the young one is full it becomes the old one, whose rest goes.
#[derive(Default)]
struct Memory {
    young: HashMap<ForecastKey, Forecast, Plain>,
    old: HashMap<ForecastKey, Forecast, Plain>,
    bytes_young: u64,
}

impl Memory {
    fn get(&mut self, key: &ForecastKey) -> Option<Forecast> {
        if let Some(forecast) = self.young.get(key) {
            return Some(forecast.clone());
        }
        let forecast = self.old.remove(key)?;
        self.bytes_young += bytes_of(&forecast);
        self.young.insert(*key, forecast.clone());
        Some(forecast)
    }

    fn put(&mut self, key: ForecastKey, forecast: Forecast, bytes_max: u64) {
        if self.bytes_young > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes_young = 0;
        }
        self.bytes_young += bytes_of(&forecast);
        self.young.insert(key, forecast);
    }
}

/// Keys counted as different at most.
const KNOWN_MAX: usize = 1 << 22;

/// What a forecast takes in memory, its key and its place in the map included.
fn bytes_of(forecast: &Forecast) -> u64 {
    160 + 8 * forecast.made().map_or(0, |quantiles| quantiles.values().len() as u64)
}

fn first_eight(key: &[u8; 32]) -> u64 {
    key[..8].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Takes eight bytes of a key as its hash: a key is one already.
type Plain = BuildHasherDefault<PlainHasher>;

#[derive(Default)]
struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The last write is that of the bytes; before it comes their number.
        self.0 = bytes.iter().take(8).rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
