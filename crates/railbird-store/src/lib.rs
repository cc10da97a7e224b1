//! Atomic files, content addresses, locks, bounded readers and single-flight caches.
//!
//! A whole folder is written by [`AtomicDir`], a single file by [`write_atomic`] or, piece by piece, [`AtomicFile`]: a reader,
//! and whoever comes after a kill or a loss of power, finds the old state or the new one. [`FileLock`] keeps two processes from doing one thing twice,
//! [`SingleFlight`] two threads. [`read_bounded`], [`gunzip_bounded`] and [`join_below`] are for files that nobody vouches for;
//! [`ContentHash`] shows that bytes are those that were written.
//!
//! Invariant: knows no format, and no reader here ever holds more bytes than its caller allowed.

mod atomic_dir;
mod atomic_file;
mod atomic_stream;
mod bounded;
mod error;
mod forecasts;
mod hash;
mod lock;
mod path;
mod single_flight;

pub use atomic_dir::{AtomicDir, Committed, Swept, sweep};
pub use atomic_file::write_atomic;
pub use atomic_stream::AtomicFile;
pub use bounded::{gunzip_bounded, read_bounded, read_range_bounded};
pub use error::Error;
pub use forecasts::{ForecastStore, ForecastStoreStats, SetAside, Verified};
pub use hash::ContentHash;
pub use lock::FileLock;
pub use path::join_below;
pub use single_flight::{CacheRules, CacheStats, SingleFlight};
