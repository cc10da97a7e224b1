//! Atomic files, content addresses, locks, bounded readers and single-flight caches
