//! What the cache does is counted, and what it gives is what the forecaster would have given.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use railbird_model::{Naive, builtin};
use railbird_timeline::ManualClock;

use super::*;

/// Theta, whose calls are counted; can be told to fail, or to answer otherwise.
struct Counting {
    inner: Box<dyn Forecaster>,
    weights: Vec<u8>,
    asked: AtomicUsize,
    fails_at: AtomicUsize,
    lies: AtomicBool,
}

impl Counting {
    fn new(weights: &[u8]) -> Self {
        Self {
            inner: builtin("theta").unwrap(),
            weights: weights.to_vec(),
            asked: AtomicUsize::new(0),
            fails_at: AtomicUsize::new(usize::MAX),
            lies: AtomicBool::new(false),
        }
    }
}

impl Forecaster for Counting {
    fn id(&self) -> ModelId {
        ModelId::new("counting/1", "").with_weights(&self.weights)
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        let asked = self.asked.fetch_add(contexts.len(), Ordering::SeqCst) + contexts.len();
        if asked > self.fails_at.load(Ordering::SeqCst) {
            return Err(Error::Failed { model: "counting".to_owned(), reason: "told to fail".to_owned() });
        }
        if self.lies.load(Ordering::SeqCst) {
            return Naive.predict_batch(contexts, horizon, seed);
        }
        self.inner.predict_batch(contexts, horizon, seed)
    }
}

#[derive(Default)]
struct Shelf {
    held: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    broken: AtomicBool,
}

impl ForecastShelf for Shelf {
    fn get_many(&self, keys: &[[u8; 32]]) -> Result<Vec<Option<Vec<u8>>>, String> {
        if self.broken.load(Ordering::SeqCst) {
            return Err("the shelf fell down".to_owned());
        }
        let held = self.held.lock().unwrap();
        Ok(keys.iter().map(|key| held.get(key).cloned()).collect())
    }

    fn put_many(&self, entries: &[([u8; 32], Vec<u8>)]) -> Result<(), String> {
        self.held.lock().unwrap().extend(entries.iter().cloned());
        Ok(())
    }
}

fn series() -> Vec<f64> {
    (0..200).map(|t| 100.0 + (f64::from(t) * 0.37).sin() * 5.0 + f64::from(t % 7)).collect()
}

/// Contexts of `sims` simulations of one key with `steps` forecasts each, as they are asked for without a cache.
fn contexts(series: &[f64], sims: usize, steps: usize) -> Vec<&[f64]> {
    let days = series.len();
    (1..=sims).flat_map(|sim| (0..steps).map(move |step| &series[..days - sim - step])).collect()
}

fn cached<F: Forecaster>(inner: F, shelf: &Arc<Shelf>, verify_one_in: u64) -> Cached<F> {
    let rules = CachedRules { verify_one_in, batch_max: 10, ..CachedRules::default() };
    Cached::new(inner, Some(Arc::clone(shelf) as Arc<dyn ForecastShelf>), rules, Arc::new(ManualClock::default()))
}

#[test]
fn gives_what_the_forecaster_gives_and_makes_each_once_for_ever() {
    let series = series();
    let asked = contexts(&series, 70, 7);
    let plain = Counting::new(b"w").predict_batch(&asked, 2, 9).unwrap();
    let shelf = Arc::new(Shelf::default());

    let first = cached(Counting::new(b"w"), &shelf, 0);
    assert_eq!(first.predict_batch(&asked, 2, 9).unwrap(), plain);
    let stats = first.stats();
    // 70 + 7 − 1 of one key: four keys make the 304 of 1,960.
    assert_eq!((stats.asked, stats.unique, stats.from_memory, stats.from_disk, stats.made), (490, 76, 414, 0, 76));
    assert_eq!(first.predict_batch(&asked, 2, 9).unwrap(), plain);
    assert_eq!((first.stats().made, first.inner().asked.load(Ordering::SeqCst)), (76, 76));

    let second = cached(Counting::new(b"w"), &shelf, 0);
    assert_eq!(second.predict_batch(&asked, 2, 9).unwrap(), plain);
    let stats = second.stats();
    assert_eq!((stats.asked, stats.unique, stats.from_memory, stats.from_disk, stats.made), (490, 76, 414, 76, 0));
    assert_eq!(second.inner().asked.load(Ordering::SeqCst), 0, "0 calls the second time");
}

#[test]
fn one_byte_of_the_weights_changed_and_nothing_is_found() {
    let series = series();
    let asked = contexts(&series, 10, 7);
    let shelf = Arc::new(Shelf::default());
    cached(Counting::new(b"weights"), &shelf, 0).predict_batch(&asked, 1, 0).unwrap();
    for (weights, seed, horizon, hits) in
        [(&b"weights"[..], 0, 1, 16), (b"weighty", 0, 1, 0), (b"weights", 1, 1, 0), (b"weights", 0, 2, 0)]
    {
        let other = cached(Counting::new(weights), &shelf, 0);
        other.predict_batch(&asked, horizon, seed).unwrap();
        assert_eq!((other.stats().from_disk, other.stats().made), (hits, 16 - hits));
    }
}

