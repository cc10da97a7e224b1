//! The only place where this crate reads a clock: tokio's, which tests can pause.

use tokio::time::Instant;

/// Now, monotonic.
pub(crate) fn now() -> Instant {
    Instant::now()
}
