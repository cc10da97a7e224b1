//! Where CPU work and file reads happen: a bounded number of blocking threads, and a bounded queue before them.
//!
//! Invariant: an async worker never computes. A caller that gives up (deadline, closed connection) leaves its call
//! running, and the call keeps its place until it is done: threads never exceed the bound.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::sync::Semaphore;

use crate::metrics::{Count, Metric};

/// A bounded pool.
pub(crate) struct Pool {
    threads: usize,
    threads_free: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    refused: Count,
    panicked: Count,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// As many wait as may.
    Full,
    /// It panicked.
    Panicked,
}

impl Pool {
    pub(crate) fn new(threads: usize, waiting_max: usize) -> Self {
        Self {
            threads,
            threads_free: Arc::new(Semaphore::new(threads)),
            waiting: AtomicUsize::new(0),
            waiting_max,
            refused: Count::default(),
            panicked: Count::default(),
        }
    }

    /// Runs `work` on a blocking thread, after those that came before.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let permit = match Arc::clone(&self.threads_free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let Some(_place) = Place::take(&self.waiting, self.waiting_max) else {
                    self.refused.add(1);
                    return Err(PoolError::Full);
                };
                // The semaphore is never closed.
                Arc::clone(&self.threads_free).acquire_owned().await.map_err(|_| PoolError::Full)?
            }
        };
        let span = tracing::Span::current();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            span.in_scope(|| catch_unwind(AssertUnwindSafe(work)))
        });
        match done.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => {
                self.panicked.add(1);
                Err(PoolError::Panicked)
            }
        }
    }

    pub(crate) fn collect(&self, into: &mut Vec<Metric>) {
        let busy = self.threads - self.threads_free.available_permits();
        into.extend([
            Metric::gauge("railbird_blocking_threads", "bound of calls computed at once", self.threads as f64),
            Metric::gauge("railbird_blocking_busy", "calls being computed", busy as f64),
            Metric::gauge("railbird_blocking_queue", "calls waiting for a thread", self.waiting.load(SeqCst) as f64),
            Metric::gauge(
                "railbird_blocking_queue_max",
                "bound of calls waiting for a thread",
                self.waiting_max as f64,
            ),
            Metric::counter(
                "railbird_blocking_refused_total",
                "calls refused as the queue was full",
                self.refused.get(),
            ),
            Metric::counter("railbird_blocking_panicked_total", "calls that panicked", self.panicked.get()),
        ]);
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        let took = waiting.fetch_update(SeqCst, SeqCst, |n| (n < max).then_some(n + 1));
        took.ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn queue_and_threads_keep_their_bounds_and_a_panic_is_an_answer() {
        let pool = Arc::new(Pool::new(1, 1));
        let (open, gate) = mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move || {
                    let _ = started.send(());
                    gate.recv().ok()
                })
                .await
            }
        });
        running.await.unwrap();
        let mut second = Box::pin(pool.run(|| 2));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert_eq!(pool.run(|| 3).await, Err(PoolError::Full));
        // Its caller gives up: the place is free again, the thread is not.
        drop(second);
        let mut fourth = Box::pin(pool.run(|| 4));
        assert!(futures_util::poll!(fourth.as_mut()).is_pending());
        open.send(()).unwrap();
        assert_eq!(fourth.await, Ok(4));
        assert!(first.await.unwrap().is_ok());
        assert_eq!(pool.run(|| panic!("planted")).await, Err::<(), _>(PoolError::Panicked));
        assert_eq!(pool.run(|| 5).await, Ok(5));
    }
}
