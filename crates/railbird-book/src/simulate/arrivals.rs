//! When events come: a self-exciting process. Start at [`Arrivals::next`].
//!
//! A Hawkes process (Hawkes 1971) whose kernel is a sum of exponentials. Between two events each part of the intensity
//! decays by itself, so that the next event is the first of independent waiting times with known distributions
//! (Dassios and Zhao 2013): nothing is thinned, and the part that came first says whether the event has a parent.

use super::random::Random;

const SECOND_NS: f64 = 1e9;

/// Events that one event brings on, in the mean, by the time they take: about 0.87 in all. Bursts of microseconds are
/// machines that answer one another; the rest is orders that are worked.
pub(super) const KERNELS: [Kernel; 3] = [
    Kernel { children: 0.52, mean_s: 15e-6 },
    Kernel { children: 0.16, mean_s: 8e-3 },
    Kernel { children: 0.19, mean_s: 0.4 },
];

/// An exponential part of the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    /// Mean number of children.
    pub(super) children: f64,
    /// Mean time to a child, s.
    pub(super) mean_s: f64,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arrival {
    /// When, ns.
    pub(super) at_ns: i64,
    /// Whether it has no parent.
    pub(super) immigrant: bool,
}

/// The process.
#[derive(Debug)]
pub(super) struct Arrivals {
    random: Random,
    now_ns: i64,
    /// Intensity that is left of each kernel, 1/s.
    excited: [f64; KERNELS.len()],
}

impl Arrivals {
    /// A process that nothing has excited yet, at `now_ns`.
    pub(super) fn new(random: Random, now_ns: i64) -> Self {
        Self { random, now_ns, excited: [0.0; KERNELS.len()] }
    }

    /// Children that an event has in the mean, over all its time.
    pub(super) fn branching() -> f64 {
        KERNELS.iter().map(|kernel| kernel.children).sum()
    }

    /// Goes to `at_ns`, which is not before now, as if nothing had come.
    pub(super) fn rest_until(&mut self, at_ns: i64) {
        let wait_s = (at_ns - self.now_ns) as f64 / SECOND_NS;
        for (excited, kernel) in self.excited.iter_mut().zip(&KERNELS) {
            *excited *= (-wait_s / kernel.mean_s).exp();
        }
        self.now_ns = at_ns;
    }

    /// The next event before `until_ns` if immigrants come at `base` a second; None, and the time is `until_ns`,
    /// where none comes.
    pub(super) fn next(&mut self, base: f64, until_ns: i64) -> Option<Arrival> {
        let mut wait_s = self.random.exponential() / base;
        let mut immigrant = true;
        for (excited, kernel) in self.excited.iter().zip(&KERNELS) {
            // Events still to come of this part are Poisson with mean `excited * mean_s`: with probability
            // exp(-that) there are none.
            let left = 1.0 - self.random.exponential() / (excited * kernel.mean_s);
            if left > 0.0 {
                let candidate_s = -kernel.mean_s * left.ln();
                if candidate_s < wait_s {
                    (wait_s, immigrant) = (candidate_s, false);
                }
            }
        }
        let wait_ns = wait_s * SECOND_NS;
        if wait_ns >= (until_ns - self.now_ns) as f64 {
            self.rest_until(until_ns);
            return None;
        }
        for (excited, kernel) in self.excited.iter_mut().zip(&KERNELS) {
            *excited = *excited * (-wait_s / kernel.mean_s).exp() + kernel.children / kernel.mean_s;
        }
        self.now_ns += wait_ns as i64;
        Some(Arrival { at_ns: self.now_ns, immigrant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_the_spread_of_the_process() {
        let base = 2.0;
        let mut arrivals = Arrivals::new(Random::new(7, "test"), 0);
        let windows = 2000;
        let mut counts = vec![0.0; windows];
        let mut immigrants = 0.0;
        for (window, count) in counts.iter_mut().enumerate() {
            while let Some(arrival) = arrivals.next(base, (window as i64 + 1) * 20_000_000_000) {
                *count += 1.0;
                immigrants += f64::from(u8::from(arrival.immigrant));
            }
        }
        let total: f64 = counts.iter().sum();
        let mean = total / windows as f64;
        let expected = 20.0 * base / (1.0 - Arrivals::branching());
        assert!((mean / expected - 1.0).abs() < 0.05, "mean {mean}, expected {expected}");
        let share = 1.0 - immigrants / total;
        assert!((share - Arrivals::branching()).abs() < 0.01, "children {share}");
        // The variance of counts in long windows is the mean over (1 - branching)², Hawkes 1971.
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / windows as f64;
        let fano = variance / mean * (1.0 - Arrivals::branching()).powi(2);
        assert!((0.8..1.15).contains(&fano), "variance over mean is {fano} of what it is in the limit");
    }
}