#[test]
fn a_sample_is_made_anew_and_a_difference_fails() {
    let series = series();
    let asked = contexts(&series, 70, 7);
    let shelf = Arc::new(Shelf::default());
    cached(Counting::new(b"w"), &shelf, 0).predict_batch(&asked, 1, 0).unwrap();
    let honest = cached(Counting::new(b"w"), &shelf, 8);
    honest.predict_batch(&asked, 1, 0).unwrap();
    let stats = honest.stats();
    assert!((2..40).contains(&stats.verified) && stats.made == 0, "{stats:?}");

    let lying = cached(Counting::new(b"w"), &shelf, 1 << 60);
    lying.inner().lies.store(true, Ordering::SeqCst);
    let error = lying.predict_batch(&asked, 1, 0).unwrap_err();
    assert!(matches!(error, Error::Differs { .. }), "{error}");
    assert!(error.to_string().contains("kept and made anew differ"), "{error}");
}

#[test]
fn an_error_is_told_and_not_kept_and_what_was_made_before_it_is() {
    let series = series();
    let asked = contexts(&series, 70, 7);
    let shelf = Arc::new(Shelf::default());
    let cached = cached(Counting::new(b"w"), &shelf, 0);
    cached.inner().fails_at.store(35, Ordering::SeqCst);
    assert!(matches!(cached.predict_batch(&asked, 1, 0), Err(Error::Failed { .. })));
    assert_eq!(shelf.held.lock().unwrap().len(), 30, "three batches of ten");
    cached.inner().fails_at.store(usize::MAX, Ordering::SeqCst);
    cached.predict_batch(&asked, 1, 0).unwrap();
    let stats = cached.stats();
    assert_eq!((stats.made, stats.unique), (76, 76));
    assert_eq!(stats.asked, stats.from_memory + stats.from_disk + stats.made);
}

#[test]
fn a_shelf_that_breaks_or_holds_rubbish_costs_only_time() {
    let series = series();
    let asked = contexts(&series, 10, 7);
    let plain = Counting::new(b"w").predict_batch(&asked, 1, 0).unwrap();
    let shelf = Arc::new(Shelf::default());
    cached(Counting::new(b"w"), &shelf, 0).predict_batch(&asked, 1, 0).unwrap();
    shelf.held.lock().unwrap().values_mut().take(5).for_each(|value| value.truncate(3));
    let mended = cached(Counting::new(b"w"), &shelf, 0);
    assert_eq!(mended.predict_batch(&asked, 1, 0).unwrap(), plain);
    assert_eq!((mended.stats().damaged, mended.stats().made, mended.stats().from_disk), (5, 5, 11));

    shelf.broken.store(true, Ordering::SeqCst);
    let without = cached(Counting::new(b"w"), &shelf, 0);
    assert_eq!(without.predict_batch(&asked, 1, 0).unwrap(), plain);
    assert_eq!(without.stats().shelf_error.as_deref(), Some("the shelf fell down"));
}

#[test]
fn threads_that_ask_for_the_same_share_one_making() {
    let series = series();
    let asked = contexts(&series, 70, 7);
    let plain = Counting::new(b"w").predict_batch(&asked, 1, 0).unwrap();
    for round in 0..20 {
        let shelf = Arc::new(Shelf::default());
        let cached = cached(Counting::new(b"w"), &shelf, 0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (cached, asked, plain) = (&cached, &asked, &plain);
                scope.spawn(move || {
                    let mut mine = asked.clone();
                    mine.rotate_left(thread * 31 + round);
                    let mut wanted = plain.clone();
                    wanted.rotate_left(thread * 31 + round);
                    assert_eq!(cached.predict_batch(&mine, 1, 0).unwrap(), wanted);
                });
            }
        });
        let stats = cached.stats();
        assert_eq!((stats.asked, stats.unique, stats.made, stats.made_again), (4 * 490, 76, 76, 0));
        assert_eq!(cached.inner().asked.load(Ordering::SeqCst), 76);
    }
}

#[test]
fn inside_the_pool_nobody_waits_and_the_counts_are_the_same() {
    let series = series();
    let asked = contexts(&series, 70, 7);
    let plain = Counting::new(b"w").predict_batch(&asked, 1, 0).unwrap();
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let shelf = Arc::new(Shelf::default());
        let cached = cached(Counting::new(b"w"), &shelf, 0);
        pool.install(|| {
            (0..16).into_par_iter().for_each(|_| assert_eq!(cached.predict_batch(&asked, 1, 0).unwrap(), plain));
        });
        let stats = cached.stats();
        assert_eq!((stats.asked, stats.unique, stats.made, stats.from_memory), (16 * 490, 76, 76, 16 * 490 - 76));
    }
}

#[test]
fn memory_is_bounded_and_what_is_used_stays() {
    let forecast = Naive.predict_batch(&[&[1.0, 2.0]], 1, 0).unwrap().remove(0);
    let each = bytes_of(&forecast);
    let key = |number: u32| ForecastKey::new(&[0; 32], &[f64::from(number)], 1, 0);
    let mut memory = Memory::default();
    memory.put(key(0), forecast.clone(), 100 * each);
    for number in 1..10_000 {
        memory.put(key(number), forecast.clone(), 100 * each);
        assert!(memory.get(&key(0)).is_some(), "{number}");
        assert!(memory.young.len() + memory.old.len() <= 104);
    }
    assert!(memory.get(&key(1)).is_none());
}
