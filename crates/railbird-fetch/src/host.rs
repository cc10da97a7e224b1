//! How fast a host is asked, and whether at all. Start at [`HostBook::admit`].
//!
//! Written out rather than taken from `governor`: the same few lines hold the rate and the breaker, and both go by the
//! clock that the fetcher was given.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Error, FetchRules};

/// Hosts remembered; one more, and the one that has been quiet for longest is forgotten.
const HOSTS_MAX: usize = 1024;

/// What is remembered of every host.
#[derive(Debug, Default)]
pub(crate) struct HostBook {
    /// std Mutex: held for a few ns, never across an await.
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Debug, Default)]
struct Host {
    /// When the next request would be due if all came evenly: the virtual scheduling form of a leaky bucket (GCRA).
    due: Duration,
    failures: u32,
    /// Left alone until then.
    shut_until: Option<Duration>,
}

impl HostBook {
    /// How long a request to `host` has to wait for its turn, which it has taken then.
    ///
    /// # Errors
    /// [`Error::CircuitOpen`].
    pub(crate) fn admit(&self, host: &str, now: Duration, rules: &FetchRules) -> Result<Duration, Error> {
        let mut hosts = self.lock();
        if !hosts.contains_key(host) && hosts.len() >= HOSTS_MAX {
            let quiet = hosts.iter().min_by_key(|(_, host)| host.due).map(|(name, _)| name.clone());
            quiet.and_then(|name| hosts.remove(&name));
        }
        let entry = hosts.entry(host.to_owned()).or_default();
        if let Some(until) = entry.shut_until {
            if now < until {
                return Err(Error::CircuitOpen { host: host.to_owned(), retry_in: until - now });
            }
            // This one tries; the others wait as long again, or until it has succeeded.
            entry.shut_until = Some(now + rules.breaker_pause);
        }
        let interval = Duration::from_secs(1) / rules.host_rate.get();
        let ahead = interval * (rules.host_burst.get() - 1);
        let due = entry.due.max(now);
        entry.due = due + interval;
        Ok((due - now).saturating_sub(ahead))
    }

    /// Notes how a request to `host` came out.
    pub(crate) fn note(&self, host: &str, failed: bool, now: Duration, rules: &FetchRules) {
        let mut hosts = self.lock();
        let Some(entry) = hosts.get_mut(host) else { return };
        if !failed {
            entry.failures = 0;
            entry.shut_until = None;
            return;
        }
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures >= rules.breaker_failures.get() {
            entry.shut_until = Some(now + rules.breaker_pause);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::Hosts;

    const MS: Duration = Duration::from_millis(1);

    fn rules() -> FetchRules {
        let number = |n| NonZeroU32::new(n).unwrap();
        FetchRules {
            host_rate: number(10),
            host_burst: number(2),
            breaker_failures: number(3),
            breaker_pause: 1000 * MS,
            ..FetchRules::new(Hosts::Any)
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_evenly() {
        let (book, rules) = (HostBook::default(), rules());
        let waits: Vec<_> = (0..5).map(|_| book.admit("a", 5 * MS, &rules).unwrap()).collect();
        assert_eq!(waits, [Duration::ZERO, Duration::ZERO, 100 * MS, 200 * MS, 300 * MS]);
        assert_eq!(book.admit("b", 5 * MS, &rules).unwrap(), Duration::ZERO);
        assert_eq!(book.admit("a", 505 * MS, &rules).unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_host_that_fails_is_left_alone_and_then_tried_by_one() {
        let (book, rules) = (HostBook::default(), rules());
        for _ in 0..3 {
            book.admit("a", MS, &rules).unwrap();
            book.note("a", true, MS, &rules);
        }
        let shut = |now| match book.admit("a", now, &rules) {
            Err(Error::CircuitOpen { retry_in, .. }) => Some(retry_in),
            _ => None,
        };
        assert_eq!(shut(2 * MS), Some(999 * MS));
        assert_eq!(shut(1001 * MS), None);
        assert_eq!(shut(1001 * MS), Some(1000 * MS));
        book.note("a", true, 1002 * MS, &rules);
        assert_eq!(shut(1003 * MS), Some(999 * MS));
        assert_eq!(shut(2002 * MS), None);
        book.note("a", false, 2002 * MS, &rules);
        assert_eq!(shut(2003 * MS), None);
        book.note("a", true, 2003 * MS, &rules);
        assert_eq!(shut(2004 * MS), None);
    }

    #[test]
    fn the_book_does_not_grow_without_end() {
        let (book, rules) = (HostBook::default(), rules());
        for host in 0..3 * HOSTS_MAX {
            book.admit(&host.to_string(), MS * host as u32, &rules).unwrap();
        }
        assert_eq!(book.lock().len(), HOSTS_MAX);
    }
}
