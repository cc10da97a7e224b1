//! Numbers from a seed. Start at [`Random::new`].
//!
//! Each purpose has a stream of its own, so that a fault injected into the rows never changes the market.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of random numbers that depends on nothing but a seed and a purpose.
#[derive(Debug)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `purpose` under `seed`.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a: short, fixed for ever, and good enough to keep a few purposes apart.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&hash.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform among all numbers of 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in (0, 1].
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform among `0..count`; `count` is not zero.
    pub(super) fn index(&mut self, count: usize) -> usize {
        // The bias of a product of 32 bits is below 1e-6 for every count here.
        (((self.bits() >> 32) * count as u64) >> 32) as usize
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() <= p
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Standard normal, by Box and Muller.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// A distribution as 4,096 equally likely values: a draw is one look-up, whatever the distribution.
#[derive(Debug)]
pub(super) struct Table(Vec<u32>);

impl Table {
    const VALUES: usize = 4096;

    /// Draws `VALUES` values with `draw`, once.
    pub(super) fn new(mut draw: impl FnMut() -> u32) -> Self {
        Self((0..Self::VALUES).map(|_| draw()).collect())
    }

    /// One of the values.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        self.0[(random.bits() >> 52) as usize]
    }
}
