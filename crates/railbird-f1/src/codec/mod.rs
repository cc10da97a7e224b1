//! Finished bytes: chunks, the manifest, the logs.

mod chunk;
mod events;
mod manifest;

pub(crate) use self::chunk::{CHUNK_NS, chunks, encode as encode_chunk};
pub use self::chunk::{Chunk, ChunkError, decode as decode_chunk};
pub(crate) use self::events::{Events, Gaps, KINDS};
pub(crate) use self::manifest::FORMAT;
pub use self::manifest::{About, ChunkIndex, Corner, Counts, FileHash, Geometry, LineOrigin, Manifest, StaleSamples};
