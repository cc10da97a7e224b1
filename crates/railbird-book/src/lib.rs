//! The order book: ticks to bars, levels, episodes and searchable situations.
