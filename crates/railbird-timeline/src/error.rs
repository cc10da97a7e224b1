//! What can be wrong with bytes and text that are read.

/// Why a reading was refused. None of them is worth trying again with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text that is no instant.
    #[error("instant, byte {at}: expected {expected}")]
    Instant {
        /// Offset of the byte that does not fit.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A valid date that [`Ts`](crate::Ts) cannot hold.
    #[error("instant: outside 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z")]
    InstantRange,
    /// The bytes ended inside a value.
    #[error("byte {at}: expected {needed} more bytes, {left} are left")]
    Truncated {
        /// Offset where the value begins.
        at: usize,
        /// Bytes that the value needs at least.
        needed: usize,
        /// Bytes that are left from there on.
        left: usize,
    },
    /// A varint of more than 10 bytes, or of more than 64 bits.
    #[error("byte {at}: varint exceeds 64 bits")]
    Overlong {
        /// Offset where the varint begins.
        at: usize,
    },
    /// A column announces a predictor that does not exist.
    #[error("byte {at}: predictor {found} is unknown, expected 0, 1 or 2")]
    Predictor {
        /// Offset of the predictor.
        at: usize,
        /// What stands there.
        found: u8,
    },
}
